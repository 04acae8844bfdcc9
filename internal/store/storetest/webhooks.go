package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
)

// Webhooks are the ports of an account's webhook.
type Webhooks interface {
	chat.Accounts
	chat.HookSettings
	chat.HookSecrets
	chat.HookLog
	chat.HookCursors
	chat.DeadEvents
}

// Hooks checks an adapter of webhooks.
func Hooks(t *testing.T, open func(*testing.T) Webhooks) {
	runAll(t, open, []test[Webhooks]{
		{"Settings", hookSettings},
		{"WithoutAccount", hookWithoutAccount},
		{"Health", hookHealth},
		{"DeadEvents", deadEvents},
		{"DeadEventOfAFormerHook", deadOfFormer},
		{"Cursor", hookCursor},
		{"Emptied", emptyHook},
		{"DeletedWithItsAccount", hookOfDeleted},
	})
}

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// newHook sets a webhook and returns it as it is read.
func newHook(t *testing.T, ctx context.Context, w Webhooks, account string) chat.Hook {
	t.Helper()
	ok(t, "set", w.SetHook(ctx, account, chat.Hook{URL: "https://example.com/a", CreatedAt: noon, Since: 5}, hookSecret))
	h, _, err := w.Hook(ctx, account)
	ok(t, "get", err)
	return h
}

func deadEvent(account string, number int64) chat.DeadEvent {
	id := chat.EventID(account, number, 0)
	return chat.DeadEvent{
		Event:  chat.Event{ID: id, Number: number, Kind: chat.MessageEvent, At: noon, Body: `{"type":"message","n":"<&>"}`},
		Failed: noon.Add(time.Hour), Last: chat.HookAttempt{ID: id, Kind: chat.MessageEvent, At: noon, Status: 500,
			Error: "STATUS", Millis: 7},
	}
}

func hookSettings(t *testing.T, ctx context.Context, w Webhooks) {
	account, other := newTenant(t, w), newTenant(t, w)
	_, _, err := w.Hook(ctx, account)
	wantCode(t, "none", err, chat.WebhookNotFound)
	_, err = w.HookSecret(ctx, account)
	wantCode(t, "the secret of none", err, chat.WebhookNotFound)
	wantCode(t, "set without a secret", w.SetHook(ctx, account, chat.Hook{URL: "https://example.com"}, ""), chat.WebhookNotFound)
	ok(t, "delete none", w.DeleteHook(ctx, account))

	hooked, err := w.Hooked(ctx, []string{other, account})
	ok(t, "find none", err)
	wantSame(t, "webhooks", len(hooked), 0)

	h := chat.Hook{URL: "https://example.com/?a=1&b=<2>", Events: []chat.EventKind{chat.MessageEvent, chat.ReadyEvent}, CreatedAt: noon, Since: 41}
	ok(t, "set", w.SetHook(ctx, account, h, hookSecret))
	hooked, err = w.Hooked(ctx, []string{other, account})
	ok(t, "find", err)
	wantSame(t, "webhooks", hooked, []string{account})
	got, health, err := w.Hook(ctx, account)
	ok(t, "get", err)
	first := got.Version
	got.Version = h.Version
	wantSame(t, "the hook", got, h)
	wantSame(t, "its health", health, chat.HookHealth{})
	h.URL, h.Events = "https://example.org", nil
	ok(t, "set again", w.SetHook(ctx, account, h, ""))
	got, _, err = w.Hook(ctx, account)
	ok(t, "get again", err)
	if got.Version == first {
		t.Error("another hook has the same version")
	}
	got.Version = h.Version
	wantSame(t, "the hook that was set again", got, h)
	secret, err := w.HookSecret(ctx, account)
	ok(t, "secret", err)
	wantSame(t, "the secret that stayed", secret, hookSecret)
	ok(t, "set another secret", w.SetHook(ctx, account, h, hookSecret+"x"))
	secret, err = w.HookSecret(ctx, account)
	ok(t, "secret", err)
	wantSame(t, "the new secret", secret, hookSecret+"x")

	_, _, err = w.Hook(ctx, other)
	wantCode(t, "another account's", err, chat.WebhookNotFound)
	ok(t, "delete another account's", w.DeleteHook(ctx, other))
	ok(t, "delete", w.DeleteHook(ctx, account))
	_, _, err = w.Hook(ctx, account)
	wantCode(t, "a deleted one", err, chat.WebhookNotFound)
	_, err = w.HookSecret(ctx, account)
	wantCode(t, "a deleted one's secret", err, chat.WebhookNotFound)
	wantCode(t, "set after a deletion without a secret", w.SetHook(ctx, account, h, ""), chat.WebhookNotFound)
}

