// Package local is the command queue of the one process, kept in a kv.Store that no other process writes to.
//
// Which command is next and how long one is hidden stands in memory; commands and how often they were handed out are stored. So a
// queue that is opened again hands out at once what it held when its process ended.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// sendAgain is for how long sending a command again adds nothing; as SQS has it.
const sendAgain = 5 * time.Minute

// Queue is all queues.
type Queue struct {
	store      kv.Store
	queues     int
	visibility time.Duration

	mu     sync.Mutex
	shards map[int]*shard
}

var (
	_ chat.CommandSender = (*Queue)(nil)
	_ chat.BatchSender   = (*Queue)(nil)
	_ chat.CommandQueue  = (*Queue)(nil)
)

// New makes so many queues of what the store holds; visibility 0 is chat.VisibilityTimeout.
func New(store kv.Store, queues int, visibility time.Duration) *Queue {
	if visibility == 0 {
		visibility = chat.VisibilityTimeout
	}
	return &Queue{store: store, queues: queues, visibility: visibility, shards: make(map[int]*shard)}
}

// Send implements chat.CommandSender.
func (q *Queue) Send(ctx context.Context, shard int, c chat.Command) error {
	body, err := json.Marshal(c)
	if err == nil {
		err = q.enqueue(ctx, shard%q.queues, c.Account, c.Dispatch(), body)
	}
	if err != nil {
		return fmt.Errorf("send command: %w", err)
	}
	return nil
}

// SendBatch implements chat.BatchSender.
func (q *Queue) SendBatch(ctx context.Context, shard int, messages ...chat.BatchMessage) error {
	for _, m := range messages {
		body, err := json.Marshal(m)
		if err == nil {
			err = q.enqueue(ctx, shard%q.queues, m.Group(), m.ID(), body)
		}
		if err != nil {
			return fmt.Errorf("send batch: %w", err)
		}
	}
	return nil
}

// enqueue puts something behind all others of its group, which is an account's or that of its batches.
func (q *Queue) enqueue(ctx context.Context, number int, group, id string, body []byte) error {
	s, err := q.shard(ctx, number)
	if err != nil {
		return err
	}
	e := s.add(group)
	sent := kv.Item{Key: s.sentKey(group, id), Expires: time.Now().Add(sendAgain).Unix()}
	err = q.store.Write(ctx, kv.Together(kv.Put(sent, kv.Absent()), kv.Put(kv.Item{Key: s.key(e), Data: body}, kv.Absent())))
	if errors.Is(err, kv.ErrConflict) { // it was sent before
		s.remove(e)
		return nil
	}
	s.show(e) // after an error too, as it may be stored; if it isn't, handOut doesn't find it
	return err
}

// Receive implements chat.CommandQueue.
func (q *Queue) Receive(ctx context.Context, number, limit int) ([]chat.Delivery, error) {
	deliveries, err := q.receive(ctx, number, limit)
	if err != nil {
		return nil, fmt.Errorf("receive commands: %w", err)
	}
	return deliveries, nil
}

func (q *Queue) receive(ctx context.Context, number, limit int) ([]chat.Delivery, error) {
	s, err := q.shard(ctx, number)
	if err != nil {
		return nil, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		taken, changed, next := s.take(limit, q.visibility)
		if len(taken) > 0 {
			deliveries, err := q.handOut(ctx, s, taken)
			if err != nil || len(deliveries) > 0 {
				return deliveries, err
			}
			continue
		}
		if err := sleep(ctx, changed, next); err != nil {
			return nil, err
		}
	}
}

// sleep waits until something changes or the next command gets visible; a zero next is never.
func sleep(ctx context.Context, changed <-chan struct{}, next time.Time) error {
	var visible <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		visible = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-visible:
	}
	return nil
}

// attempts is the field that counts how often a command was handed out.
const attempts = "attempts"

// handOut stores that commands are handed out, before they are: one that ends the process is handed out so often, and no more.
// Those that were handed out too often go to the dead letters.
func (q *Queue) handOut(ctx context.Context, s *shard, taken []taken) (deliveries []chat.Delivery, err error) {
	keys := make([]kv.Key, len(taken))
	for i, t := range taken {
		keys[i] = s.key(t.entry)
	}
	items, err := q.store.GetMany(ctx, keys)
	if err != nil {
		s.putBack(taken)
		return nil, err
	}
	var steps []kv.Step
	var gone []*entry
	for i, it := range items {
		t := taken[i]
		switch {
		case it == nil: // a delivery whose time had passed was done, or it wasn't stored when it was sent
			gone = append(gone, t.entry)
		case t.attempt > chat.MaxDeliveries:
			dead := kv.Item{Key: s.deadKey(t.entry), Data: it.Data, Expires: time.Now().Add(chat.ReportAge).Unix()}
			steps = append(steps, kv.Together(kv.Put(dead, kv.Always()), kv.Delete(it.Key, kv.Always(), 0)))
			gone = append(gone, t.entry)
		default:
			it.Fields = map[string]int64{attempts: int64(t.attempt)}
			steps = append(steps, kv.Each(kv.Put(*it, kv.Present())))
			deliveries = append(deliveries, &delivery{q: q, shard: s, taken: t, body: it.Data})
		}
	}
	if err := q.store.Write(ctx, steps...); err != nil {
		s.putBack(taken)
		return nil, err
	}
	for _, e := range gone {
		s.remove(e)
	}
	return deliveries, nil
}

// delivery implements chat.Delivery. What is done with it after the command was handed out again has no effect, but for Done.
type delivery struct {
	q     *Queue
	shard *shard
	taken
	body []byte
}

// Command implements chat.Delivery.
func (d *delivery) Command() (chat.Command, error) {
	var c chat.Command
	if err := json.Unmarshal(d.body, &c); err != nil || c.ID == "" {
		return chat.Command{}, &chat.Error{Code: chat.InvalidBody}
	}
	return c, nil
}

// Batch implements chat.Delivery.
func (d *delivery) Batch() (chat.BatchMessage, bool) { return chat.BatchMessageOf(d.body) }

// Attempt implements chat.Delivery.
func (d *delivery) Attempt() int { return d.attempt }

// Extend implements chat.Delivery.
func (d *delivery) Extend(context.Context) error {
	d.shard.hide(d.taken, d.q.visibility)
	return nil
}

// Release implements chat.Delivery.
func (d *delivery) Release(_ context.Context, after time.Duration) error {
	d.shard.hide(d.taken, after)
	return nil
}

// Done implements chat.Delivery.
func (d *delivery) Done(ctx context.Context) error {
	if err := d.q.store.Write(ctx, kv.Each(kv.Delete(d.shard.key(d.entry), kv.Always(), 0))); err != nil {
		return fmt.Errorf("delete command: %w", err)
	}
	d.shard.remove(d.entry)
	return nil
}
