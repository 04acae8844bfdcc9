// Package metrics measures a session host and writes what it finds as lines in CloudWatch's embedded metric format, which
// CloudWatch makes metrics of when they come by its logs. Its promise: what is measured is done as without it, and a line
// names no account.
package metrics

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Namespace is that of all metrics; they have one dimension, Stack.
const Namespace = "Pesan"

// Names of the metrics that a host writes. All else of its lines is no metric, which would cost.
var Names = []string{missing, commandAge}

const (
	missing    = "MissingDevices" // per cent of those that should be connected
	commandAge = "CommandAge"     // ms from the call to the end
)

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

	totals     Totals // of what was counted in lines that were written
	lags, ages *Histogram
}

// Totals are what was measured since the start, for who collects it by himself.
type Totals struct {
	Devices, Connected              int // that run here now
	LostLinks, Events, LeaseChanges int
	ProjectionLag, CommandAge       Histogram // in seconds
}

// Bounds are those of the histograms' buckets, in seconds.
var bounds = []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

// Histogram counts what was measured.
type Histogram struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64 // how many were at most so large
}

func newHistogram() *Histogram {
	h := &Histogram{Buckets: make(map[float64]uint64)}
	for _, bound := range bounds {
		h.Buckets[bound] = 0
	}
	return h
}

func (h *Histogram) add(d time.Duration) {
	seconds := max(d, 0).Seconds()
	h.Count++
	h.Sum += seconds
	for _, bound := range bounds {
		if seconds <= bound {
			h.Buckets[bound]++
		}
	}
}

func (h *Histogram) clone() Histogram { return Histogram{h.Count, h.Sum, maps.Clone(h.Buckets)} }

// Totals returns what was measured until now.
func (m *Metrics) Totals() Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.totals
	t.LostLinks, t.Events, t.LeaseChanges = t.LostLinks+m.lost, t.Events+m.events, t.LeaseChanges+m.changes
	t.Devices = len(m.connected)
	for _, connected := range m.connected {
		if connected {
			t.Connected++
		}
	}
	t.ProjectionLag, t.CommandAge = m.lags.clone(), m.ages.clone()
	return t
}

// New makes metrics of a stack's host.
func New(stack string, now func() time.Time) *Metrics {
	return &Metrics{stack: stack, now: now, connected: make(map[string]bool), lags: newHistogram(), ages: newHistogram()}
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
	part := 0.0
	if all := len(m.connected) + m.lost; all > 0 {
		part = 100 * float64(all-devices) / float64(all)
	}
	defined := []definition{{missing, "Percent"}}
	line := map[string]any{
		"Stack": m.stack, missing: part,
		"ConnectedDevices": devices, "LostLinks": m.lost, "Events": m.events, "LeaseChanges": m.changes,
	}
	if len(m.lag.values) > 0 {
		line["EventAge"] = m.lag.quantile(0.99)
	}
	if len(m.age.values) > 0 {
		defined = append(defined, definition{commandAge, "Milliseconds"})
		line[commandAge] = m.age.values
	}
	line["_aws"] = map[string]any{
		"Timestamp":         m.now().UnixMilli(),
		"CloudWatchMetrics": []directive{{Namespace, [][]string{{"Stack"}}, defined}},
	}
	m.totals.LostLinks += m.lost
	m.totals.Events += m.events
	m.totals.LeaseChanges += m.changes
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

// quantile is what that part of the values doesn't exceed.
func (s *sample) quantile(part float64) float64 {
	sorted := slices.Sorted(slices.Values(s.values))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
