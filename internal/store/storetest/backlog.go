package storetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"pesan/internal/chat"
)

// Backlog checks an adapter of the stored work.
func Backlog(t *testing.T, open func(*testing.T) chat.Backlog) {
	runAll(t, open, []test[chat.Backlog]{
		{"FirstArrivalFirst", listBacklog},
		{"Large", largeBacklog},
		{"PutTogether", putBacklogTogether},
		{"Accounts", backlogOfAccounts},
	})
}

func backlogIDs(t *testing.T, ctx context.Context, backlog chat.Backlog, account string) []string {
	t.Helper()
	items, err := backlog.ListBacklog(ctx, account)
	ok(t, "list", err)
	var ids []string
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	return ids
}

func listBacklog(t *testing.T, ctx context.Context, backlog chat.Backlog) {
	account := newTenant(t, backlog)
	wantSame(t, "an empty backlog", backlogIDs(t, ctx, backlog, account), []string(nil))
	big := bytes.Repeat([]byte{0, 0xff, '"', '\n'}, 20_000)
	for _, id := range []string{"c", "a", "b", "a/ü%"} {
		ok(t, "put", backlog.PutBacklog(ctx, account, id, append([]byte(id), big...)))
	}
	ok(t, "put again", backlog.PutBacklog(ctx, account, "a", []byte("other")))
	items, err := backlog.ListBacklog(ctx, account)
	ok(t, "list", err)
	for _, item := range items {
		if !bytes.Equal(item.Data, append([]byte(item.ID), big...)) {
			t.Errorf("item %q came back changed", item.ID)
		}
	}
	wantSame(t, "the backlog", backlogIDs(t, ctx, backlog, account), []string{"c", "a", "b", "a/ü%"})
	ok(t, "delete", backlog.DeleteBacklog(ctx, account, "a"))
	ok(t, "delete again", backlog.DeleteBacklog(ctx, account, "a"))
	wantSame(t, "the backlog after a deletion", backlogIDs(t, ctx, backlog, account), []string{"c", "b", "a/ü%"})
	ok(t, "put", backlog.PutBacklog(ctx, account, "a", []byte("new")))
	wantSame(t, "the backlog with a new item", backlogIDs(t, ctx, backlog, account), []string{"c", "b", "a/ü%", "a"})
}

// largeBacklog: an item may be of any size, and its id of any that WhatsApp's ids have.
func largeBacklog(t *testing.T, ctx context.Context, backlog chat.Backlog) {
	account := newTenant(t, backlog)
	const part = 350 << 10
	var want []string
	for _, size := range []int{0, 1, part, part + 1, 2*part + 1} {
		id := fmt.Sprint(size)
		want = append(want, id)
		ok(t, "put "+id, backlog.PutBacklog(ctx, account, id, bytes.Repeat([]byte{7}, size)))
	}
	long := strings.Repeat("x", 16<<10)
	ok(t, "put with a long id", backlog.PutBacklog(ctx, account, long, []byte("x")))
	if backlog.PutBacklog(ctx, account, long+"x", []byte("x")) == nil {
		t.Error("an id of 16,385 bytes is taken")
	}
	wantSame(t, "the backlog", backlogIDs(t, ctx, backlog, account), append(want, long))
	items, err := backlog.ListBacklog(ctx, account)
	ok(t, "list", err)
	for _, item := range items[:len(want)] {
		if fmt.Sprint(len(item.Data)) != item.ID || bytes.Count(item.Data, []byte{7}) != len(item.Data) {
			t.Errorf("item %s comes back with %d bytes", item.ID, len(item.Data))
		}
		ok(t, "delete", backlog.DeleteBacklog(ctx, account, item.ID))
	}
	wantSame(t, "what is left", backlogIDs(t, ctx, backlog, account), []string{long})
}

func putBacklogTogether(t *testing.T, ctx context.Context, backlog chat.Backlog) {
	account := newTenant(t, backlog)
	ok(t, "put", together(8, func(i int) error {
		return untilAvailable(func() error { return backlog.PutBacklog(ctx, account, fmt.Sprint(i%4), []byte("x")) })
	}))
	if got := backlogIDs(t, ctx, backlog, account); len(got) != 4 {
		t.Errorf("the backlog has %v", got)
	}
}

func backlogOfAccounts(t *testing.T, ctx context.Context, backlog chat.Backlog) {
	mine, foreign := newTenant(t, backlog), newTenant(t, backlog)
	ok(t, "put", backlog.PutBacklog(ctx, mine, "1", []byte("mine")))
	ok(t, "put", backlog.PutBacklog(ctx, foreign, "1", []byte("foreign")))
	ok(t, "delete", backlog.DeleteBacklog(ctx, mine, "1"))
	wantSame(t, "the account's backlog", backlogIDs(t, ctx, backlog, mine), []string(nil))
	items, err := backlog.ListBacklog(ctx, foreign)
	ok(t, "list", err)
	if len(items) != 1 || string(items[0].Data) != "foreign" {
		t.Errorf("the other account's backlog: %v", items)
	}
}
