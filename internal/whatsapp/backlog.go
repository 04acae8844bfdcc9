package whatsapp

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
)

// onlyBacklog is the backlog of one device, which alone puts something into it: once it was found empty, it isn't looked at again until
// something was put. A start asks for it from several sides.
type onlyBacklog struct {
	chat.Backlog
	looking *semaphore.Weighted

	mu    sync.Mutex
	puts  int
	empty bool
}

func newOnlyBacklog(of chat.Backlog) *onlyBacklog {
	return &onlyBacklog{Backlog: of, looking: semaphore.NewWeighted(1)}
}

func (b *onlyBacklog) PutBacklog(ctx context.Context, account, id string, data []byte) error {
	defer b.doubt() // also where it fails: perhaps it is there
	return b.Backlog.PutBacklog(ctx, account, id, data)
}

func (b *onlyBacklog) ListBacklog(ctx context.Context, account string) ([]chat.BacklogItem, error) {
	if err := b.looking.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer b.looking.Release(1)
	b.mu.Lock()
	puts, empty := b.puts, b.empty
	b.mu.Unlock()
	if empty {
		return nil, nil
	}
	items, err := b.Backlog.ListBacklog(ctx, account)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.empty = err == nil && len(items) == 0 && puts == b.puts
	return items, err
}

// doubt has it looked at again, whoever has put something there.
func (b *onlyBacklog) doubt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts++
	b.empty = false
}
