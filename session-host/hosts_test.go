package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"pesan/e2e"
	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/sim"
)

const lostHeartbeat = "heartbeat lost, and all shards with it"

const (
	shared  = 4 // queues that the hosts share
	devices = 6
	friends = 3
)

// TestTwoHosts shares shards between hosts while messages stream in and commands go out, and takes hosts away in every way.
func TestTwoHosts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	s := newStack(t, shared, nil)
	a := s.start(nil)
	must(t, a.says(ctx, "shards taken", shared))
	b := s.start(nil)
	must(t, b.says(ctx, "shards taken", shared/2))
	all := s.linked(ctx, devices)
	talk, quiet := context.WithCancel(ctx)
	defer quiet()
	var traffic errgroup.Group
	for _, d := range all {
		traffic.Go(func() error { return d.write(talk) })
		traffic.Go(func() error { return d.command(talk) })
	}

	gap := func(what string, gone []*driven, take func()) time.Duration {
		t.Helper()
		before := logins(gone)
		began := time.Now()
		take()
		must(t, e2e.Until(ctx, what, func() (bool, error) {
			for i, d := range gone {
				if !d.Device.Online() || d.Device.Logins() <= before[i] {
					return false, nil
				}
			}
			return true, nil
		}))
		took := time.Since(began)
		if t.Logf("%s: %d devices are back after %v", what, len(gone), took); len(gone) == 0 {
			t.Errorf("%s: nothing to see", what)
		}
		return took
	}

	killed := gap("killed", s.on(a, all), func() { a.signal(syscall.SIGKILL) })
	<-a.ended
	c := s.start(nil)
	must(t, c.says(ctx, "shards taken", shared/2))
	must(t, connected(ctx, all))

	// How many seconds it takes is held in virtual time, by the tests of internal/host; here it depends on the machine.
	if stopped := gap("stopped", s.on(b, all), func() { b.signal(syscall.SIGTERM) }); stopped >= killed {
		t.Errorf("an orderly end takes %v, and a lease's end %v", stopped, killed)
	}

	recorder := s.record()
	d := s.start(map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": recorder.url})
	must(t, d.says(ctx, "shards taken", shared/2))
	must(t, connected(ctx, all))
	asleep := s.on(d, all)
	gap("paused", asleep, func() { d.signal(syscall.SIGSTOP) })
	recorder.begin()
	d.signal(syscall.SIGCONT)
	must(t, d.says(ctx, lostHeartbeat, 1))
	must(t, d.says(ctx, "shards taken", shared)) // it is a host again
	underWay, writes := recorder.get()
	t.Logf("paused: %d writes were under way", len(underWay))
	if len(underWay) > 2*len(asleep) { // by a message and a command of each device
		t.Errorf("a host that was paused past its lease went on writing: %v", underWay)
	}
	if len(writes) > 0 {
		t.Errorf("a host that was paused past its lease wrote %v", writes)
	}

	quiet()
	must(t, traffic.Wait())
	must(t, connected(ctx, all))
	for _, d := range all {
		d.check(ctx, t)
	}
	if <-b.ended; b.err != nil {
		t.Errorf("a host that was stopped ends with %v", b.err)
	}
	secrets := map[string][]string{}
	for _, d := range all {
		for what, texts := range secretsOf(d.System, "rahasia") {
			secrets[what] = append(secrets[what], texts...)
		}
	}
	s.logs.silent(t, secrets)
}

// driven is a system with traffic.
type driven struct {
	*e2e.System
	shard int

	mu    sync.Mutex
	sent  []map[string]string // by friend: texts by id
	mutes map[string]int      // answers by the command's id
}

