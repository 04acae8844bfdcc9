package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// What is stored of a webhook stands in its account's partition.
const (
	hookSort   = "hook"
	healthSort = "health"
	cursorSort = "cursor"
	deadEvents = "d/"

	cursorNumber = "number"
	cursorTold   = "told" // ms since 1970
)

var (
	_ chat.HookSettings = (*Store)(nil)
	_ chat.HookSecrets  = (*Store)(nil)
	_ chat.HookLog      = (*Store)(nil)
	_ chat.HookCursors  = (*Store)(nil)
	_ chat.DeadEvents   = (*Store)(nil)
)

func hookKey(account, sort string) kv.Key {
	return kv.Key{Collection: kv.Hooks, Partition: account, Sort: sort}
}

func secretKey(account string) kv.Key {
	return kv.Key{Collection: kv.Secrets, Partition: account, Sort: hookSort}
}

func deadKey(account string, number int64, part int) kv.Key {
	return hookKey(account, deadEvents+sortable(number)+"/"+sortable(int64(part)))
}

// storedHealth belongs to one version of the hook: a hook that was set anew has none.
type storedHealth struct {
	Hook kv.Version `json:"hook"`
	chat.HookHealth
}

// Hook implements chat.HookReader.
func (s *Store) Hook(ctx context.Context, account string) (h chat.Hook, health chat.HookHealth, err error) {
	found, err := s.kv.GetMany(ctx, []kv.Key{hookKey(account, hookSort), hookKey(account, healthSort)})
	if err != nil {
		return h, health, failed("get webhook", err)
	}
	return hookOf(found[0], found[1])
}

// Hooked implements chat.HookCursors.
func (s *Store) Hooked(ctx context.Context, accounts []string) (hooked []string, err error) {
	keys := make([]kv.Key, len(accounts))
	for i, account := range accounts {
		keys[i] = hookKey(account, hookSort)
	}
	found, err := s.kv.GetMany(ctx, keys)
	for i, hook := range found {
		if hook != nil {
			hooked = append(hooked, accounts[i])
		}
	}
	return hooked, failed("find webhooks", err)
}

func hookOf(hook, health *kv.Item) (h chat.Hook, known chat.HookHealth, err error) {
	if hook == nil {
		return h, known, &chat.Error{Code: chat.WebhookNotFound}
	}
	if h, err = jsonOf[chat.Hook](hook); err != nil {
		return h, known, err
	}
	h.Version = hook.Version
	stored, err := jsonOf[storedHealth](health)
	if stored.Hook == hook.Version {
		known = stored.HookHealth
	}
	return h, known, err
}

// HookSecret implements chat.HookSecrets.
func (s *Store) HookSecret(ctx context.Context, account string) (string, error) {
	it, err := s.get(ctx, secretKey(account))
	if err == nil && it == nil {
		err = &chat.Error{Code: chat.WebhookNotFound}
	}
	if err != nil {
		return "", failed("get webhook's secret", err)
	}
	return string(it.Data), nil
}

// SetHook implements chat.HookSettings. The secret comes first: a hook is never without one.
func (s *Store) SetHook(ctx context.Context, account string, h chat.Hook, secret string) error {
	data, err := marshal(h)
	if err != nil {
		return failed("set webhook", err)
	}
	put := kv.Put(kv.Item{Key: hookKey(account, hookSort), Data: data}, kv.Always())
	with := kv.Check(secretKey(account), kv.Present(), 0)
	if secret != "" {
		with = kv.Put(kv.Item{Key: secretKey(account), Data: []byte(secret)}, kv.Always())
	}
	err = s.kv.Write(ctx, kv.Together(put, with, kv.Check(accountKey(account), kv.Present(), 0)))
	if errors.Is(err, kv.ErrConflict) {
		if _, _, err = s.account(ctx, account, kv.Strong); err == nil {
			err = &chat.Error{Code: chat.WebhookNotFound}
		}
	}
	return failed("set webhook", err)
}

// DeleteHook implements chat.HookSettings. The hook itself goes first: from then on nothing is sent or kept.
func (s *Store) DeleteHook(ctx context.Context, account string) error {
	err := s.kv.Write(ctx,
		kv.Each(kv.Delete(hookKey(account, hookSort), kv.Always(), 0)),
		kv.Each(kv.Delete(secretKey(account), kv.Always(), 0)),
		kv.Each(kv.Delete(hookKey(account, healthSort), kv.Always(), 0)),
	)
	if err == nil {
		err = s.deleteDead(ctx, account)
	}
	return failed("delete webhook", err)
}

func (s *Store) deleteDead(ctx context.Context, account string) error {
	return s.deleteAll(ctx, kv.Query{Collection: kv.Hooks, Partition: account}.Prefix(deadEvents))
}

// PutHookHealth implements chat.HookLog.
func (s *Store) PutHookHealth(ctx context.Context, account string, h chat.Hook, health chat.HookHealth) error {
	data, err := marshal(storedHealth{h.Version, health})
	if err == nil {
		it := kv.Item{Key: hookKey(account, healthSort), Data: data}
		err = s.kv.Write(ctx, kv.Together(kv.Put(it, kv.Always()), kv.Check(hookKey(account, hookSort), kv.Unchanged(h.Version), 0)))
	}
	return hookFailed("put webhook's health", err)
}

