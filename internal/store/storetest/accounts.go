package storetest

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
)

// Accounts checks an adapter of the accounts.
func Accounts(t *testing.T, open func(*testing.T) chat.Accounts) {
	runAll(t, open, []test[chat.Accounts]{
		{"Create", createAccount},
		{"OldestFirst", listAccounts},
		{"OfShards", accountsOfShards},
		{"Update", updateAccount},
		{"UpdateFails", updateAccountFails},
		{"UpdateTogether", updateAccountTogether},
		{"Delete", deleteAccount},
	})
}

func fullAccount() chat.Account {
	return chat.Account{
		ID: newAccount(), Name: `Toko "Maju" ☕`, KeyHash: []byte{0, 1, 2, 0xff}, Shard: 3, On: true, CreatedAt: noon,
		State: chat.ServiceScan, Reason: "LOGGED_OUT", QR: "1@abc,def", PairingCode: "ABCD-EFGH",
		CodeExpires: noon.Add(20 * time.Second), JID: "6281234567890@s.whatsapp.net", LID: "123456789012345@lid",
		PushName: "Siti", Sync: &chat.Sync{Percent: 40, Chats: 12, Messages: 3456}, AsOf: noon.Add(1234 * time.Millisecond),
	}
}

func createAccount(t *testing.T, ctx context.Context, accounts chat.Accounts) {
	a := fullAccount()
	_, err := accounts.Account(ctx, a.ID)
	wantCode(t, "an account before it is created", err, chat.DeviceNotFound)
	ok(t, "create", accounts.CreateAccount(ctx, a))
	got, err := accounts.Account(ctx, a.ID)
	ok(t, "get", err)
	wantSame(t, "the account", got, a)

	other := a
	other.Name = "other"
	if accounts.CreateAccount(ctx, other) == nil {
		t.Error("an account was created twice")
	}
	got, err = accounts.Account(ctx, a.ID)
	ok(t, "get", err)
	wantSame(t, "the account after a second create", got, a)

	small := chat.Account{ID: newAccount(), CreatedAt: noon, State: chat.ServiceOff}
	ok(t, "create", accounts.CreateAccount(ctx, small))
	got, err = accounts.Account(ctx, small.ID)
	ok(t, "get", err)
	wantSame(t, "a small account", got, small)
}

// everyAccount follows the pages.
func everyAccount(t *testing.T, ctx context.Context, accounts chat.Accounts, limit int) (all []chat.Account) {
	t.Helper()
	for p := (chat.Page{Limit: limit}); ; {
		page, next, err := accounts.Accounts(ctx, p)
		ok(t, "list", err)
		if all = append(all, page...); next == "" {
			return all
		}
		if len(page) > limit {
			t.Fatalf("%d accounts on a page of %d", len(page), limit)
		}
		p.Cursor = next
	}
}

func listAccounts(t *testing.T, ctx context.Context, accounts chat.Accounts) {
	var want []string
	for i := range 5 {
		at := noon.Add(time.Duration(i) * time.Minute)
		want = append(want, ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String())
	}
	for _, i := range []int{3, 0, 4, 1, 2} {
		created := noon.Add(time.Duration(i) * time.Minute)
		ok(t, "create", accounts.CreateAccount(ctx, chat.Account{ID: want[i], CreatedAt: created, State: chat.ServiceOff}))
	}
	for _, limit := range []int{1, 2, 1000} {
		var got []string
		for _, a := range everyAccount(t, ctx, accounts, limit) {
			if slices.Contains(want, a.ID) {
				got = append(got, a.ID)
			}
		}
		wantSame(t, "the accounts", got, want)
	}
	for _, cursor := range []string{"nonsense", "YQ", "cg", "bXg"} {
		_, _, err := accounts.Accounts(ctx, chat.Page{Limit: 1, Cursor: cursor})
		wantCode(t, "a made-up cursor", err, chat.InvalidCursor)
	}
}

