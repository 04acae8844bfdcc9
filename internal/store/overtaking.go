package store

import (
	"context"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// batchWish is what a command has set while batches were open, in their partition.
const batchWish = "w/"

func wishKey(account string, w chat.Wish) kv.Key {
	return batchKey(account, batchWish+string(w.Chat)+"/"+string(w.Setting)+"/"+keyID(w.Message))
}

// Overtake implements chat.Batches. Which batches are open is read each time: a host may have begun just now.
func (s *Store) Overtake(ctx context.Context, account string, at time.Time, wishes ...chat.Wish) error {
	open := false
	q := kv.Query{Collection: kv.Commands, Partition: "batches/" + account, KeysOnly: true, Expect: 1}.Prefix(batchOpen)
	for _, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return failed("look for open batches", err)
		}
		open = true
		break
	}
	if !open {
		return nil
	}
	var ops []kv.Op
	for _, w := range wishes {
		ops = append(ops, kv.Put(kv.Item{
			Key: wishKey(account, w), Fields: map[string]int64{fieldAt: at.UnixMilli()}, Expires: s.batchExpires(s.now()),
		}, kv.Always()))
	}
	return failed("note what a command has set", s.kv.Write(ctx, kv.Each(ops...)))
}

// Overtaken implements chat.Batches.
func (s *Store) Overtaken(ctx context.Context, account string, wishes []chat.Wish) ([]time.Time, error) {
	keys := make([]kv.Key, len(wishes))
	for i, w := range wishes {
		keys[i] = wishKey(account, w)
	}
	items, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, failed("look for what commands have set", err)
	}
	at := make([]time.Time, len(wishes))
	for i, it := range items {
		if it != nil {
			at[i] = time.UnixMilli(it.Fields[fieldAt])
		}
	}
	return at, nil
}

// Overtakes implements chat.Batches.
func (s *Store) Overtakes(ctx context.Context, account string, after time.Time) (bool, error) {
	for it, err := range s.kv.Query(ctx, kv.Query{Collection: kv.Commands, Partition: "batches/" + account}.Prefix(batchWish)) {
		if err != nil {
			return false, failed("look for what commands have set", err)
		}
		if it.Fields[fieldAt] > after.UnixMilli() {
			return true, nil
		}
	}
	return false, nil
}