// linked links devices on all shards in turn.
func (s *stack) linked(ctx context.Context, count int) []*driven {
	s.t.Helper()
	var all []*driven
	known := map[string]bool{}
	for n := range count {
		d := &driven{System: s.system(6281200000000+100*n, friends), shard: n % len(s.queues), mutes: map[string]int{}}
		for range friends {
			d.sent = append(d.sent, map[string]string{})
		}
		must(s.t, d.AddDevice(ctx))
		accounts, err := s.accounts.AccountsOf(ctx, chat.ShardsOf(0, 1))
		must(s.t, err)
		for _, a := range accounts {
			if !known[a.ID] {
				known[a.ID] = true
				must(s.t, s.accounts.UpdateAccount(ctx, a.ID, func(a *chat.Account) error { a.Shard = d.shard; return nil }))
			}
		}
		must(s.t, d.Link(ctx))
		all = append(all, d)
	}
	return all
}

// on are those whose shards a host holds.
func (s *stack) on(p *process, all []*driven) (some []*driven) {
	holds := map[int]bool{}
	log, _ := p.log.get()
	for _, line := range log {
		for message, has := range map[string]bool{"shards taken": true, "shards released": false} {
			for _, fields := range logged([]string{line}, message) {
				holds[int(fields["queue"].(float64))] = has
			}
		}
		if len(logged([]string{line}, lostHeartbeat)) > 0 {
			clear(holds)
		}
	}
	for _, d := range all {
		if holds[d.shard] {
			some = append(some, d)
		}
	}
	return some
}

func logins(all []*driven) (counts []int) {
	for _, d := range all {
		counts = append(counts, d.Device.Logins())
	}
	return counts
}

