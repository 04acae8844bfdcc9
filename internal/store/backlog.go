package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// An item of work that doesn't fit into one of kv's goes on in parts.
const (
	workItem    = "i/"
	workPart    = "p/"
	workParts   = "parts" // after the first
	largestPart = 350 << 10
)

func backlogPartition(account string) string { return "backlog/" + account }

func workKey(account, id string) kv.Key {
	return kv.Key{Collection: kv.Work, Partition: backlogPartition(account), Sort: workItem + keyID(id)}
}

func partKey(account string, arrival ulid.ULID, part int) kv.Key {
	sort := fmt.Sprintf("%s%s/%d", workPart, arrival, part)
	return kv.Key{Collection: kv.Work, Partition: backlogPartition(account), Sort: sort}
}

// work is what an item's data holds: when it arrived, its id, and its first part.
type work struct {
	arrival ulid.ULID
	id      string
	parts   int
	data    []byte
}

func (w *work) encode() []byte {
	b := slices.Concat(w.arrival[:], []byte{byte(len(w.id) >> 8), byte(len(w.id))}, []byte(w.id))
	return append(b, w.data...)
}

func workOf(it *kv.Item) (w work, err error) {
	const head = len(w.arrival) + 2
	if len(it.Data) < head {
		return w, errCorrupt
	}
	size := int(it.Data[head-2])<<8 | int(it.Data[head-1])
	if len(it.Data) < head+size {
		return w, errCorrupt
	}
	copy(w.arrival[:], it.Data)
	w.id, w.data, w.parts = string(it.Data[head:head+size]), it.Data[head+size:], int(it.Fields[workParts])
	return w, nil
}

const maxWorkID = 16 << 10 // bytes

// PutBacklog implements chat.Backlog. The parts come before the item that counts them.
func (s *Store) PutBacklog(ctx context.Context, account, id string, data []byte) error {
	if len(id) > maxWorkID {
		return fmt.Errorf("put work: an id of %d bytes", len(id))
	}
	there, err := s.get(ctx, workKey(account, id))
	if err != nil || there != nil {
		return failed("put work", err)
	}
	arrival, err := ulid.New(ulid.Timestamp(s.now()), s.arrivals)
	if err != nil {
		return failed("put work", err)
	}
	w := work{arrival: arrival, id: id, data: data[:min(len(data), largestPart)]}
	var parts []kv.Op
	for part := range slices.Chunk(data[len(w.data):], largestPart) {
		it := kv.Item{Key: partKey(account, w.arrival, w.parts), Data: part, Token: s.token}
		parts = append(parts, kv.Put(it, kv.Always()))
		w.parts++
	}
	it := kv.Item{Key: workKey(account, id), Data: w.encode(), Token: s.token, Fields: map[string]int64{workParts: int64(w.parts)}}
	var steps []kv.Step
	for _, part := range parts {
		steps = append(steps, kv.Each(part))
	}
	err = s.kv.Write(ctx, append(steps, kv.Together(kv.Put(it, kv.Absent()), s.accountExists(account)))...)
	if !errors.Is(err, kv.ErrConflict) {
		return failed("put work", err)
	}
	// Somebody else has put it, or the account is no more.
	if err = s.deleteParts(ctx, account, &w); err == nil {
		_, _, err = s.account(ctx, account, kv.Strong)
	}
	return failed("put work", err)
}

// ListBacklog implements chat.Backlog.
func (s *Store) ListBacklog(ctx context.Context, account string) ([]chat.BacklogItem, error) {
	q := kv.Query{Collection: kv.Work, Partition: backlogPartition(account)}
	var all []work
	for it, err := range s.kv.Query(ctx, q.Prefix(workItem)) {
		if err != nil {
			return nil, failed("list work", err)
		}
		w, err := workOf(&it)
		if err != nil {
			return nil, failed("list work", err)
		}
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b work) int { return cmp.Or(a.arrival.Compare(b.arrival), cmp.Compare(a.id, b.id)) })
	backlog := make([]chat.BacklogItem, 0, len(all))
	for i := range all {
		data, done, err := s.join(ctx, account, &all[i])
		if err != nil {
			return nil, failed("get work", err)
		}
		if !done {
			backlog = append(backlog, chat.BacklogItem{ID: all[i].id, Data: data})
		}
	}
	return backlog, nil
}

// join reads the other parts of an item, or finds that it was done meanwhile.
func (s *Store) join(ctx context.Context, account string, w *work) (data []byte, done bool, err error) {
	if w.parts == 0 {
		return w.data, false, nil
	}
	keys := make([]kv.Key, w.parts)
	for i := range keys {
		keys[i] = partKey(account, w.arrival, i)
	}
	parts, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, false, err
	}
	data = slices.Clone(w.data)
	for _, part := range parts {
		if part == nil {
			return nil, true, nil
		}
		data = append(data, part.Data...)
	}
	return data, false, nil
}

// DeleteBacklog implements chat.Backlog. The parts go after the item that counts them.
func (s *Store) DeleteBacklog(ctx context.Context, account, id string) error {
	it, err := s.get(ctx, workKey(account, id))
	if err != nil || it == nil {
		return failed("delete work", err)
	}
	w, err := workOf(it)
	if err == nil {
		err = s.kv.Write(ctx, kv.Each(kv.Delete(it.Key, kv.Always(), s.token)))
	}
	if err == nil {
		err = s.deleteParts(ctx, account, &w)
	}
	return failed("delete work", err)
}

func (s *Store) deleteParts(ctx context.Context, account string, w *work) error {
	ops := make([]kv.Op, w.parts)
	for i := range ops {
		ops[i] = kv.Delete(partKey(account, w.arrival, i), kv.Always(), s.token)
	}
	return s.kv.Write(ctx, kv.Each(ops...))
}
