package whatsapp

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"go.mau.fi/whatsmeow/proto/waLidMigrationSyncPayload"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// handle takes whatsmeow's events, several at once. It is true when the event may be acknowledged: everything it says is
// stored. When it is false, the device reconnects so that WhatsApp delivers the event again.
func (r *run) handle(evt any) (ok bool) {
	if !r.handlers.enter() {
		return false
	}
	defer r.handlers.leave()
	defer func() {
		if p := recover(); p != nil {
			ok = r.panicked(evt, p)
		}
	}()
	handled, err := r.handleConnection(evt), error(nil)
	if !handled {
		err = r.handleContent(evt)
	}
	if err != nil {
		r.again(fmt.Errorf("%T: %w", evt, err))
		return false
	}
	return true
}

// again has the device reconnect.
func (r *run) again(err error) {
	select {
	case r.trouble <- err:
	default: // it is about to
	}
}

// handleConnection hands the events about the connection to live; it is false for others.
func (r *run) handleConnection(evt any) bool {
	switch evt.(type) {
	case *events.QR, *events.PairSuccess, *events.PairError, *events.PairPasskeyRequest, *events.PairPasskeyConfirmation,
		*events.PairPasskeyError, *events.ManualLoginReconnect,
		*events.Connected, *events.LoggedOut, *events.StreamReplaced, *events.TemporaryBan, *events.ClientOutdated,
		*events.ConnectFailure, *events.StreamError, *events.KeepAliveTimeout:
	default:
		return false
	}
	select {
	case r.signals <- evt:
	case <-r.ctx.Done():
	}
	return true
}

// handleContent stores what events say.
func (r *run) handleContent(evt any) error {
	b := r.book()
	switch evt := evt.(type) {
	case *events.Message:
		return r.handleMessage(b, evt)
	case *events.UndecryptableMessage:
		return r.project(b, b.Undecryptable(evt, r.nextOrder()))
	case *events.Receipt:
		return r.project(b, b.Receipt(evt))
	case *events.GroupInfo:
		return r.project(b, b.GroupChange(evt, r.groups.order(evt.ParticipantVersionID, evt.Timestamp)))
	case *events.JoinedGroup:
		return r.project(b, b.JoinedGroup(evt, r.groups.order(evt.ParticipantVersionID, evt.GroupCreated)))
	case *events.PushName:
		return r.project(b, b.PushName(evt))
	case *events.NewsletterJoin:
		return r.project(b, b.Newsletter(evt))
	case *events.NewsletterLeave:
		return r.project(b, b.NewsletterLeft(evt))
	case *events.NewsletterMuteChange:
		return r.project(b, b.NewsletterMuted(evt))
	case *events.CallOffer:
		return r.handleOffer(b, &evt.BasicCallMeta, isVideo(evt))
	case *events.CallOfferNotice:
		return r.handleOffer(b, &evt.BasicCallMeta, evt.Media == "video")
	case *events.CallTerminate:
		return r.handleCallEnd(b, evt)
	case *events.OfflineSyncPreview:
		r.calls.queue(true)
	case *events.OfflineSyncCompleted:
		r.calls.queue(false)
		r.status.touch()
	}
	return nil
}

// handleMessage stores a message. What it says to the device itself is put into the backlog, or done by whatsmeow.
func (r *run) handleMessage(b *translate.Book, evt *events.Message) error {
	p := evt.Message.GetProtocolMessage()
	if p != nil && evt.Info.IsFromMe {
		switch {
		case p.GetHistorySyncNotification() != nil:
			return r.deferHistory(evt.Info.ID, p.GetHistorySyncNotification())
		case p.GetAppStateSyncKeyShare() != nil:
			r.sync.keysCame()
			return nil
		case p.GetLidMigrationMappingSyncMessage() != nil:
			return r.migrate(p.GetLidMigrationMappingSyncMessage().GetEncodedMappingPayload())
		}
	}
	order := r.nextOrder()
	opened, sealed, err := r.open(b, evt)
	if err != nil {
		return err
	}
	if sealed || translate.IsNewer(evt) {
		if err := r.later(evt, order); err != nil {
			return err
		}
	}
	changes := b.Message(evt, order, opened)
	if err := r.project(b, changes); err != nil {
		return err
	}
	r.secretCame(evt)
	if evt.Info.Chat.Server == types.GroupServer && len(changes) > 0 {
		r.groups.seen(changes[0].Chat, evt.Info.Timestamp)
	}
	return nil
}

