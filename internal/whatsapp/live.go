package whatsapp

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
)

// cause says why a connection ended.
type cause string

const (
	stopped   cause = "stopped"
	dropped   cause = "dropped"
	unstored  cause = "event not stored"
	paired    cause = "paired"
	outdated  cause = "outdated"
	unscanned cause = "not scanned"
	crashed   cause = "a store failed"
	banned    cause = "banned for a while"
	refused   cause = "refused"
	over      cause = "link is over"
)

// ending is the end of a connection.
type ending struct {
	cause    cause
	reason   string    // of over, banned and refused
	unlinked bool      // of over: the keys are worth nothing any more
	expires  time.Time // of banned; zero: WhatsApp doesn't tell
	err      error
}

// How long a connection may take for what it has to do.
const (
	loginTimeout = 90 * time.Second
	pairTimeout  = 15 * time.Second       // from the scan to the new login
	lastWords    = 2 * time.Second        // whatsmeow telling why WhatsApp ended the connection
	farewell     = 300 * time.Millisecond // the same, when it doesn't look as if it had anything to tell
	deadAfter    = 3                      // unanswered pings
)

// connection is one connection to WhatsApp while live looks after it.
type connection struct {
	*run
	cancel  context.CancelFunc // ends what whatsmeow does for the connection
	dialled chan error         // result of the connection's beginning; nil once it was taken
	timeout *time.Timer
	next    *time.Timer // when the next QR code is shown
	qr      []string    // codes that come after the one shown
	shown   bool        // a QR code was shown
	mend    *time.Timer // when the connection is made anew for an event that couldn't be stored; nil without one
	started time.Time
	scanned bool // the phone has linked the device
	restart bool // WhatsApp wants the linked device to log in
}

// live makes a connection and returns when it has ended.
func (r *run) live(ctx context.Context) ending {
	c := &connection{
		run: r, started: time.Now(), dialled: make(chan error, 1),
		timeout: time.NewTimer(dialLimit), next: time.NewTimer(time.Hour),
	}
	defer c.timeout.Stop()
	defer c.next.Stop()
	defer func() {
		if c.mend != nil {
			c.mend.Stop()
		}
	}()
	c.next.Stop()
	if e, ended := c.leftovers(); ended {
		return e
	}
	r.wire.ready()
	r.flow.reset()
	var life context.Context
	life, c.cancel = context.WithCancel(r.ctx)
	dialled := c.dialled
	if !r.spawn(func() { dialled <- r.wa.ConnectContext(life) }) {
		c.cancel()
		return ending{cause: stopped}
	}
	e := c.look(ctx)
	r.online.Store(false)
	r.pairing.close()
	r.ceremony.end()
	if e.cause == stopped && c.dialled == nil {
		return e // close hangs up after the events under way
	}
	c.finish()
	return e
}

// leftovers takes what was said about the connection before, after its end.
func (c *connection) leftovers() (e ending, ended bool) {
	for {
		select {
		case s := <-c.signals:
			if e, ended = c.ends(s); ended {
				return e, true
			}
		case <-c.trouble:
		default:
			return e, false
		}
	}
}

// finish ends the connection and waits for what it has brought.
func (c *connection) finish() {
	defer c.cancel()
	if c.dialled != nil {
		c.wire.cut(true)
		c.waitGone() // a reader that is cancelled wouldn't pass on what ends the handshake
		c.cancel()
		<-c.dialled
	}
	c.hangUp()
	ctx, cancel := context.WithTimeout(c.ctx, handlersTimeout)
	defer cancel()
	_ = c.handlers.wait(ctx)
	_ = c.flow.rest(ctx) // the next connection has the same client
}

// waitGone waits until the connection that was cut has been read to its end.
func (c *connection) waitGone() {
	gone := c.wire.gone()
	if gone == nil {
		return
	}
	timer := time.NewTimer(detachTimeout)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
	}
}

// hangUp ends the connection and waits until whatsmeow has noticed.
func (r *run) hangUp() {
	r.wire.cut(false)
	deadline := time.NewTimer(detachTimeout)
	defer deadline.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !detached(r.wa) {
		select {
		case <-look.C:
		case <-deadline.C:
			r.log.Warn("whatsmeow doesn't notice the end of its connection")
			return
		}
	}
}

// look waits for the connection's end.
func (c *connection) look(ctx context.Context) ending {
	for {
		var gone <-chan struct{}
		if c.dialled == nil {
			gone = c.wire.gone()
		}
		var mend <-chan time.Time
		if c.mend != nil {
			mend = c.mend.C
		}
		select {
		case <-ctx.Done():
			return ending{cause: stopped}
		case <-c.crash.over:
			return ending{cause: crashed}
		case err := <-c.dialled:
			c.dialled = nil
			if err != nil {
				return ending{cause: dropped, err: fmt.Errorf("connect: %w", err)}
			}
			if !c.shown && !c.scanned && !c.online.Load() {
				c.timeout.Reset(loginTimeout)
			}
		case err := <-c.trouble:
			c.refused(err)
		case <-mend:
			return ending{cause: unstored}
		case s := <-c.signals:
			if e, ended := c.signal(s); ended {
				return e
			}
		case <-gone:
			return c.parting()
		case <-c.next.C:
			if !c.showCode() {
				return ending{cause: unscanned}
			}
		case <-c.timeout.C:
			if c.scanned {
				return ending{cause: paired}
			}
			if c.ceremony.asked() {
				return ending{cause: unscanned}
			}
			return ending{cause: dropped, err: context.DeadlineExceeded}
		}
	}
}

