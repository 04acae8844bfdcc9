package whatsapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/store"
	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
	"pesan/internal/sleep"
	"pesan/internal/whatsapp/translate"
)

// The reasons why a link is over, or off, as the account tells them.
const (
	LoggedOut       = "LOGGED_OUT"       // the user removed the device on the phone, or by the API
	Locked          = "LOCKED"           // WhatsApp locked the account, or the phone moved to another number
	Banned          = "BANNED"           // for good; with PAIRING until the account's CodeExpires, where WhatsApp tells it
	Replaced        = "REPLACED"         // somebody else uses the device's keys
	ClientOutdated  = "CLIENT_OUTDATED"  // with PAIRING: WhatsApp refuses this version, also the current one; it is tried again
	QRTimeout       = "QR_TIMEOUT"       // nobody scanned
	PairingFailed   = "PAIRING_FAILED"   // the phone's answer was wrong, or couldn't be stored
	PasskeyRequired = "PASSKEY_REQUIRED" // with SERVICE_SCAN: WhatsApp waits for the account's passkey
	PasskeyCompare  = "PASSKEY_COMPARE"  // with SERVICE_SCAN: the codes here and on the phone are to be compared
	ConnectRefused  = "CONNECT_REFUSED"  // with PAIRING: WhatsApp refuses for another reason; it is tried again
	Reconnecting    = "RECONNECTING"     // the connection was lost; with PAIRING
	StorageFailing  = "STORAGE_FAILING"  // a store can't be read or written: nothing is acknowledged; with PAIRING
)

// How long things may take.
const (
	handlersTimeout = 3 * time.Second  // events under way when the device stops
	detachTimeout   = time.Second      // whatsmeow noticing the end of a connection
	flushTimeout    = time.Second      // the last write of the account
	dialLimit       = 10 * time.Second // reaching WhatsApp, the handshake included
	stableAfter     = time.Minute      // a connection that lasted so long was a good one
	banLimit        = 24 * time.Hour   // until WhatsApp is asked again about a ban, in case that the clock was wrong
)

// backoff waits 0, 1, 2, 4 … 60 seconds, give or take a fifth, so that many devices don't come at once.
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	wait := min(time.Second<<min(failures-1, 6), time.Minute)
	return wait + time.Duration(rand.Int64N(int64(wait)*2/5)) - wait/5
}

// retryAfter waits 1, 2, 4 … seconds up to an hour, for what WhatsApp has answered, but with a refusal.
func retryAfter(failures int) time.Duration {
	wait := min(time.Second<<min(max(failures-1, 0), 12), time.Hour)
	return wait + time.Duration(rand.Int64N(int64(wait)*2/5)) - wait/5
}

// run is a device at work, from its first connection to its last.
type run struct {
	*device
	ctx      context.Context // of all work; ends after the last connection
	cancel   context.CancelFunc
	keys     *store.Device
	wa       *whatsmeow.Client
	http     *http.Client // makes its connections
	wire     *wire
	status   *status
	history  *errand
	opener   *errand
	waits    waits
	calls    calls
	ticks    ticks
	early    *errand
	sync     *syncer
	states   *states
	groups   *groups
	copies   *copies
	flow     *flow
	persons  *persons
	channels *channels
	behind   *behind

	signals  chan any                            // whatsmeow's events about the connection
	trouble  chan error                          // an event can't be stored: it must be delivered again
	crash    *crash                              // a store failed
	guard    *guard                              // before whatsmeow's stores
	handlers gate                                // events under way
	online   atomic.Bool                         // logged in and active
	stopping atomic.Bool                         // no event is taken any more
	sending  *semaphore.Weighted                 // the lock of changes to the app state, which can be waited for with a context
	telling  *semaphore.Weighted                 // the lock of messages to the phone
	order    atomic.Int64                        // of the last message
	epoch    atomic.Int64                        // of the link; set before the first login
	booted   atomic.Int64                        // the epoch whose bootstrap is whole
	linkedAt atomic.Int64                        // seconds since 1970 of the link's first login, by WhatsApp's clock; 0: not yet
	clock    atomic.Int64                        // WhatsApp's at the last login, seconds since 1970
	archive  atomic.Pointer[chat.Register[bool]] // the account's Unarchive
	contacts atomic.Int64                        // the account's Contacts
	first    chan struct{}                       // closed when it is online for the first time
	done     chan struct{}                       // closed when it is over
	migrated atomic.Bool                         // the account's chats are kept under LIDs
	pairing  pairing
	ceremony ceremony
	troubles int // connections in a row with events that couldn't be stored; Run's goroutine only
	progress progress
	older    answers[bool] // by the id of the message that asked for messages: whether what came is lost
	retries  retries
	handled  map[string]bool // tags of the stanzas that whatsmeow queues

	mu    sync.Mutex // guards what follows
	own   identity
	turn  func() // ends the turn to connect; nil without one
	over  bool   // no more tasks
	tasks sync.WaitGroup
}

