package batchcmd

import (
	"fmt"
	"strings"
	"time"
)

// progress shows how a batch does: on a terminal as one line that changes, else as a line now and then.
type progress struct {
	*session
	drawn bool
	said  string
	next  time.Time
}

// sayEach is how often a line is said where there is no terminal.
const sayEach = 10 * time.Second

func newProgress(s *session) *progress { return &progress{session: s} }

func (p *progress) show(b batch) {
	now := p.env.Now()
	switch {
	case p.options.json:
	case p.env.Terminal:
		fmt.Fprintf(p.env.Out, "\r\x1b[K%s %s", bar(b), p.words.one(b, now))
		p.drawn = true
	case b.State != p.said || !now.Before(p.next):
		p.said, p.next = b.State, now.Add(sayEach)
		p.say("%s", p.words.one(b, now))
	}
}

// end leaves the line.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.env.Out, "\r\x1b[K")
		p.drawn = false
	}
}

const width = 24

func bar(b batch) string {
	full := 0
	if b.Total > 0 {
		full = width * b.through() / b.Total
	}
	return "▕" + strings.Repeat("█", full) + strings.Repeat("░", width-full) + "▏"
}

// one is a batch in one line.
func (w *words) one(b batch, now time.Time) string {
	percent := 100
	if b.Total > 0 {
		percent = 100 * b.through() / b.Total
	}
	parts := []string{fmt.Sprintf("%s %s/%s %d%%", w.state(b.State), w.grouped(b.through()), w.grouped(b.Total), percent)}
	if rate, ok := speed(b, now); ok {
		parts = append(parts, w.rate(rate))
	}
	if b.State == "running" && b.EstimatedEnd != nil {
		parts = append(parts, fmt.Sprintf(w.left, w.spoken(b.EstimatedEnd.Sub(now))))
	}
	for _, c := range []struct {
		name  string
		count int
	}{{"failed", b.Counts.Failed}, {"overtaken", b.Counts.Overtaken}, {"cancelled", b.Counts.Cancelled}} {
		if c.count > 0 {
			parts = append(parts, w.state(c.name)+" "+w.grouped(c.count))
		}
	}
	if b.Message != "" {
		parts = append(parts, b.Message)
	}
	return strings.Join(parts, ", ")
}

// speed is how many operations ended a second.
func speed(b batch, now time.Time) (float64, bool) {
	if b.StartedAt == nil {
		return 0, false
	}
	end := now
	if b.EndedAt != nil {
		end = *b.EndedAt
	}
	took, done := end.Sub(*b.StartedAt).Seconds(), b.through()-b.Counts.Cancelled
	if took < 0.5 || done <= 0 {
		return 0, false
	}
	return float64(done) / took, true
}
