package batchcmd

import (
	"fmt"
	"strconv"
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
		fmt.Fprintf(p.env.Out, "\r\x1b[K%s %s", bar(b), line(b, now))
		p.drawn = true
	case b.State != p.said || !now.Before(p.next):
		p.said, p.next = b.State, now.Add(sayEach)
		p.say("%s", line(b, now))
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

// line is a batch in one line.
func line(b batch, now time.Time) string {
	percent := 100
	if b.Total > 0 {
		percent = 100 * b.through() / b.Total
	}
	parts := []string{fmt.Sprintf("%s %s/%s %d%%", b.State, grouped(b.through()), grouped(b.Total), percent)}
	if rate, ok := speed(b, now); ok {
		parts = append(parts, fmt.Sprintf("%.1f/s", rate))
	}
	if b.State == "running" && b.EstimatedEnd != nil {
		parts = append(parts, spoken(b.EstimatedEnd.Sub(now))+" left")
	}
	for _, c := range []struct {
		name  string
		count int
	}{{"failed", b.Counts.Failed}, {"overtaken", b.Counts.Overtaken}, {"cancelled", b.Counts.Cancelled}} {
		if c.count > 0 {
			parts = append(parts, c.name+" "+grouped(c.count))
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

func spoken(d time.Duration) string {
	switch d = max(d, 0).Round(time.Second); {
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%ds", int(d.Seconds()))
}

// grouped is a count as people read it: 12,345.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