func hookWithoutAccount(t *testing.T, ctx context.Context, w Webhooks) {
	account := newAccount()
	wantCode(t, "set", w.SetHook(ctx, account, chat.Hook{URL: "https://example.com"}, hookSecret), chat.DeviceNotFound)
	_, err := w.HookSecret(ctx, account)
	wantCode(t, "the secret", err, chat.WebhookNotFound)
}

func hookHealth(t *testing.T, ctx context.Context, w Webhooks) {
	account := newTenant(t, w)
	h := newHook(t, ctx, w, account)
	health := chat.HookHealth{
		Last: []chat.HookAttempt{{ID: "a", Kind: chat.ChatEvent, At: noon, Error: "TIMEOUT"}}, Failures: 3, Failing: noon,
		Next: noon.Add(time.Minute),
		Off:  noon.Add(time.Hour), Reason: chat.HookFailing,
	}
	ok(t, "put", w.PutHookHealth(ctx, account, h, health))
	_, got, err := w.Hook(ctx, account)
	ok(t, "get", err)
	wantSame(t, "the health", got, health)
	again := newHook(t, ctx, w, account)
	_, got, err = w.Hook(ctx, account)
	ok(t, "get", err)
	wantSame(t, "the health of a hook that was set again", got, chat.HookHealth{})
	wantCode(t, "put to the former hook", w.PutHookHealth(ctx, account, h, health), chat.WebhookNotFound)
	ok(t, "put to the new hook", w.PutHookHealth(ctx, account, again, health))
	ok(t, "delete", w.DeleteHook(ctx, account))
	wantCode(t, "put to a deleted hook", w.PutHookHealth(ctx, account, again, health), chat.WebhookNotFound)
}

func deadEvents(t *testing.T, ctx context.Context, w Webhooks) {
	account, other := newTenant(t, w), newTenant(t, w)
	h, foreign := newHook(t, ctx, w, account), newHook(t, ctx, w, other)
	numbers := []int64{9, 10, 8, 1000, 999, 100_000}
	for _, n := range numbers {
		ok(t, "put", w.PutDeadEvent(ctx, account, h, deadEvent(account, n)))
	}
	ok(t, "put again", w.PutDeadEvent(ctx, account, h, deadEvent(account, 9)))
	ok(t, "put another account's", w.PutDeadEvent(ctx, other, foreign, deadEvent(other, 9)))
	slices.Sort(numbers)
	for _, limit := range []int{1, 2, 3, 6, 7} {
		all := walk(t, limit, func(p chat.Page) ([]chat.DeadEvent, string, error) { return w.DeadEvents(ctx, account, p) })
		var want []chat.DeadEvent
		for _, n := range numbers {
			want = append(want, deadEvent(account, n))
		}
		wantSame(t, "the dead events", all, want)
	}
	for _, cursor := range madeUpCursors {
		_, _, err := w.DeadEvents(ctx, account, chat.Page{Limit: 10, Cursor: cursor})
		wantCode(t, "a cursor that was made up", err, chat.InvalidCursor)
	}
	id := chat.EventID(account, 999, 0)
	e, err := w.DeadEvent(ctx, account, id)
	ok(t, "get", err)
	wantSame(t, "one", e, deadEvent(account, 999))
	for _, wrong := range []string{
		"", "x", id + "x", chat.EventID(other, 9, 0), chat.EventID(account, 7, 0), chat.EventID(account, 999, 1),
		strings.Replace(id, "999", "0999", 1), strings.Replace(id, "999", "+999", 1), id + "-0", strings.TrimSuffix(id, "-0"),
		strings.TrimSuffix(id, "0") + "00",
	} {
		_, err := w.DeadEvent(ctx, account, wrong)
		wantCode(t, fmt.Sprintf("get %q", wrong), err, chat.EventNotFound)
		ok(t, "delete none", w.DeleteDeadEvent(ctx, account, wrong))
	}
	for _, wrong := range []string{"", "x", chat.EventID(other, 9, 0)} {
		e := deadEvent(account, 9)
		if e.ID = wrong; w.PutDeadEvent(ctx, account, h, e) == nil {
			t.Errorf("event %q is taken for one of the account", wrong)
		}
	}
	left, _, err := w.DeadEvents(ctx, account, chat.Page{Limit: 10})
	ok(t, "list", err)
	wantSame(t, "the dead events that are left", len(left), len(numbers))
	ok(t, "delete", w.DeleteDeadEvent(ctx, account, id))
	ok(t, "delete again", w.DeleteDeadEvent(ctx, account, id))
	_, err = w.DeadEvent(ctx, account, id)
	wantCode(t, "get a deleted one", err, chat.EventNotFound)
	ok(t, "delete the hook", w.DeleteHook(ctx, account))
	left, _, err = w.DeadEvents(ctx, account, chat.Page{Limit: 10})
	ok(t, "list", err)
	wantSame(t, "the dead events of a deleted hook", len(left), 0)
	left, _, err = w.DeadEvents(ctx, other, chat.Page{Limit: 10})
	ok(t, "list", err)
	wantSame(t, "another account's", len(left), 1)
}

