package httpapi

import (
	"context"
	"net/http"
	"time"

	"pesan/internal/chat"
)

// Beats tells of the hosts' heartbeats.
type Beats interface {
	// LastBeat returns when a host was heard last; zero when none was for an hour. It fails while the store doesn't answer.
	LastBeat(ctx context.Context) (time.Time, error)
}

// HealthPaths are where Health is served: without a key, and outside of /api/.
var HealthPaths = []string{"/healthz", "/readyz"}

// hostSilence is how long after the last heartbeat hosts are away, or can't write what they do: two of a heartbeat's lives.
const hostSilence = 30 * time.Second

// Health says at /healthz that the program runs, and at /readyz that its store answers and when a host was heard last. A host
// that is away, or can't store its heartbeat, doesn't make the API unready, but degraded: reads go on.
func Health(d Deps) Endpoint {
	return Endpoint{Name: "health", Auth: Open, Methods: []string{http.MethodGet, http.MethodHead},
		Needs: []Port{Heartbeats}, silent: true,
		begin: health(d.Beats)}
}

type healthAnswer struct {
	Status string `json:"status"`
}

type readyAnswer struct {
	healthAnswer
	HostHeardAt *time.Time `json:"hostHeardAt"` // null: for an hour, none was
}

func health(beats Beats) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		if c.request.path == HealthPaths[0] {
			return answering(healthAnswer{"ok"}), nil
		}
		beat, err := beats.LastBeat(ctx)
		if err != nil {
			return nil, &notReady{err}
		}
		ready := readyAnswer{healthAnswer: healthAnswer{"ok"}}
		if c.now.Sub(beat) > hostSilence {
			ready.Status = "degraded"
		}
		if !beat.IsZero() {
			beat = beat.UTC()
			ready.HostHeardAt = &beat
		}
		return answering(ready), nil
	}
}

func answering(v any) finish {
	return func(_ context.Context, c *call, _ chat.Account) (int, error) {
		c.json(v)
		return http.StatusOK, nil
	}
}

// notReady is UNAVAILABLE, whatever the store says, which only the log gets.
type notReady struct{ cause error }

func (e *notReady) Error() string { return "not ready: " + e.cause.Error() }

// Unwrap makes it an error of the contract.
func (e *notReady) Unwrap() error { return &chat.Error{Code: chat.Unavailable} }