// identity is whose device it is, with those of its stores that are used here; zero before it is linked. It is taken from
// the keys while whatsmeow doesn't write there.
type identity struct {
	pn, lid chat.JID
	lids    store.LIDStore
	appKeys store.AppStateSyncKeyStore
}

// Run implements host.Device. After a store has failed the device starts anew, with growing pauses.
func (d *device) Run(ctx context.Context) error {
	defer func() {
		switch {
		case ctx.Err() == nil:
			d.failing(nil)
		case d.owner.Check() != nil && d.Failing != nil: // nobody could store that the process lives, nor that this device is off
			d.Failing(d.account, true)
		}
	}()
	for failures := 0; ; failures++ {
		turn, err := d.turns.take(ctx, d.ticket, d.hurry)
		if err != nil {
			return nil
		}
		r, err := d.start(ctx, turn)
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil && (failures == 0 || !errors.Is(err, errRunning)) {
			return err
		}
		if err == nil {
			started := time.Now()
			if err := r.work(ctx); err != nil || r.crash.cause() == nil || ctx.Err() != nil {
				return err
			}
			if time.Since(started) > stableAfter {
				failures = 0
			}
		}
		if sleep.For(ctx, d.backoff(failures)) != nil {
			return nil
		}
	}
}

// errRunning is what start returns for a device that runs, for a logout after a crash.
var errRunning = errors.New("device runs already")

// failing shows what keeps the device from storing; nil when it is over. The account may be where nothing can be written.
func (d *device) failing(err error) {
	if chat.CodeOf(err) == chat.LeaseHeld {
		return // this process has lost the account
	}
	d.mu.Lock()
	was := d.storage
	d.storage = err
	d.mu.Unlock()
	switch {
	case err != nil:
		d.log.Error("a store fails; nothing is acknowledged until it works", failure(err))
	case was != nil:
		d.log.Info("the stores work again")
	}
	if d.Failing != nil {
		d.Failing(d.account, err != nil)
	}
}

// start makes ready for work, which has to follow, in a turn to connect, which it ends if it fails.
func (d *device) start(ctx context.Context, turn func()) (*run, error) {
	keys, err := d.loaded(ctx)
	if err != nil {
		turn()
		return nil, err
	}
	d.mu.Lock()
	client, err := d.client(d.proxy)
	d.mu.Unlock()
	if err != nil {
		turn()
		return nil, err
	}
	r := d.newRun(ctx, keys, client)
	r.turn = turn
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running != nil {
		turn()
		r.cancel()
		return nil, fmt.Errorf("%s: %w", d.account, errRunning)
	}
	d.running = r
	return r, nil
}

// work stays connected until ctx ends or the link is over.
func (r *run) work(ctx context.Context) error {
	defer func() {
		r.device.mu.Lock()
		r.device.running = nil
		r.device.mu.Unlock()
		close(r.done)
	}()
	defer r.close()
	return r.connect(ctx)
}

