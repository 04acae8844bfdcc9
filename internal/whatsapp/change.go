package whatsapp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// Change implements host.Device.
func (d *device) Change(ctx context.Context, c chat.Command) error {
	r, err := d.connected()
	if err != nil {
		return err
	}
	defer d.turns.work()()
	if err := r.changeChat(ctx, c); err != nil {
		return fmt.Errorf("%s: %w", c.Kind, err)
	}
	return nil
}

func (r *run) changeChat(ctx context.Context, c chat.Command) error {
	switch c.Kind {
	case chat.OlderCommand:
		return r.fetchOlder(ctx, c)
	case chat.MediaCommand:
		return r.fetchMedia(ctx, c)
	}
	row, ok := chat.ChatCommandOf(c.Kind)
	if !ok {
		return &chat.Error{Code: chat.InvalidParameter, Message: "kind"}
	}
	if err := row.Fits(c); err != nil {
		return err
	}
	if c.Chat.Kind() == chat.Newsletter && row.Setting == chat.MuteSetting {
		return r.muteChannel(ctx, c.Chat, row.On)
	}
	if done, err := r.gone(ctx, c, row.Setting); done || err != nil {
		return err
	}
	index, err := r.index(ctx, c.Chat)
	if err != nil {
		return err
	}
	if row.Setting == chat.TimerSetting {
		return r.setTimer(ctx, c, index)
	}
	if row.Setting == chat.ReadSetting && row.On && !c.Quiet {
		if err := r.giveReceipts(ctx, c, index); err != nil {
			return err
		}
	}
	patch, err := r.patchFor(ctx, c, row, index)
	if err != nil {
		return err
	}
	patch.Timestamp = r.wished(c)
	return r.setAll(ctx, []appstate.PatchInfo{patch}, nil)[0]
}

// patchFor is the change of the app state that a command asks for, of a chat that has this address there.
func (r *run) patchFor(
	ctx context.Context, c chat.Command, row chat.ChatCommand, index types.JID,
) (p appstate.PatchInfo, err error) {
	switch row.Setting {
	case chat.MuteSetting:
		var end *int64
		if row.On {
			end = proto.Int64(c.MuteEnd())
		}
		return appstate.BuildMuteAbs(index, row.On, end), nil
	case chat.PinSetting:
		return r.pin(ctx, c.Chat, index, row.On)
	case chat.ArchiveSetting:
		span, err := r.span(ctx, c.Chat, index, c.Through)
		if err != nil {
			return p, err
		}
		p = appstate.PatchInfo{Type: appstate.WAPatchRegularLow,
			Mutations: []appstate.MutationInfo{archiving(index, row.On, span)}}
		if row.On { // what is archived isn't pinned
			p.Mutations = append(p.Mutations, appstate.BuildPin(index, false).Mutations...)
		}
		return p, nil
	case chat.ReadSetting:
		span, err := r.span(ctx, c.Chat, index, c.Through)
		if err != nil {
			return p, err
		}
		return single(appstate.WAPatchRegularLow, 3, &waSyncAction.SyncActionValue{
			MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: proto.Bool(row.On), MessageRange: span},
		}, appstate.IndexMarkChatAsRead, index.String()), nil
	case chat.StarSetting:
		from, sender, err := r.author(ctx, c.Chat, c.Message, true)
		if err != nil {
			return p, err
		}
		return single(appstate.WAPatchRegularHigh, 2, &waSyncAction.SyncActionValue{
			StarAction: &waSyncAction.StarAction{Starred: proto.Bool(row.On)},
		}, appstate.IndexStar, index.String(), c.Message, from, sender), nil
	case chat.ClearSetting:
		span, err := r.span(ctx, c.Chat, index, c.Through)
		if err != nil {
			return p, err
		}
		starred := "0"
		if c.Starred == chat.DeleteStarred {
			starred = "1"
		}
		return single(appstate.WAPatchRegularHigh, clearVersion, &waSyncAction.SyncActionValue{
			ClearChatAction: &waSyncAction.ClearChatAction{MessageRange: span},
		}, appstate.IndexClearChat, index.String(), starred, "0"), nil // files stay
	case chat.DeleteSetting:
		span, err := r.span(ctx, c.Chat, index, c.Through)
		if err != nil {
			return p, err
		}
		return single(appstate.WAPatchRegularHigh, clearVersion, &waSyncAction.SyncActionValue{
			DeleteChatAction: &waSyncAction.DeleteChatAction{MessageRange: span},
		}, appstate.IndexDeleteChat, index.String(), "0"), nil // files stay
	}
	return p, &chat.Error{Code: chat.InvalidParameter, Message: "kind"}
}

