package chat

import (
	"context"
	"time"
)

// Usage counts what was used.
type Usage struct {
	Calls      int64 `json:"calls,omitempty"`      // of the API, that a key opened
	Failed     int64 `json:"failed,omitempty"`     // of those: answered with an error
	Commands   int64 `json:"commands,omitempty"`   // that calls gave
	Operations int64 `json:"operations,omitempty"` // of batches
	Messages   int64 `json:"messages,omitempty"`   // sent or received while the device was linked; the phone's history isn't counted
	Deliveries int64 `json:"deliveries,omitempty"` // of events to a webhook
}

// Add adds o.
func (u *Usage) Add(o Usage) {
	u.Calls += o.Calls
	u.Failed += o.Failed
	u.Commands += o.Commands
	u.Operations += o.Operations
	u.Messages += o.Messages
	u.Deliveries += o.Deliveries
}

// DayUsage is what a key used on a day.
type DayUsage struct {
	Day string // in UTC, as time.DateOnly
	Key string // the id of an APIKey; MainKey for the first; "" for what no key asks for: messages and deliveries
	Usage
}

// UsageAge is how long usage is kept, also when its account is deleted: bills come later.
const UsageAge = 400 * 24 * time.Hour

// UsageReader finds usage.
type UsageReader interface {
	// Usage returns what the account used from one day through another, by day and key.
	Usage(ctx context.Context, account, from, through string) ([]DayUsage, error)
}

// UsageStore keeps usage.
type UsageStore interface {
	UsageReader
	// PutUsage stores what a source, such as a process, has counted of an account on a day so far, by key. It replaces what the
	// source stored of the day before.
	PutUsage(ctx context.Context, account, day, source string, byKey map[string]Usage) error
}

// Limits bound what a key may use; 0: as the installation has it.
type Limits struct {
	PerSecond int    `json:"perSecond,omitempty"` // calls, in one process
	PerMonth  int64  `json:"perMonth,omitempty"`  // calls, in a month of UTC
	Spent     string `json:"spent,omitempty"`     // the month whose calls are used up, as MonthOf has it
}

// MonthOf is the month of a moment, as usage has it.
func MonthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// NextMonth is when the month of a moment ends.
func NextMonth(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// arrivals is how many of a change's messages aren't there yet, and don't come from a history.
func (t *Thread) arrivals(c Change) (n int) {
	for i := range c.Messages {
		if m := &c.Messages[i]; !c.Past && m.Content.known() && (t.Messages[m.ID] == nil || !t.Messages[m.ID].Content.known()) {
			n++
		}
	}
	return n
}
