package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
)

// BatchStore is what the suite of batches works on.
type BatchStore interface {
	chat.Batches
	chat.Reports
	DeleteCommands(ctx context.Context, account string) error
}

// Batches checks an adapter of the batches.
func Batches(t *testing.T, open func(*testing.T) BatchStore) {
	runAll(t, open, []test[BatchStore]{
		{"Create", createBatch},
		{"CreateAgain", createBatchAgain},
		{"CreateTogether", createBatchTogether},
		{"Operations", batchOperations},
		{"EndTogether", endOperationsTogether},
		{"Places", batchPlaces},
		{"Stop", stopBatch},
		{"List", listBatches},
		{"Accounts", batchesOfAccounts},
		{"Overtake", overtakeBatch},
	})
}

func newBatch(account string, total int) chat.Batch {
	return chat.Batch{
		ID: ulid.Make().String(), Account: account, Rate: 10, Total: total, Chunk: chat.BatchChunk, State: chat.BatchQueued, RequestedAt: noon,
	}
}

// operationsOf are so many, each of another chat, with all that an operation may have.
func operationsOf(n int) (all []chat.Operation) {
	for i := range n {
		all = append(all, chat.Operation{
			Op: chat.ClearCommand, Chat: chat.JID(fmt.Sprintf("%d@s.whatsapp.net", 6281200000000+i)), Starred: chat.DeleteStarred,
			Through: &chat.Through{Time: noon.Unix(), Order: int64(i), ID: strings.Repeat("Ж", i%50) + "3EB0"}, Line: i + 1,
		})
	}
	return all
}

func create(t *testing.T, ctx context.Context, batches BatchStore, b chat.Batch) chat.Batch {
	t.Helper()
	ok(t, "put operations", batches.PutOperations(ctx, b.Account, b.ID, operationsOf(b.Total)))
	stored, created, err := batches.CreateBatch(ctx, b, noon)
	ok(t, "create", err)
	if !created {
		t.Fatalf("batch %s wasn't created", b.ID)
	}
	return stored
}

func createBatch(t *testing.T, ctx context.Context, batches BatchStore) {
	b := newBatch(newTenant(t, batches), 1001)
	_, err := batches.Batch(ctx, b.Account, b.ID)
	wantCode(t, "a batch before it is created", err, chat.BatchNotFound)
	_, _, err = batches.Operations(ctx, b.Account, b.ID, 0)
	wantCode(t, "operations before they are put", err, chat.BatchNotFound)
	stored := create(t, ctx, batches, b)
	got, err := batches.Batch(ctx, b.Account, b.ID)
	ok(t, "get", err)
	wantSame(t, "the batch", got, stored)
	var all []chat.Operation
	for n := range b.Chunks() {
		some, results, err := batches.Operations(ctx, b.Account, b.ID, n)
		ok(t, "operations", err)
		if len(results) != len(some) || len(some) > chat.BatchChunk {
			t.Fatalf("%d results of %d operations", len(results), len(some))
		}
		for _, r := range results {
			if r.State != "" {
				t.Fatalf("an operation ended %+v", r)
			}
		}
		all = append(all, some...)
	}
	wantSame(t, "the operations", all, operationsOf(1001))
	_, _, err = batches.Operations(ctx, b.Account, b.ID, b.Chunks())
	wantCode(t, "one chunk more", err, chat.BatchNotFound)
	open, err := batches.OpenBatches(ctx, b.Account)
	ok(t, "open", err)
	wantSame(t, "the open batches", open, []chat.Batch{stored})
}