// clearVersion is the version of the actions that clear and delete, as clients send them.
const clearVersion = 6

func single(name appstate.WAPatchName, version int32, v *waSyncAction.SyncActionValue, index ...string) appstate.PatchInfo {
	return appstate.PatchInfo{Type: name, Mutations: []appstate.MutationInfo{{Index: index, Version: version, Value: v}}}
}

func archiving(index types.JID, archived bool, span *waSyncAction.SyncActionMessageRange) appstate.MutationInfo {
	return appstate.MutationInfo{
		Index: []string{appstate.IndexArchive, index.String()}, Version: 3,
		Value: &waSyncAction.SyncActionValue{
			ArchiveChatAction: &waSyncAction.ArchiveChatAction{Archived: &archived, MessageRange: span},
		},
	}
}

// The most chats and channels that WhatsApp lets an account pin. Its clients would take the oldest pin off for one more.
const (
	maxPinnedChats    = 3
	maxPinnedChannels = 2
)

func (r *run) pin(ctx context.Context, jid chat.JID, index types.JID, on bool) (p appstate.PatchInfo, err error) {
	p = appstate.BuildPin(index, on)
	if !on {
		return p, nil
	}
	view, err := r.Chats.Chat(ctx, r.account, jid)
	if err != nil {
		return p, err
	}
	pinned, _, err := r.Chats.Chats(ctx, r.account, chat.Filter{Pinned: proto.Bool(true)}, chat.Page{Limit: spanPage}, r.Now())
	if err != nil {
		return p, fmt.Errorf("list pinned chats: %w", err)
	}
	channel := jid.Kind() == chat.Newsletter
	room := maxPinnedChats
	if channel {
		room = maxPinnedChannels
	}
	for _, v := range pinned {
		if v.JID != view.JID && (v.JID.Kind() == chat.Newsletter) == channel {
			room--
		}
	}
	if room <= 0 {
		return p, &chat.Error{Code: chat.PinLimit}
	}
	if view.Archived { // what is pinned isn't archived
		span, err := r.span(ctx, jid, index, nil)
		if err != nil {
			return p, err
		}
		p.Mutations = append(p.Mutations, archiving(index, false, span))
	}
	return p, nil
}

// errLooked ends a look at a chat that changes nothing.
var errLooked = errors.New("looked")

// look shows a chat as it is stored, with some of its messages, and changes nothing. It returns what see returns.
func (r *run) look(ctx context.Context, jid chat.JID, ids []string, see func(*chat.Thread) error) error {
	err := r.Chats.Update(ctx, r.account, jid, ids, func(t *chat.Thread) error { return cmp.Or(see(t), errLooked) })
	if errors.Is(err, errLooked) {
		return nil
	}
	return err
}

// gone tells whether what is to be cleared or deleted has been: by an attempt before whose outcome wasn't recorded, as a rule.
// Its keys are gone by then, and a range without them would take what came since in the same second.
func (r *run) gone(ctx context.Context, c chat.Command, setting chat.Setting) (done bool, err error) {
	if c.Through == nil || setting != chat.DeleteSetting && (setting != chat.ClearSetting || c.Through.ID == "") {
		return false, nil
	}
	err = r.look(ctx, c.Chat, nil, func(t *chat.Thread) error {
		if setting == chat.DeleteSetting {
			done = t.Chat.Deleted.Covers(c.Through.Time, c.Through.ID)
		} else {
			done = t.Chat.Cleared.Covers(c.Through.Time, c.Through.ID) ||
				c.Starred != chat.DeleteStarred && t.Chat.ClearedUnstarred.Covers(c.Through.Time, c.Through.ID)
		}
		return nil
	})
	return done, err
}

