package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
	"pesan/internal/mcp"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
	"pesan/internal/testkit/syncbuf"
)

// noon is the moment at which the tests take place.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	budi   = chat.JID("6281234567890@s.whatsapp.net")
	siti   = chat.JID("6281299988877@s.whatsapp.net")
	family = chat.JID("120363041234567890@g.us")
	me     = chat.JID("6289876543210@s.whatsapp.net")
)

// world is the real API over a store with two accounts, Toko, whose device is connected, and Lain. It plays the host.
type world struct {
	testing.TB
	db       *store.Store
	commands *httpapi.WatchedCommands
	api      http.Handler
	server   *mcp.Server
	logs     syncbuf.Buffer

	toko, lain                        string // accounts
	tokoKey, lainKey, readKey, badKey string
	mu                                sync.Mutex
	now                               time.Time
	sent                              []chat.Command
	calls                             map[string]int // of the API, by endpoint
	hold                              chan struct{}  // getChats waits for it; nil: it doesn't
	held                              chan struct{}  // told when it does
	broken                            bool           // the API can't be reached
	pending                           bool           // commands aren't carried out
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, now: noon, calls: map[string]int{}, held: make(chan struct{}, 1)}
	w.db = storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), w.clock)
	w.commands = httpapi.WatchCommands(w.db)
	random := rand.NewChaCha8([32]byte{1})
	w.toko, w.tokoKey = w.account("01JNGKX0T0AAAAAAAAAAAAAAAA", "Toko", random)
	w.lain, w.lainKey = w.account("01JNGKX0T0BBBBBBBBBBBBBBBB", "Lain", random)
	logger := slog.New(slog.NewJSONHandler(&w.logs, nil))
	api := httpapi.New(httpapi.Config{Accounts: w.db, Near: true, Reports: w.db, Now: w.clock, Logger: logger})
	w.api = api.Handler(httpapi.Endpoints(httpapi.Deps{
		Accounts: w.db, Chats: w.db, Messages: w.db, Reports: w.db, Commands: w.commands, Sender: w, Wait: 20 * time.Second, Hosts: w, Labels: w.db, Feed: w.db,
		Batches: w.db, BatchSender: nowhere{},
	})...)
	w.server = mcp.New(mcp.Config{API: w, Base: "http://pesan", Logger: logger, Now: w.clock})
	w.seed()
	w.readKey, w.badKey = w.addKey("read"), w.addKey("commands")
	w.ask("revokeKey", w.tokoKey, "name", "commands")
	return w
}

type nowhere struct{}

func (nowhere) SendBatch(context.Context, int, ...chat.BatchMessage) error { return nil }