func createBatchAgain(t *testing.T, ctx context.Context, batches BatchStore) {
	b := newBatch(newTenant(t, batches), 3)
	b.Key = "a.client's~key!/#?%"
	_, err := batches.BatchOf(ctx, b.Account, b.Key)
	wantCode(t, "a key before", err, chat.BatchNotFound)
	stored := create(t, ctx, batches, b)
	other := newBatch(b.Account, 7)
	other.Key = b.Key
	got, created, err := batches.CreateBatch(ctx, other, noon)
	ok(t, "create again", err)
	if created {
		t.Error("a key made two batches")
	}
	wantSame(t, "what is stored", got, stored)
	got, err = batches.BatchOf(ctx, b.Account, b.Key)
	ok(t, "batch of the key", err)
	wantSame(t, "the batch of the key", got, stored)
	_, err = batches.Batch(ctx, other.Account, other.ID)
	wantCode(t, "the other batch", err, chat.BatchNotFound)
	again := b
	again.Key = ""
	got, created, err = batches.CreateBatch(ctx, again, noon)
	ok(t, "create the same id", err)
	if created || got.Key != b.Key {
		t.Errorf("an id made two batches: %+v", got)
	}
}

func createBatchTogether(t *testing.T, ctx context.Context, batches BatchStore) {
	account := newTenant(t, batches)
	var creations, refusals atomic.Int32
	ok(t, "create", together(14, func(i int) error {
		b := newBatch(account, 1)
		if i < 3 {
			b.Key = "same"
		}
		var created bool
		err := untilAvailable(func() (err error) { _, created, err = batches.CreateBatch(ctx, b, noon); return err })
		if created {
			creations.Add(1)
		}
		if chat.CodeOf(err) == chat.TooManyBatches {
			refusals.Add(1)
			err = nil
		}
		return err
	}))
	open, err := batches.OpenBatches(ctx, account)
	ok(t, "open", err)
	if len(open) != chat.MaxOpenBatches || creations.Load() != chat.MaxOpenBatches || refusals.Load() < 2 {
		t.Errorf("%d are open, %d were created, %d refused", len(open), creations.Load(), refusals.Load())
	}
}

func batchOperations(t *testing.T, ctx context.Context, batches BatchStore) {
	b := create(t, ctx, batches, newBatch(newTenant(t, batches), 600))
	_, err := batches.EndOperations(ctx, b.Account, ulid.Make().String(), 0,
		map[int]chat.Result{0: {State: chat.OperationDone, At: noon}})
	wantCode(t, "end of no batch's", err, chat.BatchNotFound)
	refused := &chat.Error{Code: chat.WhatsAppRejected, Message: "406"}
	at := noon.Add(time.Second)
	b, err = batches.EndOperations(ctx, b.Account, b.ID, 1, map[int]chat.Result{
		0: {State: chat.OperationDone, At: at}, 1: {State: chat.OperationDone, At: at},
		2: {State: chat.OperationFailed, Failure: refused, At: at},
		7: {State: chat.OperationOvertaken, At: at.Add(time.Second)},
	})
	ok(t, "end", err)
	if b.State != chat.BatchRunning || b.Done != 2 || b.Failed != 1 || b.Overtaken != 1 || b.Pending() != 596 ||
		!b.StartedAt.Equal(at) && !b.StartedAt.Equal(at.Add(time.Second)) || !b.ProgressAt.Equal(at.Add(time.Second)) {
		t.Errorf("batch is %+v", b)
	}
	again, err := batches.EndOperations(ctx, b.Account, b.ID, 1, map[int]chat.Result{
		2: {State: chat.OperationDone, At: at.Add(time.Hour)}, 3: {State: chat.OperationDone, At: at},
	})
	ok(t, "end again", err)
	if again.Done != 3 || again.Failed != 1 {
		t.Errorf("a second end was counted: %+v", again)
	}
	_, results, err := batches.Operations(ctx, b.Account, b.ID, 1)
	ok(t, "operations", err)
	if r := results[2]; r.State != chat.OperationFailed || r.Failure == nil || *r.Failure != *refused || !r.At.Equal(at) {
		t.Errorf("the refused one ended %+v", r)
	}
	if len(results) != 100 || results[3].State != chat.OperationDone || results[4].State != "" ||
		results[7].State != chat.OperationOvertaken {
		t.Errorf("results %+v", results[:8])
	}
	for _, place := range []int{-1, chat.BatchChunk} {
		result := map[int]chat.Result{place: {State: chat.OperationDone, At: at}}
		if _, err := batches.EndOperations(ctx, b.Account, b.ID, 0, result); err == nil {
			t.Errorf("operation %d of a chunk ended", place)
		}
	}
	again, err = batches.EndOperations(ctx, b.Account, b.ID, 0, nil)
	ok(t, "end nothing", err)
	wantSame(t, "the batch behind nothing", again.Done, 3)
	rest := make(map[int]chat.Result)
	for i := range chat.BatchChunk {
		rest[i] = chat.Result{State: chat.OperationDone, At: at.Add(time.Minute)}
	}
	_, err = batches.EndOperations(ctx, b.Account, b.ID, 0, rest)
	ok(t, "end the first chunk", err)
	left := make(map[int]chat.Result)
	for i := range 100 {
		left[i] = chat.Result{State: chat.OperationDone, At: at.Add(time.Minute)}
	}
	b, err = batches.EndOperations(ctx, b.Account, b.ID, 1, left)
	ok(t, "end the rest", err)
	if b.State != chat.BatchDone || b.Done != 598 || b.Failed != 1 || b.Overtaken != 1 || !b.EndedAt.Equal(at.Add(time.Minute)) {
		t.Errorf("batch is %+v", b)
	}
	open, err := batches.OpenBatches(ctx, b.Account)
	ok(t, "open", err)
	if len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
}

