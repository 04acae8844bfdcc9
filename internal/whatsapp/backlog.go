package whatsapp

import (
	"context"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
)

// onlyBacklog is the backlog of one device, which alone puts something into it: once it was found empty, it isn't looked at again
// until something was put. A start asks for it from several sides.
type onlyBacklog struct {
	chat.Backlog
	lock  *semaphore.Weighted // also while the store is asked
	empty bool
}

func newOnlyBacklog(of chat.Backlog) *onlyBacklog {
	return &onlyBacklog{Backlog: of, lock: semaphore.NewWeighted(1)}
}

func (b *onlyBacklog) PutBacklog(ctx context.Context, account, id string, data []byte) error {
	if err := b.lock.Acquire(ctx, 1); err != nil {
		return err
	}
	defer b.lock.Release(1)
	b.empty = false // also where it fails: perhaps it is there
	return b.Backlog.PutBacklog(ctx, account, id, data)
}

func (b *onlyBacklog) ListBacklog(ctx context.Context, account string) ([]chat.BacklogItem, error) {
	if err := b.lock.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer b.lock.Release(1)
	if b.empty {
		return nil, nil
	}
	return b.list(ctx, account)
}

// listAnew looks whoever has put something there.
func (b *onlyBacklog) listAnew(ctx context.Context, account string) ([]chat.BacklogItem, error) {
	if err := b.lock.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer b.lock.Release(1)
	return b.list(ctx, account)
}

func (b *onlyBacklog) list(ctx context.Context, account string) ([]chat.BacklogItem, error) {
	items, err := b.Backlog.ListBacklog(ctx, account)
	b.empty = err == nil && len(items) == 0
	return items, err
}