func accountsOfShards(t *testing.T, ctx context.Context, accounts chat.Accounts) {
	first, second, other := newShard(), newShard(), newShard()
	a, b, c := fullAccount(), fullAccount(), fullAccount()
	a.Shard, b.Shard, c.Shard = first, second, other
	for _, account := range []chat.Account{a, b, c} {
		ok(t, "create", accounts.CreateAccount(ctx, account))
	}
	of := func(shards ...int) (ids []string) {
		t.Helper()
		all, err := accounts.AccountsOf(ctx, shards)
		ok(t, "list", err)
		for _, account := range all {
			ids = append(ids, account.ID)
		}
		slices.Sort(ids)
		return ids
	}
	both := []string{a.ID, b.ID}
	slices.Sort(both)
	wantSame(t, "the accounts of two shards", of(first, second), both)
	wantSame(t, "those of none", of(), []string(nil))
	wantSame(t, "those of an empty shard", of(newShard()), []string(nil))
	ok(t, "move", accounts.UpdateAccount(ctx, a.ID, func(stored *chat.Account) error { stored.Shard = other; return nil }))
	moved := []string{a.ID, c.ID}
	slices.Sort(moved)
	wantSame(t, "those of a shard that one came to", of(other), moved)
	wantSame(t, "those of a shard that one left", of(first), []string(nil))
	ok(t, "delete", accounts.DeleteAccount(ctx, a.ID))
	wantSame(t, "those of a shard of which one was deleted", of(other), []string{c.ID})
}

func updateAccount(t *testing.T, ctx context.Context, accounts chat.Accounts) {
	a, other := fullAccount(), fullAccount()
	ok(t, "create", accounts.CreateAccount(ctx, a))
	ok(t, "create", accounts.CreateAccount(ctx, other))
	ok(t, "update", accounts.UpdateAccount(ctx, a.ID, func(stored *chat.Account) error {
		wantSame(t, "the account given to change", *stored, a)
		stored.State, stored.QR, stored.Sync, stored.On = chat.Connected, "", nil, false
		return nil
	}))
	a.State, a.QR, a.Sync, a.On = chat.Connected, "", nil, false
	got, err := accounts.Account(ctx, a.ID)
	ok(t, "get", err)
	wantSame(t, "the account", got, a)
	got, err = accounts.Account(ctx, other.ID)
	ok(t, "get", err)
	wantSame(t, "another account", got, other)
}

func updateAccountFails(t *testing.T, ctx context.Context, accounts chat.Accounts) {
	a := fullAccount()
	ok(t, "create", accounts.CreateAccount(ctx, a))
	refused := &chat.Error{Code: chat.DeviceNotConnected, Message: "refused"}
	err := accounts.UpdateAccount(ctx, a.ID, func(stored *chat.Account) error {
		stored.Name = "changed"
		stored.Sync.Chats = 999
		stored.KeyHash[0] = 9
		return refused
	})
	if err != error(refused) {
		t.Errorf("the error of change came back as %v", err)
	}
	got, err := accounts.Account(ctx, a.ID)
	ok(t, "get", err)
	wantSame(t, "the account after a refused change", got, a)
	err = accounts.UpdateAccount(ctx, newAccount(), func(*chat.Account) error {
		t.Error("change was called without an account")
		return nil
	})
	wantCode(t, "update of no account", err, chat.DeviceNotFound)
}

func updateAccountTogether(t *testing.T, ctx context.Context, accounts chat.Accounts) {
	a := fullAccount()
	a.Sync = &chat.Sync{}
	ok(t, "create", accounts.CreateAccount(ctx, a))
	const many, each = 8, 5
	ok(t, "update", together(many, func(i int) error {
		for j := range each {
			err := untilAvailable(func() error {
				return accounts.UpdateAccount(ctx, a.ID, func(stored *chat.Account) error {
					stored.Sync.Messages |= 1 << (i*each + j)
					return nil
				})
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	got, err := accounts.Account(ctx, a.ID)
	ok(t, "get", err)
	if n := bits.OnesCount64(uint64(got.Sync.Messages)); n != many*each {
		t.Errorf("%d of %d updates were stored", n, many*each)
	}
}

// untilAvailable tries again what failed for now, as the callers of a port do.
func untilAvailable(call func() error) error {
	var err error
	for range 100 {
		if err = call(); !errors.Is(err, &chat.Error{Code: chat.Unavailable}) {
			return err
		}
	}
	return err
}

func deleteAccount(t *testing.T, ctx context.Context, accounts chat.Accounts) {
	a, other := fullAccount(), fullAccount()
	ok(t, "create", accounts.CreateAccount(ctx, a))
	ok(t, "create", accounts.CreateAccount(ctx, other))
	ok(t, "delete", accounts.DeleteAccount(ctx, a.ID))
	_, err := accounts.Account(ctx, a.ID)
	wantCode(t, "a deleted account", err, chat.DeviceNotFound)
	all := everyAccount(t, ctx, accounts, 1000)
	if slices.ContainsFunc(all, func(x chat.Account) bool { return x.ID == a.ID }) {
		t.Error("a deleted account is listed")
	}
	ok(t, "delete again", accounts.DeleteAccount(ctx, a.ID))
	_, err = accounts.Account(ctx, other.ID)
	ok(t, "get another account", err)
}