func endOperationsTogether(t *testing.T, ctx context.Context, batches BatchStore) {
	b := create(t, ctx, batches, newBatch(newTenant(t, batches), 40))
	ok(t, "end", together(8, func(i int) error {
		return untilAvailable(func() error {
			results := make(map[int]chat.Result)
			for n := range 15 {
				results[(i*5+n)%40] = chat.Result{State: chat.OperationDone, At: noon}
			}
			_, err := batches.EndOperations(ctx, b.Account, b.ID, 0, results)
			return err
		})
	}))
	b, err := batches.Batch(ctx, b.Account, b.ID)
	ok(t, "get", err)
	if b.State != chat.BatchDone || b.Done != 40 {
		t.Errorf("batch is %+v", b)
	}
}

// batchPlaces: no more than MaxOpenBatches are open; one that ends makes room, and one that nobody goes on with.
func batchPlaces(t *testing.T, ctx context.Context, batches BatchStore) {
	account := newTenant(t, batches)
	var all []chat.Batch
	for i := range chat.MaxOpenBatches {
		all = append(all, create(t, ctx, batches, newBatch(account, 1+i%2)))
	}
	next := newBatch(account, 1)
	_, _, err := batches.CreateBatch(ctx, next, noon)
	wantCode(t, "one more", err, chat.TooManyBatches)
	_, err = batches.EndOperations(ctx, account, all[1].ID, 0, map[int]chat.Result{0: {State: chat.OperationDone, At: noon}})
	ok(t, "end a half of one", err)
	_, _, err = batches.CreateBatch(ctx, next, noon)
	wantCode(t, "one more beside a half", err, chat.TooManyBatches)
	_, err = batches.EndOperations(ctx, account, all[4].ID, 0, map[int]chat.Result{0: {State: chat.OperationDone, At: noon}})
	ok(t, "end one", err)
	create(t, ctx, batches, next)
	_, _, err = batches.CreateBatch(ctx, newBatch(account, 1), noon)
	wantCode(t, "one more again", err, chat.TooManyBatches)
	later := newBatch(account, 1)
	later.RequestedAt = noon.Add(2 * chat.CommandAge)
	stored, created, err := batches.CreateBatch(ctx, later, later.RequestedAt)
	ok(t, "create two days later", err)
	if !created || stored.Slot == "" {
		t.Errorf("it is %+v, created %v", stored, created)
	}
	open, err := batches.OpenBatches(ctx, account)
	ok(t, "open", err)
	wantSame(t, "what is open", len(open), chat.MaxOpenBatches)
}

