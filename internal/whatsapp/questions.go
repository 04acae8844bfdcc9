package whatsapp

import (
	"errors"
	"slices"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
)

// questions asks WhatsApp, or the phone, one thing after the other. What isn't answered is asked again, with growing pauses.
type questions struct {
	*run
	asker *errand

	mu    sync.Mutex
	todo  []*question
	full  int       // answers in a row that say that too much is asked
	after time.Time // until then nothing is asked
}

// question is answered when ask returns no error.
type question struct {
	what     string
	ask      func() error
	failures int
	due      time.Time
}

func newQuestions(r *run) *questions {
	q := &questions{run: r}
	q.asker = newErrand(r.spawn, q.work)
	return q
}

func (qs *questions) add(q *question) {
	qs.mu.Lock()
	qs.todo = append(qs.todo, q)
	qs.mu.Unlock()
	qs.asker.start()
}

// connected goes on where the connection was lost.
func (qs *questions) connected() {
	qs.mu.Lock()
	left := len(qs.todo) > 0
	qs.mu.Unlock()
	if left {
		qs.asker.start()
	}
}

// next is the question that is due first, and when; nil when there is none.
func (qs *questions) next() (q *question, wait time.Duration) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if len(qs.todo) == 0 {
		return nil, 0
	}
	q = slices.MinFunc(qs.todo, func(a, b *question) int { return a.due.Compare(b.due) })
	return q, max(time.Until(q.due), time.Until(qs.after))
}

func (qs *questions) work() {
	for qs.ctx.Err() == nil && qs.online.Load() {
		q, wait := qs.next()
		if q == nil {
			return
		}
		if wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-qs.asker.wanted: // another may be due before
			case <-qs.ctx.Done():
			}
			timer.Stop()
			continue
		}
		err := q.ask()
		if err != nil && connectionLost(err) {
			return
		}
		qs.answered(q, err)
	}
}

// answered puts a question off, or away.
func (qs *questions) answered(q *question, err error) {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if err == nil {
		qs.full = 0
		qs.todo = slices.DeleteFunc(qs.todo, func(o *question) bool { return o == q })
		return
	}
	q.failures++
	q.due = time.Now().Add(qs.retryAfter(q.failures))
	if errors.Is(err, whatsmeow.ErrIQRateOverLimit) {
		qs.full++
		qs.after = time.Now().Add(qs.retryAfter(qs.full))
	}
	qs.log.Warn("ask for "+q.what, failure(err), "failures", q.failures)
}
