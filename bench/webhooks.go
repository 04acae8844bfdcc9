package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/webhook"
)

// hookWorld is what of the one process stores messages and sends their events.
type hookWorld struct {
	db        *sqlite.Store
	store     *store.Store
	projector *chat.Projector
	forwarder *webhook.Forwarder
	sender    *webhook.Sender
	end       func()
}

func newHookWorld(ctx context.Context, file string, wait bool) (*hookWorld, error) {
	db, err := sqlite.Open(ctx, file, sqlite.Options{Sync: wait})
	if err != nil {
		return nil, err
	}
	w := &hookWorld{db: db, store: store.New(db, store.Options{Compression: store.S2, SoleWriter: true})}
	w.projector = chat.NewProjector(w.store, time.Now)
	w.sender = webhook.NewSender(webhook.Options{Loopback: true, Now: time.Now})
	silent := slog.New(slog.DiscardHandler)
	w.forwarder = webhook.NewForwarder(webhook.Config{
		Accounts: w.store, Feed: w.store, Messages: w.store, Hooks: w.store, Reports: w.store, Shards: chat.ShardsOf(0, 1),
		Sink: &webhook.Deliverer{Log: w.store, Caller: w.sender, Now: time.Now, Logger: silent}, Now: time.Now, Logger: silent,
	})
	return w, nil
}

func (w *hookWorld) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); w.forwarder.Run(ctx) }()
	w.end = func() { cancel(); <-ended }
}

func (w *hookWorld) close() error {
	if w.end != nil {
		w.end()
	}
	w.sender.Close()
	return w.db.Close()
}

// account makes an account whose messages go to a URL.
func (w *hookWorld) account(ctx context.Context, url string) (string, error) {
	id := ulid.Make().String()
	if err := w.store.CreateAccount(ctx, chat.Account{ID: id}); err != nil {
		return "", err
	}
	secret, err := chat.NewHookSecret(ulid.DefaultEntropy())
	if err == nil {
		err = w.store.SetHook(ctx, id, chat.Hook{URL: url, Events: []chat.EventKind{chat.MessageEvent}, CreatedAt: time.Now()},
			secret)
	}
	return id, err
}

func (w *hookWorld) say(ctx context.Context, account string, i int) error {
	const budi = chat.JID("6281234567890@s.whatsapp.net")
	text := fmt.Sprint("pesan ", i)
	at := time.Now().Unix()
	return w.projector.Apply(ctx, account, chat.Change{Chat: budi,
		Messages: []chat.Message{{ID: fmt.Sprintf("M%06d", i), Content: chat.Content{
			Sender: budi, Time: at, Order: int64(i + 1), Type: "chat", Body: text, Message: chat.JSON(fmt.Sprintf(`{"conversation":%q}`, text)),
		}}}})
}

// arrivals notes when each message's event came, in the order in which they came.
type arrivals struct {
	mu   sync.Mutex
	ids  []string
	at   []time.Time
	came chan struct{}
}

func (a *arrivals) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var event struct{ Results struct{ ID string } }
	if json.NewDecoder(r.Body).Decode(&event) != nil {
		return
	}
	a.mu.Lock()
	a.ids, a.at = append(a.ids, event.Results.ID), append(a.at, time.Now())
	a.mu.Unlock()
	select {
	case a.came <- struct{}{}:
	default:
	}
}

func (a *arrivals) wait(ctx context.Context, n int) error {
	for {
		a.mu.Lock()
		have := len(a.ids)
		a.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-a.came:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d webhooks: %w", have, n, ctx.Err())
		}
	}
}

// runWebhooks measures what lies between a message that is stored and its event at an endpoint of this machine.
func (b *bench) runWebhooks(ctx context.Context) ([]row, error) {
	var rows []row
	for _, measure := range []func(context.Context) ([]row, error){b.hookDelay, b.hookRate, b.hookRude} {
		got, err := measure(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, got...)
	}
	return rows, nil
}

// hookDelay stores messages one after the other, waiting for the disk, and times the way of each.
func (b *bench) hookDelay(ctx context.Context) (_ []row, err error) {
	delays, err := b.hookDelays(ctx, "delay.db", 500, nil)
	if err != nil {
		return nil, err
	}
	p50, p99 := delays[len(delays)/2], delays[len(delays)*99/100]
	return []row{{"message stored to webhook received, p50", p50.Round(10 * time.Microsecond).String(), "50 ms",
		p50 <= 50*time.Millisecond},
		{"message stored to webhook received, p99", p99.Round(10 * time.Microsecond).String(), "2 s", p99 <= 2*time.Second}}, nil
}

