package whatsapp

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"pesan/internal/chat"
)

// asOfEvery is how often the account's asOf is written at most; statusRetry is when a failed write is tried again.
const (
	asOfEvery   = 3 * time.Second
	statusRetry = time.Second
)

// status writes what the account says of its link: at once what matters, now and then how fresh the chats are.
type status struct {
	accounts chat.Accounts
	account  string
	now      func() time.Time
	order    func() int64 // of the last message
	log      *slog.Logger
	writer   *errand
	writing  chan struct{} // one writes at a time

	mu      sync.Mutex
	pending []func(*chat.Account) // not written yet, in order
	asOf    time.Time             // of the last projected event
	written time.Time             // asOf as it is stored
	sealed  bool                  // nothing is pending any more, and nothing will be
	urgent  chan struct{}         // has an element when something is pending
}

func newStatus(ctx context.Context, d *device, order func() int64, spawn func(func()) bool) *status {
	s := &status{
		accounts: d.Accounts, account: d.account, now: d.Now, order: order, log: d.log,
		writing: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
	}
	s.writer = newErrand(spawn, func() { s.write(ctx) })
	return s
}

// set changes the account soon. change may be called again.
func (s *status) set(change func(*chat.Account)) {
	s.mu.Lock()
	if s.sealed {
		s.mu.Unlock()
		return
	}
	s.pending = append(s.pending, change)
	s.mu.Unlock()
	select {
	case s.urgent <- struct{}{}:
	default:
	}
	s.writer.start()
}

// touch says that everything up to now is projected.
func (s *status) touch() {
	s.mu.Lock()
	idle := s.asOf.Equal(s.written)
	s.asOf = s.now()
	sealed := s.sealed
	s.mu.Unlock()
	if idle && !sealed {
		s.writer.start()
	}
}

// write stores until nothing is left, or ctx ends.
func (s *status) write(ctx context.Context) {
	timer := time.NewTimer(asOfEvery)
	defer timer.Stop()
	for {
		select {
		case <-s.urgent:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		left, err := s.flush(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			s.log.Warn("write account", failure(err))
			timer.Reset(statusRetry)
			continue
		}
		if !left {
			return
		}
		timer.Reset(asOfEvery)
	}
}

// flush stores what is pending; left tells whether more came meanwhile.
func (s *status) flush(ctx context.Context) (left bool, err error) {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return true, ctx.Err()
	}
	s.mu.Lock()
	changes, asOf := s.pending, s.asOf
	idle := len(changes) == 0 && asOf.Equal(s.written)
	s.mu.Unlock()
	order := s.order()
	if idle {
		return false, nil
	}
	err = s.accounts.UpdateAccount(ctx, s.account, func(a *chat.Account) error {
		for _, change := range changes {
			change(a)
		}
		if !asOf.IsZero() {
			a.AsOf = asOf // also when it is earlier: then the clock was wrong before
			a.Order = max(a.Order, order)
		}
		return nil
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.pending = s.pending[len(changes):]
		s.written = asOf
	}
	return len(s.pending) > 0 || !s.asOf.Equal(s.written), err
}

// seal writes what is pending; what comes later is dropped. The account says from then on what others write.
func (s *status) seal(ctx context.Context) error {
	left, err := s.flush(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.sealed = true
		if left {
			s.pending, s.asOf = nil, s.written
		}
	}
	return err
}

// state is a change of the account's state. What is shown to link the device goes with SERVICE_SCAN only.
func state(to chat.State, reason string) func(*chat.Account) {
	return func(a *chat.Account) {
		a.State, a.Reason = to, reason
		a.Passkey = nil
		if to != chat.ServiceScan {
			a.QR, a.PairingCode, a.CodeExpires = "", "", time.Time{}
		}
	}
}
