package sim

import (
	"context"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim/media"
)

// ToldOptions say how a phone tells a new device of its chats. The zero value is good.
type ToldOptions struct {
	// Latest is how many messages of each chat come at first; the older ones come behind.
	Latest int
	// ByLID has persons' chats under their LIDs.
	ByLID bool
	// Unmapped are those whose number isn't told.
	Unmapped []*Contact
}

// Told is the history that the phone gives a new device, as its chats are now. It may be sent at any time later.
func (p *Phone) Told(o ToldOptions) []History {
	var in media.Inbox
	var all []*waHistorySync.Conversation
	for _, c := range p.persons() {
		chat := c.address(o.ByLID || slices.Contains(o.Unmapped, c))
		shown, ok := p.Shown(chat)
		if shown.pushName != "" {
			in.Pushnames = append(in.Pushnames, &waHistorySync.Pushname{ID: proto.String(chat.String()), Pushname: &shown.pushName})
		}
		conv := p.told(chat, shown)
		if !slices.Contains(o.Unmapped, c) {
			conv.PnJID, conv.LidJID = proto.String(c.pn.String()), proto.String(c.lid.String())
			in.Mappings = append(in.Mappings, &waHistorySync.PhoneNumberToLIDMapping{PnJID: conv.PnJID, LidJID: conv.LidJID})
		}
		if ok || shown.Timer != 0 || len(shown.Messages) > 0 {
			all = append(all, conv)
		}
	}
	for _, g := range p.s.groupsOf(p.Contact) {
		if shown, ok := p.Shown(g.jid); ok {
			all = append(all, p.told(g.jid, shown))
		}
	}
	in.Conversations, in.Count = slices.Values(all), len(all)
	var parts []History
	for part := range in.Bootstrap(max(o.Latest, 1), media.Chunking{}) {
		parts = append(parts, History{Sync: part})
	}
	return parts
}

// SendHistoryTo sends a part of the history to one device.
func (p *Phone) SendHistoryTo(ctx context.Context, d *Device, h History) (id string, err error) {
	n, err := p.s.historyNotification(h)
	if err != nil {
		return "", err
	}
	return p.sendPeer(ctx, historyMessage(n), d)
}

