package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"sync"
	"time"

	"pesan/internal/chat"
)

// sendAgain is for how long sending a command again adds nothing; as SQS has it.
const sendAgain = 5 * time.Minute

// signal wakes all who wait for it.
type signal struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that the next wake closes.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

func (s *signal) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}

// Send implements chat.CommandSender.
func (db *DB) Send(ctx context.Context, shard int, c chat.Command) error {
	body, err := json.Marshal(c)
	if err != nil {
		return wrap("send command", err)
	}
	return wrap("send command", db.enqueue(ctx, shard, c.Account, c.ID, body))
}

func (db *DB) enqueue(ctx context.Context, shard int, account, id string, body []byte) error {
	now := db.now()
	err := db.write(ctx, func(tx *transaction) error {
		n, err := tx.change("INSERT INTO sent (shard, account, id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at WHERE at <= ?",
			shard, account, id, now.UnixMilli(), now.Add(-sendAgain).UnixMilli())
		if err != nil || n == 0 {
			return err
		}
		return tx.exec("INSERT INTO queue (shard, account, body, visible) VALUES (?, ?, ?, ?)", shard, account, body, now.UnixMilli())
	})
	if err == nil {
		db.sent.wake()
	}
	return err
}

// Receive implements chat.CommandQueue.
func (db *DB) Receive(ctx context.Context, shard, limit int) ([]chat.Delivery, error) {
	for {
		changed := db.sent.wait()
		deliveries, next, err := db.take(ctx, shard, limit)
		if err != nil {
			return nil, wrap("receive commands", err)
		}
		if len(deliveries) > 0 {
			return deliveries, nil
		}
		if err := sleep(ctx, changed, next, db.now()); err != nil {
			return nil, wrap("receive commands", err)
		}
	}
}

// sleep waits until something changes or the next command gets visible; next is 0 when none will.
func sleep(ctx context.Context, changed <-chan struct{}, next int64, now time.Time) error {
	var visible <-chan time.Time
	if next != 0 {
		timer := time.NewTimer(max(time.UnixMilli(next).Sub(now), time.Millisecond))
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

// heads are the oldest commands of each account, since one waits for the one before.
const heads = ` FROM queue AS q WHERE shard = ?1 AND NOT EXISTS
	(SELECT 1 FROM queue AS older WHERE older.shard = ?1 AND older.account = q.account AND older.seq < q.seq)`

// take hands out what is visible, or tells when the next command will be: ms since 1970, 0: none is there.
func (db *DB) take(ctx context.Context, shard, limit int) (deliveries []chat.Delivery, next int64, err error) {
	now := db.now()
	err = db.write(ctx, func(tx *transaction) error {
		if err := tx.bury(shard, now); err != nil {
			return err
		}
		rows, err := tx.query("SELECT seq, body, attempts"+heads+" AND visible <= ?2 ORDER BY seq LIMIT ?3", shard, now.UnixMilli(), limit)
		if err != nil {
			return err
		}
		var taken []*delivery
		err = eachRow(rows, func(rows *sql.Rows) error {
			d := &delivery{db: db}
			err := rows.Scan(&d.seq, &d.body, &d.attempt)
			d.attempt++
			taken = append(taken, d)
			return err
		})
		if err != nil {
			return err
		}
		for _, d := range taken {
			if err := tx.exec("UPDATE queue SET attempts = ?, visible = ? WHERE seq = ?", d.attempt, now.Add(db.visibility).UnixMilli(), d.seq); err != nil {
				return err
			}
			deliveries = append(deliveries, d)
		}
		if len(taken) == 0 {
			_, err = tx.get("SELECT coalesce(min(visible), 0)"+heads, []any{shard}, &next)
		}
		return err
	})
	return deliveries, next, err
}

// bury moves what was handed out too often to the dead letters.
func (tx *transaction) bury(shard int, now time.Time) error {
	const dead = " FROM queue WHERE shard = ? AND attempts >= ? AND visible <= ?"
	n, err := tx.change("INSERT INTO dead_letters (seq, shard, account, body, attempts, at) SELECT seq, shard, account, body, attempts, visible"+dead,
		shard, chat.MaxAttempts, now.UnixMilli())
	if err != nil || n == 0 {
		return err
	}
	return tx.exec("DELETE"+dead, shard, chat.MaxAttempts, now.UnixMilli())
}

// delivery implements chat.Delivery. What is done with it after it was handed out again has no effect, but for Done.
type delivery struct {
	db      *DB
	seq     int64
	body    []byte
	attempt int
}

// Command implements chat.Delivery.
func (d *delivery) Command() (chat.Command, error) {
	var c chat.Command
	if err := json.Unmarshal(d.body, &c); err != nil || c.ID == "" {
		return chat.Command{}, &chat.Error{Code: chat.InvalidBody}
	}
	return c, nil
}

// Attempt implements chat.Delivery.
func (d *delivery) Attempt() int { return d.attempt }

// Extend implements chat.Delivery.
func (d *delivery) Extend(ctx context.Context) error {
	return wrap("extend command", d.hide(ctx, d.db.visibility))
}

// Release implements chat.Delivery.
func (d *delivery) Release(ctx context.Context, after time.Duration) error {
	return wrap("release command", d.hide(ctx, after))
}

func (d *delivery) hide(ctx context.Context, duration time.Duration) error {
	visible := d.db.now().Add(duration).UnixMilli()
	err := d.db.write(ctx, func(tx *transaction) error {
		return tx.exec("UPDATE queue SET visible = ? WHERE seq = ? AND attempts = ?", visible, d.seq, d.attempt)
	})
	if err == nil {
		d.db.sent.wake()
	}
	return err
}

// Done implements chat.Delivery.
func (d *delivery) Done(ctx context.Context) error {
	err := d.db.write(ctx, func(tx *transaction) error { return tx.exec("DELETE FROM queue WHERE seq = ?", d.seq) })
	if err == nil {
		d.db.sent.wake()
	}
	return wrap("delete command", err)
}