// migrate links the addresses of persons whose chats move to LIDs.
func (r *run) migrate(payload []byte) error {
	var p waLidMigrationSyncPayload.LIDMigrationMappingSyncPayload
	if err := proto.Unmarshal(payload, &p); err != nil {
		r.log.Warn("unreadable mapping of addresses")
		return nil
	}
	if p.GetChatDbMigrationTimestamp() > 0 {
		r.migrated.Store(true)
	}
	for _, m := range p.GetPnToLidMappings() {
		lid := m.GetLatestLid()
		if lid == 0 {
			lid = m.GetAssignedLid()
		}
		pn, ok := translate.Address(types.NewJID(fmt.Sprint(m.GetPn()), types.DefaultUserServer))
		if !ok {
			continue
		}
		if err := r.link(pn, chat.NewJID(fmt.Sprint(lid), chat.LIDServer)); err != nil {
			return err
		}
	}
	return nil
}

// link makes one chat of a person's two, if there is one at all.
func (r *run) link(pn, lid chat.JID) error {
	for _, jid := range []chat.JID{lid, pn} {
		_, _, _, err := r.Chats.Export(r.ctx, r.account, jid, chat.Page{Limit: 1})
		switch {
		case err == nil:
			return r.projector.Apply(r.ctx, r.account, chat.Change{Chat: lid, Alt: pn})
		case chat.CodeOf(err) != chat.ChatNotFound:
			return fmt.Errorf("link addresses: %w", err)
		}
	}
	return nil
}

// project stores changes that were made with a book.
func (r *run) project(b *translate.Book, changes []chat.Change) error {
	if b.Err() != nil {
		return fmt.Errorf("look up address: %w", b.Err())
	}
	if len(changes) == 0 {
		return nil
	}
	for i := range changes {
		changes[i].Epoch = r.epoch.Load()
		if state := &changes[i].State; state.Archived.Set() {
			if setting := r.archive.Load(); setting != nil {
				state.Unarchive = *setting
			}
		}
	}
	if err := r.projector.Apply(r.ctx, r.account, changes...); err != nil {
		return err
	}
	r.status.touch()
	return nil
}

// book knows the account's addresses and those in whatsmeow's store.
func (r *run) book() *translate.Book { return r.bookFor(r.ctx) }

func (r *run) bookFor(ctx context.Context) *translate.Book {
	own := r.identity()
	return translate.NewBook(own.pn, own.lid, func(jid chat.JID) (chat.JID, error) { return alternative(ctx, own.lids, jid) })
}

// alternative looks for a person's other address.
func alternative(ctx context.Context, lids store.LIDStore, jid chat.JID) (chat.JID, error) {
	if lids == nil {
		return "", nil
	}
	look := lids.GetLIDForPN
	if jid.IsLID() {
		look = lids.GetPNForLID
	}
	alt, err := look(ctx, translate.WireJID(jid))
	if err != nil {
		return "", err
	}
	found, _ := translate.Address(alt)
	return found, nil
}

// nextOrder numbers the messages as they come, greater than any number of a history sync.
func (r *run) nextOrder() int64 { return following(&r.order, r.Now().UnixMicro()) }

// following is now, or the next after the last if that isn't less.
func following(last *atomic.Int64, now int64) int64 {
	for {
		was := last.Load()
		next := max(was+1, now)
		if last.CompareAndSwap(was, next) {
			return next
		}
	}
}

// maxPanics is how often an event may come that can't be handled at all. Then it is dropped, so that the rest comes through.
const maxPanics = 3

// panics counts the panics for each message.
type panics struct {
	mu    sync.Mutex
	count map[string]int
}

func (r *run) panicked(evt, p any) (ok bool) {
	id := fmt.Sprintf("%T", evt)
	if m, is := evt.(*events.Message); is {
		id = m.Info.ID
	}
	r.panics.mu.Lock()
	if r.panics.count == nil {
		r.panics.count = make(map[string]int)
	}
	r.panics.count[id]++
	n := r.panics.count[id]
	r.panics.mu.Unlock()
	// The value may hold what no log should.
	r.log.Error("event handler panicked", "event", fmt.Sprintf("%T", evt), "message", id, "times", n,
		"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	if n >= maxPanics {
		return true
	}
	r.again(fmt.Errorf("%T: panic", evt))
	return false
}
