package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// page reads an answer's results, each by its id, and its cursor.
func (w *world) page(a answer) (ids []string, next string) {
	w.Helper()
	w.want(a, 200, "")
	var got struct {
		Results    []struct{ ID string }
		NextCursor string
	}
	w.must("decode", json.Unmarshal(a.body, &got))
	for _, r := range got.Results {
		ids = append(ids, r.ID)
	}
	return ids, got.NextCursor
}

// pages follows the cursors, and tells the sizes of the pages.
func (w *world) pages(call func(ask) answer, a ask) (ids [][]string) {
	w.Helper()
	body := a.body
	for range 1000 {
		answer := call(a)
		page, next := w.page(answer)
		ids = append(ids, page)
		if next == "" {
			return ids
		}
		a.body = body + "&cursor=" + url.QueryEscape(next)
	}
	w.Fatal("the pages never end")
	return nil
}

// TestChatsPages holds that however the list is cut into pages, by limit or by size, it is whole and in order.
func TestChatsPages(t *testing.T) {
	const n = 1100
	w := newWorld(t)
	w.seedMany(n, 50)
	for _, name := range []string{"http", "lambda"} {
		transport := transports[name]
		call := func(a ask) answer { return transport(w, w.fill(a)) }
		for _, test := range []struct{ limit, max, pages, largest int }{
			{limit: 0, pages: 1, largest: n},
			{limit: 1000, pages: 2, largest: 1000},
			{limit: 700, pages: 2, largest: 700},
			{limit: 0, max: 200_000, pages: 4, largest: 400},
			{limit: 600, max: 200_000, pages: 4, largest: 400},
			{limit: 0, max: 560_000, pages: 2, largest: n - 1},
		} {
			w.config.MaxAnswer = test.max
			a := ask{endpoint: "getChats", body: "apiKey=KEY"}
			if test.limit > 0 {
				a.body += "&limit=" + strconv.Itoa(test.limit)
			}
			place := 0
			pages := w.pages(call, a)
			for i, page := range pages {
				if len(page) > test.largest || i < len(pages)-1 && len(page) < test.largest/2 {
					t.Errorf("%s, limit %d, max %d: page %d of %d has %d", name, test.limit, test.max, i, len(pages), len(page))
				}
				for _, id := range page {
					if want := "62812" + zeros(place, 8) + "@s.whatsapp.net"; id != want {
						t.Fatalf("%s, limit %d, max %d: chat %d is %s", name, test.limit, test.max, place, id)
					}
					place++
				}
			}
			if place != n || len(pages) > test.pages {
				t.Errorf("%s, limit %d, max %d: %d chats on %d pages", name, test.limit, test.max, place, len(pages))
			}
		}
	}
}

func zeros(n, digits int) string {
	s := strconv.Itoa(n)
	for len(s) < digits {
		s = "0" + s
	}
	return s
}

// TestMessagesPages holds that a page has the newest messages, and that the cursor leads to what is older, all of it.
func TestMessagesPages(t *testing.T) {
	const n = 120
	w := newWorld(t)
	w.seedConversation(n, 1000)
	for _, name := range []string{"http", "lambda"} {
		transport := transports[name]
		call := func(a ask) answer { return transport(w, w.fill(a)) }
		for _, test := range []struct {
			limit string
			max   int
			sizes []int
		}{
			{limit: "", sizes: []int{100, 20}},
			{limit: "1000", sizes: []int{120}},
			{limit: "50", sizes: []int{50, 50, 20}},
			{limit: "1000", max: 150_000},
			{limit: "1000", max: 25_000},
			{limit: "", max: 1}, // one message at least
		} {
			w.config.MaxAnswer = test.max
			pages := w.pages(call, ask{endpoint: "fetchMessageById", body: "apiKey=KEY&phone=081234567890&limit=" + test.limit})
			newest := n
			for i, page := range pages {
				if test.sizes != nil && len(page) != test.sizes[i] {
					t.Errorf("%s: page %d has %d", name, i, len(page))
				}
				for j, id := range page {
					if want := "M" + zeros(newest-len(page)+j, 6); id != want {
						t.Fatalf("%s, limit %s, max %d: %s, want %s", name, test.limit, test.max, id, want)
					}
				}
				newest -= len(page)
			}
			if newest != 0 || test.max == 1 && len(pages) != n || test.max > 1 && len(pages) < 2 {
				t.Errorf("%s, limit %s, max %d: %d messages are missing, %d pages", name, test.limit, test.max, newest, len(pages))
			}
		}
	}
}