// loaded reads the keys, however long it takes. It fails when ctx ends or the account is gone.
func (d *device) loaded(ctx context.Context) (*store.Device, error) {
	for n := 1; ; n++ {
		keys, err := d.load(ctx)
		if err == nil {
			err = d.retryStores(ctx, keys)
		}
		if err == nil || chat.CodeOf(err) == chat.DeviceNotFound || ctx.Err() != nil {
			return keys, err
		}
		d.failing(err)
		if sleep.For(ctx, d.backoff(n)) != nil {
			return nil, err
		}
	}
}

// probe is the backlog's item that is written to see whether it can be.
const probe = "probe"

// retryStores tells whether the stores work again that have failed, without a connection.
func (d *device) retryStores(ctx context.Context, keys *store.Device) error {
	d.mu.Lock()
	failed := d.storage != nil
	d.mu.Unlock()
	if !failed {
		return nil
	}
	if keys.ID != nil {
		if err := keys.Save(ctx); err != nil {
			return fmt.Errorf("write device keys: %w", err)
		}
	}
	if err := d.Backlog.PutBacklog(ctx, d.account, probe, nil); err != nil {
		return fmt.Errorf("write backlog: %w", err)
	}
	if err := d.Backlog.DeleteBacklog(ctx, d.account, probe); err != nil {
		return fmt.Errorf("write backlog: %w", err)
	}
	return nil
}

// newRun makes a run whose connections client makes.
func (d *device) newRun(ctx context.Context, keys *store.Device, client *http.Client) *run {
	r := &run{
		device:  d,
		http:    client,
		keys:    keys,
		signals: make(chan any, 64),
		trouble: make(chan error, 1),
		crash:   newCrash(),
		sending: semaphore.NewWeighted(1),
		telling: semaphore.NewWeighted(1),
		first:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.wire = newWire(client, r.spawn, r.held)
	r.status = newStatus(r.ctx, d, r.order.Load, r.spawn)
	r.history = newErrand(r.spawn, r.workHistory)
	r.opener = newErrand(r.spawn, r.openLater)
	r.early = newErrand(r.spawn, r.missEarlier)
	r.guard = &guard{
		ctx: r.ctx, failed: r.fail, broken: func() bool { return r.crash.cause() != nil },
		mark:   func(ctx context.Context) error { return r.sync.mark(ctx) },
		wanted: func(names ...appstate.WAPatchName) { r.states.wanted(names...) },
	}
	r.guard.install(keys)
	r.states = newStates(r)
	r.sync = newSyncer(r)
	r.groups, r.copies, r.flow = newGroups(r), newCopies(r), newFlow()
	r.persons, r.channels, r.behind = newPersons(r), newChannels(r), newBehind(d.Behind)
	r.progress.shown = true // from a run that was killed
	r.identify()
	r.migrated.Store(keys.LIDMigrationTimestamp > 0)
	r.wa = r.newClient()
	return r
}

// held returns when all is on the disk that what was handed over to be sent may tell of. An error says that nothing may be sent.
func (r *run) held() error {
	spent := r.guard.takeSpent()
	r.behind.wait()
	if err := cmp.Or(r.crash.cause(), r.ctx.Err()); err != nil {
		return err
	}
	if err := r.guard.clear(spent); err != nil {
		return err
	}
	if err := r.Flush(); err != nil {
		r.fail(err)
		return err
	}
	return r.owner.Check()
}

// fail ends the run after a store has failed.
func (r *run) fail(err error) {
	if r.restart(err) {
		r.failing(err)
		r.status.set(state(chat.Pairing, StorageFailing))
	}
}

// restart ends the run, and another begins. Nothing is sent any more when it returns. It is false when the run ends anyway.
func (r *run) restart(err error) bool {
	if r.ctx.Err() != nil || !r.crash.now(err) {
		return false
	}
	r.wire.cut(true) // whatsmeow takes what is in the outbox for sent
	return true
}

// identify takes the identity from the keys.
func (r *run) identify() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own = identity{lids: r.keys.LIDs, appKeys: r.keys.AppStateKeys}
	r.own.pn, _ = translate.Address(r.keys.GetJID())
	r.own.lid, _ = translate.Address(r.keys.GetLID())
}

