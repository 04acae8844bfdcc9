package porttest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
)

// Reports checks an adapter of the API log.
func Reports(t *testing.T, open func(*testing.T) chat.Reports) {
	runAll(t, open, []test[chat.Reports]{
		{"NewestFirst", listReports},
		{"End", endReport},
		{"Clear", clearReports},
		{"ClearMany", clearManyReports},
		{"Accounts", reportsOfAccounts},
		{"Cursors", reportCursors},
	})
}

func report(account string, second int) chat.Report {
	at := noon.Add(time.Duration(second) * time.Second)
	return chat.Report{
		ID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String(), Account: account, At: at,
		Endpoint: "muteChat", Target: "6281234567890", Status: 200,
	}
}

func pendingReport(account string, second int) chat.Report {
	r := report(account, second)
	r.Status, r.CommandID, r.Command = 202, "command", chat.CommandPending
	return r
}

func allReports(t *testing.T, ctx context.Context, reports chat.Reports, account string, limit int) []chat.Report {
	t.Helper()
	return walk(t, limit, func(p chat.Page) ([]chat.Report, string, error) { return reports.ListReports(ctx, account, p) })
}

func addReports(t *testing.T, ctx context.Context, reports chat.Reports, entries ...chat.Report) {
	t.Helper()
	for _, r := range entries {
		ok(t, "add", reports.AddReport(ctx, r))
	}
}

func listReports(t *testing.T, ctx context.Context, reports chat.Reports) {
	account := newAccount()
	if got := allReports(t, ctx, reports, account, 10); len(got) != 0 {
		t.Fatalf("a new account has reports: %v", got)
	}
	var want []chat.Report
	for i := range 25 {
		r := report(account, i)
		r.Error, r.Target = chat.InvalidPhone, `"';☕`
		want = append(want, r)
	}
	for _, i := range []int{3, 20, 1, 24, 0} {
		addReports(t, ctx, reports, want[i])
	}
	for i, r := range want {
		if !slices.Contains([]int{3, 20, 1, 24, 0}, i) {
			addReports(t, ctx, reports, r)
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 5, 7, 24, 25, 26, 1000} {
		wantSame(t, "the reports", allReports(t, ctx, reports, account, limit), want)
	}
}

func endReport(t *testing.T, ctx context.Context, reports chat.Reports) {
	account := newAccount()
	done, failed := pendingReport(account, 1), pendingReport(account, 2)
	addReports(t, ctx, reports, done, failed)
	at := noon.Add(time.Minute)
	ok(t, "end", reports.EndReport(ctx, account, done.ID, chat.CommandDone, 200, "", at))
	ok(t, "end", reports.EndReport(ctx, account, failed.ID, chat.CommandFailed, 502, chat.WhatsAppRejected, at))
	done.Command, done.Status, done.EndedAt = chat.CommandDone, 200, at
	failed.Command, failed.Status, failed.Error, failed.EndedAt = chat.CommandFailed, 502, chat.WhatsAppRejected, at
	wantSame(t, "ended reports", allReports(t, ctx, reports, account, 10), []chat.Report{failed, done})

	ok(t, "clear", reports.ClearReports(ctx, account, true, noon))
	ok(t, "end of a cleared report", reports.EndReport(ctx, account, done.ID, chat.CommandDone, 200, "", at))
	ok(t, "end of no report", reports.EndReport(ctx, account, report(account, 3).ID, chat.CommandDone, 200, "", at))
	if got := allReports(t, ctx, reports, account, 10); len(got) != 0 {
		t.Errorf("a cleared report came back: %v", got)
	}
}

func clearReports(t *testing.T, ctx context.Context, reports chat.Reports) {
	account := newAccount()
	pending, finished := pendingReport(account, 2), pendingReport(account, 3)
	addReports(t, ctx, reports, report(account, 1), pending, finished, report(account, 4))
	ok(t, "end", reports.EndReport(ctx, account, finished.ID, chat.CommandFailed, 504, chat.Internal, noon))
	ok(t, "clear", reports.ClearReports(ctx, account, false, noon))
	wantSame(t, "what is left", allReports(t, ctx, reports, account, 10), []chat.Report{pending})
	ok(t, "clear all", reports.ClearReports(ctx, account, true, noon))
	if got := allReports(t, ctx, reports, account, 10); len(got) != 0 {
		t.Errorf("left after clearing all: %v", got)
	}
	addReports(t, ctx, reports, pending)
	ok(t, "clear while it may end", reports.ClearReports(ctx, account, false, pending.At.Add(chat.CommandAge)))
	wantSame(t, "what may end", allReports(t, ctx, reports, account, 10), []chat.Report{pending})
	ok(t, "clear what was lost", reports.ClearReports(ctx, account, false, pending.At.Add(chat.CommandAge+time.Millisecond)))
	if got := allReports(t, ctx, reports, account, 10); len(got) != 0 {
		t.Errorf("a lost command's entry is left: %v", got)
	}
	ok(t, "clear nothing", reports.ClearReports(ctx, account, true, noon))
}

func clearManyReports(t *testing.T, ctx context.Context, reports chat.Reports) {
	account := newAccount()
	var pending []chat.Report
	for i := range 60 {
		r := report(account, i)
		if i%7 == 0 {
			r = pendingReport(account, i)
			pending = append(pending, r)
		}
		addReports(t, ctx, reports, r)
	}
	slices.Reverse(pending)
	ok(t, "clear", reports.ClearReports(ctx, account, false, noon))
	wantSame(t, "what is left", allReports(t, ctx, reports, account, 100), pending)
}

func reportsOfAccounts(t *testing.T, ctx context.Context, reports chat.Reports) {
	mine, foreign := newAccount(), newAccount()
	r, other := pendingReport(mine, 1), pendingReport(foreign, 2)
	addReports(t, ctx, reports, r, other)
	ok(t, "end with the wrong account", reports.EndReport(ctx, mine, other.ID, chat.CommandDone, 200, "", noon))
	ok(t, "clear", reports.ClearReports(ctx, mine, true, noon))
	wantSame(t, "the other account's reports", allReports(t, ctx, reports, foreign, 10), []chat.Report{other})
	if got := allReports(t, ctx, reports, mine, 10); len(got) != 0 {
		t.Errorf("left after clearing: %v", got)
	}
}

func reportCursors(t *testing.T, ctx context.Context, reports chat.Reports) {
	mine, foreign := newAccount(), newAccount()
	for i := range 4 {
		addReports(t, ctx, reports, report(mine, i), report(foreign, i))
	}
	for _, cursor := range madeUpCursors {
		_, _, err := reports.ListReports(ctx, mine, chat.Page{Limit: 2, Cursor: cursor})
		wantCode(t, "a made-up cursor", err, chat.InvalidCursor)
	}
	_, next, err := reports.ListReports(ctx, mine, chat.Page{Limit: 2})
	ok(t, "list", err)
	got, _, err := reports.ListReports(ctx, foreign, chat.Page{Limit: 10, Cursor: next})
	if err != nil {
		wantCode(t, "another account's cursor", err, chat.InvalidCursor)
	}
	for _, r := range got {
		if r.Account != foreign {
			t.Errorf("another account's cursor shows its report %v", r)
		}
	}
}