// author is how the index of a star names whose message it is: whether the own, and by whom in a group. MESSAGE_NOT_FOUND where
// the chat has none or, if listed, none that it lists.
func (r *run) author(ctx context.Context, jid chat.JID, id string, listed bool) (fromMe, sender string, err error) {
	fromMe, sender = "0", "0"
	err = r.look(ctx, jid, []string{id}, func(t *chat.Thread) error {
		m := t.Messages[id]
		if m == nil || listed && !t.Chat.Lists(t.Chat.Place(m), r.Now()) {
			return &chat.Error{Code: chat.MessageNotFound}
		}
		switch kind := t.Chat.JID.Kind(); {
		case m.Content.FromMe:
			fromMe = "1"
		case kind != chat.Private:
			sender = translate.WireJID(m.Content.Sender).String()
		}
		return nil
	})
	return fromMe, sender, err
}

// The most messages that are looked through for those that wait to be read, and that one receipt names.
const (
	maxReceipts  = 1000
	receiptsEach = 100
)

// giveReceipts tells those who wrote what waits to be read in a chat that it is read, as far as the account does so. What came
// after the command was wanted nobody has read.
func (r *run) giveReceipts(ctx context.Context, c chat.Command, index types.JID) error {
	view, err := r.Chats.Chat(ctx, r.account, c.Chat)
	if err != nil {
		return err
	}
	var d struct {
		UnreadCount int `json:"unreadCount"`
	}
	if err := json.Unmarshal([]byte(view.Document), &d); err != nil {
		return fmt.Errorf("read unread count: %w", err)
	}
	unread, err := r.incoming(ctx, c, index, min(d.UnreadCount, maxReceipts))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	for sender, ids := range unread {
		for len(ids) > 0 {
			n := min(len(ids), receiptsEach)
			if err := r.wa.MarkRead(ctx, ids[:n], r.Now(), index, sender); err != nil {
				return fmt.Errorf("send receipts: %w", refusal(err))
			}
			ids = ids[n:]
		}
	}
	return nil
}

// incoming are those of the newest messages of others in a chat that a command is about, by sender; in a direct chat there is only
// the empty one.
func (r *run) incoming(
	ctx context.Context, c chat.Command, index types.JID, most int,
) (map[types.JID][]types.MessageID, error) {
	found := make(map[types.JID][]types.MessageID)
	seen := 0
	for cursor := ""; most > 0; {
		page, err := r.Chats.Messages(ctx, r.account, c.Chat, chat.Page{Limit: spanPage, Cursor: cursor}, r.Now())
		if err != nil {
			return nil, err
		}
		for i := len(page.Messages) - 1; i >= 0 && most > 0; i-- {
			k, err := keyOf(page.Messages[i], index)
			if err != nil {
				return nil, err
			}
			if k.GetFromMe() {
				continue
			}
			if c.Through != nil && !c.Through.Covers(page.Messages[i]) {
				most--
				continue
			}
			var sender types.JID
			if k.GetParticipant() != "" {
				if sender, err = types.ParseJID(k.GetParticipant()); err != nil {
					continue // nobody's
				}
			}
			found[sender] = append(found[sender], k.GetID())
			most--
		}
		seen += len(page.Messages)
		if cursor = page.Next; cursor == "" || seen >= maxReceipts {
			break
		}
	}
	return found, nil
}

// muteChannel mutes a channel by a call of its own: it isn't in the app state, and has no end.
func (r *run) muteChannel(ctx context.Context, jid chat.JID, mute bool) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := r.wa.NewsletterToggleMute(ctx, translate.WireJID(jid), mute); err != nil {
		return fmt.Errorf("mute channel: %w", refusal(err))
	}
	change := chat.Change{Chat: jid, State: chat.Chat{Mute: translate.ChannelMute(mute, time.UnixMilli(chat.Baseline))}}
	return r.channels.project(r.bookFor(ctx), []chat.Change{change})
}
