package whatsapp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sleep"
	"pesan/internal/whatsapp/translate"
)

const (
	historyPrefix = "history/"       // of backlog items; the message's id follows
	historyPage   = 500              // messages that are stored at a time
	secretsBatch  = 50               // chats whose message secrets are stored at a time
	progressEvery = time.Second      // how often the account tells the progress
	nextPart      = 60 * time.Second // the phone sends its next part by then
)

// deferHistory puts a part of a history sync into the backlog. Stories are left out.
func (r *run) deferHistory(id string, n *waE2E.HistorySyncNotification) error {
	if n.GetSyncType() == waE2E.HistorySyncType_INITIAL_STATUS_V3 {
		return nil
	}
	data, err := proto.Marshal(n)
	if err != nil {
		return fmt.Errorf("marshal history notification: %w", err)
	}
	if err := r.Backlog.PutBacklog(r.ctx, r.account, historyPrefix+id, data); err != nil {
		return fmt.Errorf("store history notification: %w", err)
	}
	r.history.start()
	return nil
}

// progress is how far a history sync is. It belongs to the errand's goroutine.
type progress struct {
	chat.Sync
	told  time.Time
	shown bool // the account may have a Sync
}

// workHistory projects the parts that wait, the oldest first, until there are no more or the connection is needed and
// isn't there.
func (r *run) workHistory() {
	p := &r.progress
	for failures := 0; ; {
		items, err := r.Backlog.ListBacklog(r.ctx, r.account)
		done := 0
		for _, item := range items {
			if err == nil && strings.HasPrefix(item.ID, historyPrefix) {
				if err = r.workPart(item, p); err == nil {
					done++
				}
			}
		}
		switch {
		case err == nil && done == 0:
			r.endProgress(p)
			return
		case err == nil:
			failures = 0
			continue
		case r.ctx.Err() != nil:
			return
		case connectionLost(err):
			return // it goes on with the next connection
		}
		r.log.Warn("project history", failure(err))
		failures++
		if sleep.For(r.ctx, r.backoff(failures)) != nil {
			return
		}
	}
}

// workPart projects one part and takes it off the backlog. A part that can't be had or read is given up: the phone is
// asked to upload it again.
func (r *run) workPart(item chat.BacklogItem, p *progress) error {
	n := &waE2E.HistorySyncNotification{}
	err := proto.Unmarshal(item.Data, n)
	if err == nil {
		err = r.projectPart(n, p)
	}
	if err != nil {
		if !isLost(err) {
			return err
		}
		defer r.older.ended(n.GetPeerDataRequestSessionID(), true)
		r.log.Error("history part is lost", "type", n.GetSyncType().String(), failure(err))
		if len(n.GetMediaKey()) > 0 {
			id := strings.TrimPrefix(item.ID, historyPrefix)
			err := r.wa.SendHistorySyncServerErrorReceipt(r.ctx, id, n.GetMediaKey())
			if err == nil {
				err = r.wire.sent(r.ctx) // nothing answers it
			}
			if err != nil {
				return fmt.Errorf("ask for history again: %w", err)
			}
		}
	}
	if err := r.Backlog.DeleteBacklog(r.ctx, r.account, item.ID); err != nil {
		return fmt.Errorf("finish history part: %w", err)
	}
	if err == nil {
		r.older.ended(n.GetPeerDataRequestSessionID(), false)
	}
	return nil
}

