package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

// TestPlacesOfBatches: a place whose batch is no more is given to the next one, open batches are listed by when they were asked
// for, and the account's owner alone tells how far they are.
func TestPlacesOfBatches(t *testing.T) {
	db := openFile(t, sqlite.Options{Now: storetest.Now})
	s := store.New(db, store.Options{Compression: store.S2, Now: storetest.Now})
	ctx, account := t.Context(), newAccount(t, s)
	create := func(minute int) chat.Batch {
		t.Helper()
		b, created, err := s.CreateBatch(ctx, chat.Batch{
			ID: ulid.Make().String(), Account: account, Total: 1, Chunk: chat.BatchChunk, State: chat.BatchQueued,
			RequestedAt: noon.Add(time.Duration(minute) * time.Minute),
		}, noon)
		if err != nil || !created {
			t.Fatal(created, err)
		}
		return b
	}
	var all []chat.Batch
	for i := range chat.MaxOpenBatches {
		all = append(all, create((i*7)%chat.MaxOpenBatches))
	}
	gone := all[:3]
	for _, b := range gone {
		key := kv.Key{Collection: kv.Commands, Partition: "batches/" + account, Sort: "b/" + b.ID}
		if err := db.Write(ctx, kv.Each(kv.Delete(key, kv.Present(), 0))); err != nil {
			t.Fatal(err)
		}
	}
	opens := func(want int) {
		t.Helper()
		open, err := s.OpenBatches(ctx, account)
		if err != nil || len(open) != want {
			t.Fatalf("%d are open, want %d, %v", len(open), want, err)
		}
		for i := range open {
			if i > 0 && open[i].RequestedAt.Before(open[i-1].RequestedAt) {
				t.Errorf("batch %d was asked for before batch %d", i, i-1)
			}
		}
	}
	opens(chat.MaxOpenBatches - len(gone))
	for range gone {
		create(30)
	}
	opens(chat.MaxOpenBatches)
	more := chat.Batch{ID: ulid.Make().String(), Account: account, State: chat.BatchQueued}
	if _, _, err := s.CreateBatch(ctx, more, noon); chat.CodeOf(err) != chat.TooManyBatches {
		t.Errorf("one more: %v", err)
	}

	start, err := s.End(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	last, owner, told := all[9].ID, s.WithToken(3), ""
	end := func(by *store.Store) {
		t.Helper()
		err := by.UpdateBatch(ctx, account, last, func(b *chat.Batch) error { b.Stop(chat.BatchCancelled, nil, noon); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	end(s)
	end(owner)
	done := map[int]chat.Result{0: {State: chat.OperationDone, At: noon}}
	if _, err := owner.EndOperations(ctx, account, last, 0, done); err != nil {
		t.Fatal(err)
	}
	entries, _, err := s.After(ctx, account, start, 10)
	for _, e := range entries {
		told += fmt.Sprintf("%s %d/%d ", e.Batch.State, e.Batch.Done, e.Batch.Total)
	}
	if want := "cancelled 0/1 cancelled 1/1 "; err != nil || told != want {
		t.Errorf("told %q, want %q, %v", told, want, err)
	}
	opens(chat.MaxOpenBatches - 1)
}
