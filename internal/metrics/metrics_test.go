package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pesan/internal/chat"
	"pesan/internal/host"
)

// line is a written line, as CloudWatch reads it.
type line struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
	Stack                                  string
	MissingDevices                         *float64
	ConnectedDevices, Events, LeaseChanges *int
	EventAge                               *float64
	CommandAge                             []float64
}

func write(t *testing.T, m *Metrics) line {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	var l line
	decoder := json.NewDecoder(&b)
	if err := decoder.Decode(&l); err != nil || decoder.More() {
		t.Fatalf("a line: %v", err)
	}
	return l
}

func (l line) names() (names []string) {
	for _, d := range l.AWS.CloudWatchMetrics[0].Metrics {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return names
}

// ports do what a test says.
type ports struct {
	chat.Leases
	chat.Commands
	err     error
	account chat.Account
	thread  chat.Thread
	ended   chat.CommandRecord
	running chan struct{}
}

func (p *ports) AcquireLease(context.Context, []int, string, time.Time) (chat.Lease, error) {
	return chat.Lease{}, p.err
}
func (p *ports) Beat(_ context.Context, b chat.Heartbeat, _ time.Time, _ time.Duration) (chat.Heartbeat, error) {
	return b, p.err
}
func (p *ports) ReleaseLease(context.Context, chat.Lease) error     { return p.err }
func (p *ports) Hosts(context.Context, time.Time) ([]string, error) { return nil, p.err }
func (p *ports) Open(context.Context, string, chat.Ownership, time.Time) (host.Device, error) {
	return runner{nil, p}, p.err
}
func (p *ports) EndCommand(context.Context, string, string, chat.Outcome) (chat.CommandRecord, error) {
	return p.ended, p.err
}

type runner struct {
	host.Device
	p *ports
}

func (r runner) Run(ctx context.Context) error {
	r.p.running <- struct{}{}
	<-ctx.Done()
	return nil
}

// endsBy opens devices whose link ends with a context.
type endsBy struct {
	*ports
	ctx context.Context
}

func (e endsBy) Open(context.Context, string, chat.Ownership, time.Time) (host.Device, error) {
	return brief{nil, e}, nil
}

type brief struct {
	host.Device
	by endsBy
}

func (b brief) Run(context.Context) error { <-b.by.ctx.Done(); return nil }

type accountStore struct {
	accountPort
	p *ports
}

func (s accountStore) UpdateAccount(_ context.Context, _ string, change func(*chat.Account) error) error {
	if err := change(&s.p.account); err != nil {
		return err
	}
	return s.p.err
}

type chatStore struct {
	chat.ChatStore
	p *ports
}

func (s chatStore) Update(_ context.Context, _ string, _ chat.JID, _ []string, change func(*chat.Thread) error) error {
	if err := change(&s.p.thread); err != nil {
		return err
	}
	return s.p.err
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		p := &ports{running: make(chan struct{})}
		m := New("stack", time.Now)
		if !m.Beat().IsZero() {
			t.Error("it beats before it lives")
		}

		empty := write(t, m)
		if *empty.ConnectedDevices != 0 || *empty.Events != 0 || empty.Stack != "stack" || *empty.MissingDevices != 0 || len(empty.names()) != 1 || empty.AWS.Timestamp != time.Now().UnixMilli() {
			t.Errorf("an empty line: %+v", empty)
		}
		if d := empty.AWS.CloudWatchMetrics[0]; d.Namespace != "Pesan" || fmt.Sprint(d.Dimensions) != "[[Stack]]" {
			t.Errorf("directive %+v", d)
		}

		device, err := m.Devices(p).Open(ctx, "a", nil, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- device.Run(ctx) }()
		<-p.running
		become := func(account string, s chat.State) {
			_ = m.Accounts(accountStore{nil, p}).UpdateAccount(ctx, account, func(a *chat.Account) error { a.State = s; return nil })
		}
		become("a", chat.Connected)
		become("elsewhere", chat.Connected) // doesn't run here

		leases := m.Leases(p)
		_, _ = leases.AcquireLease(ctx, nil, "", time.Now())
		_, _ = leases.Beat(ctx, chat.Heartbeat{}, time.Now(), 0) // no change
		_ = leases.ReleaseLease(ctx, chat.Lease{})
		_, _ = leases.Hosts(ctx, time.Now())
		if !m.Beat().Equal(time.Now()) {
			t.Errorf("beat %v", m.Beat())
		}

		update := func(age time.Duration) {
			_ = m.Chats(chatStore{nil, p}).Update(ctx, "a", "", nil, func(t *chat.Thread) error {
				t.Changed = map[string]*chat.Message{"m": {Content: chat.Content{Time: time.Now().Add(-age).Unix()}}}
				return nil
			})
		}
		update(2 * time.Second)
		update(24 * time.Hour) // history
		p.ended = chat.CommandRecord{Command: chat.Command{RequestedAt: time.Now()}, EndedAt: time.Now().Add(1500 * time.Millisecond)}
		_, _ = m.Commands(p).EndCommand(ctx, "a", "c", chat.Outcome{})

		p.err = &chat.Error{Code: chat.LeaseHeld} // what fails isn't measured, but a lost lease is
		_, _ = leases.AcquireLease(ctx, nil, "", time.Now())
		_ = leases.ReleaseLease(ctx, chat.Lease{})
		_, _ = leases.Beat(ctx, chat.Heartbeat{}, time.Now(), 0)
		update(time.Second)
		become("a", chat.Pairing)
		_, _ = m.Commands(p).EndCommand(ctx, "a", "c", chat.Outcome{})

		full := write(t, m)
		if *full.ConnectedDevices != 1 || *full.Events != 2 || *full.LeaseChanges != 3 || len(full.names()) != 2 ||
			full.EventAge == nil || *full.EventAge != 2000 || len(full.CommandAge) != 1 || full.CommandAge[0] != 1500 {
			t.Errorf("a full line: %+v", full)
		}
		if again := write(t, m); *again.Events != 0 || *again.ConnectedDevices != 1 || len(again.names()) != 1 {
			t.Errorf("the line after: %+v", again)
		}
		p.err = nil
		become("a", chat.Pairing)
		if l := write(t, m); *l.MissingDevices != 100 {
			t.Errorf("the only device isn't connected: %+v", l)
		}
		over := make(chan error)
		brief, end := context.WithCancel(ctx)
		b, err := m.Devices(endsBy{p, brief}).Open(ctx, "b", nil, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		go func() { over <- b.Run(ctx) }()
		become("a", chat.Connected)
		end()
		<-over
		if l := write(t, m); *l.MissingDevices != 50 {
			t.Errorf("one of two links is over: %+v", l)
		}
		if l := write(t, m); *l.MissingDevices != 0 {
			t.Errorf("a minute later: %+v", l)
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if last := write(t, m); *last.ConnectedDevices != 0 {
			t.Errorf("a stopped device is connected: %+v", last)
		}
	})
}

// TestRun: a line a minute, and one at the end; never more values than CloudWatch takes.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New("stack", time.Now)
		for i := range 1000 {
			m.age.add(time.Duration(i) * time.Millisecond)
		}
		var b bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 2*Every+time.Second)
		defer cancel()
		if err := m.Run(ctx, &b); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b.Bytes(), []byte("\n")); n != 3 {
			t.Errorf("%d lines", n)
		}
		var first line
		if err := json.NewDecoder(&b).Decode(&first); err != nil || len(first.CommandAge) != mostValues {
			t.Errorf("%d values, %v", len(first.CommandAge), err)
		}
	})
}