func (w *world) account(id, name string, random io.Reader) (string, string) {
	key, hash, err := chat.NewKey(id, random)
	w.must(err)
	w.must(w.db.CreateAccount(w.Context(), chat.Account{
		ID: id, Name: name, KeyHash: hash, CreatedAt: noon.Add(-time.Hour), On: true, State: chat.Connected, JID: me, AsOf: noon.Add(-time.Second),
	}))
	return id, key
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
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

// RoundTrip carries the server's calls to the API.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	endpoint := strings.TrimPrefix(r.URL.Path, "/api/")
	w.mu.Lock()
	w.calls[endpoint]++
	hold, broken := w.hold, w.broken
	w.mu.Unlock()
	if broken {
		return nil, errors.New("connection refused")
	}
	if hold != nil && endpoint == "getChats" {
		w.held <- struct{}{}
		select {
		case <-hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return mcp.InProcess{Handler: w.api}.RoundTrip(r)
}

// called is how often an endpoint was called, which it forgets.
func (w *world) called(endpoint string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.calls[endpoint]
	delete(w.calls, endpoint)
	return n
}

// Hosts are one, but for when commands aren't carried out.
func (w *world) Hosts(context.Context, time.Time) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending {
		return nil, nil
	}
	return []string{"host"}, nil
}

// Send does with a command what a host does.
func (w *world) Send(ctx context.Context, _ int, c chat.Command) error {
	w.mu.Lock()
	w.sent = append(w.sent, c)
	pending := w.pending
	w.mu.Unlock()
	if pending {
		return nil
	}
	at := w.clock()
	var state chat.Chat
	switch c.Kind {
	case chat.MuteCommand:
		state.Mute = chat.Register[int64]{Value: c.MuteEnd(), At: at.UnixMilli()}
	case chat.UnmuteCommand:
		state.Mute = chat.Register[int64]{At: at.UnixMilli()}
	case chat.ArchiveCommand, chat.UnarchiveCommand:
		state.Archived = chat.Register[bool]{Value: c.Kind == chat.ArchiveCommand, At: at.UnixMilli()}
	case chat.ClearCommand:
		if state.ClearedUnstarred = chat.RangeOf(at.Unix()); c.Starred == chat.DeleteStarred {
			state.Cleared = state.ClearedUnstarred
		}
	}
	w.project(c.Account, chat.Change{Chat: c.Chat, State: state})
	_, err := w.commands.EndCommand(ctx, c.Account, c.ID, chat.Outcome{Attempts: 1, At: at})
	return err
}

// did are the kinds of the commands that were sent, which it forgets.
func (w *world) did() []chat.CommandKind {
	w.mu.Lock()
	defer w.mu.Unlock()
	var kinds []chat.CommandKind
	for _, c := range w.sent {
		kinds = append(kinds, c.Kind)
	}
	w.sent = nil
	return kinds
}

func (w *world) project(account string, changes ...chat.Change) {
	w.Helper()
	w.must(chat.NewProjector(w.db, w.clock).Apply(context.Background(), account, changes...))
}

// ask calls the API itself.
func (w *world) ask(endpoint, key string, params ...string) []byte {
	w.Helper()
	form := url.Values{"apiKey": {key}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/api/"+endpoint, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := httptest.NewRecorder()
	w.api.ServeHTTP(a, r)
	if a.Code >= 300 {
		w.Fatalf("%s answers %d %s", endpoint, a.Code, a.Body)
	}
	return a.Body.Bytes()
}

// addKey makes a key of Toko's of a scope, which is its name too.
func (w *world) addKey(scope string) string {
	w.Helper()
	body := w.ask("addKey", w.tokoKey, "name", scope, "scope", scope)
	at := strings.Index(string(body), "pk_")
	if at < 0 {
		w.Fatalf("no key in %s", body)
	}
	key, _, _ := strings.Cut(string(body[at:]), `"`)
	return key
}

func register[T comparable](v T) chat.Register[T] {
	return chat.Register[T]{Value: v, At: chat.Baseline}
}

// text is a message of a person.
func text(id string, from chat.JID, at int64, body string) chat.Message {
	return chat.Message{ID: id, Content: chat.Content{
		Sender: from, FromMe: from == me, Time: at, Type: "conversation", Body: body, Message: chat.JSON(`{"conversation":` + strconv.Quote(body) + `}`),
	}}
}

func (w *world) seed() {
	now := noon.Unix()
	picture := text("FAM2", budi, now-60, "Foto")
	picture.Content.Type, picture.Content.Media = "imageMessage", true
	picture.Content.Message = `{"ephemeralMessage":{"message":{"imageMessage":{"caption":"Foto","mimetype":"image/jpeg","fileLength":"2048"}}}}`
	starred := text("BUDI0", budi, now-800, "Alamat: Jl. Mawar 1")
	starred.Starred = register(true)
	mine := text("BUDI2", me, now-600, "Siap")
	mine.Status = chat.DeliveryAck
	w.project(w.toko,
		chat.Change{Chat: siti, State: chat.Chat{PushName: register("Siti"), Archived: register(true)}, Messages: []chat.Message{text("SITI1", siti, now-3000, "Pagi")}},
		chat.Change{Chat: budi, State: chat.Chat{Contact: register("Budi Santoso")}, Messages: []chat.Message{starred, text("BUDI1", budi, now-700, "Ada stok?"), mine}},
		chat.Change{Chat: family, State: chat.Chat{Subject: register("Keluarga"), Mute: register(noon.UnixMilli() + 3_600_000)},
			Messages: []chat.Message{text("FAM1", siti, now-90, "Halo semua"), picture}})
	w.project(w.lain, chat.Change{Chat: budi, State: chat.Chat{Contact: register("RAHASIA")}, Messages: []chat.Message{text("LAIN1", budi, now-5, "RAHASIA")}})
}

// way is one way to the server.
type way struct {
	name     string
	protocol string
	asks     bool // the client can be asked
	connect  func(w *world, key string) sdk.Transport
}

// bearer adds the key to each request.
type bearer struct {
	key string
	http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	return b.RoundTripper.RoundTrip(r)
}

func overHTTP(w *world, key string) sdk.Transport {
	server := httptest.NewServer(w.server)
	w.Cleanup(server.Close)
	return &sdk.StreamableClientTransport{
		Endpoint: server.URL + "/mcp", HTTPClient: &http.Client{Transport: bearer{key, http.DefaultTransport}}, MaxRetries: -1,
	}
}

// overLambda plays API Gateway, in front of a function whose API has the name that it was called by.
func overLambda(w *world, key string) sdk.Transport {
	f := mcp.New(mcp.Config{API: w, Logger: slog.New(slog.DiscardHandler), Now: w.clock})
	return &sdk.StreamableClientTransport{
		Endpoint: "https://x.execute-api.aws/mcp", HTTPClient: &http.Client{Transport: bearer{key, gateway{f}}}, MaxRetries: -1,
	}
}

type gateway struct{ *mcp.Server }

func (g gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	headers := map[string]string{}
	for name := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(r.Header.Values(name), ",")
	}
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": r.URL.Path, "headers": headers, "body": body, "isBase64Encoded": true,
		"requestContext": map[string]any{"domainName": r.URL.Host, "http": map[string]any{"method": r.Method}},
	})
	if err != nil {
		return nil, err
	}
	out, err := g.Invoke(r.Context(), event)
	if err != nil {
		return nil, err
	}
	var answer struct {
		StatusCode int
		Headers    map[string]string
		Body       string
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, err
	}
	header := http.Header{}
	for name, v := range answer.Headers {
		header.Set(name, v)
	}
	return &http.Response{
		StatusCode: answer.StatusCode, Status: fmt.Sprint(answer.StatusCode), Header: header, Body: io.NopCloser(strings.NewReader(answer.Body)), Request: r,
	}, nil
}