func (r *run) identity() identity {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.own
}

func (r *run) newClient() *whatsmeow.Client {
	c := whatsmeow.NewClient(r.keys, newLogger(r.log, func() bool { return r.stopping.Load() || r.wire.isShut() }, r.saw))
	r.handled = surround(c, r.around)
	delete(r.handled, "iq") // most are answers, which aren't queued
	websocket := &http.Client{Transport: r.wire, Timeout: dialLimit}
	c.SetWebsocketHTTPClient(websocket)
	c.SetPreLoginHTTPClient(websocket)
	c.SetMediaHTTPClient(r.http)
	c.EnableAutoReconnect, c.DisableLoginAutoReconnect = false, true // connect does it
	c.SynchronousAck, c.EnableDecryptedEventBuffer = true, true
	c.ManualHistorySyncDownload, c.EmitAppStateEventsOnFullSync = true, true
	c.BackgroundEventCtx = r.ctx
	c.GetClientPayload = func() *waWa6.ClientPayload { return r.version.payload(r.keys) }
	c.PrePairCallback = r.bind
	c.AddEventHandlerWithSuccessStatus(r.handle)
	return c
}

// connect stays connected until ctx ends or the link is over.
func (r *run) connect(ctx context.Context) error {
	if e, ended := r.rest(ctx, r.ban(ctx)); ended {
		return r.end(ctx, e, e.reason)
	}
	r.status.set(state(chat.Pairing, ""))
	r.version.ensure(ctx)
	if r.claimed(ctx) != nil {
		return nil
	}
	r.sync.begin()
	r.resume()
	renewed, scans, failures, refusals := false, 0, 0, 0
	for first := true; ; first = false {
		if !first && r.claimed(ctx) != nil {
			return nil
		}
		if r.takeTurn(ctx) != nil {
			return nil
		}
		started := time.Now()
		e := r.live(ctx)
		r.endTurn()
		switch {
		case e.cause == stopped || ctx.Err() != nil:
			return nil
		case e.cause == outdated && !renewed:
			renewed = true
			r.log.Warn("WhatsApp refuses the client's version; fetching the current one")
			r.version.renew(ctx)
			continue
		case e.cause == outdated:
			e.cause, e.reason = refused, ClientOutdated // there may be a newer one later
		case e.cause == unscanned:
			if scans++; scans >= maxScans {
				return r.end(ctx, e, QRTimeout)
			}
			continue
		case e.cause == crashed:
			return nil
		case e.cause == over:
			return r.end(ctx, e, e.reason)
		case e.cause == paired:
			r.identify()
			continue
		case e.cause == unstored:
			continue
		}
		renewed = false
		if time.Since(started) > stableAfter {
			failures, refusals = 0, 0
		}
		var wait time.Duration
		if e.cause == dropped {
			wait = r.backoff(failures)
			failures++
			e.reason = Reconnecting
		} else {
			refusals++
			wait = r.retryAfter(refusals)
		}
		if !e.expires.IsZero() {
			wait = max(min(e.expires.Sub(r.Now()), banLimit), wait)
		}
		r.log.Info("connection ended", "cause", string(e.cause), failure(e.err), "again", wait)
		r.status.set(func(a *chat.Account) {
			state(chat.Pairing, e.reason)(a)
			a.CodeExpires = e.expires
		})
		if e, ended := r.rest(ctx, wait); ended {
			return r.end(ctx, e, e.reason)
		}
	}
}

