package sqlite

import (
	"context"
	"database/sql"
	"time"

	"pesan/internal/chat"
)

// AcquireLease implements chat.Leases. The row of a shard stays after a release, for its epoch.
func (db *DB) AcquireLease(ctx context.Context, shard int, host string, now time.Time, ttl time.Duration) (chat.Lease, error) {
	l := chat.Lease{Shard: shard, Host: host, Expires: now.Add(ttl)}
	err := db.write(ctx, func(tx *transaction) error {
		taken, err := tx.get(`INSERT INTO leases (shard, host, epoch, expires) VALUES (?, ?, 1, ?)
			ON CONFLICT DO UPDATE SET host = excluded.host, epoch = epoch + 1, expires = excluded.expires WHERE expires <= ?
			RETURNING epoch`, []any{shard, host, l.Expires.UnixMilli(), now.UnixMilli()}, &l.Epoch)
		return held(taken, err)
	})
	if err != nil {
		return chat.Lease{}, wrap("acquire lease", err)
	}
	return l, nil
}

func held(changed bool, err error) error {
	if err == nil && !changed {
		return &chat.Error{Code: chat.LeaseHeld}
	}
	return err
}

// RenewLease implements chat.Leases.
func (db *DB) RenewLease(ctx context.Context, l chat.Lease, now time.Time, ttl time.Duration) (chat.Lease, error) {
	l.Expires = now.Add(ttl)
	err := db.write(ctx, func(tx *transaction) error {
		n, err := tx.change("UPDATE leases SET expires = ? WHERE shard = ? AND host = ? AND epoch = ?",
			l.Expires.UnixMilli(), l.Shard, l.Host, l.Epoch)
		return held(n > 0, err)
	})
	if err != nil {
		return chat.Lease{}, wrap("renew lease", err)
	}
	return l, nil
}

// ReleaseLease implements chat.Leases.
func (db *DB) ReleaseLease(ctx context.Context, l chat.Lease) error {
	err := db.write(ctx, func(tx *transaction) error {
		return tx.exec("UPDATE leases SET expires = 0 WHERE shard = ? AND host = ? AND epoch = ?", l.Shard, l.Host, l.Epoch)
	})
	return wrap("release lease", err)
}

// AnnounceHost implements chat.Leases.
func (db *DB) AnnounceHost(ctx context.Context, host string, now time.Time, ttl time.Duration) error {
	err := db.write(ctx, func(tx *transaction) error {
		if err := tx.exec("DELETE FROM hosts WHERE host = ? OR expires <= ?", host, now.UnixMilli()); err != nil || ttl <= 0 {
			return err
		}
		return tx.exec("INSERT INTO hosts (host, expires) VALUES (?, ?)", host, now.Add(ttl).UnixMilli())
	})
	return wrap("announce host", err)
}

// Hosts implements chat.Leases.
func (db *DB) Hosts(ctx context.Context, now time.Time) ([]string, error) {
	var hosts []string
	err := db.reader.each(ctx, "SELECT host FROM hosts WHERE expires > ? ORDER BY host", []any{now.UnixMilli()}, func(rows *sql.Rows) error {
		var host string
		err := rows.Scan(&host)
		hosts = append(hosts, host)
		return err
	})
	return hosts, wrap("list hosts", err)
}
