package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

const (
	accountSort = "account"
	directory   = "accounts" // the partition of the list of all; it is written only when an account comes or goes
)

// listedUnder is where an account is listed among those of its shard.
func listedUnder(shard int, id string) kv.Key {
	return kv.Key{Collection: kv.Accounts, Partition: shardPartition(shard), Sort: id}
}

func shardPartition(shard int) string { return fmt.Sprintf("shard/%d", shard) }

func accountKey(id string) kv.Key {
	return kv.Key{Collection: kv.Accounts, Partition: "account/" + id, Sort: accountSort}
}

func listedKey(id string) kv.Key {
	return kv.Key{Collection: kv.Accounts, Partition: directory, Sort: id}
}

// accountExists is for what must not outlive its account: put together with it.
func (s *Store) accountExists(id string) kv.Op {
	return kv.Check(accountKey(id), kv.Present(), s.token)
}

// Account implements chat.AccountReader.
func (s *Store) Account(ctx context.Context, id string) (chat.Account, error) {
	a, it, err := s.account(ctx, id, kv.Strong)
	if err == nil && s.token != 0 {
		s.read.put(readKey{it.Key, s.token}, it)
	}
	return a, failed("get account", err)
}

func (s *Store) account(ctx context.Context, id string, c kv.Consistency) (a chat.Account, it kv.Item, err error) {
	it, err = s.kv.Get(ctx, accountKey(id), c)
	if errors.Is(err, kv.ErrNotFound) {
		return a, it, &chat.Error{Code: chat.DeviceNotFound}
	}
	if err == nil {
		a, err = jsonOf[chat.Account](&it)
	}
	return a, it, err
}

// EventualAccounts finds accounts for half the price on DynamoDB: what was written in the last second may still look as
// before.
func (s *Store) EventualAccounts() chat.AccountReader {
	go fromJSON[chat.Account]([]byte("{}")) // encoding/json has then seen the type when the first answer is there
	return eventualAccounts{s}
}

type eventualAccounts struct{ store *Store }

func (r eventualAccounts) Account(ctx context.Context, id string) (chat.Account, error) {
	a, _, err := r.store.account(ctx, id, kv.Eventual)
	return a, failed("get account", err)
}

// Accounts implements chat.Accounts. They are in the order of their ids, which begin with the time.
func (s *Store) Accounts(ctx context.Context, p chat.Page) (accounts []chat.Account, next string, err error) {
	last, err := openCursor(accountCursor, p.Cursor, func(id string) bool { return listedKey(id).Validate() == nil })
	if err != nil {
		return nil, "", err
	}
	q := kv.Query{Collection: kv.Accounts, Partition: directory, KeysOnly: true, Expect: p.Limit + 1}
	if last != "" {
		q.From = kv.After(last)
	}
	listed, next, err := page(s.kv.Query(ctx, q), p.Limit, accountCursor, func(it *kv.Item) string { return it.Sort })
	if err != nil {
		return nil, "", failed("list accounts", err)
	}
	ids := make([]string, len(listed))
	for i, it := range listed {
		ids[i] = it.Sort
	}
	accounts, err = s.accounts(ctx, ids)
	return accounts, next, failed("list accounts", err)
}

// shardsAtOnce is of how many shards accounts are looked for at a time.
const shardsAtOnce = 8

