package whatsapp

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/socket"
)

// How long app state takes to settle.
const (
	quiet      = 10 * time.Second // without a change: all events of the last have come
	keysWait   = 20 * time.Second // a new device gets its keys by then, and whatsmeow fetches by itself
	maxRepairs = 5                // full fetches of a broken collection until the next connection
)

// appStateMark is the backlog's item that says that app state may not be projected yet.
const appStateMark = "appstate"

// syncer keeps the projection of the app state whole. whatsmeow stores the state's version before it tells what changed,
// and goes on whatever becomes of that. So the version is stored only with a mark in the backlog, which goes away when the
// events are projected; where it is found later, everything is fetched again.
type syncer struct {
	*run
	fetcher *errand
	settler *errand

	mu      sync.Mutex // held during the writes of the mark, so that they keep their order
	marked  bool
	failed  bool      // an event couldn't be stored: only a full fetch helps
	changed time.Time // last version stored or event projected
	repairs map[appstate.WAPatchName]int
	broke   map[appstate.WAPatchName]bool // to be fetched in full
	keys    chan struct{}                 // closed when the keys have come; nil unless the device is new
}

func newSyncer(r *run) *syncer {
	s := &syncer{run: r, repairs: make(map[appstate.WAPatchName]int), broke: make(map[appstate.WAPatchName]bool)}
	s.fetcher = newErrand(r.spawn, s.fetch)
	s.settler = newErrand(r.spawn, s.settle)
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
}

// fresh is called for a device that was just linked.
func (s *syncer) fresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = make(chan struct{})
}

// keysCame is called when the phone has shared its keys.
func (s *syncer) keysCame() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys != nil {
		close(s.keys)
		s.keys = nil
	}
}

// connected fetches what changed meanwhile: whatsmeow acknowledges the news of a change before it fetches it.
func (s *syncer) connected() {
	s.mu.Lock()
	clear(s.repairs)
	s.mu.Unlock()
	s.states.wanted(appstate.AllPatchNames[:]...)
}

// broken is called when a collection's hash is wrong.
func (s *syncer) broken(name appstate.WAPatchName) {
	s.mu.Lock()
	s.repairs[name]++
	n := s.repairs[name]
	s.mu.Unlock()
	s.log.Warn("app state is broken", "collection", string(name), "times", n)
	if n <= maxRepairs {
		s.mu.Lock()
		s.broke[name] = true
		s.mu.Unlock()
		s.states.wanted(name)
	}
}

// applied is called after every event.
func (s *syncer) applied(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = time.Now()
	s.failed = s.failed || err != nil // connected fetches then
}

func (s *syncer) fetch() {
	defer s.endTurn()
	if !s.waitForKeys() || !s.online.Load() {
		return
	}
	s.mu.Lock()
	all := s.failed
	s.failed = false
	full := maps.Clone(s.broke)
	clear(s.broke)
	s.mu.Unlock()
	names := s.states.take()
	if all {
		names = appstate.AllPatchNames[:]
	}
	for _, name := range names {
		err := s.fetchOne(name, all || full[name])
		switch {
		case err == nil:
		case s.run.ctx.Err() != nil, errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrIQDisconnected),
			errors.Is(err, socket.ErrSocketClosed):
			s.mu.Lock()
			s.failed = s.failed || all
			s.mu.Unlock()
			return
		default:
			s.log.Warn("fetch app state", "collection", string(name), failure(err))
			s.mu.Lock()
			s.failed = s.failed || all
			s.mu.Unlock()
		}
	}
	if all {
		s.settler.start()
	}
}

// fetchOne fetches a collection, while no change is sent.
func (s *syncer) fetchOne(name appstate.WAPatchName, full bool) error {
	if err := s.sending.Acquire(s.run.ctx, 1); err != nil {
		return err
	}
	defer s.sending.Release(1)
	return s.states.fetch(s.run.ctx, name, full)
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
		s.settler.start()
	}
	return nil
}

// settle takes the mark away when nothing has changed for a while.
func (s *syncer) settle() {
	for {
		s.mu.Lock()
		if left := quiet - time.Since(s.changed); left > 0 {
			s.mu.Unlock()
			if pause(s.run.ctx, left) != nil {
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
		if err == nil || pause(s.run.ctx, statusRetry) != nil {
			return
		}
	}
}