// overPipe runs pesan mcp in this process, against the API and /mcp on a listener.
func overPipe(w *world, key string) sdk.Transport {
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // only then a client that goes is noticed
		w.must(err)
		r.Body = io.NopCloser(bytes.NewReader(body))
		response, err := w.RoundTrip(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		for name := range response.Header {
			rw.Header().Set(name, response.Header.Get(name))
		}
		rw.WriteHeader(response.StatusCode)
		_, _ = io.Copy(rw, response.Body)
	}))
	w.Cleanup(api.Close)
	theirs, ours := io.Pipe()
	mine, yours := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		env := map[string]string{"PESAN_URL": api.URL, "PESAN_API_KEY": key, "LANG": "C"}
		ended <- mcp.Run(context.Background(), nil, mcp.Env{
			In: theirs, Out: yours, Err: &w.logs, Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, Now: w.clock,
		})
	}()
	w.Cleanup(func() {
		ours.Close()
		if status := <-ended; status != 0 {
			w.Errorf("pesan mcp ends with %d: %s", status, w.logs.String())
		}
	})
	return &sdk.IOTransport{Reader: mine, Writer: ours}
}

// The protocols: the last with a handshake, and the first without.
const (
	shaking   = "2025-11-25"
	stateless = "2026-07-28"
)

// ways are all there are; Lambda and net/http know nothing of protocols. Over HTTP a client of the older protocol can't be asked, since nothing is kept of it.
func ways() []way {
	return []way{
		{"HTTP", shaking, false, overHTTP}, {"HTTP", stateless, true, overHTTP},
		{"Lambda", stateless, true, overLambda},
		{"stdio", shaking, true, overPipe}, {"stdio", stateless, true, overPipe},
	}
}

