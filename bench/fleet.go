package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"pesan/internal/budget"
	"pesan/internal/sim"
)

const (
	fleet       = 1000                   // light devices: linked, without chats
	moved       = 600                    // of them, that are handed over
	farTrip     = 150 * time.Millisecond // to WhatsApp and back
	muted       = 40                     // devices with a command under way while their host stops
	linkingAt   = 4                      // a time
	alone       = 40                     // mutes with nothing beside them, one after the other
	fleetWithin = 5 * time.Minute
)

// runFleet measures many devices on session hosts far from WhatsApp: how they connect, how one host hands them to another, and
// what becomes of commands while the hosts change.
func (b *bench) runFleet(ctx context.Context) ([]row, error) {
	c, err := b.startCloud(ctx)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	f := &fleetOf{cloud: c, s: s}
	if err := f.link(ctx); err != nil {
		return nil, err
	}
	far, err := startFar(s.Address(), farTrip)
	if err != nil {
		return nil, err
	}
	defer far.close()
	f.far = "WHATSAPP_ADDRESS=" + far.address()
	connecting, err := f.connect(ctx)
	progress("%v", connecting)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := f.leave(ctx, moved); err != nil {
		return nil, err
	}
	handing, err := f.handOver(ctx)
	progress("%v", handing)
	if err != nil {
		return nil, fmt.Errorf("hand over: %w", err)
	}
	stopping, err := f.stopUnderCommands(ctx)
	if err != nil {
		return nil, fmt.Errorf("stop: %w", err)
	}
	return slices.Concat(connecting, handing, stopping), nil
}

// fleetOf is a world of light devices.
type fleetOf struct {
	*cloud
	s   *sim.Server
	far string // the variable by which a host reaches WhatsApp from afar
	all []*member
}

type member struct {
	key    string
	phone  *sim.Phone
	device *sim.Device
	friend *sim.Contact // of those that are muted
	before int          // connections
}

// link links the devices, at no distance.
func (f *fleetOf) link(ctx context.Context) error {
	p, err := f.run(ctx, f.s)
	if err != nil {
		return err
	}
	defer p.stop()
	f.all = make([]*member, fleet)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(linkingAt)
	for i := range f.all {
		if i%100 == 0 {
			progress("linking device %d of %d", i+1, fleet)
		}
		group.Go(func() error {
			m := &member{}
			f.all[i] = m
			var err error
			if m.phone, err = f.s.NewPhone(phoneNumber(10*i), sim.PhoneOptions{}); err != nil {
				return err
			}
			if m.key, err = f.addDevice(ctx, fmt.Sprint("device ", i)); err != nil {
				return err
			}
			if m.device, err = f.api.link(ctx, m.key, m.phone); err != nil {
				return fmt.Errorf("device %d: %w", i, err)
			}
			if i < muted {
				if m.friend, err = f.s.NewContact(phoneNumber(10*i+1), "", "Budi"); err != nil {
					return err
				}
				if _, err = m.friend.Send(ctx, m.phone, sim.Text("halo"), sim.SendOptions{}); err != nil {
					return err
				}
			}
			return m.device.WaitDrained(ctx)
		})
	}
	return group.Wait()
}

// leave unlinks all but the first devices.
func (f *fleetOf) leave(ctx context.Context, most int) error {
	progress("%d devices stay", most)
	p, err := f.run(ctx, f.s)
	if err != nil {
		return err
	}
	defer p.stop()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(linkingAt)
	for _, m := range f.all[most:] {
		group.Go(func() error {
			return f.command(ctx, "serviceDestroy", "apiKey", m.key)
		})
	}
	f.all = f.all[:most]
	return group.Wait()
}

// offline waits until no device is connected, and notes how often each was.
func (f *fleetOf) offline(ctx context.Context) error {
	for _, m := range f.all {
		if err := m.device.WaitOffline(ctx); err != nil {
			return err
		}
		m.before = len(m.device.Connections())
	}
	return nil
}

// online waits until every device is connected again, since offline or note, and returns when each was.
func (f *fleetOf) online(ctx context.Context) (at []time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, fleetWithin)
	defer cancel()
	for _, m := range f.all {
		if err := m.device.WaitLogins(ctx, m.before+1); err != nil {
			return nil, err
		}
		if err := m.device.WaitOnline(ctx); err != nil {
			return nil, err
		}
		all := m.device.Connections()
		at = append(at, all[len(all)-1].LoggedIn)
	}
	slices.SortFunc(at, time.Time.Compare)
	return at, nil
}