// hookDelays are how long each of n messages took, sorted; beside prepares the world before.
func (b *bench) hookDelays(
	ctx context.Context, file string, n int, beside func(*hookWorld) error,
) (delays []time.Duration, err error) {
	a := &arrivals{came: make(chan struct{}, 1)}
	receiver, err := serve(a)
	if err != nil {
		return nil, err
	}
	defer receiver.close()
	w, err := newHookWorld(ctx, filepath.Join(b.folder, file), true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	account, err := w.account(ctx, receiver.url())
	if err != nil {
		return nil, err
	}
	if beside != nil {
		if err := beside(w); err != nil {
			return nil, err
		}
	}
	w.run(ctx)
	for i := range n {
		if err := w.say(ctx, account, i); err != nil {
			return nil, err
		}
		stored := time.Now()
		if err := a.wait(ctx, i+1); err != nil {
			return nil, err
		}
		delays = append(delays, max(a.at[i].Sub(stored), 0)) // some come before the call has returned
	}
	slices.SortFunc(delays, cmp.Compare)
	return delays, nil
}

// hookRate sends what has gathered while nobody sent.
func (b *bench) hookRate(ctx context.Context) (_ []row, err error) {
	const n = 10_000
	a := &arrivals{came: make(chan struct{}, 1)}
	receiver, err := serve(a)
	if err != nil {
		return nil, err
	}
	defer receiver.close()
	w, err := newHookWorld(ctx, filepath.Join(b.folder, "rate.db"), false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	account, err := w.account(ctx, receiver.url())
	if err != nil {
		return nil, err
	}
	progress("store %d messages", n)
	for i := range n {
		if err := w.say(ctx, account, i); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	w.run(ctx)
	if err := a.wait(ctx, n); err != nil {
		return nil, err
	}
	rate := n / time.Since(start).Seconds()
	for i, id := range a.ids {
		if want := fmt.Sprintf("M%06d", i); id != want {
			return nil, fmt.Errorf("webhook %d is of %s, not %s", i, id, want)
		}
	}
	return []row{{"10,000 webhooks to one endpoint, in order", fmt.Sprintf("%.0f/s", rate), "200/s", rate >= 200}}, nil
}

// hookRude measures the same beside endpoints that hang, fail, redirect, hang up and answer without end.
func (b *bench) hookRude(ctx context.Context) ([]row, error) {
	released := make(chan struct{})
	rude := []func(net.Conn){
		func(net.Conn) { <-released },
		func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n") },
		func(c net.Conn) {
			fmt.Fprint(c, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
		},
		func(c net.Conn) { fmt.Fprint(c, "H") },
		func(c net.Conn) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
			part := make([]byte, 16<<10)
			for range 1 << 16 {
				if _, err := c.Write(part); err != nil {
					return
				}
			}
		},
	}
	var serving sync.WaitGroup
	var listeners []net.Listener
	defer func() {
		close(released)
		for _, l := range listeners {
			l.Close()
		}
		serving.Wait()
	}()
	const each = 20 // accounts of each kind
	var before runtime.MemStats
	delays, err := b.hookDelays(ctx, "rude.db", 300, func(w *hookWorld) error {
		runtime.GC()
		runtime.ReadMemStats(&before)
		for _, serve := range rude {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			listeners = append(listeners, l)
			serving.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					serving.Go(func() {
						defer c.Close()
						if r, err := http.ReadRequest(bufio.NewReaderSize(c, 4<<10)); err == nil {
							_, _ = io.Copy(io.Discard, r.Body)
						}
						serve(c)
					})
				}
			})
			for range each {
				account, err := w.account(ctx, "http://"+l.Addr().String())
				if err != nil {
					return err
				}
				for i := range 5 {
					if err := w.say(ctx, account, i); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	p50, grown := delays[len(delays)/2], float64(int64(after.HeapInuse+after.StackInuse)-int64(before.HeapInuse+before.StackInuse))/(1<<20)
	return []row{
		{"the same beside 100 rude endpoints, p50", p50.Round(10 * time.Microsecond).String(), "50 ms",
			p50 <= 50*time.Millisecond},
		{"memory that these take, MB", fmt.Sprintf("%.1f", grown), "10", grown <= 10},
	}, nil
}
