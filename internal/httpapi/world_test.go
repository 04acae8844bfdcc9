package httpapi_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// noon is the moment at which the tests take place.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	secret = "the-secret-of-the-system"
	budi   = chat.JID("6281234567890@s.whatsapp.net")
	lid    = chat.JID("99887766554433@lid") // Budi's
	siti   = chat.JID("6281299988877@s.whatsapp.net")
	family = chat.JID("120363041234567890@g.us")
	me     = chat.JID("6289876543210@s.whatsapp.net")
)

// world is an API on a database with two accounts: Toko, whose device is connected and which has chats, and Lain.
type world struct {
	testing.TB
	file     string
	db       *store.Store
	config   httpapi.Config
	deps     httpapi.Deps
	commands *httpapi.WatchedCommands
	logs     bytes.Buffer

	toko, lain       chat.Account
	tokoKey, lainKey string

	hook receiver

	mu   sync.Mutex
	now  time.Time
	send func(context.Context, chat.Command) error // what the queue does with a command; nil: executeCommand
	sent []chat.Command

	batches []chat.BatchMessage // sent
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, now: noon, file: filepath.Join(t.TempDir(), "pesan.db")}
	w.db = storetest.Open(t, w.file, w.clock)
	w.commands = httpapi.WatchCommands(w.db)
	random := rand.NewChaCha8([32]byte{1})
	w.config = httpapi.Config{
		Accounts: w.db, Reports: w.db, Secret: secret, Now: w.clock, Random: &lockedReader{r: random},
		Logger: slog.New(slog.NewJSONHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	w.deps = httpapi.Deps{
		Accounts: w.db, Chats: w.db, Messages: w.db, Reports: w.db, Commands: w.commands, Sender: w, Wait: 5 * time.Second,
		Labels: w.db,
		Usage:  w.db, AllUsage: w.db.AllUsage(), Media: shelf{},
		Hooks: w.db, Feed: w.db, Caller: &w.hook,
		Batches: w.db, BatchSender: w,
	}
	w.toko, w.tokoKey = w.addAccount("01JNGKX0T0AAAAAAAAAAAAAAAA", "Toko", random)
	w.lain, w.lainKey = w.addAccount("01JNGKX0T0BBBBBBBBBBBBBBBB", "Lain", random)
	w.change(func(a *chat.Account) {
		a.On, a.State, a.JID, a.PushName, a.AsOf = true, chat.Connected, me, "Toko Maju", noon.Add(-time.Second)
	})
	return w
}

func (w *world) addAccount(id, name string, random io.Reader) (chat.Account, string) {
	key, hash, err := chat.NewKey(id, random)
	w.must("make key", err)
	a := chat.Account{ID: id, Name: name, KeyHash: hash, CreatedAt: noon.Add(-time.Hour), State: chat.ServiceOff}
	w.must("create account", w.db.CreateAccount(w.Context(), a))
	return a, key
}

// change changes Toko's account.
func (w *world) change(change func(*chat.Account)) {
	w.Helper()
	w.must("update account", w.db.UpdateAccount(w.Context(), w.toko.ID, func(a *chat.Account) error {
		change(a)
		w.toko = *a
		return nil
	}))
}

func (w *world) must(what string, err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Send takes a command in place of a queue with a host behind it.
func (w *world) Send(ctx context.Context, _ int, c chat.Command) error {
	w.mu.Lock()
	w.sent = append(w.sent, c)
	send := w.send
	w.mu.Unlock()
	if send != nil {
		return send(ctx, c)
	}
	return w.executeCommand(ctx, c)
}

// SendBatch takes the messages of a batch in place of a queue; nobody works on them.
func (w *world) SendBatch(_ context.Context, _ int, messages ...chat.BatchMessage) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, messages...)
	return nil
}

// onSend sets what the queue does with commands.
func (w *world) onSend(send func(context.Context, chat.Command) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.send = send
}

func (w *world) commandsSent() []chat.Command {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

// executeCommand does what a host does.
func (w *world) executeCommand(ctx context.Context, c chat.Command) error {
	at := w.clock()
	state := chat.Chat{}
	switch c.Kind {
	case chat.MuteCommand:
		state.Mute = chat.Register[int64]{Value: c.MuteEnd(), At: at.UnixMilli()}
	case chat.UnmuteCommand:
		state.Mute = chat.Register[int64]{At: at.UnixMilli()}
	case chat.ClearCommand:
		state.Cleared = chat.RangeOf(at.Unix())
	case chat.DeleteChatCommand:
		state.Deleted = chat.RangeOf(at.Unix())
	case chat.DeleteCommand:
		if err := w.db.DeleteCommands(ctx, c.Account); err != nil {
			return err
		}
		return w.db.DeleteAccount(ctx, c.Account)
	}
	if c.Chat != "" {
		w.project(c.Account, chat.Change{Chat: c.Chat, State: state})
	}
	return w.end(ctx, c, nil)
}

// end ends a command as a host does.
func (w *world) end(ctx context.Context, c chat.Command, failure *chat.Error) error {
	o := chat.Outcome{Failure: failure, Attempts: 1, At: w.clock()}
	_, err := w.commands.EndCommand(ctx, c.Account, c.ID, o)
	return err
}

// log is an account's, newest first.
func (w *world) log(a chat.Account) []chat.Report {
	w.Helper()
	all, _, err := w.db.ListReports(w.Context(), a.ID, chat.Page{Limit: 1000})
	w.must("list reports", err)
	return all
}

func (w *world) project(account string, changes ...chat.Change) {
	w.Helper()
	w.must("project", chat.NewProjector(w.db, w.clock).Apply(w.Context(), account, changes...))
}

// endpoints are all there are.
func (w *world) endpoints() []httpapi.Endpoint {
	return httpapi.Endpoints(w.deps)
}

// endpoint is the one of a name, or what answers where there is none.
func endpoint(name string, d httpapi.Deps) httpapi.Endpoint {
	e, _ := httpapi.Find(httpapi.Endpoints(d), name)
	return e
}

// dump is everything that is stored.
func (w *world) dump() string {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+w.file+"?mode=ro")
	w.must("open", err)
	defer db.Close()
	var all strings.Builder
	for _, table := range w.rows(db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") {
		fmt.Fprintln(&all, table)
		for _, row := range w.rows(db, fmt.Sprintf("SELECT * FROM %q ORDER BY 1, 2", table[0])) {
			fmt.Fprintln(&all, row)
		}
	}
	return all.String()
}