// deadOfFormer gives events up for a hook that was replaced meanwhile: who sends has to look again.
func deadOfFormer(t *testing.T, ctx context.Context, w Webhooks) {
	account := newTenant(t, w)
	former := newHook(t, ctx, w, account)
	now := newHook(t, ctx, w, account)
	wantCode(t, "put for the former", w.PutDeadEvent(ctx, account, former, deadEvent(account, 9)), chat.WebhookNotFound)
	ok(t, "put", w.PutDeadEvent(ctx, account, now, deadEvent(account, 9)))
	ok(t, "delete", w.DeleteHook(ctx, account))
	wantCode(t, "put for a deleted one", w.PutDeadEvent(ctx, account, now, deadEvent(account, 10)), chat.WebhookNotFound)
	left, _, err := w.DeadEvents(ctx, account, chat.Page{Limit: 10})
	ok(t, "list", err)
	wantSame(t, "what is left", len(left), 0)
}

func hookCursor(t *testing.T, ctx context.Context, w Webhooks) {
	account := newTenant(t, w)
	c, err := w.HookCursor(ctx, account)
	ok(t, "none", err)
	wantSame(t, "none", c, chat.HookCursor{})
	wantCode(t, "put without an account", w.PutHookCursor(ctx, newAccount(), chat.HookCursor{Number: 7}), chat.DeviceNotFound)
	for _, want := range []chat.HookCursor{{Number: 7}, {Number: 1 << 40}, {Number: 8, Told: noon}} {
		ok(t, "put", w.PutHookCursor(ctx, account, want))
		got, err := w.HookCursor(ctx, account)
		ok(t, "get", err)
		if got.Number != want.Number || !got.Told.Equal(want.Told) {
			t.Errorf("the cursor is %+v, want %+v", got, want)
		}
	}
}

func emptyHook(t *testing.T, ctx context.Context, w Webhooks) {
	account := newTenant(t, w)
	ok(t, "empty none", w.EmptyHook(ctx, account, 50))
	_, _, err := w.Hook(ctx, account)
	wantCode(t, "none", err, chat.WebhookNotFound)
	former := newHook(t, ctx, w, account)
	ok(t, "put health", w.PutHookHealth(ctx, account, former,
		chat.HookHealth{Failures: 1, Failing: noon, Last: []chat.HookAttempt{{ID: "a", At: noon}}}))
	ok(t, "put", w.PutDeadEvent(ctx, account, former, deadEvent(account, 9)))
	var emptied chat.Hook
	for i := range 2 {
		ok(t, "empty", w.EmptyHook(ctx, account, 50))
		h, health, err := w.Hook(ctx, account)
		ok(t, "get", err)
		if i > 0 && h.Version != emptied.Version {
			t.Error("a hook that is empty is written")
		}
		emptied = h
		wantSame(t, "the health", health, chat.HookHealth{})
		if h.Since != 50 || h.URL != former.URL || h.Takes(chat.MessageEvent, 50) || !h.Takes(chat.MessageEvent, 51) {
			t.Errorf("the hook is %+v", h)
		}
		left, _, err := w.DeadEvents(ctx, account, chat.Page{Limit: 10})
		ok(t, "list", err)
		wantSame(t, "what is left", len(left), 0)
	}
	wantCode(t, "put what was read before", w.PutDeadEvent(ctx, account, former, deadEvent(account, 10)), chat.WebhookNotFound)
	secret, err := w.HookSecret(ctx, account)
	ok(t, "secret", err)
	wantSame(t, "the secret", secret, hookSecret)
}

func hookOfDeleted(t *testing.T, ctx context.Context, w Webhooks) {
	account := newTenant(t, w)
	h := newHook(t, ctx, w, account)
	ok(t, "put", w.PutDeadEvent(ctx, account, h, deadEvent(account, 9)))
	ok(t, "put cursor", w.PutHookCursor(ctx, account, chat.HookCursor{Number: 9}))
	ok(t, "delete account", w.DeleteAccount(ctx, account))
	_, _, err := w.Hook(ctx, account)
	wantCode(t, "the hook", err, chat.WebhookNotFound)
	_, err = w.HookSecret(ctx, account)
	wantCode(t, "the secret", err, chat.WebhookNotFound)
	c, err := w.HookCursor(ctx, account)
	ok(t, "cursor", err)
	wantSame(t, "the cursor", c, chat.HookCursor{})
	left, _, err := w.DeadEvents(ctx, account, chat.Page{Limit: 10})
	ok(t, "list", err)
	wantSame(t, "what is left", len(left), 0)
}