// connect measures the start of a host.
func (f *fleetOf) connect(ctx context.Context) ([]row, error) {
	if err := f.offline(ctx); err != nil {
		return nil, err
	}
	progress("%d devices connect at %v", len(f.all), farTrip)
	began := time.Now()
	p, err := f.run(ctx, f.s, f.far)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	at, err := f.online(ctx)
	if err != nil {
		return nil, err
	}
	took := at[len(at)-1].Sub(began)
	cpu, err := p.cpu()
	if err != nil {
		return nil, err
	}
	memory, err := p.resident("VmRSS")
	if err != nil {
		return nil, err
	}
	return []row{
		{
			fmt.Sprintf("a host's start until all of %d devices are connected, at %v a round trip (%.1f ms of the host's CPU each, half after %.1f s)",
				len(at), farTrip, 1000*cpu.Seconds()/float64(len(at)), at[len(at)/2].Sub(began).Seconds()),
			fmt.Sprintf("%.1f s", took.Seconds()), "20 s", took <= 20*time.Second,
		},
		{fmt.Sprintf("its resident memory then, by device of %d", len(at)),
			fmt.Sprintf("%.0f kB", memory/1e3/float64(len(at))), "500 kB", memory <= 500e3*float64(len(at))},
	}, nil
}

// connected starts a host and waits until it has connected all devices, which are offline before.
func (f *fleetOf) connected(ctx context.Context) (*process, error) {
	if err := f.offline(ctx); err != nil {
		return nil, err
	}
	host, err := f.run(ctx, f.s, f.far)
	if err != nil {
		return nil, err
	}
	if _, err := f.online(ctx); err != nil {
		host.stop()
		return nil, err
	}
	return host, nil
}

// handOver measures how a host that starts gets half of the devices, and the rest when the old one stops, as at a deployment.
func (f *fleetOf) handOver(ctx context.Context) ([]row, error) {
	old, err := f.connected(ctx)
	if err != nil {
		return nil, err
	}
	defer old.stop()
	progress("%d devices are handed over", len(f.all))
	for _, m := range f.all {
		m.before = len(m.device.Connections())
	}
	began := time.Now()
	next, err := f.run(ctx, f.s, f.far)
	if err != nil {
		return nil, err
	}
	defer next.stop()
	if err := f.settled(ctx, len(f.all)/4); err != nil { // a host gets whole queues, so not exactly half
		return nil, err
	}
	if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return nil, err
	}
	if _, err := f.online(ctx); err != nil {
		return nil, err
	}
	var gaps []time.Duration
	var last time.Time
	for _, m := range f.all {
		all := m.device.Connections()
		for i := m.before; i < len(all); i++ {
			gaps = append(gaps, all[i].LoggedIn.Sub(all[i-1].Closed))
		}
		if at := all[len(all)-1].LoggedIn; at.After(last) {
			last = at
		}
	}
	slices.Sort(gaps)
	took := last.Sub(began)
	return []row{
		{
			fmt.Sprintf("hand-over of %d devices from a host to the next, both on this machine, at %v a round trip (%d connections, all after %.1f s)",
				len(f.all), farTrip, len(gaps), took.Seconds()),
			fmt.Sprintf("median %.1f s, longest %.1f s without", gaps[len(gaps)/2].Seconds(), gaps[len(gaps)-1].Seconds()),
			"longest 20 s",
			gaps[len(gaps)-1] <= 20*time.Second,
		},
	}, nil
}

