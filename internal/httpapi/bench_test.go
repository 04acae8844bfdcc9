package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// sink takes an answer and keeps nothing.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { s.bytes += len(b); return len(b), nil }

func benchmarkHTTP(b *testing.B, w *world, path string, header ...string) {
	w.config.Logger = quiet()
	handler := httpapi.New(w.config).Handler(w.endpoints()...)
	b.ReportAllocs()
	var size int
	for b.Loop() {
		s := &sink{header: http.Header{}}
		r := httptest.NewRequest("GET", path+"&apiKey="+w.tokoKey, nil)
		for _, name := range header {
			r.Header.Set(name, "gzip")
		}
		handler.ServeHTTP(s, r)
		if s.status != 200 {
			b.Fatal(s.status)
		}
		size = s.bytes
	}
	b.ReportMetric(float64(size)/1000, "kB/answer")
}

func BenchmarkGetChats(b *testing.B) {
	w := newWorld(b)
	w.seedMany(1000, 300)
	b.Run("http", func(b *testing.B) { benchmarkHTTP(b, w, "/api/getChats?") })
	b.Run("gzip", func(b *testing.B) { benchmarkHTTP(b, w, "/api/getChats?", "Accept-Encoding") })
	b.Run("lambda", func(b *testing.B) {
		event := events.APIGatewayV2HTTPRequest{RawQueryString: "apiKey=" + w.tokoKey}
		event.RequestContext.HTTP.Method = "GET"
		payload, err := json.Marshal(event)
		w.must("encode", err)
		function := httpapi.New(w.config).Lambda(endpoint("getChats", w.deps))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := function.Invoke(b.Context(), payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("store alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if views, _, err := w.db.Chats(b.Context(), w.toko.ID, chat.Filter{}, chat.Page{Limit: 1000}, noon); err != nil || len(views) != 1000 {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkFetchMessageByID(b *testing.B) {
	w := newWorld(b)
	w.seedConversation(2000, 100)
	benchmarkHTTP(b, w, "/api/fetchMessageById?phone=6281234567890")
}

func BenchmarkMuteChat(b *testing.B) {
	w := newWorld(b)
	w.seed()
	w.onSend(w.executeCommand)
	handler := httpapi.New(w.config).Handler(w.endpoints()...)
	for b.Loop() {
		if status := serveHTTP(handler, w.fill(muteBudi(""))); status != 200 {
			b.Fatal(status)
		}
	}
}
