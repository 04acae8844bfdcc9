package sim_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/sim"
)

func TestConnectionFaults(t *testing.T) {
	for name, end := range map[string]func(*sim.Device){
		"drop": (*sim.Device).Drop, "hangup": (*sim.Device).Hangup, "restart": (*sim.Device).Restart,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			c := w.linked()
			c.forget()
			end(c.device)
			wait[*events.Disconnected](c, nil)
			wait[*events.Connected](c, nil) // by itself
			equal(t, "logins", c.device.Logins(), 2)
		})
	}
}

func TestReplaced(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.linked()
	second := c.twin()
	check(t, second.Connect())
	wait[*events.Connected](second, nil)
	wait[*events.StreamReplaced](c, nil)
	all := c.device.Connections()
	equal(t, "connections", len(all), 2)
	equal(t, "replaced", all[0].Replaced.IsZero(), false)
	equal(t, "second replaced", all[1].Replaced.IsZero(), true)
	equal(t, "second's stanzas", all[1].Stanzas > 0, true)
}

func TestUnlinked(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.linked()
	c.device.Unlink()
	out := wait[*events.LoggedOut](c, nil)
	equal(t, "on connect", out.OnConnect, false)
	equal(t, "linked", c.device.Linked(), false)
	poll(t, "keys deleted", func() bool {
		devices, err := c.container.GetAllDevices(soon(t))
		return err == nil && len(devices) == 0
	})
}

func TestLoginFailures(t *testing.T) {
	for name, f := range map[string]struct {
		code int
		seen func(*client)
	}{
		"401": {401, func(c *client) { wait[*events.LoggedOut](c, nil) }},
		"403": {403, func(c *client) { wait[*events.LoggedOut](c, nil) }},
		"402": {402, func(c *client) {
			equal(c.t, "ban", wait[*events.TemporaryBan](c, nil).Expire, time.Hour)
		}},
		"405": {405, func(c *client) { wait[*events.ClientOutdated](c, nil) }},
		"503": {503, func(c *client) {
			wait[*events.Disconnected](c, nil)
			wait[*events.Connected](c, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			c := w.linked()
			c.Disconnect()
			check(t, c.device.WaitOffline(soon(t)))
			c.forget()
			c.device.Inject(sim.Fault{Kind: sim.FailLogin, Code: f.code, Times: 1, Expire: time.Hour})
			check(t, c.Connect())
			f.seen(c)
		})
	}
}

func TestOutdated(t *testing.T) {
	w := newWorld(t, sim.Options{MinVersion: 1 << 31}, sim.PhoneOptions{})
	c := w.newClient()
	check(t, c.Connect())
	wait[*events.ClientOutdated](c, nil)
}

// unanswered asks while a fault is in effect: once the fault has happened, which may take its time, no answer comes.
func (c *client) unanswered(fault sim.Fault, ask func(context.Context) error) *sim.Injected {
	c.t.Helper()
	f := c.device.Inject(fault)
	ctx, cancel := context.WithCancel(soon(c.t))
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- ask(ctx) }()
	poll(c.t, string(fault.Kind), func() bool { return f.Hits() > 0 })
	select {
	case err := <-answer:
		c.t.Errorf("%s: answered with %v", fault.Kind, err)
	case <-time.After(50 * time.Millisecond):
		cancel()
		<-answer
	}
	return f
}

func TestSilentAndSlow(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	ping := func(ctx context.Context) error {
		_, err := c.preKeys(ctx)
		return err
	}
	c.unanswered(sim.Fault{Kind: sim.Slow, Delay: time.Hour}, ping).Remove()
	slow := c.device.Inject(sim.Fault{Kind: sim.Slow, Delay: 300 * time.Millisecond})
	start := time.Now()
	check(t, ping(soon(t)))
	equal(t, "took its time", time.Since(start) >= 300*time.Millisecond, true)
	slow.Remove()
	lost := c.unanswered(sim.Fault{Kind: sim.LoseRequest, For: "encrypt", Times: 1}, ping)
	equal(t, "hits", lost.Hits(), 1)
	silent := c.unanswered(sim.Fault{Kind: sim.Silent}, ping)
	id := must(budi.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{}))(t)
	silent.Remove()
	check(t, ping(soon(t)))
	equal(t, "acknowledged", c.device.Acked(id), false)
	c.device.Drop()
	check(t, c.device.WaitAcked(soon(t), id)) // delivered again
}

func TestStall(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	stall := w.server.Inject(sim.Fault{Kind: sim.Stall, Times: 1})
	ws := w.dial()
	check(t, ws.Write(soon(t), websocket.MessageBinary, clientHello(t)))
	poll(t, "stall", func() bool { return stall.Hits() == 1 })
	ctx, cancel := context.WithTimeout(soon(t), 100*time.Millisecond)
	defer cancel()
	if _, _, err := ws.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stalled: %v", err)
	}
	w.linked() // the next one isn't
}

func TestRefusedMessage(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	c.device.Inject(sim.Fault{Kind: sim.RefuseMessage, Code: 463, Times: 1})
	if _, err := c.SendMessage(soon(t), budi.PN(), sim.Text("halo")); !errors.Is(err, whatsmeow.ErrServerReturnedError) {
		t.Errorf("refused: %v", err)
	}
	equal(t, "received", len(budi.Received()), 0)
}
