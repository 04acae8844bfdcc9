package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/oklog/ulid/v2"

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

// entry is an item of the log: by itself, or with its command.
type entry struct {
	item   kv.Item
	report chat.Report
}

// entries are those of the log before an id, "" for all, the newest first.
func (s *Store) entries(ctx context.Context, account, before string, expect int) iter.Seq2[entry, error] {
	now := s.now()
	alone := kv.Query{Collection: kv.Reports, Partition: account, To: before, Reverse: true, Expect: expect}
	// Ids that clients chose are passed over; few are between those of about now.
	with := kv.Query{
		Collection: kv.Commands, Partition: account, Reverse: true, Expect: expect,
		From: idOf(now.Add(-chat.ReportAge - commandMargin)), To: idOf(now.Add(chat.ReportAge)),
	}
	if before != "" {
		with.To = min(with.To, before)
	}
	return newestFirst(s.entriesOf(ctx, alone, reportOf), s.entriesOf(ctx, with, func(it *kv.Item) (chat.Report, bool, error) {
		c, err := storedCommandOf(it)
		if err != nil || c.Entry == nil || it.Expires <= now.Add(commandMargin).Unix() {
			return chat.Report{}, false, err
		}
		return c.report(), true, nil
	}))
}

// idOf is the least id of a time.
func idOf(at time.Time) string {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(at)) // it holds for 8,000 years
	return id.String()
}

func reportOf(it *kv.Item) (r chat.Report, ok bool, err error) {
	r, err = jsonOf[chat.Report](it)
	return r, true, err
}

func (s *Store) entriesOf(
	ctx context.Context, q kv.Query, read func(*kv.Item) (chat.Report, bool, error),
) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for it, err := range s.kv.Query(ctx, q) {
			e, ok := entry{item: it}, true
			if err == nil {
				e.report, ok, err = read(&it)
			}
			if (ok || err != nil) && !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// newestFirst merges two that are newest first, up to the first error.
func newestFirst(a, b iter.Seq2[entry, error]) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		next, stop := iter.Pull2(b)
		defer stop()
		other, err, there := next()
		for e, failed := range a {
			for there && err == nil && failed == nil && other.report.ID > e.report.ID {
				if !yield(other, nil) {
					return
				}
				other, err, there = next()
			}
			if !yield(e, cmp.Or(err, failed)) || err != nil || failed != nil {
				return
			}
		}
		for ; there; other, err, there = next() {
			if !yield(other, err) || err != nil {
				return
			}
		}
	}
}

// complete adds to entries how their commands have ended.
func (s *Store) complete(ctx context.Context, account string, entries []*entry) error {
	var pending []*chat.Report
	var keys []kv.Key
	for _, e := range entries {
		if r := &e.report; e.item.Collection == kv.Reports && !r.Finished() {
			key := commandKey(account, r.CommandID)
			if r.Batch != "" {
				key = batchKey(account, batchRecord+r.Batch)
			}
			pending, keys = append(pending, r), append(keys, key)
		}
	}
	found, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return err
	}
	for i, it := range found {
		if it == nil {
			continue
		}
		r := pending[i]
		if r.Batch != "" {
			if err := s.ofBatch(r, it); err != nil {
				return err
			}
			continue
		}
		c, err := commandOf(it)
		if err != nil {
			return err
		}
		if r.Command, r.EndedAt = c.State, c.EndedAt; c.Failure != nil {
			r.Error = c.Failure.Code
		}
	}
	return nil
}

// ofBatch completes the entry of a batch.
func (s *Store) ofBatch(r *chat.Report, it *kv.Item) error {
	b, err := jsonOf[chat.Batch](it)
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
	found, next, err := page(s.entries(ctx, account, before, p.Limit+1), p.Limit, reportCursor, func(e *entry) string {
		return e.report.ID
	})
	if err == nil {
		err = s.complete(ctx, account, found)
	}
	if err != nil {
		return nil, "", failed("list reports", err)
	}
	reports = make([]chat.Report, len(found))
	for i, e := range found {
		reports[i] = e.report
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
	return failed("clear reports", retryOnConflict(ctx, func() error { // a command may end meanwhile
		var some []*entry
		for e, err := range s.entries(ctx, account, "", 0) {
			if err != nil {
				return err
			}
			if some = append(some, &e); len(some) < clearPage {
				continue
			}
			if err := s.clear(ctx, account, some, all, now); err != nil {
				return err
			}
			some = some[:0]
		}
		return s.clear(ctx, account, some, all, now)
	}))
}

// clear takes entries out of the log. Commands stay, so that none happens twice.
func (s *Store) clear(ctx context.Context, account string, entries []*entry, all bool, now time.Time) error {
	if !all {
		if err := s.complete(ctx, account, entries); err != nil {
			return err
		}
	}
	var ops []kv.Op
	for _, e := range entries {
		it, r := &e.item, &e.report
		switch {
		case !all && !r.Finished() && !r.Lost(now):
		case it.Collection == kv.Reports:
			ops = append(ops, kv.Delete(it.Key, kv.Always(), 0))
		default:
			c, err := commandOf(it)
			if err != nil {
				return err
			}
			data, err := marshal(storedCommand{CommandRecord: c})
			if err != nil {
				return fmt.Errorf("encode command: %w", err)
			}
			ops = append(ops, kv.Put(kv.Item{Key: it.Key, Data: data, Expires: it.Expires}, kv.Unchanged(it.Version)))
		}
	}
	return s.kv.Write(ctx, kv.Each(ops...))
}
