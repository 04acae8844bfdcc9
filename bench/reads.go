package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv/sqlite"
	"pesan/internal/render/wajson"
	"pesan/internal/sim"
	"pesan/internal/store"
)

const (
	readChats    = 1000
	readMessages = 100_000
)

// runDemo measures from the start of the built binary to the first answer of getChats that shows the whole inbox.
func (b *bench) runDemo(ctx context.Context) ([]row, error) {
	began := time.Now()
	process, err := start(ctx, nil, []string{"PESAN_LISTEN=127.0.0.1:0", "LANG=C"}, b.binary, "demo")
	if err != nil {
		return nil, err
	}
	defer process.stop()
	var url, key string
	// The ready line comes first, the URL and the key after it.
	for url == "" || key == "" {
		select {
		case line, ok := <-process.lines:
			if !ok {
				return nil, fmt.Errorf("demo ended: %s", process.errs.String())
			}
			if found := urlLine.FindString(line); found != "" {
				url = found
			}
			if found := keyLine.FindString(line); found != "" {
				key = found
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	p := &pesan{process, api{url}}
	const full = 195
	n := 0
	for n < full {
		if n, err = p.chats(ctx, key); err != nil {
			return nil, err
		}
	}
	took := time.Since(began)
	return []row{{
		fmt.Sprintf("demo: start to the first full getChats (%d chats)", n),
		fmt.Sprintf("%.2f s", took.Seconds()), "3 s", took <= 3*time.Second,
	}}, nil
}

// runReads measures the reading endpoints on a data folder of 1,000 chats, one of them with 100,000 messages.
func (b *bench) runReads(ctx context.Context) ([]row, error) {
	folder := filepath.Join(b.folder, "reads")
	key, jid, since, err := seed(ctx, folder, readChats, readMessages)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p, err := b.run(ctx, s, folder)
	if err != nil {
		return nil, err
	}
	defer p.stop()

	p50, cpu, size, err := p.measure(ctx, 300, "getChats", "apiKey", key)
	if err != nil {
		return nil, err
	}
	rows := []row{
		{fmt.Sprintf("getChats, %d chats, %d KB: p50", readChats, size/1000), ms(p50), "4 ms", p50 <= 4*time.Millisecond},
		{"getChats: CPU a call", ms(cpu), "4 ms", cpu <= 4*time.Millisecond},
	}
	p50, cpu, size, err = p.measure(ctx, 1000, "fetchMessageById", "apiKey", key, "phone", jid.User(), "limit", "100")
	if err != nil {
		return nil, err
	}
	rows = append(rows, row{
		fmt.Sprintf("fetchMessageById, 100 of %d messages, %d KB: p50 (CPU %s)", readMessages, size/1000, ms(cpu)),
		ms(p50), "0.8 ms", p50 <= 800*time.Microsecond,
	})
	p50, cpu, size, err = p.measure(ctx, 1000, "getChats", "apiKey", key, "since", since)
	if err != nil {
		return nil, err
	}
	rows = append(rows, row{
		fmt.Sprintf("getChats, what has changed since, %d of %d chats, %d KB: p50 (CPU %s)", lateChats, readChats,
			size/1000, ms(cpu)),
		ms(p50), "1 ms", p50 <= time.Millisecond,
	})
	tag := ""
	unchanged := func() (int, error) {
		status, etag, err := p.ifChanged(ctx, "getChats", key, tag)
		if err == nil && (status == http.StatusNotModified) != (tag != "") {
			err = fmt.Errorf("getChats answers %d", status)
		}
		tag = etag
		return 0, err
	}
	if _, err := unchanged(); err != nil {
		return nil, err
	}
	p50, cpu, _, err = p.measureCalls(1000, unchanged)
	return append(rows, row{
		fmt.Sprintf("getChats, 304 of %d chats: CPU a call (p50 %s)", readChats, ms(p50)), ms(cpu), "0.2 ms",
		cpu <= 200*time.Microsecond,
	}), err
}

// ifChanged asks for an answer unless it is the one of a tag, and returns the tag of what there is.
func (p api) ifChanged(ctx context.Context, endpoint, key, tag string) (status int, etag string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/"+endpoint, nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("X-Api-Key", key)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	_, err = io.Copy(io.Discard, a.Body)
	return a.StatusCode, a.Header.Get("ETag"), err
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

// measure calls an endpoint n times, after some to warm up.
func (p *pesan) measure(
	ctx context.Context, n int, endpoint string, params ...string,
) (p50, cpu time.Duration, size int, err error) {
	return p.measureCalls(n, func() (int, error) {
		body, err := p.call(ctx, endpoint, params...)
		return len(body), err
	})
}

// measureCalls measures calls, of which each returns the size of its answer.
func (p *pesan) measureCalls(n int, call func() (int, error)) (p50, cpu time.Duration, size int, err error) {
	var took []time.Duration
	var before time.Duration
	for i := -n / 10; i < n; i++ {
		if i == 0 {
			if before, err = p.cpu(); err != nil {
				return 0, 0, 0, err
			}
		}
		began := time.Now()
		if size, err = call(); err != nil {
			return 0, 0, 0, err
		}
		if i >= 0 {
			took = append(took, time.Since(began))
		}
	}
	after, err := p.cpu()
	slices.Sort(took)
	return took[len(took)/2], (after - before) / time.Duration(n), size, err
}

// lateChats is how many of the chats have changed last.
const lateChats = 10

// seed makes a data folder with an account that is off, and returns its key, the chat with many messages, and the position from
// which on ten chats have changed.
func seed(ctx context.Context, folder string, chats, messages int) (key string, jid chat.JID, since string, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", "", "", err
	}
	file, err := sqlite.Open(ctx, filepath.Join(folder, "pesan.db"), sqlite.Options{})
	if err != nil {
		return "", "", "", err
	}
	defer file.Close()
	db := store.New(file, store.Options{Compression: store.S2, SoleWriter: true})
	a := chat.Account{ID: ulid.Make().String(), Name: "bench", CreatedAt: time.Now(), State: chat.ServiceOff}
	if key, a.KeyHash, err = chat.NewKey(a.ID, rand.Reader); err != nil {
		return "", "", "", err
	}
	if err := db.CreateAccount(ctx, a); err != nil {
		return "", "", "", err
	}
	projector := chat.NewProjector(db, time.Now)
	began := time.Now().Unix() - int64(max(chats, messages))
	for i := range chats {
		jid := chat.NewJID(fmt.Sprintf("62894%07d", i), chat.UserServer)
		change := ordinaryChat(jid, began+int64(i))
		change.Messages = []chat.Message{ordinaryMessage(jid, fmt.Sprintf("3EB0%016X", i), began+int64(i))}
		if err := projector.Apply(ctx, a.ID, change); err != nil {
			return "", "", "", err
		}
	}
	jid = chat.NewJID("628940000000", chat.UserServer)
	const batch = 1000
	for i := 0; i < messages; i += batch {
		change := chat.Change{Chat: jid}
		for j := range batch {
			m := ordinaryMessage(jid, fmt.Sprintf("3EB1%016X", i+j), began+int64(i+j))
			m.ReadHere = true
			change.Messages = append(change.Messages, m)
		}
		if err := projector.Apply(ctx, a.ID, change); err != nil {
			return "", "", "", err
		}
	}
	at, err := db.End(ctx, a.ID)
	if err != nil {
		return "", "", "", err
	}
	for i := range min(lateChats, chats-1) {
		other := chat.NewJID(fmt.Sprintf("62894%07d", 1+i), chat.UserServer)
		change := chat.Change{Chat: other, Messages: []chat.Message{ordinaryMessage(other, fmt.Sprintf("3EB2%016X", i),
			began+int64(max(chats, messages)))}}
		if err := projector.Apply(ctx, a.ID, change); err != nil {
			return "", "", "", err
		}
	}
	return key, jid, at.String(), nil
}

// ordinaryChat has the fields of the vendor's sample.
func ordinaryChat(jid chat.JID, at int64) chat.Change {
	field := func(json chat.JSON) chat.Register[chat.JSON] {
		return chat.Register[chat.JSON]{Value: json, At: chat.Baseline}
	}
	buffer := func(n int) chat.JSON {
		b := make([]byte, n)
		_, _ = rand.Read(b) // never fails
		return chat.JSON(`{"type":"Buffer","data":` + strings.ReplaceAll(fmt.Sprint(b), " ", ",") + `}`)
	}
	return chat.Change{Chat: jid, State: chat.Chat{
		Fields: map[string]chat.Register[chat.JSON]{
			"contactPrimaryIdentityKey": field(buffer(33)),
			"disappearingMode":          field(`{"initiator":"CHANGED_IN_CHAT"}`),
			"ephemeralExpiration":       field("0"),
			"notSpam":                   field("true"),
			"readOnly":                  field("false"),
			"tcToken":                   field(buffer(35)),
			"tcTokenTimestamp":          field(chat.JSON(wajson.AppendLong(nil, uint64(at)))),
		},
		Contact:  chat.Register[string]{Value: "Pelanggan " + jid.User(), At: chat.Baseline},
		Activity: at,
	}}
}

func ordinaryMessage(jid chat.JID, id string, at int64) chat.Message {
	const text = "Baik, pesanannya sudah kami kirim pagi ini ya Kak"
	return chat.Message{
		ID: id, Status: chat.DeliveryAck,
		Content: chat.Content{
			Sender: jid, Time: at, Type: "conversation", Body: text,
			Message: chat.JSON(`{"conversation":"` + text + `"}`), Info: `{"pushName":"Sari Wulandari"}`,
		},
	}
}
