package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// What stands in the partition of an account's batches: the batches themselves, by which key a client repeats one, which are
// open, and of each chunk its operations and how they ended.
const (
	batchRecord = "b/"
	batchRepeat = "k/"
	batchOpen   = "u/"
	batchChunk  = "o/"
	batchResult = "r/"
)

func batchKey(account, sort string) kv.Key {
	return kv.Key{Collection: kv.Commands, Partition: "batches/" + account, Sort: sort}
}

func chunkSort(prefix, id string, chunk int) string {
	return fmt.Sprintf("%s%s/%04d", prefix, id, chunk)
}

func (s *Store) batchExpires(from time.Time) int64 {
	return from.Add(chat.ReportAge + commandMargin).Unix()
}

// operationsTogether is how many chunks are written at a time.
const operationsTogether = 25

// PutOperations implements chat.Batches.
func (s *Store) PutOperations(ctx context.Context, account, id string, all []chat.Operation) error {
	var ops []kv.Op
	n := 0
	for chunk := range slices.Chunk(all, chat.BatchChunk) {
		data, err := s.pack(chunk)
		if err != nil {
			return failed("put operations", err)
		}
		ops = append(ops, kv.Put(kv.Item{
			Key: batchKey(account, chunkSort(batchChunk, id, n)), Data: data, Expires: s.batchExpires(s.now()),
		}, kv.Always()))
		n++
	}
	var steps []kv.Step
	for some := range slices.Chunk(ops, operationsTogether) {
		steps = append(steps, kv.Each(some...))
	}
	return failed("put operations", s.kv.Write(ctx, steps...))
}

// Batch implements chat.BatchReader.
func (s *Store) Batch(ctx context.Context, account, id string) (chat.Batch, error) {
	b, _, err := s.batch(ctx, account, id)
	return b, failed("get batch", err)
}

func (s *Store) batch(ctx context.Context, account, id string) (b chat.Batch, it kv.Item, err error) {
	it, err = s.kv.Get(ctx, batchKey(account, batchRecord+keyID(id)), kv.Strong)
	if errors.Is(err, kv.ErrNotFound) {
		return b, it, &chat.Error{Code: chat.BatchNotFound}
	}
	if err == nil {
		b, err = jsonOf[chat.Batch](&it)
	}
	return b, it, err
}

func (s *Store) putBatch(b chat.Batch, c kv.Condition) (kv.Op, error) {
	data, err := marshal(b)
	return kv.Put(kv.Item{
		Key: batchKey(b.Account, batchRecord+keyID(b.ID)), Data: data, Expires: s.batchExpires(b.RequestedAt),
	}, c), err
}

// CreateBatch implements chat.Batches.
func (s *Store) CreateBatch(ctx context.Context, b chat.Batch, now time.Time) (stored chat.Batch, created bool, err error) {
	err = retryOnConflict(ctx, func() error {
		if stored, err = s.repeated(ctx, b); chat.CodeOf(err) != chat.BatchNotFound {
			return err
		}
		if b.Slot, err = s.freeSlot(ctx, b.Account, now); err != nil {
			return err
		}
		put, err := s.putBatch(b, kv.Absent())
		if err != nil {
			return err
		}
		ops := []kv.Op{put}
		if b.Open() {
			slot := kv.Item{Key: batchKey(b.Account, batchOpen+b.Slot), Data: []byte(b.ID), Expires: put.Item.Expires}
			ops = append(ops, kv.Put(slot, kv.Absent()))
		}
		if b.Key != "" {
			repeat := kv.Item{Key: batchKey(b.Account, batchRepeat+keyID(b.Key)), Data: []byte(b.ID), Expires: put.Item.Expires}
			ops = append(ops, kv.Put(repeat, kv.Absent()))
		}
		if err := s.kv.Write(ctx, kv.Together(ops...)); err != nil {
			return err
		}
		stored, created = b, true
		return nil
	})
	if err != nil {
		return chat.Batch{}, false, failed("create batch", err)
	}
	return stored, created, nil
}

// BatchOf implements chat.Batches.
func (s *Store) BatchOf(ctx context.Context, account, key string) (chat.Batch, error) {
	b, err := s.repeated(ctx, chat.Batch{Account: account, Key: key})
	return b, failed("find batch", err)
}

// repeated is the batch that the account has with the key or the id of another.
func (s *Store) repeated(ctx context.Context, b chat.Batch) (chat.Batch, error) {
	id := b.ID
	if b.Key != "" {
		it, err := s.get(ctx, batchKey(b.Account, batchRepeat+keyID(b.Key)))
		if err != nil {
			return chat.Batch{}, err
		}
		if it != nil {
			id = string(it.Data)
		}
	}
	if id == "" {
		return chat.Batch{}, &chat.Error{Code: chat.BatchNotFound}
	}
	stored, _, err := s.batch(ctx, b.Account, id)
	return stored, err
}