// isLost tells whether trying again is of no use.
func isLost(err error) bool {
	for _, lost := range []error{
		translate.ErrUnreadable, whatsmeow.ErrMediaDownloadFailedWith403, whatsmeow.ErrMediaDownloadFailedWith404,
		whatsmeow.ErrMediaDownloadFailedWith410, whatsmeow.ErrNoURLPresent, whatsmeow.ErrTooShortFile,
		whatsmeow.ErrInvalidMediaHMAC, whatsmeow.ErrInvalidMediaEncSHA256, whatsmeow.ErrInvalidMediaSHA256,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// projectPart reads a part twice: what is about all chats first, then chat by chat, so that memory holds one at a time.
func (r *run) projectPart(n *waE2E.HistorySyncNotification, p *progress) error {
	blob := n.GetInitialHistBootstrapInlinePayload()
	if blob == nil {
		if !r.online.Load() {
			return whatsmeow.ErrNotConnected
		}
		var err error
		if blob, err = r.wa.Download(r.ctx, n); err != nil {
			return fmt.Errorf("download history: %w", err)
		}
	}
	common, err := translate.ReadHistory(blob, nil)
	if err != nil {
		return err
	}
	if err := r.learnHistory(common); err != nil {
		return err
	}
	p.Percent = int(max(n.GetProgress(), common.GetProgress()))
	contacts := r.contacts.Load()
	bootstrap := common.GetSyncType() == waHistorySync.HistorySync_INITIAL_BOOTSTRAP && r.booted.Load() != r.epoch.Load()
	var batch []*waHistorySync.Conversation
	_, err = translate.ReadHistory(blob, func(conv *waHistorySync.Conversation) error {
		if batch = append(batch, keepSecrets(conv)); len(batch) == secretsBatch {
			internals(r.wa).StoreHistoricalMessageSecrets(r.ctx, batch)
			batch = nil
		}
		return r.projectConversation(conv, bootstrap, p)
	})
	if err != nil {
		return err
	}
	internals(r.wa).StoreHistoricalMessageSecrets(r.ctx, batch)
	if err := r.nameHistory(common); err != nil {
		return err
	}
	if now := r.contacts.Load(); now != contacts { // told while some of these chats weren't there
		if err := r.states.dropContacts(r.ctx, now); err != nil {
			return err
		}
	}
	if bootstrap && p.Percent >= 100 {
		if err := r.boot(); err != nil {
			return err
		}
	}
	r.opener.start() // a secret may have come
	r.log.Info("history", "type", common.GetSyncType().String(), "percent", p.Percent, "chats", p.Chats, "messages", p.Messages)
	return nil
}

// boot says that the link's bootstrap is whole.
func (r *run) boot() error {
	epoch := r.epoch.Load()
	err := r.Accounts.UpdateAccount(r.ctx, r.account, func(a *chat.Account) error { a.Booted = epoch; return nil })
	if err != nil {
		return fmt.Errorf("store the end of the bootstrap: %w", err)
	}
	r.booted.Store(epoch)
	return nil
}

// keepSecrets is what whatsmeow needs of a conversation to open later reactions and edits.
func keepSecrets(conv *waHistorySync.Conversation) *waHistorySync.Conversation {
	kept := &waHistorySync.Conversation{
		ID: conv.ID, TcToken: conv.TcToken, TcTokenTimestamp: conv.TcTokenTimestamp,
		TcTokenSenderTimestamp: conv.TcTokenSenderTimestamp,
	}
	for _, m := range conv.GetMessages() {
		if w := m.GetMessage(); len(w.GetMessageSecret()) > 0 {
			kept.Messages = append(kept.Messages, &waHistorySync.HistorySyncMsg{Message: &waWeb.WebMessageInfo{
				Key: w.Key, Participant: w.Participant, MessageSecret: w.MessageSecret,
			}})
		}
	}
	return kept
}

// learnHistory stores what whatsmeow needs to know, the mapping of addresses above all.
func (r *run) learnHistory(h *waHistorySync.HistorySync) error {
	in := internals(r.wa)
	if err := in.StoreNCTSalt(r.ctx, h.GetNctSalt()); err != nil {
		return fmt.Errorf("store history's salt: %w", err)
	}
	mappings, err := r.unknown(h.GetPhoneNumberToLidMappings())
	if err != nil {
		return err
	}
	if len(mappings) > 0 {
		in.StoreHistoricalPNLIDMappings(r.ctx, mappings)
	}
	if h.GetGlobalSettings().GetChatDbLidMigrationTimestamp() > 0 && !r.migrated.Swap(true) {
		in.StoreGlobalSettings(r.ctx, h.GetGlobalSettings())
	}
	if len(h.GetPushnames()) > 0 {
		in.HandleHistoricalPushNames(r.ctx, h.GetPushnames())
	}
	return r.ctx.Err()
}

// unknown are the mappings of those of whom no other number is known: a history may be older than the change of a number.
func (r *run) unknown(
	all []*waHistorySync.PhoneNumberToLIDMapping,
) (unknown []*waHistorySync.PhoneNumberToLIDMapping, err error) {
	b := r.book()
	for _, m := range all {
		pn, lid := translate.Parse(m.GetPnJID()), translate.Parse(m.GetLidJID())
		if number := b.Canonical(lid); number == lid || number == pn {
			unknown = append(unknown, m)
		}
	}
	if b.Err() != nil {
		return nil, fmt.Errorf("look up address: %w", b.Err())
	}
	return unknown, nil
}

func (r *run) projectConversation(conv *waHistorySync.Conversation, bootstrap bool, p *progress) error {
	if unknown := translate.Newer(conv); unknown != nil {
		if err := r.keepForLater(unknown); err != nil {
			return err
		}
	}
	b := r.book()
	for _, c := range b.Conversation(conv, bootstrap, historyPage) {
		if err := r.project(b, []chat.Change{c}); err != nil {
			return err
		}
		p.Messages += len(c.Messages)
	}
	p.Chats++
	r.tell(p)
	return nil
}

// nameHistory projects names, and links the addresses of those whose chats were there before.
func (r *run) nameHistory(h *waHistorySync.HistorySync) error {
	if err := r.settle(); err != nil { // a chat may be about to begin under an address that was alone when its message came
		return err
	}
	b := r.book()
	for _, m := range h.GetPhoneNumberToLidMappings() {
		pn, lid := translate.Parse(m.GetPnJID()), translate.Parse(m.GetLidJID())
		if !pn.IsPN() || !lid.IsLID() {
			continue
		}
		if b.Fill(pn, lid); b.Canonical(lid) != pn {
			continue
		}
		if err := r.link(pn, lid); err != nil {
			return err
		}
	}
	return r.project(b, b.Names(h))
}

// tell has the account say how far it is, now and then.
func (r *run) tell(p *progress) {
	if now := time.Now(); now.Sub(p.told) >= progressEvery {
		p.told = now
		r.show(p)
	}
}

func (r *run) show(p *progress) {
	p.shown = true
	s := p.Sync
	r.status.set(func(a *chat.Account) { a.Sync = &s })
}

// endProgress says that no history sync is under way, unless the phone is about to send more.
func (r *run) endProgress(p *progress) {
	if p.Chats > 0 && p.Percent < 100 {
		r.show(p)
		timer := time.NewTimer(nextPart)
		defer timer.Stop()
		select {
		case <-r.history.wanted:
			return
		case <-r.ctx.Done():
			return
		case <-timer.C:
		}
	}
	if p.shown {
		r.status.set(func(a *chat.Account) { a.Sync = nil })
	}
	*p = progress{}
}