// persons are those whom the phone knows.
func (p *Phone) persons() (all []*Contact) {
	for _, g := range p.s.groupsOf(p.Contact) {
		for _, c := range g.s.everybody() {
			knows := slices.ContainsFunc(g.knownTo(p.Contact).Members, func(m string) bool { return strings.HasPrefix(m, c.pn.User+" ") })
			if knows && c != p.Contact && !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	for _, m := range p.Received() {
		for _, jid := range []types.JID{m.Chat, m.From.ToNonAD()} {
			if c := p.s.find(jid); c != nil && c != p.Contact && !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// groupsOf are the groups that somebody is or was in.
func (s *Server) groupsOf(c *Contact) (all []*Group) {
	s.mu.Lock()
	groups := make([]*Group, 0, len(s.groups))
	for _, g := range s.groups {
		groups = append(groups, g)
	}
	s.mu.Unlock()
	for _, g := range groups {
		if known := g.knownTo(c); known.Name != "" {
			all = append(all, g)
		}
	}
	return all
}

// told is a chat as a history has it.
func (p *Phone) told(chat types.JID, c ShownChat) *waHistorySync.Conversation {
	conv := &waHistorySync.Conversation{
		ID: proto.String(chat.String()), UnreadCount: proto.Uint32(uint32(c.Unread)), MarkedAsUnread: &c.MarkedUnread,
		UnreadMentionCount: proto.Uint32(uint32(c.Mentions)), Archived: &c.Archived, Locked: &c.Locked,
		EphemeralExpiration: &c.Timer, ReadOnly: &c.ReadOnly,
	}
	if c.Time > 0 {
		conv.ConversationTimestamp = proto.Uint64(uint64(c.Time))
	}
	g := p.s.group(chat)
	if g != nil {
		conv.Name, conv.Participant = &c.Name, g.toldMembers(c.Members)
		conv.ConversationTimestamp = proto.Uint64(uint64(max(c.moved, g.created.Unix())))
	} else if c.contact != "" {
		conv.Name = &c.contact
	}
	for _, m := range slices.Backward(c.Messages) {
		conv.Messages = append(conv.Messages, &waHistorySync.HistorySyncMsg{
			Message: p.toldMessage(chat, m), MsgOrderID: proto.Uint64(uint64(m.came.place + 1)),
		})
	}
	return conv
}

// toldMembers are members of a group, each given by number and rank.
func (g *Group) toldMembers(members []string) (all []*waHistorySync.GroupParticipant) {
	for _, c := range g.s.everybody() {
		for value, rank := range waHistorySync.GroupParticipant_Rank_name {
			if slices.Contains(members, c.pn.User+" "+rank) {
				all = append(all, &waHistorySync.GroupParticipant{
					UserJID: proto.String(c.address(g.byLID).String()), Rank: waHistorySync.GroupParticipant_Rank(value).Enum(),
				})
			}
		}
	}
	return all
}

// everybody is who has an account.
func (s *Server) everybody() (all []*Contact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for jid, c := range s.contacts {
		if jid == c.pn {
			all = append(all, c)
		}
	}
	return all
}

// toldMessage is a message as a phone keeps it: with what became of it.
func (p *Phone) toldMessage(chat types.JID, m ShownMessage) *waWeb.WebMessageInfo {
	received := m.received
	received.Chat = chat
	w := p.webMessage(received)
	w.Starred = &m.Starred
	switch {
	case m.Revoked:
		w.Message, w.MessageStubType = nil, waWeb.WebMessageInfo_REVOKE.Enum()
	case m.edited != 0:
		edit := Edit(chat, m.ID, answering(m.said, m.received.Message))
		edit.EditedMessage.Message.ProtocolMessage.TimestampMS = &m.edited
		edit.EditedMessage.Message.ProtocolMessage.Key = w.Key
		w.Message = edit
	}
	if pin := m.received.Message.GetPinInChatMessage(); pin != nil {
		w.Message, w.MessageStubType = nil, waWeb.WebMessageInfo_PINNED_MESSAGE_IN_CHAT.Enum()
		w.MessageStubParameters = []string{pin.GetKey().GetID()}
	}
	if m.Pinned {
		pinned := *m.pin
		pinned.Chat = chat
		w.PinInChat = &waWeb.PinInChat{
			Type: waWeb.PinInChat_PIN_FOR_ALL.Enum(), Key: p.webMessage(pinned).Key,
			SenderTimestampMS: m.pin.Message.GetPinInChatMessage().SenderTimestampMS,
			MessageAddOnContextInfo: &waWeb.MessageAddOnContextInfo{
				MessageAddOnDurationInSecs: m.pin.Message.MessageContextInfo.MessageAddOnDurationInSecs,
			},
		}
	}
	group := p.s.group(chat)
	for _, r := range m.reacted {
		key := &waCommon.MessageKey{RemoteJID: w.Key.RemoteJID, FromMe: proto.Bool(r.mine), ID: proto.String(r.id)}
		if by := p.s.find(types.NewJID(r.by, types.DefaultUserServer)); group != nil && !r.mine {
			key.Participant = proto.String(by.address(group.byLID).String())
		}
		w.Reactions = append(w.Reactions, &waWeb.Reaction{
			Key: key, Text: proto.String(m.Reactions[r.by]), SenderTimestampMS: proto.Int64(r.sent),
		})
	}
	return w
}

// answering is an edit of a message, which goes on answering what that did.
func answering(edit, of *waE2E.Message) *waE2E.Message {
	quote := of.GetExtendedTextMessage().GetContextInfo()
	if quote.GetStanzaID() == "" {
		return edit
	}
	context := &waE2E.ContextInfo{}
	if said := edit.GetExtendedTextMessage().GetContextInfo(); said != nil {
		context = proto.CloneOf(said)
	}
	context.StanzaID, context.Participant, context.QuotedMessage = quote.StanzaID, quote.Participant, quote.QuotedMessage
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(textOf(edit)), ContextInfo: context}}
}
