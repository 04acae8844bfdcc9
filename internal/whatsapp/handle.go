package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow/appstate"
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
	if r.handleConnection(evt) {
		return true
	}
	if r.crash.cause() != nil {
		return false
	}
	later, err := r.handleContent(evt)
	if err != nil {
		r.refuse(evt, saying(evt, err))
		return false
	}
	if !later {
		r.refusals.over(evt)
	}
	return true
}

func saying(evt any, err error) error { return fmt.Errorf("%T: %w", evt, err) }

// maxRefusals is how often an event fails to be stored, each time in a run of its own, before it is taken for the reason:
// those behind it pass then, and it is left for later.
const maxRefusals = 3

// refuse is called for an event that couldn't be stored.
func (r *run) refuse(evt any, err error) {
	if errors.Is(err, errUnsettled) {
		return // it isn't the reason
	}
	if r.refusals.count(evt) <= maxRefusals {
		r.fail(err)
	} else {
		r.again(err)
	}
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

// handleContent stores what events say, some of them later, see behind.
func (r *run) handleContent(evt any) (later bool, err error) {
	b := r.book()
	switch evt := evt.(type) {
	case *events.Message:
		return r.handleMessage(b, evt)
	case *events.Receipt:
		return r.projectBehind(evt, b, b.Receipt(evt), func() {})
	}
	if err := r.settle(); err != nil {
		return false, err
	}
	return false, r.handleInTurn(b, evt)
}

// handleInTurn stores what an event says.
func (r *run) handleInTurn(b *translate.Book, evt any) error {
	switch evt := evt.(type) {
	case *events.UndecryptableMessage:
		if h := r.flow.handling(evt.Info.ID); h != nil && h.kept() {
			return nil
		}
		return r.project(b, b.Undecryptable(evt, r.nextOrder()))
	case *events.MediaRetry:
		r.retries.came(evt)
	case *events.GroupInfo:
		order, err := r.groups.order(evt.JID, evt.ParticipantVersionID, evt.Timestamp)
		if err == nil {
			err = r.project(b, b.GroupChange(evt, order))
		}
		if err == nil {
			err = r.groups.changed(evt)
		}
		if err != nil {
			return err
		}
		r.groups.told(evt)
	case *events.JoinedGroup:
		order, err := r.groups.order(evt.JID, evt.ParticipantVersionID, r.groups.joined(evt))
		if err != nil {
			return err
		}
		return r.project(b, b.JoinedGroup(evt, order))
	case *events.PushName:
		return r.project(b, b.PushName(evt))
	case *events.NewsletterJoin:
		return r.channels.project(b, b.Newsletter(evt))
	case *events.NewsletterLeave:
		return r.channels.project(b, b.NewsletterLeft(evt))
	case *events.NewsletterMuteChange:
		return r.channels.project(b, b.NewsletterMuted(evt))
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
func (r *run) handleMessage(b *translate.Book, evt *events.Message) (later bool, err error) {
	p := evt.Message.GetProtocolMessage()
	if p != nil && evt.Info.IsFromMe {
		switch {
		case p.GetHistorySyncNotification() != nil:
			return false, r.deferHistory(evt.Info.ID, p.GetHistorySyncNotification())
		case p.GetAppStateSyncKeyShare() != nil:
			return false, r.sync.keysCame(p.GetAppStateSyncKeyShare())
		case p.GetLidMigrationMappingSyncMessage() != nil:
			if err := r.settle(); err != nil {
				return false, err
			}
			return false, r.migrate(p.GetLidMigrationMappingSyncMessage().GetEncodedMappingPayload())
		}
	}
	order := r.nextOrder()
	evt.Info.Timestamp = r.ticks.within(b.ChatOf(&evt.Info), evt.Info.Timestamp)
	opened, sealed, err := r.open(b, evt)
	if err != nil {
		return false, err
	}
	if sealed || translate.IsNewer(evt) {
		if err := r.later(evt, order); err != nil {
			return false, err
		}
	}
	changes := b.Message(evt, order, opened)
	return r.projectBehind(evt, b, changes, func() {
		r.secretCame(evt)
		if evt.Info.Chat.Server == types.GroupServer && len(changes) > 0 {
			r.groups.seen(changes[0].Chat, evt.Info.Timestamp)
		}
	})
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
	if err := r.persons.learned(map[chat.JID]chat.JID{lid: pn}); err != nil {
		return err
	}
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
	r.persons.storing.RLock()
	defer r.persons.storing.RUnlock()
	if err := r.complete(b, changes); err != nil {
		return err
	}
	if r.moves(changes) {
		if err := r.settle(); err != nil {
			return err
		}
	}
	return r.apply(b, changes)
}

// moves tells whether changes may move a chat to another address.
func (r *run) moves(changes []chat.Change) bool {
	return slices.ContainsFunc(changes, func(c chat.Change) bool { return r.projector.MayMove(r.account, c) })
}

// complete adds to changes what is known of the account.
func (r *run) complete(b *translate.Book, changes []chat.Change) error {
	if b.Err() != nil {
		return fmt.Errorf("look up address: %w", b.Err())
	}
	for i := range changes {
		if err := r.persons.readdress(b, &changes[i]); err != nil {
			return err
		}
		changes[i].In(r.epoch.Load())
		changes[i].Contacts = r.contacts.Load()
		if setting := r.archive.Load(); setting != nil {
			changes[i].Unarchive = *setting
		}
	}
	return nil
}

// apply stores changes that are complete.
func (r *run) apply(b *translate.Book, changes []chat.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := r.projector.Apply(r.ctx, r.account, changes...); err != nil {
		return err
	}
	if err := r.persons.learned(b.Learned()); err != nil {
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

// orderLag is more than the order of the messages that came since the account was last written, whatever the clock does.
const orderLag = int64(time.Hour / time.Microsecond)

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

// ticks tell apart what comes in one chat within a second, which is all that WhatsApp tells of a time: of two timers or names of
// the same second the one that comes later counts.
type ticks struct {
	mu   sync.Mutex
	last map[chat.JID]tick // by the canonical address
}

type tick struct {
	second int64
	count  int
}

// maxTicks bounds for how many chats they are known.
const maxTicks = 1000

// within adds to a time how often it was that of the chat's messages before, in ms.
func (k *ticks) within(in chat.JID, at time.Time) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.last[in]
	if t.count++; t.second != at.Unix() {
		t = tick{second: at.Unix()}
	}
	if k.last == nil || len(k.last) >= maxTicks {
		k.last = make(map[chat.JID]tick)
	}
	k.last[in] = t
	return at.Truncate(time.Second).Add(time.Duration(min(t.count, 999)) * time.Millisecond)
}

// refusals counts how often each event couldn't be handled.
type refusals struct {
	mu     sync.Mutex
	counts map[string]int
}

// eventID tells events from each other that WhatsApp delivers again.
func eventID(evt any) string {
	switch evt := evt.(type) {
	case *events.Message:
		return evt.Info.ID
	case *events.UndecryptableMessage:
		return evt.Info.ID
	case *events.Receipt:
		return fmt.Sprint("receipt ", evt.Chat, evt.Sender, evt.Type, evt.MessageIDs, evt.Timestamp)
	case *appstate.PatchList:
		return "state " + string(evt.Name)
	case *events.GroupInfo:
		return fmt.Sprint("group ", evt.JID, evt.Timestamp)
	}
	return fmt.Sprintf("%T", evt)
}

func (f *refusals) count(evt any) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = make(map[string]int)
	}
	id := eventID(evt)
	f.counts[id]++
	return f.counts[id]
}

// any tells whether there is an event that couldn't be handled and hasn't been since.
func (f *refusals) any() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.counts) > 0
}

// over says that the event was handled.
func (f *refusals) over(evt any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.counts) > 0 {
		delete(f.counts, eventID(evt))
	}
}

// maxPanics is how often an event may come that can't be handled at all. Then it is dropped, so that the rest comes through.
const maxPanics = 3

func (r *run) panicked(evt, p any) (ok bool) {
	n := r.refusals.count(evt)
	// The value may hold what no log should.
	r.log.Error("event handler panicked", "event", fmt.Sprintf("%T", evt), "times", n,
		"panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	if n >= maxPanics {
		return true
	}
	r.restart(fmt.Errorf("%T: panic", evt))
	return false
}