func (w *world) rows(db *sql.DB, query string) [][]any {
	w.Helper()
	rows, err := db.Query(query)
	w.must("query", err)
	defer rows.Close()
	columns, err := rows.Columns()
	w.must("columns", err)
	var all [][]any
	for rows.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		w.must("scan", rows.Scan(into...))
		for i, value := range row {
			if text, ok := value.([]byte); ok {
				row[i] = string(text)
			}
		}
		all = append(all, row)
	}
	w.must("rows", rows.Err())
	return all
}

type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

// ask is a call to make; the method is POST where none is given, the Content-Type a form's where there is a body.
type ask struct {
	method, endpoint, query, body string
	header                        map[string]string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// transport makes a call.
type transport func(w *world, a ask) answer

// transports are the ways a call can take.
var transports = map[string]transport{"http": overHTTP, "lambda": overLambda, "lambda plain": overPlainLambda}

func (a ask) headers() map[string]string {
	headers := map[string]string{}
	if a.body != "" {
		headers["Content-Type"] = "application/x-www-form-urlencoded"
	}
	for name, value := range a.header {
		headers[name] = value
	}
	return headers
}

func overHTTP(w *world, a ask) answer {
	r := httptest.NewRequest(cmp.Or(a.method, http.MethodPost), "/api/"+a.endpoint, strings.NewReader(a.body))
	r.URL.RawQuery = a.query
	for name, value := range a.headers() {
		r.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	conforming(w, httpapi.New(w.config).Handler(w.endpoints()...)).ServeHTTP(recorder, r)
	return answer{recorder.Code, recorder.Header(), recorder.Body.Bytes()}
}

func overLambda(w *world, a ask) answer {
	return invoke(w, a, func(e *events.APIGatewayV2HTTPRequest, headers map[string]string) {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(a.body)), true
		for name, value := range headers {
			e.Headers[strings.ToLower(name)] = value
		}
	})
}

func overPlainLambda(w *world, a ask) answer {
	return invoke(w, a, func(e *events.APIGatewayV2HTTPRequest, headers map[string]string) {
		e.Body, e.Headers = a.body, headers
	})
}

func invoke(w *world, a ask, fill func(*events.APIGatewayV2HTTPRequest, map[string]string)) answer {
	w.Helper()
	endpoint := endpoint(a.endpoint, w.deps)
	event := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: "/api/" + a.endpoint, RawQueryString: a.query, Headers: map[string]string{}}
	event.RequestContext.HTTP.Method, event.RequestContext.RequestID = cmp.Or(a.method, http.MethodPost), "request-1"
	fill(&event, a.headers())
	payload, err := json.Marshal(event)
	w.must("encode event", err)
	b, err := httpapi.New(w.config).Lambda(endpoint).Invoke(w.Context(), payload)
	w.must("invoke", err)
	var r events.APIGatewayV2HTTPResponse
	w.must("decode response", json.Unmarshal(b, &r))
	out := answer{r.StatusCode, http.Header{}, []byte(r.Body)}
	for name, value := range r.Headers {
		out.header.Set(name, value)
	}
	if r.IsBase64Encoded {
		out.body, err = base64.StdEncoding.DecodeString(r.Body)
		w.must("decode body", err)
	}
	call := httptest.NewRequestWithContext(w.Context(), cmp.Or(a.method, http.MethodPost), event.RawPath, nil)
	if err := conforms(call, out); err != nil {
		w.Errorf("%s answers %d %.2000s, which openapi.yaml does not describe: %v", a.endpoint, out.status, out.body, err)
	}
	return out
}

// code is the error code of an answer, "" where it has none; the form of the error is checked.
func (w *world) code(a answer) chat.Code {
	w.Helper()
	var e struct {
		Code    int
		Error   *chat.Code
		Message string
	}
	if err := json.Unmarshal(a.body, &e); err != nil {
		w.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	if e.Error == nil {
		if a.status >= 400 {
			w.Fatalf("answer %d without error: %s", a.status, a.body)
		}
		return ""
	}
	if e.Code != a.status || e.Message == "" || httpapi.Status(*e.Error) != a.status {
		w.Fatalf("answer %d with error %s", a.status, a.body)
	}
	return *e.Error
}

// want checks the status and the error code of an answer.
func (w *world) want(a answer, status int, code chat.Code) {
	w.Helper()
	if got := w.code(a); a.status != status || got != code {
		w.Fatalf("answer %d %s, want %d %q", a.status, a.body, status, code)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serveHTTP makes a call and returns its status.
func serveHTTP(handler http.Handler, a ask) int {
	r := httptest.NewRequest(cmp.Or(a.method, http.MethodPost), "/api/"+a.endpoint+"?"+a.query, strings.NewReader(a.body))
	for name, value := range a.headers() {
		r.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	return recorder.Code
}
