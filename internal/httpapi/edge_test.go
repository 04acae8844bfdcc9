package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

func TestRateLimit(t *testing.T) {
	for _, name := range []string{"http", "lambda"} {
		w := newWorld(t)
		w.config.Rate, w.config.Burst = 2, 3
		api := httpapi.New(w.config)
		handler := conforming(t, api.Handler(w.endpoints()...))
		function := api.Lambda(endpoint("getState", httpapi.Deps{}))
		call := func(key string) (status int, header string) {
			if name == "http" {
				r := httptest.NewRequest("GET", "/api/getState?apiKey="+key, nil)
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, r)
				return recorder.Code, recorder.Header().Get("Retry-After")
			}
			event := `{"rawQueryString":"apiKey=` + key + `","requestContext":{"http":{"method":"GET"}}}`
			b, err := function.Invoke(t.Context(), []byte(event))
			w.must("invoke", err)
			var r struct {
				StatusCode int
				Headers    map[string]string
			}
			w.must("decode", json.Unmarshal(b, &r))
			return r.StatusCode, r.Headers["Retry-After"]
		}
		for i, want := range []int{200, 200, 200, 429, 429} {
			if status, after := call(w.tokoKey); status != want || (want == 429) != (after == "1") {
				t.Errorf("%s: call %d: %d, Retry-After %q", name, i, status, after)
			}
		}
		if status, _ := call(w.lainKey); status != 200 {
			t.Errorf("%s: another key: %d", name, status)
		}
		w.pass(time.Second)
		if status, _ := call(w.tokoKey); status != 200 {
			t.Errorf("%s: a second later: %d", name, status)
		}
		for range 100 {
			call(w.tokoKey)
		}
		if reports := w.log(w.toko); len(reports) != 1 || reports[0].Error != chat.RateLimited {
			t.Errorf("%s: a flood makes the entries %v", name, reports)
		}
		w.pass(time.Minute)
		for range 100 {
			call(w.tokoKey)
		}
		if reports := w.log(w.toko); len(reports) != 2 {
			t.Errorf("%s: a flood of two minutes makes the entries %v", name, reports)
		}
	}
}

// faultyChats fails in ways of its own.
type faultyChats struct {
	chat.ChatReader
	fault func(context.Context) error
}

func (f faultyChats) WholeChat(ctx context.Context, _ string, _ chat.JID) (chat.View, error) {
	return chat.View{}, f.fault(ctx)
}

// TestFaults holds that what goes wrong inside gets a code, is logged once, and says nothing of itself outside.
func TestFaults(t *testing.T) {
	deadline := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, test := range []struct {
		name   string
		fault  func(context.Context) error
		status int
		code   chat.Code
		logs   int
	}{
		{"foreign error", func(context.Context) error { return errors.New("RAHASIA: table chats") }, 500, chat.Internal, 1},
		{"panic", func(context.Context) error { panic("RAHASIA") }, 500, chat.Internal, 1},
		{"nil pointer", func(context.Context) error { var a *chat.Account; _ = a.On; return nil }, 500, chat.Internal, 1},
		{"unavailable", func(context.Context) error { return &chat.Error{Code: chat.Unavailable, Message: "RAHASIA"} }, 503, chat.Unavailable, 1},
		{"unknown code", func(context.Context) error { return &chat.Error{Code: "RAHASIA"} }, 500, chat.Internal, 1},
		{"timeout", deadline, 503, chat.Unavailable, 1},
		{"not found", func(context.Context) error { return &chat.Error{Code: chat.ChatNotFound, Message: "RAHASIA"} }, 404, chat.ChatNotFound, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, transport := range []string{"http", "lambda"} {
				w := newWorld(t)
				w.config.Timeout = 50 * time.Millisecond
				w.config.Accounts = accountReader(func(context.Context, string) (chat.Account, error) { return w.toko, nil })
				api := httpapi.New(w.config)
				endpoint := endpoint("getChatById", httpapi.Deps{Chats: faultyChats{fault: test.fault}})
				var status int
				var body string
				if transport == "http" {
					recorder := httptest.NewRecorder()
					conforming(t, api.Handler(endpoint)).ServeHTTP(recorder, httptest.NewRequest("GET", "/api/getChatById?phone=081234567890&apiKey="+w.tokoKey, nil))
					status, body = recorder.Code, recorder.Body.String()
				} else {
					b, err := api.Lambda(endpoint).Invoke(t.Context(), []byte(`{"rawQueryString":"phone=081234567890&apiKey=`+w.tokoKey+`","requestContext":{"http":{"method":"GET"}}}`))
					w.must("invoke", err)
					var r struct {
						StatusCode int
						Body       string
					}
					w.must("decode", json.Unmarshal(b, &r))
					status, body = r.StatusCode, r.Body
				}
				if status != test.status || strings.Contains(body, "RAHASIA") {
					t.Errorf("%s: %d %s", transport, status, body)
				}
				if n := strings.Count(w.logs.String(), `"level":"ERROR"`); n != test.logs {
					t.Errorf("%s: logged %d times: %s", transport, n, w.logs.String())
				}
				reports, _, err := w.db.ListReports(t.Context(), w.toko.ID, chat.Page{Limit: 10})
				if err != nil || len(reports) != 1 || reports[0].Error != test.code || reports[0].Status != test.status || reports[0].Target != "6281234567890" {
					t.Errorf("%s: reports %+v, %v", transport, reports, err)
				}
			}
		})
	}
}