// AccountsOf implements chat.Accounts.
func (s *Store) AccountsOf(ctx context.Context, shards []int) ([]chat.Account, error) {
	of := make([][]string, len(shards))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(shardsAtOnce)
	for i, shard := range shards {
		group.Go(func() error {
			q := kv.Query{Collection: kv.Accounts, Partition: shardPartition(shard), KeysOnly: true}
			for it, err := range s.kv.Query(asking, q) {
				if err != nil {
					return err
				}
				of[i] = append(of[i], it.Sort)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, failed("list accounts of shard", err)
	}
	accounts, err := s.accounts(ctx, slices.Concat(of...))
	return accounts, failed("list accounts of shard", err)
}

// accounts reads those that are there yet.
func (s *Store) accounts(ctx context.Context, ids []string) ([]chat.Account, error) {
	keys := make([]kv.Key, len(ids))
	for i, id := range ids {
		keys[i] = accountKey(id)
	}
	found, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	return allOf[chat.Account](found)
}

// CreateAccount implements chat.Accounts.
func (s *Store) CreateAccount(ctx context.Context, a chat.Account) error {
	data, err := marshal(a)
	if err == nil {
		err = s.kv.Write(ctx, kv.Together(
			kv.Put(kv.Item{Key: accountKey(a.ID), Data: data, Token: s.token}, kv.Absent()),
			kv.Put(kv.Item{Key: listedKey(a.ID)}, kv.Always()),
			kv.Put(kv.Item{Key: listedUnder(a.Shard, a.ID)}, kv.Always()),
		))
	}
	return failed("create account", err)
}

// UpdateAccount implements chat.Accounts. Who changes it without being its owner leaves the owner's token.
func (s *Store) UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error {
	if s.owns() {
		if err := s.mend(ctx, id); err != nil {
			return failed("update account", err)
		}
	}
	var refused error
	err := retryOnConflict(ctx, func() (err error) {
		for kept := true; kept; { // who decides not to write, by what was kept, has to look at what is there now
			if kept, refused, err = s.updateAccount(ctx, id, change); err != nil {
				return err
			}
		}
		return nil
	})
	if refused != nil {
		return refused
	}
	return failed("update account", s.mended(ctx, id, err))
}

// updateAccount changes the account as its owner has kept it, or as it is now. It tells whether nothing was written because of what
// was kept.
func (s *Store) updateAccount(ctx context.Context, id string, change func(*chat.Account) error) (kept bool, refused, err error) {
	var a chat.Account
	old, kept := s.read.take(readKey{accountKey(id), s.token})
	if kept {
		a, err = jsonOf[chat.Account](&old)
	} else {
		a, old, err = s.account(ctx, id, kv.Strong)
	}
	if err != nil {
		return false, nil, err
	}
	was := a
	if refused = change(&a); refused != nil {
		return kept, refused, nil
	}
	a.ID = id
	data, err := marshal(a)
	if err != nil {
		return false, nil, err
	}
	if bytes.Equal(data, old.Data) && (s.token == 0 || s.token == old.Token) {
		return kept, nil, nil
	}
	token := s.token
	if token == 0 {
		token = old.Token
	}
	put := kv.Put(kv.Item{Key: old.Key, Data: data, Token: token}, kv.Unchanged(old.Version))
	step := kv.Each(put)
	if a.Shard != was.Shard {
		step = kv.Together(put, kv.Delete(listedUnder(was.Shard, id), kv.Always(), 0),
			kv.Put(kv.Item{Key: listedUnder(a.Shard, id)}, kv.Always()))
	}
	if s.owns() && (a.State != was.State || a.Reason != was.Reason) {
		err = s.tell(ctx, id, &chat.FeedEntry{Kind: chat.FeedState, State: a.State, Reason: a.Reason}, step)
	} else {
		err = s.kv.Write(ctx, step)
	}
	switch {
	case err == nil && s.token != 0:
		s.read.put(readKey{put.Item.Key, s.token}, put.Item)
	case s.token == 0 && errors.Is(err, kv.ErrFenced):
		err = kv.ErrConflict // the token is that of an owner who has a successor since: it goes on from his
	}
	return false, nil, err
}

// DeleteAccount implements chat.Accounts. Its backlog, its webhook and its feed go with it.
func (s *Store) DeleteAccount(ctx context.Context, id string) error {
	err := retryOnConflict(ctx, func() error {
		a, it, err := s.account(ctx, id, kv.Strong)
		if chat.CodeOf(err) == chat.DeviceNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		return s.kv.Write(ctx, kv.Together(
			kv.Delete(accountKey(id), kv.Unchanged(it.Version), s.token),
			kv.Delete(listedKey(id), kv.Always(), 0),
			kv.Delete(listedUnder(a.Shard, id), kv.Always(), 0),
		))
	})
	if err == nil {
		err = s.deleteAll(ctx, kv.Query{Collection: kv.Work, Partition: backlogPartition(id)})
	}
	if err == nil {
		err = s.deleteHooks(ctx, id)
	}
	if err == nil {
		err = s.deleteFeed(ctx, id, "")
	}
	return failed("delete account", err)
}