func stopBatch(t *testing.T, ctx context.Context, batches BatchStore) {
	b := create(t, ctx, batches, newBatch(newTenant(t, batches), 10))
	report := chat.Report{ID: b.ID, Account: b.Account, At: noon, Endpoint: "createBatch", Batch: b.ID,
		Command: chat.CommandPending}
	ok(t, "report", batches.AddReport(ctx, report))
	reported := func(want chat.CommandState, code chat.Code) {
		t.Helper()
		reports, _, err := batches.ListReports(ctx, b.Account, chat.Page{Limit: 10})
		ok(t, "reports", err)
		if len(reports) != 1 || reports[0].Command != want || reports[0].Error != code ||
			reports[0].Lost(noon.Add(100*time.Hour)) {
			t.Errorf("reports %+v, want %s %q", reports, want, code)
		}
	}
	reported(chat.CommandPending, "")
	_, err := batches.EndOperations(ctx, b.Account, b.ID, 0, map[int]chat.Result{0: {State: chat.OperationDone, At: noon}})
	ok(t, "end", err)
	ok(t, "stop", batches.UpdateBatch(ctx, b.Account, b.ID, func(b *chat.Batch) error {
		b.Stop(chat.BatchFailed, &chat.Error{Code: chat.DeviceNotConnected, Message: "BANNED"}, noon)
		return nil
	}))
	reported(chat.CommandFailed, chat.DeviceNotConnected)
	ok(t, "stop again", batches.UpdateBatch(ctx, b.Account, b.ID, func(b *chat.Batch) error {
		b.Stop(chat.BatchCancelled, nil, noon)
		return nil
	}))
	// What was under way is recorded, and the batch stays as it ended.
	b, err = batches.EndOperations(ctx, b.Account, b.ID, 0, map[int]chat.Result{1: {State: chat.OperationDone, At: noon}})
	ok(t, "end after the stop", err)
	if b.State != chat.BatchFailed || b.Done != 2 || b.Unbegun() != 8 || b.Pending() != 0 {
		t.Errorf("batch is %+v", b)
	}
	open, err := batches.OpenBatches(ctx, b.Account)
	ok(t, "open", err)
	if len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
	err = batches.UpdateBatch(ctx, b.Account, "01ARZ3NDEKTSV4RRFFQ69G5FAV", func(*chat.Batch) error { return nil })
	wantCode(t, "update of none", err, chat.BatchNotFound)
	refused := &chat.Error{Code: chat.InvalidParameter}
	wantCode(t, "a change that fails", batches.UpdateBatch(ctx, b.Account, b.ID, func(*chat.Batch) error { return refused }),
		chat.InvalidParameter)
}

func listBatches(t *testing.T, ctx context.Context, batches BatchStore) {
	account := newTenant(t, batches)
	var want []string
	for i := range 25 {
		b := newBatch(account, 1)
		b.ID = ulid.MustNew(ulid.Timestamp(noon.Add(time.Duration(i)*time.Second)), ulid.DefaultEntropy()).String()
		b = create(t, ctx, batches, b)
		ok(t, "stop", batches.UpdateBatch(ctx, account, b.ID, func(b *chat.Batch) error {
			b.Stop(chat.BatchCancelled, nil,
				noon)
			return nil
		}))
		want = append([]string{b.ID}, want...)
	}
	for _, limit := range []int{1, 7, 25, 100} {
		var got []string
		for _, b := range walk(t, limit, func(p chat.Page) ([]chat.Batch, string,
			error) {
			return batches.ListBatches(ctx, account, p)
		}) {
			got = append(got, b.ID)
		}
		wantSame(t, "the batches", got, want)
	}
	for _, cursor := range madeUpCursors {
		_, _, err := batches.ListBatches(ctx, account, chat.Page{Limit: 1, Cursor: cursor})
		wantCode(t, "cursor "+cursor, err, chat.InvalidCursor)
	}
}