// longTexts is a conversation of n messages of some 13 KB, half of them quotes, which weigh three bytes as JSON in JSON.
type longTexts struct{ n int }

func (l longTexts) Message(context.Context, string, chat.JID, string, time.Time) (chat.Conversation, error) {
	return chat.Conversation{}, &chat.Error{Code: chat.MessageNotFound}
}

func (l longTexts) Around(context.Context, string, chat.JID, string, time.Time) (chat.Conversation, error) {
	return chat.Conversation{}, &chat.Error{Code: chat.MessageNotFound}
}

func (l longTexts) Messages(_ context.Context, _ string, jid chat.JID, p chat.Page, _ time.Time) (chat.Conversation, error) {
	c := chat.Conversation{Chat: jid, Next: "older"}
	if p.Limit >= l.n {
		p.Limit, c.Next = l.n, ""
	}
	document := chat.JSON(`{"id":"x","body":"` + strings.Repeat(`b\"`, 4500) + `"}`)
	for range p.Limit {
		c.Messages = append(c.Messages, chat.MessageView{Document: document})
	}
	return c, nil
}

// TestAnswerFitsALambda holds that the largest answer stays under what a Lambda may return, escapes included.
func TestAnswerFitsALambda(t *testing.T) {
	w := newWorld(t)
	api := httpapi.New(w.config)
	endpoint := endpoint("fetchMessageById", httpapi.Deps{Messages: longTexts{600}, Feed: w.db})
	query := "phone=081234567890&limit=1000&apiKey=" + w.tokoKey
	b, err := api.Lambda(endpoint).Invoke(t.Context(), []byte(`{"rawQueryString":"`+query+`","requestContext":{"http":{"method":"GET"}}}`))
	w.must("invoke", err)
	var response struct {
		StatusCode int
		Body       string
	}
	w.must("decode", json.Unmarshal(b, &response))
	ids, next := w.page(answer{status: response.StatusCode, body: []byte(response.Body)})
	if len(b) > 6_000_000 || len(b) < 5_000_000 || next != "older" || len(ids) == 0 {
		t.Errorf("%d bytes with %d messages, next %q", len(b), len(ids), next)
	}
	recorder := httptest.NewRecorder()
	api.Handler(endpoint).ServeHTTP(recorder, httptest.NewRequest("GET", "/api/fetchMessageById?"+query, nil))
	if ids, next := w.page(answer{status: recorder.Code, body: recorder.Body.Bytes()}); len(ids) != 600 || next != "" {
		t.Errorf("over HTTP %d messages, next %q", len(ids), next)
	}
}

func TestGzip(t *testing.T) {
	w := newWorld(t)
	w.seedMany(100, 50)
	for name, transport := range transports {
		plain := transport(w, w.fill(ask{endpoint: "getChats", body: "apiKey=KEY"}))
		zipped := transport(w, w.fill(ask{endpoint: "getChats", body: "apiKey=KEY", header: map[string]string{"Accept-Encoding": "br, gzip"}}))
		if zipped.header.Get("Content-Encoding") != "gzip" || plain.header.Get("Content-Encoding") != "" || len(zipped.body) > len(plain.body)/4 {
			t.Fatalf("%s: %v, %d of %d bytes", name, zipped.header, len(zipped.body), len(plain.body))
		}
		reader, err := gzip.NewReader(bytes.NewReader(zipped.body))
		w.must("unzip", err)
		body, err := io.ReadAll(reader)
		w.must("unzip", err)
		if !bytes.Equal(body, plain.body) {
			t.Errorf("%s: another answer", name)
		}
		small := transport(w, w.fill(ask{endpoint: "getState", body: "apiKey=KEY", header: map[string]string{"Accept-Encoding": "gzip"}}))
		if small.header.Get("Content-Encoding") != "" {
			t.Errorf("%s: a small answer is compressed", name)
		}
		head := transport(w, w.fill(ask{method: "HEAD", endpoint: "getChats", query: "apiKey=KEY", header: map[string]string{"Accept-Encoding": "gzip"}}))
		if head.status != 200 || len(head.body) != 0 {
			t.Errorf("%s: HEAD gives %d bytes", name, len(head.body))
		}
	}
}