func onAll(t *testing.T, test func(w *world, way way)) {
	for _, way := range ways() {
		t.Run(way.name+" "+way.protocol, func(t *testing.T) { test(newWorld(t), way) })
	}
}

// assistant is a client at work.
type assistant struct {
	*world
	*sdk.ClientSession
	asked []string // what the person was asked
}

// assist connects a client with a key. answer is what the person says when asked; "": the client can't ask.
func (w *world) assist(way way, key, answer string) *assistant {
	w.Helper()
	a := &assistant{world: w}
	options := &sdk.ClientOptions{Capabilities: &sdk.ClientCapabilities{}}
	if answer != "" {
		options.ElicitationHandler = func(_ context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			a.asked = append(a.asked, r.Params.Message)
			action, and, _ := strings.Cut(answer, ",")
			if and == "news" {
				w.project(w.toko, chat.Change{Chat: budi, Messages: []chat.Message{text("BUDI9", budi, w.clock().Unix(), "Tunggu!")}})
			}
			return &sdk.ElicitResult{Action: action}, nil
		}
	}
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, options).
		Connect(w.Context(), way.connect(w, key), &sdk.ClientSessionOptions{ProtocolVersion: way.protocol})
	w.must(err)
	if have := session.InitializeResult().ProtocolVersion; have != way.protocol {
		w.Fatalf("the protocol is %s, want %s", have, way.protocol)
	}
	a.ClientSession = session
	w.Cleanup(func() { session.Close() })
	return a
}

// tool calls a tool that must succeed.
func (a *assistant) tool(into any, name string, arguments map[string]any) {
	a.world.Helper()
	result, err := a.CallTool(a.world.Context(), &sdk.CallToolParams{Name: name, Arguments: arguments})
	a.world.must(err)
	if result.IsError {
		a.world.Fatalf("%s: %s", name, said(result))
	}
	b, err := json.Marshal(result.StructuredContent)
	a.world.must(err)
	var text, data any
	if json.Unmarshal([]byte(said(result)), &text) != nil || json.Unmarshal(b, &data) != nil || fmt.Sprint(text) != fmt.Sprint(data) {
		a.world.Errorf("%s says %s, and has the data %s", name, said(result), b)
	}
	a.world.must(json.Unmarshal(b, into))
}

// fails calls a tool that must fail, and looks at what it says.
func (a *assistant) fails(name string, arguments map[string]any, parts ...string) {
	a.world.Helper()
	result, err := a.CallTool(a.world.Context(), &sdk.CallToolParams{Name: name, Arguments: arguments})
	text := fmt.Sprint(err)
	if err == nil {
		text = said(result)
		if !result.IsError || result.StructuredContent != nil {
			a.world.Errorf("%s %v succeeds: %s", name, arguments, text)
		}
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			a.world.Errorf("%s %v says %q, which lacks %q", name, arguments, text, p)
		}
	}
}

func said(r *sdk.CallToolResult) string {
	var all []string
	for _, c := range r.Content {
		t, ok := c.(*sdk.TextContent)
		if !ok {
			return fmt.Sprintf("%T", c)
		}
		all = append(all, t.Text)
	}
	return strings.Join(all, "\n")
}

func (w *world) want(what string, have, want any) {
	w.Helper()
	if fmt.Sprint(have) != fmt.Sprint(want) {
		w.Errorf("%s: %v, want %v", what, have, want)
	}
}

type args = map[string]any

// ids are the messages of Budi's chat.
func (w *world) ids(key string) (all []string) {
	var a struct{ Results []struct{ ID string } }
	w.must(json.Unmarshal(w.ask("fetchMessageById", key, "phone", string(budi)), &a))
	for _, m := range a.Results {
		all = append(all, m.ID)
	}
	slices.Sort(all)
	return all
}

// speaking asks for Indonesian.
type speaking struct{ http.RoundTripper }

func (s speaking) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept-Language", "id-ID,id;q=0.9,en;q=0.5")
	return s.RoundTripper.RoundTrip(r)
}