// freeSlot is a place for one more open batch. Where there is none, those are ended that nobody goes on with.
func (s *Store) freeSlot(ctx context.Context, account string, now time.Time) (string, error) {
	taken := make(map[string]string)
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Commands, Partition: "batches/" + account}.Prefix(batchOpen)) {
		if err != nil {
			return "", err
		}
		taken[it.Sort[len(batchOpen):]] = string(it.Data)
	}
	for i := range chat.MaxOpenBatches {
		if slot := strconv.Itoa(i); taken[slot] == "" {
			return slot, nil
		}
	}
	for slot, id := range taken {
		b, _, err := s.batch(ctx, account, id)
		if err != nil && chat.CodeOf(err) != chat.BatchNotFound {
			return "", err
		}
		if err != nil {
			err = s.kv.Write(ctx, kv.Each(kv.Delete(batchKey(account, batchOpen+slot), kv.Always(), 0)))
			if err == nil {
				err = kv.ErrConflict // look again
			}
			return "", err
		}
		if b.Lost(now) {
			err := s.UpdateBatch(ctx, account, id, func(b *chat.Batch) error { *b = b.At(now); return nil })
			if err == nil {
				err = kv.ErrConflict // likewise
			}
			return "", err
		}
	}
	return "", &chat.Error{Code: chat.TooManyBatches}
}

// UpdateBatch implements chat.Batches.
func (s *Store) UpdateBatch(ctx context.Context, account, id string, change func(*chat.Batch) error) error {
	var changed chat.Batch
	err := retryOnConflict(ctx, func() error {
		b, it, err := s.batch(ctx, account, id)
		if err != nil {
			return err
		}
		ops, err := s.changeBatch(b, &it, func(b *chat.Batch) error {
			err := change(b)
			changed = *b
			return err
		})
		if err != nil {
			return err
		}
		return s.kv.Write(ctx, kv.Together(ops...))
	})
	if err == nil {
		err = s.tellBatch(ctx, account, changed)
	}
	return failed("update batch", err)
}

// tellBatch tells how far a batch is, as its account's owner.
func (s *Store) tellBatch(ctx context.Context, account string, b chat.Batch) error {
	if !s.owns() {
		return nil
	}
	progress := chat.FeedProgress{ID: b.ID, State: string(b.State), Total: b.Total, Done: b.Done, Failed: b.Failed}
	return s.AppendFeed(ctx, account, chat.FeedEntry{Kind: chat.FeedBatch, Batch: &progress})
}

// changeBatch is what a change of a stored batch writes.
func (s *Store) changeBatch(b chat.Batch, it *kv.Item, change func(*chat.Batch) error) ([]kv.Op, error) {
	open := b.Open()
	if err := change(&b); err != nil {
		return nil, err
	}
	put, err := s.putBatch(b, kv.Unchanged(it.Version))
	ops := []kv.Op{put}
	if open && !b.Open() {
		ops = append(ops, kv.Delete(batchKey(b.Account, batchOpen+b.Slot), kv.Always(), 0))
	}
	return ops, err
}

// ListBatches implements chat.BatchReader. The ids order them by time.
func (s *Store) ListBatches(ctx context.Context, account string, p chat.Page) (batches []chat.Batch, next string, err error) {
	before, err := openCursor(batchCursor, p.Cursor, validReport)
	if err != nil {
		return nil, "", err
	}
	q := kv.Query{Collection: kv.Commands, Partition: "batches/" + account, Reverse: true,
		Expect: p.Limit + 1}.Prefix(batchRecord)
	if before != "" {
		q.To = batchRecord + before
	}
	items, next, err := page(s.kv.Query(ctx, q), p.Limit, batchCursor, func(it *kv.Item) string {
		return strings.TrimPrefix(it.Sort, batchRecord)
	})
	if err == nil {
		batches, err = allOf[chat.Batch](items)
	}
	return batches, next, failed("list batches", err)
}

