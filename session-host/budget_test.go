package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pesan/e2e"
	"pesan/internal/budget"
	"pesan/internal/sim"
)

// meter stands before AWS's local servers and counts: capacity units by DynamoDB's own word, and requests by operation. What keeps a
// host's heart beating isn't counted.
type meter struct {
	mu    sync.Mutex
	used  budget.Work
	calls map[string]int
	since time.Time
	idle  budget.Work // what goes on by itself in a second, whatever is done meanwhile
}

func newMeter(idle budget.Work) *meter {
	return &meter{calls: map[string]int{}, since: time.Now(), idle: idle}
}

func (m *meter) before(t *testing.T, server string) string {
	t.Helper()
	target, err := url.Parse(server)
	must(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
			p.Out.Header.Del("Accept-Encoding")
		},
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	proxy.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err == nil {
			_, operation, _ := strings.Cut(r.Request.Header.Get("X-Amz-Target"), ".")
			m.count(operation, body)
		}
		return err
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if target := r.Header.Get("X-Amz-Target"); strings.HasPrefix(target, "DynamoDB") && !ofHeart(target, body) {
			body = append([]byte(`{"ReturnConsumedCapacity":"TOTAL",`), body[1:]...) // no local server checks the signature
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	return front.URL
}

// ofHeart tells whether a host says that it is there.
func ofHeart(target string, body []byte) bool {
	return strings.HasSuffix(target, "PutItem") && bytes.Contains(body, []byte(`"pk":{"S":"hosts"}`))
}

func (m *meter) count(operation string, body []byte) {
	var answer struct{ ConsumedCapacity json.RawMessage }
	type capacity struct{ CapacityUnits float64 }
	var all []capacity
	if json.Unmarshal(body, &answer) == nil && json.Unmarshal(answer.ConsumedCapacity, &all) != nil {
		var one capacity
		if json.Unmarshal(answer.ConsumedCapacity, &one) == nil {
			all = append(all, one)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[operation]++
	for _, c := range all {
		if operation == "Query" && c.CapacityUnits == 0 {
			c.CapacityUnits = leastQuery
		}
		switch operation {
		case "GetItem", "BatchGetItem", "Query":
			m.used.Read += c.CapacityUnits
		default:
			m.used.Write += c.CapacityUnits
		}
		m.used.Requests++
	}
}

// leastQuery is what a strongly consistent query costs that finds nothing; DynamoDB Local says that it costs nothing.
const leastQuery = 1

// reading is what a meter has counted.
type reading struct {
	used  budget.Work
	calls map[string]int
	idle  budget.Work // of it, what went on by itself
}

// take returns what was used since the last time.
func (m *meter) take() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	took := now.Sub(m.since).Seconds()
	r := reading{m.used, m.calls, budget.Work{Read: m.idle.Read * took, Write: m.idle.Write * took}}
	m.used, m.calls, m.since = budget.Work{}, map[string]int{}, now
	return r
}

// waits waits until an operation was called so often since the last take.
func (m *meter) waits(ctx context.Context, t *testing.T, operation string, times int) {
	t.Helper()
	must(t, e2e.Until(ctx, operation, func() (bool, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.calls[operation] >= times, nil
	}))
}

// within holds what something took that was done so often to its budget, and requests by operation to the most there may be.
func (r reading) within(t *testing.T, times float64, work budget.Work, most map[string]int) {
	t.Helper()
	read, write := (r.used.Read-r.idle.Read)/times, (r.used.Write-r.idle.Write)/times
	t.Logf("%-75s %5.2f RRU %5.2f WRU; %v", work.Name, read, write, r.calls)
	if read > work.Read || write > work.Write {
		t.Errorf("%s may cost %.1f RRU and %.1f WRU", work.Name, work.Read, work.Write)
	}
	for operation, n := range most {
		if r.calls[operation] > n {
			t.Errorf("%s: %d × %s, at most %d", work.Name, r.calls[operation], operation, n)
		}
	}
}

// TestBudgets holds what things take from end to end, the devices' keys and the functions' calls included.
func TestBudgets(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	// A host looks for shards every five seconds and, while anything happens, stores the account every three, with the time.
	functions, host := newMeter(budget.Work{}), newMeter(budget.Work{Read: 1. / 5, Write: 1. / 3})
	s := newStack(t, 1, nil)
	own := map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": host.before(t, s.dynamoDB), "AWS_ENDPOINT_URL_SQS": host.before(t, s.sqs)}
	s.dynamoDB, s.sqs = functions.before(t, s.dynamoDB), functions.before(t, s.sqs)
	s.serve()
	s.start(own)
	d := s.linked(ctx, 1)[0]
	const count = 30
	var chats []*sim.Contact
	for i := range count {
		c, err := s.whatsApp.NewContact(fmt.Sprint(6281300000000+i), "", fmt.Sprint("Pelanggan ", i))
		must(t, err)
		chats = append(chats, c)
	}
	send := func() {
		t.Helper()
		var ids []string
		for _, c := range chats {
			id, err := c.Send(ctx, d.Phone, sim.Text("pesanannya sudah kami kirim pagi ini ya Kak"), sim.SendOptions{})
			must(t, err)
			ids = append(ids, id)
		}
		must(t, d.Device.WaitAcked(ctx, ids...))
	}
	send() // the first of each chat costs more
	host.take()
	send()
	messages := host.take()
	messages.within(t, count, budget.Message, nil)

	mute := func(c *sim.Contact, seconds int) {
		t.Helper()
		answer, err := d.Call(ctx, "muteChat", "phone", c.PN().User, "second", fmt.Sprint(seconds))
		must(t, err)
		if answer.Status != http.StatusOK {
			t.Fatalf("muteChat answers %s", answer.Body)
		}
	}
	for _, c := range chats {
		mute(c, 1000)
	}
	host.waits(ctx, t, "DeleteMessage", count) // the last one is still to come when it is answered
	host.take()
	functions.take()
	for _, c := range chats {
		mute(c, 2000)
	}
	called := functions.take()
	looks := called.calls["GetItem"]/count - 2 // beside the account and the chat
	budgeted := budget.MuteByCall
	budgeted.Read += budget.Look.Read + float64(looks+1)*budget.Wait.Read // a machine under load takes longer
	called.within(t, count, budgeted, map[string]int{"SendMessage": count})
	host.waits(ctx, t, "DeleteMessage", count)
	host.take().within(t, count, budget.MuteByHost, map[string]int{"ReceiveMessage": count + 10, "DeleteMessage": count})

	for message, most := range map[string]int{"call": budget.FunctionLine, "command ended": budget.HostLine} {
		longest := 0
		all, _ := s.logs.get()
		for _, line := range all {
			if strings.Contains(line, fmt.Sprintf(`"msg":%q`, message)) && strings.Contains(line, "mute") {
				longest = max(longest, len(line)+budget.LineOverhead)
			}
		}
		if t.Logf("%q takes up to %d bytes of a log", message, longest); longest == 0 || longest > most {
			t.Errorf("a line %q may take %d bytes", message, most)
		}
	}

	var operations []map[string]any
	for _, c := range chats {
		operations = append(operations, map[string]any{"op": "mute", "phone": c.PN().User, "second": 3000})
	}
	list, err := json.Marshal(operations)
	must(t, err)
	id, err := d.Begin(ctx, string(list), 50)
	must(t, err)
	_, err = d.Ends(ctx, id, func(b e2e.Batch) bool { return b.State == "done" && b.Counts.Done == count })
	must(t, err)
	host.take().within(t, count, budget.BatchByHost, nil)

	var events atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		events.Add(1)
	}))
	defer receiver.Close()
	answer, err := d.Call(ctx, "setWebhook", "url", receiver.URL, "events", "message")
	must(t, err)
	if answer.Status != http.StatusOK {
		t.Fatalf("setWebhook answers %s", answer.Body)
	}
	sent := func(want int64) {
		t.Helper()
		must(t, e2e.Until(ctx, "the events", func() (bool, error) { return events.Load() >= want, nil }))
	}
	send()
	sent(count)
	host.take()
	functions.take()
	send()
	sent(2 * count)
	by := host.take()
	by.used.Read, by.used.Write = by.used.Read-messages.used.Read, by.used.Write-messages.used.Write
	by.within(t, count, budget.EventByHost, map[string]int{"SendMessage": count})
	functions.take().within(t, count, budget.EventBySender, nil)
}