// refused is called when an event can't be stored though the stores work. The connection goes on for a while before it is
// made anew, so that one event doesn't keep back those behind it.
func (c *connection) refused(err error) {
	if c.mend != nil {
		return
	}
	if time.Since(c.started) > stableAfter {
		c.troubles = 0
	}
	c.troubles++
	wait := c.backoff(c.troubles)
	c.log.Warn("an event isn't acknowledged, so that it comes again", failure(err), "after", wait)
	c.mend = time.NewTimer(wait)
}

// parting finds out why WhatsApp ended the connection: whatsmeow may still be about to tell.
func (c *connection) parting() ending {
	wait := farewell
	if dismissed(c.wa) {
		wait = lastWords
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case s := <-c.signals:
			if e, ended := c.signal(s); ended && e.cause != dropped {
				return e
			}
		case <-timer.C:
			switch {
			case c.scanned:
				return ending{cause: paired}
			case c.identity().pn == "" && time.Since(c.started) > c.codes.first:
				return ending{cause: unscanned}
			}
			return ending{cause: dropped}
		}
	}
}

// signal takes an event about the connection.
func (c *connection) signal(s any) (e ending, ended bool) {
	switch s := s.(type) {
	case *events.Connected:
		c.connected()
	case *events.QR:
		c.endTurn()
		c.timeout.Stop()
		c.qr = s.Codes
		if !c.showCode() {
			return ending{cause: unscanned}, true
		}
		c.pairing.open(c.Now().Add(c.codes.last(len(s.Codes))))
	case *events.PairPasskeyRequest:
		if err := c.askPasskey(s); err != nil {
			return ending{cause: dropped, err: err}, true
		}
	case *events.PairPasskeyConfirmation:
		c.comparePasskey(s)
	case *events.PairPasskeyError:
		return ending{cause: dropped, err: fmt.Errorf("passkey: %w", s.Error)}, true
	case *events.PairSuccess:
		c.scan()
		return ending{cause: paired}, c.restart
	case *events.ManualLoginReconnect:
		c.restart = true
		return ending{cause: paired}, c.scanned
	case *events.KeepAliveTimeout: // the answer may stand behind what waits to be read
		dead := s.ErrorCount >= deadAfter && !c.flow.alive(whatsmeow.KeepAliveIntervalMax)
		return ending{cause: dropped, err: context.DeadlineExceeded}, dead
	case *events.ConnectFailure:
		err := fmt.Errorf("connect failure %d", int(s.Reason))
		if s.Reason >= events.ConnectFailureInternalServerError { // its own fault, not ours
			return ending{cause: dropped, err: err}, true
		}
		return ending{cause: refused, reason: ConnectRefused, err: err}, true // what is final is a LoggedOut
	case *events.TemporaryBan:
		e = ending{cause: banned, reason: Banned}
		if s.Expire > 0 {
			e.expires = c.Now().Add(s.Expire)
		}
		return e, true
	case *events.StreamError:
		return ending{cause: dropped, err: fmt.Errorf("stream error %q", s.Code)}, true
	case *events.ClientOutdated:
		return ending{cause: outdated}, true
	default:
		return c.ends(s)
	}
	return e, false
}

// ends makes the end of the link of an event, if it is one.
func (r *run) ends(s any) (e ending, ended bool) {
	e.cause = over
	e.reason, e.unlinked = r.verdict(s)
	return e, e.reason != ""
}

// verdict says what ends the link; reason is empty for anything else.
func (r *run) verdict(s any) (reason string, unlinked bool) {
	switch s := s.(type) {
	case unlinkedByUs:
		return LoggedOut, true
	case *events.LoggedOut:
		switch s.Reason {
		case events.ConnectFailureMainDeviceGone:
			return Locked, true
		case events.ConnectFailureUnknownLogout:
			return Banned, true
		}
		return LoggedOut, true
	case *events.StreamReplaced:
		return Replaced, false
	case *events.PairError:
		r.log.Warn("link the device", failure(s.Error))
		return PairingFailed, true
	}
	return "", false
}

// connected is called when WhatsApp starts to deliver.
func (c *connection) connected() {
	if c.identity().pn == "" || c.scanned {
		return // from a connection before
	}
	c.timeout.Stop()
	if c.identity().lid == "" {
		c.identify() // WhatsApp tells the LID at the login
		if lid := c.identity().lid; lid != "" {
			c.status.set(func(a *chat.Account) { a.OwnerLID = lid })
		}
	}
	if at := c.clock.Load(); c.linkedAt.CompareAndSwap(0, at) {
		c.status.set(func(a *chat.Account) { a.LinkedAt = at })
	}
	c.online.Store(true)
	select {
	case <-c.first:
	default:
		close(c.first)
	}
	c.log.Info("connected")
	c.failing(nil)
	c.status.set(state(chat.Connected, ""))
	c.status.touch()
	c.sync.connected()
	c.history.start()
	c.opener.start()
	c.early.start()
	c.groups.connected()
	c.channels.connected()
	c.copies.connected()
	c.persons.sweeper.start()
}