func connected(ctx context.Context, all []*driven) error {
	for _, d := range all {
		if err := d.Connected(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *driven) write(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		friend := n % friends
		text := fmt.Sprint("rahasia ", n)
		id, err := d.Friends[friend].Send(context.WithoutCancel(ctx), d.Phone, sim.Text(text), sim.SendOptions{})
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.sent[friend][id] = text
		d.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// command mutes one chat again and again, each time for another while.
func (d *driven) command(ctx context.Context) error {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		id := fmt.Sprint("mute-", n)
		answer, err := d.Call(context.WithoutCancel(ctx), "muteChat", "phone", d.Friends[0].PN().User,
			"second", fmt.Sprint(1_000_000+100*n), "Idempotency-Key", id)
		switch {
		case err != nil:
			return err
		case answer.Status == http.StatusOK || answer.Status == http.StatusAccepted:
			d.mu.Lock()
			d.mutes[id] = answer.Status
			d.mu.Unlock()
		case answer.Status != http.StatusConflict && answer.Status != http.StatusNotFound: // not connected; no message yet
			return fmt.Errorf("muteChat answers %s", answer.Body)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// check finds every message once, every command carried out, in order, and no two connections that both sent.
func (d *driven) check(ctx context.Context, t *testing.T) {
	t.Helper()
	total := 0
	for i, sent := range d.sent {
		ids := make([]string, 0, len(sent))
		for id := range sent {
			ids = append(ids, id)
		}
		must(t, d.Device.WaitAcked(ctx, ids...))
		messages, err := d.Messages(ctx, d.Friends[i].PN().User)
		must(t, err)
		seen := map[string]bool{}
		for _, m := range messages {
			if seen[m.ID] || sent[m.ID] != m.Body {
				t.Errorf("message %+v; sent was %q; twice: %v", m, sent[m.ID], seen[m.ID])
			}
			seen[m.ID] = true
		}
		if total += len(seen); len(seen) != len(sent) {
			t.Errorf("%d of %d messages show", len(seen), len(sent))
		}
	}
	must(t, e2e.Until(ctx, "the end of all commands", func() (bool, error) {
		reports, err := d.Reports(ctx)
		return err == nil && !slices.ContainsFunc(reports, func(r e2e.Report) bool { return r.Command == "pending" }), err
	}))
	d.checkCommands(ctx, t)
	for _, c := range d.Device.Connections() {
		if len(c.AfterReplaced) > 0 {
			t.Errorf("%q came by a connection that another had replaced at %v", c.AfterReplaced, c.Replaced)
		}
	}
	t.Logf("shard %d: %d messages, %d commands, %d connections", d.shard, total, len(d.mutes), len(d.Device.Connections()))
}

// checkCommands: what was answered 200 took effect, each took effect at most once, and in the order of the calls.
func (d *driven) checkCommands(ctx context.Context, t *testing.T) {
	t.Helper()
	reports, err := d.Reports(ctx)
	must(t, err)
	done := 0
	seen := map[string]bool{}
	for _, r := range reports {
		if r.CommandID == "" || !strings.HasPrefix(r.CommandID, "mute-") {
			continue
		}
		if seen[r.CommandID] {
			t.Errorf("two reports of command %s", r.CommandID)
		}
		seen[r.CommandID] = true
		if r.Command == "done" {
			done++
		} else if d.mutes[r.CommandID] == http.StatusOK {
			t.Errorf("a command that was answered 200 ended %+v", r)
		}
	}
	var ends []int64 // as they took effect; one that was repeated because its answer got lost changed nothing
	repeated := 0
	for _, e := range d.Phone.AppState().Log() {
		if len(e.Index) != 2 || e.Index[0] != "mute" || e.Index[1] != d.Friends[0].PN().String() {
			continue
		}
		end := e.Value.GetMuteAction().GetMuteEndTimestamp()
		if n := len(ends); n > 0 && ends[n-1] == end {
			repeated++
			continue
		}
		ends = append(ends, end)
	}
	if !slices.IsSorted(ends) || len(ends) < done {
		t.Errorf("%d commands are done; the mutes' ends are %v", done, ends)
	}
	last, muted := e2e.Muted(d.Phone, d.Friends[0].PN())
	chat, err := d.Chat(ctx, d.Friends[0].PN().User)
	must(t, err)
	if done == 0 || !muted || !chat.Muted || chat.MuteEndTime != last {
		t.Errorf("%d commands done; the phone has mute %v until %d, the chat %v until %d", done, muted, last, chat.Muted, chat.MuteEndTime)
	}
	t.Logf("%d commands done, %d sent to WhatsApp once more", done, repeated)
}

// recorder passes calls to DynamoDB on, and notes those that wrote.
type recorder struct {
	url  string
	work string // the table that hosts may always write: leases

	mu     sync.Mutex
	begun  bool
	leased bool // a lease was taken since
	writes []string

	// Writes of one item that was as the host knew it before the pause. It had looked whether it holds the lease, and was about to
	// make them; nobody has written the item since, and whoever does from now on finds it changed.
	underWay []string
}

func (s *stack) record() *recorder {
	s.t.Helper()
	target, err := url.Parse(s.dynamoDB)
	must(s.t, err)
	r := &recorder{work: s.tables[kv.Work]}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target); p.Out.Host = p.In.Host },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { // the host gave the call up
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		status := &statusWriter{ResponseWriter: w}
		proxy.ServeHTTP(status, req)
		r.note(req.Header.Get("X-Amz-Target"), string(body), status.status)
	}))
	s.t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	r.url = server.URL
	return r
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (r *recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = true
}

// note takes a call that was answered. Once the host has a new lease it may write again.
func (r *recorder) note(target, body string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, operation, _ := strings.Cut(target, ".")
	if !r.begun || r.leased || status != http.StatusOK || operation == "GetItem" || operation == "Query" || operation == "BatchGetItem" {
		return
	}
	if strings.Contains(body, `"pk":{"S":"hosts"}`) {
		return // that it is there, it may always say
	}
	if strings.Contains(body, `"`+r.work+`"`) {
		r.leased = operation == "TransactWriteItems" && strings.Contains(body, `"pk":{"S":"leases"}`)
		return
	}
	write := operation + " " + body[:min(len(body), 1000)]
	if operation == "PutItem" && (strings.Contains(body, "v = :was AND") || strings.Contains(body, "(attribute_not_exists(pk) OR")) {
		r.underWay = append(r.underWay, write)
		return
	}
	r.writes = append(r.writes, write)
}

func (r *recorder) get() (underWay, writes []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.underWay), slices.Clone(r.writes)
}
