package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"pesan/internal/chat"
)

// heartbeat is how often a stream says that it is alive, and looks whether its key still opens.
const heartbeat = 15 * time.Second

// eventWrite bounds how long a client may take to read what it was sent.
const eventWrite = 10 * time.Second

// Events serves an account's feed as server-sent events: each entry as getChanges gives it, its position as the event's id. It is
// for a process that appends to the feed itself. Streams count as calls that wait.
func (a *API) Events(feed interface {
	chat.Deltas
	chat.FeedWatcher
}) http.Handler {
	e := Endpoint{Name: "events", Group: OfChats, Methods: []string{http.MethodGet, http.MethodHead},
		Params: []string{"since"}, silent: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var s *stream
		e := e
		e.begin = func(ctx context.Context, c *call) (finish, error) {
			p, ok, err := c.since()
			if last := r.Header.Get("Last-Event-ID"); last != "" {
				p, err = chat.ParsePosition(last)
				ok = true
			}
			if err != nil {
				return nil, err
			}
			if !ok {
				if p, err = feed.End(ctx, c.claimed); err != nil {
					return nil, err
				}
			}
			if _, _, err := feed.After(ctx, c.claimed, p, 1); err != nil { // while there is a status to say so
				return nil, err
			}
			return func(_ context.Context, c *call, account chat.Account) (int, error) {
				if c.request.method == http.MethodHead {
					return http.StatusOK, nil
				}
				if !c.waits.enter(account.ID) {
					c.retry = heartbeat
					return 0, &chat.Error{Code: chat.RateLimited}
				}
				s = &stream{API: a, feed: feed, account: account.ID, number: account.Number(), key: c.credential("apiKey"), at: p}
				return http.StatusOK, nil
			}, nil
		}
		response := a.serve(r.Context(), &e, &request{
			id: a.requestID(), source: a.source(r), method: r.Method, query: r.URL.RawQuery, header: r.Header.Get,
			body: func() ([]byte, error) { return nil, nil },
		}, maxPage)
		defer response.free()
		for _, f := range response.header {
			w.Header().Set(f.name, f.value)
		}
		if s == nil {
			w.WriteHeader(response.status)
			_, _ = w.Write(response.body) // a client that has gone needs no answer
			return
		}
		defer a.waits.leave(s.account)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // proxies pass on each event at once
		w.WriteHeader(response.status)
		s.w, s.control = w, http.NewResponseController(w)
		if err := s.run(r.Context(), feed); err != nil {
			a.Logger.Debug("stream ended", "account", s.account, "error", err)
		}
	})
}

// stream is a client that listens.
type stream struct {
	*API
	feed    chat.Feed
	account string
	number  chat.JID // whose chats it is about
	key     string
	at      chat.Position
	w       http.ResponseWriter
	control *http.ResponseController
}

// run sends what comes until the client goes, the process ends, or the key opens no more.
func (s *stream) run(ctx context.Context, watcher chat.FeedWatcher) error {
	changed := make(chan struct{}, 1)
	defer watcher.WatchFeed(s.account, func(string) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	if err := s.send(": hello\n\n"); err != nil {
		return err
	}
	for {
		if err := s.news(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-beat.C:
			if err := s.opens(ctx); err != nil {
				return err
			}
			if err := s.send(": alive\n\n"); err != nil {
				return err
			}
		}
	}
}

// opens returns an error once the key opens the account no more, or that shows the chats of another number.
func (s *stream) opens(ctx context.Context) error {
	key, err := chat.ParseKey(s.key)
	if err != nil {
		return err
	}
	a, _, err := unlock(ctx, s.Latest, key, s.Now())
	if err == nil && (a.Foreign() || a.Number() != s.number) {
		err = &chat.Error{Code: chat.Unavailable, Message: "another number is linked"}
	}
	return err
}

// eventPage is how many entries are read at a time.
const eventPage = 100

// news sends the entries behind the last.
func (s *stream) news(ctx context.Context) error {
	for {
		entries, next, err := s.feed.After(ctx, s.account, s.at, eventPage)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := s.opens(ctx); err != nil {
			return err
		}
		for i := range entries {
			e := &entries[i]
			data, err := json.Marshal(told(e))
			if err != nil {
				return fmt.Errorf("encode event: %w", err)
			}
			id := chat.Position{Seq: e.Seq, At: next.At}
			if err := s.send(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", id, e.Kind, data)); err != nil {
				return err
			}
		}
		s.at = next
	}
}

func (s *stream) send(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(eventWrite)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
