package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

func reportKey(account, id string) kv.Key {
	return kv.Key{Collection: kv.Reports, Partition: account, Sort: id}
}

// AddReport implements chat.Reports.
func (s *Store) AddReport(ctx context.Context, r chat.Report) error {
	data, err := marshal(r)
	if err == nil {
		it := kv.Item{Key: reportKey(r.Account, r.ID), Data: data, Expires: s.now().Add(chat.ReportAge).Unix()}
		if err = s.kv.Write(ctx, kv.Each(kv.Put(it, kv.Absent()))); errors.Is(err, kv.ErrConflict) {
			err = nil // it was added before
		}
	}
	return failed("add report", err)
}

// reports completes entries with how their commands have ended.
func (s *Store) reports(ctx context.Context, account string, items []kv.Item) ([]chat.Report, error) {
	reports := make([]chat.Report, len(items))
	var pending []*chat.Report
	var keys []kv.Key
	for i := range items {
		r := &reports[i]
		if err := json.Unmarshal(items[i].Data, r); err != nil {
			return nil, fmt.Errorf("decode report: %w", err)
		}
		if !r.Finished() {
			key := commandKey(account, r.CommandID)
			if r.Batch != "" {
				key = batchKey(account, batchRecord+r.Batch)
			}
			pending, keys = append(pending, r), append(keys, key)
		}
	}
	if len(keys) == 0 {
		return reports, nil
	}
	found, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, it := range found {
		if it == nil {
			continue
		}
		r := pending[i]
		if r.Batch != "" {
			if err := s.ofBatch(r, it); err != nil {
				return nil, err
			}
			continue
		}
		c, err := commandOf(it)
		if err != nil {
			return nil, err
		}
		if r.Command, r.EndedAt = c.State, c.EndedAt; c.Failure != nil {
			r.Error = c.Failure.Code
		}
	}
	return reports, nil
}

// ofBatch completes the entry of a batch.
func (s *Store) ofBatch(r *chat.Report, it *kv.Item) error {
	b, err := batchOf(it)
	if err != nil {
		return err
	}
	b = b.At(s.now())
	switch r.EndedAt = b.EndedAt; b.State {
	case chat.BatchDone, chat.BatchCancelled:
		r.Command = chat.CommandDone
	case chat.BatchFailed:
		r.Command = chat.CommandFailed
		if b.Reason != nil {
			r.Error = b.Reason.Code
		}
	default:
		r.Going = true
	}
	return nil
}

// ListReports implements chat.Reports. The ids order the entries by time.
func (s *Store) ListReports(ctx context.Context, account string, p chat.Page) (reports []chat.Report, next string, err error) {
	before, err := openCursor(reportCursor, p.Cursor, validReport)
	if err != nil {
		return nil, "", err
	}
	var items []kv.Item
	q := kv.Query{Collection: kv.Reports, Partition: account, To: before, Reverse: true, Expect: p.Limit + 1}
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return nil, "", failed("list reports", err)
		}
		if len(items) == p.Limit {
			next = makeCursor(reportCursor, items[p.Limit-1].Sort)
			break
		}
		items = append(items, it)
	}
	if reports, err = s.reports(ctx, account, items); err != nil {
		return nil, "", failed("list reports", err)
	}
	return reports, next, nil
}

// validReport checks the form of an id, so that a made-up cursor is refused rather than read from somewhere.
func validReport(id string) bool {
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(id) == 26 // a ULID
}

// clearPage is how many entries are looked at together.
const clearPage = 500

// ClearReports implements chat.Reports.
func (s *Store) ClearReports(ctx context.Context, account string, all bool, now time.Time) error {
	q := kv.Query{Collection: kv.Reports, Partition: account}
	if all {
		return failed("clear reports", s.deleteAll(ctx, q, 0, nil))
	}
	var items []kv.Item
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return failed("clear reports", err)
		}
		if items = append(items, it); len(items) < clearPage {
			continue
		}
		if err := s.clear(ctx, account, items, now); err != nil {
			return failed("clear reports", err)
		}
		items = items[:0]
	}
	return failed("clear reports", s.clear(ctx, account, items, now))
}

func (s *Store) clear(ctx context.Context, account string, items []kv.Item, now time.Time) error {
	reports, err := s.reports(ctx, account, items)
	if err != nil {
		return err
	}
	var ops []kv.Op
	for i, r := range reports {
		if r.Finished() || r.Lost(now) {
			ops = append(ops, kv.Delete(items[i].Key, kv.Always(), 0))
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return s.kv.Write(ctx, kv.Each(ops...))
}
