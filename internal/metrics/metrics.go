// Package metrics measures a session host and writes what it finds as lines in CloudWatch's embedded metric format, which
// CloudWatch makes metrics of when they come by its logs. Its promise: what is measured is done as without it, and a line
// names no account.
package metrics

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// Namespace is that of all metrics; they have one dimension, Stack.
const Namespace = "Pesan"

// Every is how often Run writes a line: CloudWatch's own resolution.
const Every = time.Minute

// mostValues of a metric stand in a line: as many as CloudWatch takes.
const mostValues = 100

// Metrics counts and collects. Make one with New, and wrap the ports with its methods.
type Metrics struct {
	stack string
	now   func() time.Time

	mu        sync.Mutex
	connected map[string]bool // accounts whose devices run here: whether connected
	lost      int             // devices whose link has ended by itself
	events    int
	changes   int
	lag, age  sample
	beat      time.Time // when the host looked for shards last
}

// New makes metrics of a stack's host.
func New(stack string, now func() time.Time) *Metrics {
	return &Metrics{stack: stack, now: now, connected: make(map[string]bool)}
}

// Run writes a line a minute until ctx ends, and then a last one.
func (m *Metrics) Run(ctx context.Context, to io.Writer) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return m.Write(to)
		}
		if err := m.Write(to); err != nil {
			return err
		}
	}
}

// Beat is when the host looked for shards last; zero when it never did. A host that hangs doesn't look.
func (m *Metrics) Beat() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.beat
}

type definition struct {
	Name string
	Unit string
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

// Write writes what was measured since the last line, in one.
func (m *Metrics) Write(to io.Writer) error {
	line, err := json.Marshal(m.take())
	if err != nil {
		return err
	}
	_, err = to.Write(append(line, '\n'))
	return err
}

// take empties the metrics into a line. A metric of which nothing was measured is left out. What has no alarm is a field of the
// line and no metric, which would cost: the log can be asked for it.
func (m *Metrics) take() map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	devices := 0
	for _, connected := range m.connected {
		if connected {
			devices++
		}
	}
	missing := 0.0
	if all := len(m.connected) + m.lost; all > 0 {
		missing = 100 * float64(all-devices) / float64(all)
	}
	defined := []definition{{"MissingDevices", "Percent"}}
	line := map[string]any{
		"Stack": m.stack, "MissingDevices": missing,
		"ConnectedDevices": devices, "LostLinks": m.lost, "Events": m.events, "LeaseChanges": m.changes,
	}
	for name, s := range map[string]*sample{"ProjectionLag": &m.lag, "CommandAge": &m.age} {
		if len(s.values) > 0 {
			defined = append(defined, definition{name, "Milliseconds"})
			line[name] = s.values
		}
	}
	line["_aws"] = map[string]any{
		"Timestamp":         m.now().UnixMilli(),
		"CloudWatchMetrics": []directive{{Namespace, [][]string{{"Stack"}}, defined}},
	}
	m.lost, m.events, m.changes, m.lag, m.age = 0, 0, 0, sample{}, sample{}
	return line
}

// sample is a fair choice of what was measured.
type sample struct {
	values []float64
	seen   int
}

func (s *sample) add(d time.Duration) {
	ms := float64(max(d, 0).Microseconds()) / 1000
	s.seen++
	if len(s.values) < mostValues {
		s.values = append(s.values, ms)
	} else if i := rand.IntN(s.seen); i < mostValues {
		s.values[i] = ms
	}
}