// resume takes up questions that an earlier run has left.
func (r *run) resume() {
	items, err := r.Backlog.ListBacklog(r.ctx, r.account)
	if err != nil {
		r.log.Warn("list backlog", failure(err)) // the next run takes them up
	}
	r.groups.begin(items)
	r.copies.begin(items)
	r.persons.begin(items)
}

// ban is how long a ban still lasts that the account tells of.
func (r *run) ban(ctx context.Context) time.Duration {
	a, err := r.seenAccount(ctx, false)
	if err != nil || a.State != chat.Pairing || a.Reason != Banned {
		return 0 // WhatsApp tells it again
	}
	return min(a.CodeExpires.Sub(r.Now()), banLimit)
}

// seenAccount is the account as it was when the keys were read, or as it is now. Who takes it is the last to get it as it was.
func (r *run) seenAccount(ctx context.Context, take bool) (chat.Account, error) {
	r.device.mu.Lock()
	seen := r.seen
	if take {
		r.seen = nil
	}
	r.device.mu.Unlock()
	if seen != nil {
		return *seen, nil
	}
	return r.Accounts.Account(ctx, r.account)
}

// rest waits before the next connection, unless the link ends or the device is stopped meanwhile.
func (r *run) rest(ctx context.Context, wait time.Duration) (e ending, ended bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ending{cause: stopped}, true
		case s := <-r.signals:
			if e, ended = r.ends(s); ended {
				return e, true
			}
		case <-timer.C:
			return e, false
		}
	}
}

// claimed claims the account, however long it takes. It fails when ctx ends or the account is gone.
func (r *run) claimed(ctx context.Context) error {
	for n := 1; ; n++ {
		err := r.claim(ctx)
		if err == nil || chat.CodeOf(err) == chat.DeviceNotFound {
			return err
		}
		r.log.Warn("claim account", failure(err))
		if err := sleep.For(ctx, r.backoff(n)); err != nil {
			return err
		}
	}
}

// end stores why the link is over. Keys that are worth nothing any more are deleted.
func (r *run) end(ctx context.Context, e ending, reason string) error {
	if e.cause == stopped {
		return nil
	}
	r.log.Warn("link is over", "reason", reason)
	say := state(chat.ServiceOff, reason)
	for n := 1; ; n++ {
		err := r.sayEnd(ctx, e.unlinked, say)
		if err == nil || ctx.Err() != nil || chat.CodeOf(err) == chat.DeviceNotFound {
			return nil
		}
		r.log.Warn("store the end of the link", failure(err))
		if sleep.For(ctx, r.backoff(n)) != nil {
			return nil
		}
	}
}

func (r *run) sayEnd(ctx context.Context, unlinked bool, say func(*chat.Account)) error {
	if err := r.status.seal(ctx); err != nil {
		return err
	}
	if unlinked {
		return r.forget(ctx, say)
	}
	return r.Accounts.UpdateAccount(ctx, r.account, func(a *chat.Account) error { say(a); return nil })
}

// close ends all work. What isn't acknowledged is delivered again the next time.
func (r *run) close() {
	r.online.Store(false)
	r.stopping.Store(true)
	r.handlers.close()
	ctx, cancel := context.WithTimeout(r.ctx, handlersTimeout)
	if err := r.handlers.wait(ctx); err != nil {
		r.log.Warn("events are left for the next time")
	}
	_ = r.wire.sent(ctx)
	cancel()
	r.hangUp()
	ctx, cancel = context.WithTimeout(r.ctx, flushTimeout)
	if _, err := r.status.flush(ctx); err != nil {
		r.log.Warn("write account", failure(err))
	}
	cancel()
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.cancel()
	r.wa.Disconnect() // there is no connection any more; it ends requests that wait for one
	r.tasks.Wait()
	ctx, cancel = context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	_ = r.handlers.wait(ctx) // they have no context any more to go on with
	r.projector.Forget(r.account)
}

// spawn runs f in a goroutine that close waits for; f must end when r.ctx does. It is false when all is over.
func (r *run) spawn(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	r.tasks.Go(f)
	return true
}
