package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/store"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sleep"
)

// keysWait is how long a new device waits for its keys: it gets them by then, and whatsmeow fetches by itself.
const keysWait = 20 * time.Second

// appStateMark is the backlog's item that says that app state may not be projected yet.
const appStateMark = "appstate"

// syncer keeps the projection of the app state whole. whatsmeow stores the state's version before it tells what changed,
// and goes on whatever becomes of that. So the version is stored only with a mark in the backlog, which goes away when the
// events are projected; where it is found later, everything is fetched again.
type syncer struct {
	*run
	fetcher  *errand
	unmarker *errand

	mu      sync.Mutex // held during the writes of the mark, so that they keep their order
	marked  bool
	failed  bool                              // an event couldn't be stored: only a full fetch helps
	changed time.Time                         // last version stored or event projected
	busy    int                               // fetches and projections under way: a version may be stored whose events aren't
	repairs map[appstate.WAPatchName]*refetch // collections that couldn't be fetched
	stale   map[appstate.WAPatchName]bool     // collections of which a former run may have sent what isn't projected
	keys    chan struct{}                     // closed when the keys have come; nil unless the device is new
}

// refetch is when and how a collection is fetched again.
type refetch struct {
	times   int
	full    bool // its hash is wrong, or an event couldn't be stored
	waiting bool // it isn't due yet
}

func newSyncer(r *run) *syncer {
	s := &syncer{run: r, repairs: make(map[appstate.WAPatchName]*refetch), stale: make(map[appstate.WAPatchName]bool)}
	s.fetcher = newErrand(r.spawn, s.fetch)
	s.unmarker = newErrand(r.spawn, s.unmark)
	return s
}

// begin looks for a mark that was left. If it can't be looked for, it is taken as found.
func (s *syncer) begin() {
	items, err := s.Backlog.ListBacklog(s.run.ctx, s.account)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.log.Warn("list backlog", failure(err))
		s.marked, s.failed = true, true
	}
	for _, item := range items {
		if item.ID == appStateMark {
			s.marked, s.failed = true, true
		}
	}
	if s.failed {
		for _, name := range appstate.AllPatchNames {
			s.stale[name] = true
		}
	}
}

// isStale tells whether a collection is still to be fetched before anybody can tell from the chats what has been sent.
func (s *syncer) isStale(name appstate.WAPatchName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stale[name]
}

// tried is called when a collection was fetched, or can't be for now.
func (s *syncer) tried(name appstate.WAPatchName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stale, name)
}

// fresh is called for a device that was just linked.
func (s *syncer) fresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = make(chan struct{})
}

// keysCame stores the keys that the phone shares. whatsmeow does too, but after it has acknowledged them, and the phone shares
// a key once.
func (s *syncer) keysCame(share *waE2E.AppStateSyncKeyShare) error {
	appKeys := s.identity().appKeys
	if appKeys == nil {
		return errors.New("app state keys for a device that isn't linked")
	}
	for _, key := range share.GetKeys() {
		data := key.GetKeyData()
		fingerprint, err := proto.Marshal(data.GetFingerprint())
		if err != nil {
			return fmt.Errorf("marshal fingerprint of app state key: %w", err)
		}
		err = appKeys.PutAppStateSyncKey(s.run.ctx, key.GetKeyID().GetKeyID(), store.AppStateSyncKey{
			Data: data.GetKeyData(), Fingerprint: fingerprint, Timestamp: data.GetTimestamp(),
		})
		if err != nil {
			return fmt.Errorf("store app state key: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys != nil {
		close(s.keys)
		s.keys = nil
	}
	return nil
}

// connected fetches what changed meanwhile: whatsmeow acknowledges the news of a change before it fetches it.
func (s *syncer) connected() {
	s.states.wanted(appstate.AllPatchNames[:]...)
}

// broken is called when a collection's hash is wrong.
func (s *syncer) broken(name appstate.WAPatchName) {
	s.log.Warn("app state is broken", "collection", string(name))
	s.again(name, true)
}

// again has a collection that couldn't be fetched be fetched later: at once the first time, then with growing pauses, which
// a new connection doesn't shorten.
func (s *syncer) again(name appstate.WAPatchName, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repairs[name]
	if r == nil {
		r = &refetch{}
		s.repairs[name] = r
	}
	r.full = r.full || full
	if r.waiting {
		return
	}
	wait := time.Duration(0)
	if r.times > 0 {
		wait = s.retryAfter(r.times)
	}
	r.times++
	r.waiting = s.spawn(func() {
		if sleep.For(s.run.ctx, wait) != nil {
			return
		}
		s.mu.Lock()
		r.waiting = false
		s.mu.Unlock()
		s.states.wanted(name)
	})
}

// due tells whether a collection may be fetched now, and whether in full.
func (s *syncer) due(name appstate.WAPatchName, all bool) (full, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repairs[name]
	if r == nil {
		return all, true
	}
	r.full = r.full || all
	return r.full, !r.waiting
}

// whole is called when a collection was fetched.
func (s *syncer) whole(name appstate.WAPatchName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.repairs, name)
}

// begun is called before what may store versions, and ended after the events of those are projected.
func (s *syncer) begun() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
}

