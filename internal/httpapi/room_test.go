package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// manyChats has 10,000 chats of about a kilobyte each, and counts who reads them.
type manyChats struct {
	chat.ChatReader
	views       []chat.View
	busy, worst atomic.Int32
}

func (m *manyChats) Chats(ctx context.Context, _ string, _ chat.Filter, p chat.Page, _ time.Time) ([]chat.View, string, error) {
	busy := m.busy.Add(1)
	defer m.busy.Add(-1)
	for worst := m.worst.Load(); busy > worst && !m.worst.CompareAndSwap(worst, busy); worst = m.worst.Load() {
	}
	select { // a store that takes its time
	case <-time.After(time.Millisecond):
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	if p.Cursor == strings.Repeat("x", 10) {
		return m.views[:p.Limit], "", nil
	}
	return m.views[:p.Limit], p.Cursor + "x", nil
}

// TestLargeAnswersAreBounded: a thousand callers at once of 11 MB each, with the right key, take no more memory than is set
// aside for them. Each gets its answer, or is told to come again.
func TestLargeAnswersAreBounded(t *testing.T) {
	w := newWorld(t)
	w.config.Near = true
	view := chat.View{JID: budi}
	many := &manyChats{views: make([]chat.View, 1000)}
	for i := range many.views {
		many.views[i] = view
		many.views[i].Document = chat.JSON(`{"name":"` + strings.Repeat("n", 1000) + `"}`)
	}
	w.deps.Chats = many
	server := httptest.NewServer(httpapi.New(w.config).Handler(w.endpoints()...))
	defer server.Close()
	ended := make(chan struct{})
	var peak uint64
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	var answered, told atomic.Int32
	var callers sync.WaitGroup
	for range 1000 {
		callers.Go(func() {
			r, err := server.Client().Post(server.URL+"/api/getChats", "application/x-www-form-urlencoded", strings.NewReader("apiKey="+w.tokoKey))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			n, err := io.Copy(io.Discard, r.Body)
			switch {
			case r.StatusCode == http.StatusOK && n > 10<<20 && err == nil:
				answered.Add(1)
			case r.StatusCode == http.StatusTooManyRequests && r.Header.Get("Retry-After") != "":
				told.Add(1)
			default:
				t.Errorf("%d, %d bytes, %v", r.StatusCode, n, err)
			}
		})
	}
	callers.Wait()
	close(ended)
	watching.Wait()
	t.Logf("%d were answered, %d were told to come again, %d at once; the heap had %d MB", answered.Load(), told.Load(), many.worst.Load(), peak>>20)
	if answered.Load() == 0 || many.worst.Load() > 4 || peak > 256<<20 {
		t.Errorf("%d were answered, %d at once, %d MB", answered.Load(), many.worst.Load(), peak>>20)
	}
}

// stuckChats hold up who reads them until the client goes.
type stuckChats struct {
	chat.ChatReader
	reached chan struct{}
}

func (s *stuckChats) Chats(ctx context.Context, _ string, _ chat.Filter, _ chat.Page, _ time.Time) ([]chat.View, string, error) {
	s.reached <- struct{}{}
	<-ctx.Done()
	return nil, "", ctx.Err()
}

// TestGoneClientsLeaveNoReport: a client that doesn't wait for what it wanted to read, as a page that shows something else by now, was
// refused nothing, so its log has nothing of it; neither while the answer was made nor while the call waited for room.
func TestGoneClientsLeaveNoReport(t *testing.T) {
	w := newWorld(t)
	w.config.Near = true
	stuck := &stuckChats{reached: make(chan struct{})}
	w.deps.Chats = stuck
	handler := httpapi.New(w.config).Handler(w.endpoints()...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls sync.WaitGroup
	call := func(ctx context.Context) {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/getChats", strings.NewReader("apiKey="+w.tokoKey))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	for range 2 { // all the room that an account has
		calls.Go(func() { call(ctx) })
		<-stuck.reached
	}
	waits, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer leave()
	waits = gone{waits}
	call(waits)
	cancel()
	calls.Wait()
	if log := w.log(w.toko); len(log) > 0 {
		t.Errorf("the log has %+v", log)
	}
}

// gone is the context of a client that goes when its time is over.
type gone struct{ context.Context }

func (g gone) Err() error {
	if g.Context.Err() != nil {
		return context.Canceled
	}
	return nil
}