func batchesOfAccounts(t *testing.T, ctx context.Context, batches BatchStore) {
	mine, foreign := newTenant(t, batches), newTenant(t, batches)
	b := newBatch(mine, 2)
	b.Key = "key"
	create(t, ctx, batches, b)
	_, err := batches.Batch(ctx, foreign, b.ID)
	wantCode(t, "another account's batch", err, chat.BatchNotFound)
	_, err = batches.BatchOf(ctx, foreign, b.Key)
	wantCode(t, "another account's key", err, chat.BatchNotFound)
	_, _, err = batches.Operations(ctx, foreign, b.ID, 0)
	wantCode(t, "another account's operations", err, chat.BatchNotFound)
	other := b
	other.Account = foreign
	kept := create(t, ctx, batches, other)
	ok(t, "delete", batches.DeleteCommands(ctx, mine))
	_, err = batches.Batch(ctx, mine, b.ID)
	wantCode(t, "a deleted batch", err, chat.BatchNotFound)
	_, _, err = batches.Operations(ctx, mine, b.ID, 0)
	wantCode(t, "deleted operations", err, chat.BatchNotFound)
	got, err := batches.Batch(ctx, foreign, b.ID)
	ok(t, "get the other", err)
	wantSame(t, "the other account's", got, kept)
}

// overtakeBatch: what commands have set is noted while a batch is open, by setting, chat and message, and for each account.
func overtakeBatch(t *testing.T, ctx context.Context, batches BatchStore) {
	b := newBatch(newTenant(t, batches), 1)
	const jid, other = chat.JID("6281200000001@s.whatsapp.net"), chat.JID("6281200000002@s.whatsapp.net")
	long := strings.Repeat("Ж/", 700)
	noted := []chat.Wish{
		{Chat: jid, Setting: chat.MuteSetting}, {Chat: jid, Setting: chat.StarSetting, Message: "3EB0"},
		{Chat: jid, Setting: chat.StarSetting, Message: long},
	}
	asked := append(noted[:3:3], chat.Wish{Chat: other, Setting: chat.MuteSetting},
		chat.Wish{Chat: jid, Setting: chat.PinSetting},
		chat.Wish{Chat: jid, Setting: chat.StarSetting, Message: "3EB"}, noted[0])
	want := func(what string, account string, times ...time.Time) {
		t.Helper()
		at, err := batches.Overtaken(ctx, account, asked)
		ok(t, what, err)
		var latest time.Time
		for i := range asked {
			if !at[i].Equal(times[i]) {
				t.Errorf("%s: %v was set at %v, want %v", what, asked[i], at[i], times[i])
			}
			if at[i].After(latest) {
				latest = at[i]
			}
		}
		for after, want := range map[time.Time]bool{latest: false, latest.Add(-time.Millisecond): !latest.IsZero()} {
			if got, err := batches.Overtakes(ctx, account, after); err != nil || got != want {
				t.Errorf("%s: after %v %v, %v", what, after, got, err)
			}
		}
	}
	never := make([]time.Time, len(asked))
	first, second := noon.Add(time.Second), noon.Add(2*time.Second)
	ok(t, "overtake nothing", batches.Overtake(ctx, b.Account, first, noted...))
	want("without a batch", b.Account, never...)
	create(t, ctx, batches, b)
	ok(t, "overtake", batches.Overtake(ctx, b.Account, first, noted...))
	ok(t, "overtake again", batches.Overtake(ctx, b.Account, second, noted[1]))
	want("with one", b.Account, first, second, first, time.Time{}, time.Time{}, time.Time{}, first)
	want("another account's", newTenant(t, batches), never...)
	ok(t, "delete", batches.DeleteCommands(ctx, b.Account))
	want("after its account", b.Account, never...)
}