// settled waits until so many devices have moved, and all are connected.
func (f *fleetOf) settled(ctx context.Context, least int) error {
	ctx, cancel := context.WithTimeout(ctx, fleetWithin)
	defer cancel()
	for {
		moved, on := 0, 0
		for _, m := range f.all {
			if len(m.device.Connections()) > m.before {
				moved++
			}
			if m.device.Online() {
				on++
			}
		}
		if moved >= least && on == len(f.all) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d devices have moved, %d are connected: %w", moved, len(f.all), on, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stopUnderCommands measures what commands take that are sent while their host stops, from the start of the next.
func (f *fleetOf) stopUnderCommands(ctx context.Context) ([]row, error) {
	old, err := f.connected(ctx)
	if err != nil {
		return nil, err
	}
	defer old.stop()
	all := f.all
	f.all = all[:muted]
	if err := f.shown(ctx); err != nil {
		return nil, err
	}
	lone, err := f.muteAlone(ctx)
	if err != nil {
		return nil, err
	}
	progress("a host stops under commands")
	done := make(chan time.Time, 3*muted)
	group, calls := errgroup.WithContext(ctx)
	mute := func(second int) {
		for _, m := range f.all {
			group.Go(func() error {
				err := f.command(calls, "muteChat", "apiKey", m.key, "phone", m.friend.PN().User, "second", fmt.Sprint(second))
				done <- time.Now()
				return err
			})
		}
	}
	mute(1000)
	if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return nil, err
	}
	mute(2000)
	everybody := &fleetOf{all: all}
	if err := everybody.offline(ctx); err != nil {
		return nil, err
	}
	mute(3000)
	began := time.Now()
	next, err := f.run(ctx, f.s, f.far)
	if err != nil {
		return nil, err
	}
	defer next.stop()
	if err := group.Wait(); err != nil {
		return nil, err
	}
	close(done)
	at, err := everybody.online(ctx)
	if err != nil {
		return nil, err
	}
	var slowest time.Duration
	late := 0
	for at := range done {
		if took := at.Sub(began); took > 0 {
			late, slowest = late+1, max(slowest, took)
		}
	}
	const goal = 3 * time.Second
	return []row{lone, {
		fmt.Sprintf("stop of a host of %d devices under %d commands: slowest of the %d that were done after the next one's start "+
			"(all devices are connected after %.1f s)",
			len(all), cap(done), late, at[len(at)-1].Sub(began).Seconds()),
		fmt.Sprintf("%.1f s", slowest.Seconds()), fmt.Sprintf("%.0f s", goal.Seconds()), late > 0 && slowest <= goal,
	}}, nil
}

// muteAlone measures mutes that have nothing beside them, from the request to the answer, as the costs of docs/aws.md assume.
func (f *fleetOf) muteAlone(ctx context.Context) (row, error) {
	progress("mutes with nothing beside")
	m := f.all[0]
	var all []time.Duration
	for i := range alone {
		asked := time.Now()
		_, err := f.call(ctx, "muteChat", "apiKey", m.key, "phone", m.friend.PN().User, "second", fmt.Sprint(5000+i))
		if err != nil {
			return row{}, err
		}
		all = append(all, time.Since(asked))
	}
	slices.Sort(all)
	p50 := all[len(all)/2]
	return row{
		fmt.Sprintf("a mute, nothing beside it, at %v a round trip: median (nine in ten within %s)", farTrip, ms(all[len(all)*9/10])),
		ms(p50), ms(budget.MuteTook), p50 <= budget.MuteTook,
	}, nil
}

// shown waits until the API says that the devices are connected, and has the friends' chats.
func (f *fleetOf) shown(ctx context.Context) error {
	for _, m := range f.all {
		for body := []byte{}; !bytes.Contains(body, []byte(`"CONNECTED"`)); {
			var err error
			if body, err = f.call(ctx, "getState", "apiKey", m.key); err != nil {
				return err
			}
		}
		for n := 0; n == 0; {
			var err error
			if n, err = f.chats(ctx, m.key); err != nil {
				return err
			}
		}
	}
	return nil
}

// far stands between hosts and WhatsApp, and makes the way longer.
type far struct {
	listener net.Listener
	target   string
	half     time.Duration
	ctx      context.Context
	end      context.CancelFunc
	group    errgroup.Group
}

func startFar(target string, trip time.Duration) (*far, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &far{listener: listener, target: target, half: trip / 2}
	f.ctx, f.end = context.WithCancel(context.Background())
	f.group.Go(func() error {
		for {
			c, err := listener.Accept()
			if err != nil {
				return nil // closed
			}
			f.group.Go(func() error { f.pass(c); return nil })
		}
	})
	return f, nil
}

func (f *far) address() string { return f.listener.Addr().String() }

func (f *far) close() {
	f.end()
	f.listener.Close()
	_ = f.group.Wait()
}

// pass connects after what TCP and TLS take, two round trips, and carries bytes both ways.
func (f *far) pass(client net.Conn) {
	defer client.Close()
	select {
	case <-time.After(4 * f.half):
	case <-f.ctx.Done():
		return
	}
	server, err := net.Dial("tcp", f.target)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(f.ctx, func() { client.Close(); server.Close() })()
	var both errgroup.Group
	both.Go(func() error { return f.carry(server, client) })
	both.Go(func() error { return f.carry(client, server) })
	_ = both.Wait()
}

// piece is what was read at a time, and when it arrives.
type piece struct {
	at   time.Time
	data []byte
}

// carry delivers what it reads half a round trip later, in order. When the one side ends, the other does.
func (f *far) carry(to, from net.Conn) error {
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 4<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				pieces <- piece{time.Now().Add(f.half), buffer[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	defer to.Close()
	var failed error
	for p := range pieces {
		if failed != nil {
			continue
		}
		time.Sleep(time.Until(p.at))
		_, failed = to.Write(p.data)
	}
	if failed == nil {
		failed = io.EOF
	}
	return failed
}