// PutDeadEvent implements chat.HookLog.
func (s *Store) PutDeadEvent(ctx context.Context, account string, h chat.Hook, e chat.DeadEvent) error {
	data, err := marshal(e)
	if err == nil {
		of, number, part, ok := chat.ParseEventID(e.ID)
		if !ok || of != account {
			return fmt.Errorf("put dead event: %q is no event of the account", e.ID)
		}
		it := kv.Item{Key: deadKey(account, number, part), Data: data, Expires: s.now().Add(chat.DeadEventAge).Unix()}
		err = s.kv.Write(ctx, kv.Together(kv.Put(it, kv.Always()), kv.Check(hookKey(account, hookSort), kv.Unchanged(h.Version), 0)))
	}
	return hookFailed("put dead event", err)
}

func hookFailed(doing string, err error) error {
	if errors.Is(err, kv.ErrConflict) {
		err = &chat.Error{Code: chat.WebhookNotFound, Message: "the webhook has changed"}
	}
	return failed(doing, err)
}

// DeadEvents implements chat.DeadEvents.
func (s *Store) DeadEvents(ctx context.Context, account string, p chat.Page) (events []chat.DeadEvent, next string, err error) {
	after, err := openCursor(eventCursor, p.Cursor, validDead)
	if err != nil {
		return nil, "", err
	}
	q := kv.Query{Collection: kv.Hooks, Partition: account, Expect: p.Limit + 1}.Prefix(deadEvents)
	if after != "" {
		q.From = kv.After(after)
	}
	items, next, err := page(s.kv.Query(ctx, q), p.Limit, eventCursor, func(it *kv.Item) string { return it.Sort })
	if err == nil {
		events, err = allOf[chat.DeadEvent](items)
	}
	return events, next, failed("list dead events", err)
}

// validDead checks the form of a sort key.
func validDead(sort string) bool {
	rest, ok := strings.CutPrefix(sort, deadEvents)
	number, part, cut := strings.Cut(rest, "/")
	_, isNumber := unsortable(number)
	_, isPart := unsortable(part)
	return ok && cut && isNumber && isPart
}

// DeadEvent implements chat.DeadEvents.
func (s *Store) DeadEvent(ctx context.Context, account, id string) (e chat.DeadEvent, err error) {
	of, number, part, ok := chat.ParseEventID(id)
	if !ok || of != account {
		return e, &chat.Error{Code: chat.EventNotFound}
	}
	it, err := s.get(ctx, deadKey(account, number, part))
	if err == nil && it == nil {
		err = &chat.Error{Code: chat.EventNotFound}
	}
	if err != nil {
		return e, failed("get dead event", err)
	}
	return jsonOf[chat.DeadEvent](it)
}

// DeleteDeadEvent implements chat.DeadEvents.
func (s *Store) DeleteDeadEvent(ctx context.Context, account, id string) error {
	of, number, part, ok := chat.ParseEventID(id)
	if !ok || of != account {
		return nil
	}
	return failed("delete dead event", s.kv.Write(ctx, kv.Each(kv.Delete(deadKey(account, number, part), kv.Always(), 0))))
}

// HookCursor implements chat.HookCursors.
func (s *Store) HookCursor(ctx context.Context, account string) (c chat.HookCursor, err error) {
	it, err := s.get(ctx, hookKey(account, cursorSort))
	if err != nil || it == nil {
		return c, failed("get webhook's cursor", err)
	}
	c.Number = it.Fields[cursorNumber]
	if told := it.Fields[cursorTold]; told != 0 {
		c.Told = time.UnixMilli(told)
	}
	return c, nil
}

// PutHookCursor implements chat.HookCursors. The first one comes into being together with a check of its account.
func (s *Store) PutHookCursor(ctx context.Context, account string, c chat.HookCursor) error {
	fields := map[string]int64{cursorNumber: c.Number}
	if !c.Told.IsZero() {
		fields[cursorTold] = c.Told.UnixMilli()
	}
	it := kv.Item{Key: hookKey(account, cursorSort), Fields: fieldsOf(fields), Token: s.token}
	err := s.kv.Write(ctx, kv.Each(kv.Put(it, kv.Present())))
	if !errors.Is(err, kv.ErrConflict) {
		return failed("put webhook's cursor", err)
	}
	if err = s.kv.Write(ctx, kv.Together(kv.Put(it, kv.Always()), s.accountExists(account))); errors.Is(err, kv.ErrConflict) {
		if _, _, err = s.account(ctx, account, kv.Strong); err == nil {
			err = &chat.Error{Code: chat.Unavailable}
		}
	}
	return failed("put webhook's cursor", err)
}

// EmptyHook implements chat.HookCursors. The hook, which nothing up to the number passes any more, comes first.
func (s *Store) EmptyHook(ctx context.Context, account string, through int64) error {
	err := retryOnConflict(ctx, func() error {
		it, err := s.get(ctx, hookKey(account, hookSort))
		if err != nil || it == nil {
			return err
		}
		h, _, err := hookOf(it, nil)
		if err != nil || h.Since >= through {
			return err
		}
		h.Since = through
		data, err := marshal(h)
		if err != nil {
			return err
		}
		return s.kv.Write(ctx, kv.Each(kv.Put(kv.Item{Key: it.Key, Data: data}, kv.Unchanged(it.Version))))
	})
	if err == nil {
		err = s.kv.Write(ctx, kv.Each(kv.Delete(hookKey(account, healthSort), kv.Always(), 0)))
	}
	if err == nil {
		err = s.deleteDead(ctx, account)
	}
	return failed("empty webhook", err)
}

// deleteHooks deletes all that is stored of an account's webhook when the account is no more.
func (s *Store) deleteHooks(ctx context.Context, account string) error {
	err := s.kv.Write(ctx, kv.Each(kv.Delete(secretKey(account), kv.Always(), 0)))
	if err == nil {
		err = s.deleteAll(ctx, kv.Query{Collection: kv.Hooks, Partition: account})
	}
	return err
}