func (s *syncer) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
	s.changed = time.Now()
	s.failed = s.failed || err != nil // connected fetches then
}

func (s *syncer) fetch() {
	defer s.endTurn()
	if !s.waitForKeys() || !s.online.Load() {
		return
	}
	s.begun()
	defer s.ended(nil)
	s.mu.Lock()
	all := s.failed
	s.failed = false
	s.mu.Unlock()
	names := s.states.take()
	if all {
		names = appstate.AllPatchNames[:]
	}
	full := make(map[appstate.WAPatchName]bool)
	var due, changed []appstate.WAPatchName
	for _, name := range names {
		whole, now := s.due(name, all)
		if !now {
			continue
		}
		due, full[name] = append(due, name), whole
		if !whole {
			changed = append(changed, name)
		}
	}
	asked := s.states.ask(s.run.ctx, changed)
	for _, name := range due {
		err := s.fetchOne(name, full[name], asked)
		if err != nil && (s.run.ctx.Err() != nil || !s.online.Load() || errors.Is(err, whatsmeow.ErrNotConnected) ||
			errors.Is(err, whatsmeow.ErrIQDisconnected) || errors.Is(err, socket.ErrSocketClosed)) {
			s.mu.Lock()
			s.failed = s.failed || all
			s.mu.Unlock()
			return
		}
		s.tried(name)
		switch {
		case err == nil:
			s.whole(name)
		case errors.Is(err, appstate.ErrKeyNotFound): // the phone is asked for it, and when it has come all is fetched
			s.log.Warn("fetch app state", "collection", string(name), failure(err))
			s.mu.Lock()
			s.failed = s.failed || all
			s.mu.Unlock()
		default:
			s.log.Warn("fetch app state", "collection", string(name), failure(err))
			s.again(name, full[name])
		}
	}
	if all {
		s.unmarker.start()
	}
}

// fetchOne fetches a collection, while no change is sent.
func (s *syncer) fetchOne(name appstate.WAPatchName, full bool, asked pages) error {
	if err := s.sending.Acquire(s.run.ctx, 1); err != nil {
		return err
	}
	defer s.sending.Release(1)
	if full {
		return s.states.fetch(s.run.ctx, name, true)
	}
	return s.states.fetchAsked(s.run.ctx, name, asked)
}

// waitForKeys waits for the keys of a device that was just linked. It is false when the run ends before.
func (s *syncer) waitForKeys() bool {
	s.mu.Lock()
	keys := s.keys
	s.mu.Unlock()
	if keys == nil {
		return true
	}
	s.endTurn()
	timer := time.NewTimer(keysWait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-keys:
	case <-s.run.ctx.Done():
		return false
	}
	return true
}

// mark says in the backlog that the events of a change are still to be projected.
func (s *syncer) mark(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = time.Now()
	if !s.marked {
		if err := s.Backlog.PutBacklog(ctx, s.account, appStateMark, nil); err != nil {
			return err
		}
		s.marked = true
		s.unmarker.start()
	}
	return nil
}

// unmark takes the mark away when nothing has changed for a while.
func (s *syncer) unmark() {
	for {
		s.mu.Lock()
		left := s.settled - time.Since(s.changed)
		if s.busy > 0 {
			left = s.settled
		}
		if left > 0 {
			s.mu.Unlock()
			if sleep.For(s.run.ctx, left) != nil {
				return
			}
			continue
		}
		err := error(nil)
		if s.marked && !s.failed && s.crash.cause() == nil { // else a version may be stored in part
			if err = s.Backlog.DeleteBacklog(s.run.ctx, s.account, appStateMark); err == nil {
				s.marked = false
			}
		}
		s.mu.Unlock()
		if err == nil || sleep.For(s.run.ctx, statusRetry) != nil {
			return
		}
	}
}