// OpenBatches implements chat.Batches.
func (s *Store) OpenBatches(ctx context.Context, account string) ([]chat.Batch, error) {
	var keys []kv.Key
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Commands, Partition: "batches/" + account}.Prefix(batchOpen)) {
		if err != nil {
			return nil, failed("list open batches", err)
		}
		keys = append(keys, batchKey(account, batchRecord+keyID(string(it.Data))))
	}
	items, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, failed("list open batches", err)
	}
	open, err := allOf[chat.Batch](items)
	open = slices.DeleteFunc(open, func(b chat.Batch) bool { return !b.Open() })
	slices.SortFunc(open, func(a, b chat.Batch) int { return a.RequestedAt.Compare(b.RequestedAt) })
	return open, failed("list open batches", err)
}

// Operations implements chat.BatchReader.
func (s *Store) Operations(ctx context.Context, account, id string, chunk int) ([]chat.Operation, []chat.Result, error) {
	items, err := s.kv.GetMany(ctx, []kv.Key{
		batchKey(account, chunkSort(batchChunk, id, chunk)), batchKey(account, chunkSort(batchResult, id, chunk)),
	})
	if err != nil {
		return nil, nil, failed("get operations", err)
	}
	if items[0] == nil {
		return nil, nil, &chat.Error{Code: chat.BatchNotFound}
	}
	all, err := packedOf[[]chat.Operation](items[0])
	if err != nil {
		return nil, nil, failed("get operations", err)
	}
	results, err := resultsOf(items[1], len(all))
	return all, results, failed("get operations", err)
}

// ended is how operations ended, as it is stored: one after the other as long as they ended at one time in one way.
type ended struct {
	Place  int                 `json:"p"`
	Count  int                 `json:"n"`
	State  chat.OperationState `json:"s"`
	At     int64               `json:"t"` // ms since 1970
	Reason *chat.Error         `json:"r,omitempty"`
}

// resultsOf reads the results of a chunk; it is nil where nothing has ended.
func resultsOf(it *kv.Item, least int) ([]chat.Result, error) {
	results := make([]chat.Result, least)
	runs, err := packedOf[[]ended](it)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if run.Place < 0 || run.Count < 0 || run.Place+run.Count > chat.BatchChunk {
			return nil, errCorrupt
		}
		for i := run.Place; i < run.Place+run.Count; i++ {
			for len(results) <= i {
				results = append(results, chat.Result{})
			}
			results[i] = chat.Result{State: run.State, Failure: run.Reason, At: time.UnixMilli(run.At)}
		}
	}
	return results, nil
}

func (s *Store) encodeResults(results []chat.Result) ([]byte, error) {
	var runs []ended
	for i, r := range results {
		if r.State == "" {
			continue
		}
		if n := len(runs) - 1; n >= 0 {
			last := &runs[n]
			same := last.Reason == r.Failure || last.Reason != nil && r.Failure != nil && *last.Reason == *r.Failure
			if last.Place+last.Count == i && last.State == r.State && last.At == r.At.UnixMilli() && same {
				last.Count++
				continue
			}
		}
		runs = append(runs, ended{i, 1, r.State, r.At.UnixMilli(), r.Failure})
	}
	return s.pack(runs)
}

// EndOperations implements chat.Batches.
func (s *Store) EndOperations(
	ctx context.Context, account, id string, chunk int, results map[int]chat.Result,
) (b chat.Batch, err error) {
	key := batchKey(account, chunkSort(batchResult, id, chunk))
	err = retryOnConflict(ctx, func() error {
		read, err := s.kv.GetMany(ctx, []kv.Key{batchKey(account, batchRecord+keyID(id)), key})
		if err != nil {
			return err
		}
		if read[0] == nil {
			return &chat.Error{Code: chat.BatchNotFound}
		}
		if b, err = jsonOf[chat.Batch](read[0]); err != nil {
			return err
		}
		have, err := resultsOf(read[1], 0)
		if err != nil {
			return err
		}
		var fresh []chat.Result
		for place, r := range results {
			if place < 0 || place >= chat.BatchChunk {
				return fmt.Errorf("no operation %d in a chunk", place)
			}
			for len(have) <= place {
				have = append(have, chat.Result{})
			}
			if have[place].State == "" {
				have[place] = r
				fresh = append(fresh, r)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		ops, err := s.changeBatch(b, read[0], func(changed *chat.Batch) error {
			for _, r := range fresh {
				changed.Count(r)
			}
			b = *changed
			return nil
		})
		if err != nil {
			return err
		}
		data, err := s.encodeResults(have)
		if err != nil {
			return err
		}
		it := kv.Item{Key: key, Data: data, Expires: s.batchExpires(b.RequestedAt)}
		return s.kv.Write(ctx, kv.Together(append(ops, kv.Put(it, kv.As(read[1])))...))
	})
	if err == nil {
		err = s.tellBatch(ctx, account, b)
	}
	return b, failed("end operations", err)
}