// TestAccountFaults holds that an account that can't be read lets nobody in.
func TestAccountFaults(t *testing.T) {
	for name, fault := range map[string]func() error{
		"error": func() error { return errors.New("down") },
		"panic": func() error { panic("down") },
	} {
		t.Run(name, func(t *testing.T) {
			onAll(t, func(w *world, call func(ask) answer) {
				w.config.Accounts = accountReader(func(context.Context, string) (chat.Account, error) { return w.toko, fault() })
				for _, e := range w.endpoints() {
					if e.Auth == httpapi.ByKey {
						w.want(call(ask{endpoint: e.Name, body: "apiKey=KEY&phone=081234567890"}), 500, chat.Internal)
					}
				}
				if sent := w.commandsSent(); len(sent) != 0 {
					w.Errorf("sent %v", sent)
				}
			})
		})
	}
}

// TestWrongKeyEndsReading holds that what is read beside the check of a wrong key is given up.
func TestWrongKeyEndsReading(t *testing.T) {
	w := newWorld(t)
	w.config.Timeout = time.Minute
	deadline := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	endpoint := endpoint("getChatById", httpapi.Deps{Chats: faultyChats{fault: deadline}})
	recorder := httptest.NewRecorder()
	key := strings.Replace(w.lainKey, w.lain.ID, w.toko.ID, 1)
	conforming(t, httpapi.New(w.config).Handler(endpoint)).ServeHTTP(recorder, httptest.NewRequest("GET", "/api/getChatById?phone=081234567890&apiKey="+key, nil))
	if recorder.Code != 401 {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}

type noReports struct{}

func (noReports) AddReport(context.Context, chat.Report) error { return errors.New("full") }

// TestReportFails holds that a call works without its report.
func TestReportFails(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		w.config.Reports = noReports{}
		w.want(call(ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890"}), 200, "")
		w.want(call(ask{endpoint: "getChats", body: "apiKey=KEY&limit=x"}), 400, chat.InvalidLimit)
		if !strings.Contains(w.logs.String(), "add report") {
			w.Error("not logged")
		}
	})
}

// TestServer goes through a real server: chunked and huge bodies, a client that gives up, an answer without compression
// for a neighbour.
func TestServer(t *testing.T) {
	w := newWorld(t)
	w.seedMany(100, 50)
	server := httptest.NewServer(conforming(w, httpapi.New(w.config).Handler(w.endpoints()...)))
	defer server.Close()
	post := func(body string, chunked bool) *http.Response {
		r, err := http.NewRequest("POST", server.URL+"/api/getChats", strings.NewReader(body))
		w.must("request", err)
		if chunked {
			r.ContentLength = -1
		}
		response, err := server.Client().Do(r)
		w.must("call", err)
		response.Body.Close()
		return response
	}
	for _, chunked := range []bool{true, false} {
		if r := post("apiKey="+w.tokoKey, chunked); r.StatusCode != 200 || r.Uncompressed || r.Header.Get("Content-Length") == "" {
			t.Errorf("chunked %v: %d %v", chunked, r.StatusCode, r.Header)
		}
		if r := post("apiKey="+w.tokoKey+"&x="+strings.Repeat("x", 64<<10), chunked); r.StatusCode != 413 {
			t.Errorf("chunked %v: %d", chunked, r.StatusCode)
		}
	}
	r, err := http.NewRequest("GET", server.URL+"/api/getChats", strings.NewReader(`"apiKey='`+w.tokoKey+`'"`))
	w.must("request", err)
	response, err := server.Client().Do(r) // as the vendor's page has it
	w.must("call", err)
	if response.Body.Close(); response.StatusCode != 200 {
		t.Errorf("GET with a body: %d", response.StatusCode)
	}
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	w.must("dial", err)
	_, err = connection.Write([]byte("POST /api/getChats HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(100) + "\r\n\r\napiKey="))
	w.must("write", err)
	w.must("close", connection.Close())
}
