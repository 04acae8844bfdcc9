package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
)

// ReportsAndCommands are the API log and the commands that its outcomes come from.
type ReportsAndCommands interface {
	chat.Reports
	chat.Commands
}

// Reports checks an adapter of the API log.
func Reports(t *testing.T, open func(*testing.T) ReportsAndCommands) {
	runAll(t, open, []test[ReportsAndCommands]{
		{"NewestFirst", listReports},
		{"End", endReport},
		{"Clear", clearReports},
		{"ClearMany", clearManyReports},
		{"Accounts", reportsOfAccounts},
		{"Cursors", reportCursors},
		{"Together", reportsWithCommands},
		{"ClearTogether", clearReportsWithCommands},
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
	r.Status, r.CommandID, r.Command = 202, fmt.Sprint("command", second), chat.CommandPending
	return r
}

// putReported stores the commands of entries.
func putReported(t *testing.T, ctx context.Context, commands chat.Commands, entries ...chat.Report) {
	t.Helper()
	for _, r := range entries {
		_, _, err := commands.PutCommand(ctx, muteCommand(r.Account, r.CommandID))
		ok(t, "put command", err)
	}
}

func endReported(t *testing.T, ctx context.Context, commands chat.Commands, r chat.Report, failure *chat.Error, at time.Time) {
	t.Helper()
	_, err := commands.EndCommand(ctx, r.Account, r.CommandID, chat.Outcome{Failure: failure, Attempts: 1, At: at})
	ok(t, "end command", err)
}

func allReports(t *testing.T, ctx context.Context, reports ReportsAndCommands, account string, limit int) []chat.Report {
	t.Helper()
	return walk(t, limit, func(p chat.Page) ([]chat.Report, string, error) { return reports.ListReports(ctx, account, p) })
}

func addReports(t *testing.T, ctx context.Context, reports ReportsAndCommands, entries ...chat.Report) {
	t.Helper()
	for _, r := range entries {
		ok(t, "add", reports.AddReport(ctx, r))
	}
}

func listReports(t *testing.T, ctx context.Context, reports ReportsAndCommands) {
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

// endReport: an entry ends as its command does.
func endReport(t *testing.T, ctx context.Context, reports ReportsAndCommands) {
	account := newAccount()
	done, failed, pending := pendingReport(account, 1), pendingReport(account, 2), pendingReport(account, 3)
	lost := pendingReport(account, 4) // whose command was never stored
	addReports(t, ctx, reports, done, failed, pending, lost)
	putReported(t, ctx, reports, done, failed, pending)
	wantSame(t, "pending reports", allReports(t, ctx, reports, account, 10), []chat.Report{lost, pending, failed, done})
	at := noon.Add(time.Minute)
	endReported(t, ctx, reports, done, nil, at)
	endReported(t, ctx, reports, failed, &chat.Error{Code: chat.WhatsAppRejected, Message: "no"}, at)
	done.Command, done.EndedAt = chat.CommandDone, at
	failed.Command, failed.Error, failed.EndedAt = chat.CommandFailed, chat.WhatsAppRejected, at
	for _, limit := range []int{1, 2, 10} {
		wantSame(t, "ended reports", allReports(t, ctx, reports, account, limit), []chat.Report{lost, pending, failed, done})
	}
	ok(t, "clear", reports.ClearReports(ctx, account, true, noon))
	endReported(t, ctx, reports, pending, nil, at)
	if got := allReports(t, ctx, reports, account, 10); len(got) != 0 {
		t.Errorf("a cleared report came back: %v", got)
	}
}

func clearReports(t *testing.T, ctx context.Context, reports ReportsAndCommands) {
	account := newAccount()
	pending, finished := pendingReport(account, 2), pendingReport(account, 3)
	addReports(t, ctx, reports, report(account, 1), pending, finished, report(account, 4))
	putReported(t, ctx, reports, pending, finished)
	endReported(t, ctx, reports, finished, &chat.Error{Code: chat.Internal}, noon)
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

func clearManyReports(t *testing.T, ctx context.Context, reports ReportsAndCommands) {
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

func reportsOfAccounts(t *testing.T, ctx context.Context, reports ReportsAndCommands) {
	mine, foreign := newAccount(), newAccount()
	r, other := pendingReport(mine, 1), pendingReport(foreign, 2)
	addReports(t, ctx, reports, r, other)
	putReported(t, ctx, reports, r, pendingReport(mine, 2)) // of the same id as the other account's command
	endReported(t, ctx, reports, pendingReport(mine, 2), nil, noon)
	ok(t, "clear", reports.ClearReports(ctx, mine, true, noon))
	wantSame(t, "the other account's reports", allReports(t, ctx, reports, foreign, 10), []chat.Report{other})
	if got := allReports(t, ctx, reports, mine, 10); len(got) != 0 {
		t.Errorf("left after clearing: %v", got)
	}
}

func reportCursors(t *testing.T, ctx context.Context, reports ReportsAndCommands) {
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

// reported stores a command together with its entry.
func reported(t *testing.T, ctx context.Context, reports ReportsAndCommands, account string, second int) chat.Report {
	t.Helper()
	r := report(account, second)
	r.Status, r.CommandID, r.Command, r.Request, r.Key, r.Number = 202, r.ID, chat.CommandPending, "of-the-call", "toko", "628000@s.whatsapp.net"
	c := muteCommand(account, r.ID)
	c.Report, c.RequestedAt, c.Request = r.ID, r.At, r.Request
	stored, created, err := reports.PutReported(ctx, c, r)
	ok(t, "put with entry", err)
	wantSame(t, "what is stored", stored, chat.CommandRecord{Command: c, State: chat.CommandPending})
	if !created {
		t.Error("a new command wasn't created")
	}
	return r
}

// reportsWithCommands: entries that stand with their commands are among the others, and end as their commands do.
func reportsWithCommands(t *testing.T, ctx context.Context, reports ReportsAndCommands) {
	account := newAccount()
	var want []chat.Report
	for i := range 24 {
		var r chat.Report
		switch i % 4 {
		case 0, 1:
			r = reported(t, ctx, reports, account, i)
		case 2:
			r = report(account, i)
			addReports(t, ctx, reports, r)
		case 3:
			r = pendingReport(account, i)
			addReports(t, ctx, reports, r)
			putReported(t, ctx, reports, r)
		}
		want = append(want, r)
	}
	for _, id := range []string{report(account, 5).ID, "01", "a-client's", "zz", "0"} { // which clients chose
		_, _, err := reports.PutCommand(ctx, muteCommand(account, id))
		ok(t, "put", err)
	}
	reported(t, ctx, reports, newAccount(), 7)
	newest := slices.Clone(want)
	slices.Reverse(newest)
	for _, limit := range []int{1, 2, 3, 5, 23, 24, 25, 1000} {
		wantSame(t, "the reports", allReports(t, ctx, reports, account, limit), newest)
	}
	at := noon.Add(time.Minute)
	for i := range want {
		switch i % 8 {
		case 0, 3:
			endReported(t, ctx, reports, want[i], nil, at)
			want[i].Command, want[i].EndedAt = chat.CommandDone, at
		case 1:
			endReported(t, ctx, reports, want[i], &chat.Error{Code: chat.WhatsAppRejected}, at)
			want[i].Command, want[i].Error, want[i].EndedAt = chat.CommandFailed, chat.WhatsAppRejected, at
		}
	}
	newest = slices.Clone(want)
	slices.Reverse(newest)
	for _, limit := range []int{1, 7, 1000} {
		wantSame(t, "the ended reports", allReports(t, ctx, reports, account, limit), newest)
	}
}

// clearReportsWithCommands: what is cleared doesn't come back, and no command can happen twice for it.
func clearReportsWithCommands(t *testing.T, ctx context.Context, reports ReportsAndCommands) {
	account, at := newAccount(), noon.Add(time.Minute)
	done, pending, late := reported(t, ctx, reports, account, 1), reported(t, ctx, reports, account, 2), reported(t, ctx, reports, account, 3)
	endReported(t, ctx, reports, done, nil, at)
	ok(t, "clear", reports.ClearReports(ctx, account, false, noon))
	wantSame(t, "what is left", allReports(t, ctx, reports, account, 10), []chat.Report{late, pending})
	ok(t, "clear all", reports.ClearReports(ctx, account, true, noon))
	endReported(t, ctx, reports, pending, nil, at)
	if got := allReports(t, ctx, reports, account, 10); len(got) != 0 {
		t.Errorf("left after clearing all: %v", got)
	}
	for id, state := range map[string]chat.CommandState{
		done.ID: chat.CommandDone, pending.ID: chat.CommandDone, late.ID: chat.CommandPending,
	} {
		r, err := reports.Command(ctx, account, id)
		ok(t, "get", err)
		if r.State != state {
			t.Errorf("a command whose entry was cleared is %s, not %s", r.State, state)
		}
		if _, created, err := reports.PutReported(ctx, r.Command, chat.Report{}); err != nil || created {
			t.Errorf("a command whose entry was cleared is made anew: %v", err)
		}
	}
	lost := reported(t, ctx, reports, account, 4)
	ok(t, "clear while it may end", reports.ClearReports(ctx, account, false, lost.At.Add(chat.CommandAge)))
	wantSame(t, "what may end", allReports(t, ctx, reports, account, 10), []chat.Report{lost})
	ok(t, "clear what was lost", reports.ClearReports(ctx, account, false, lost.At.Add(chat.CommandAge+time.Millisecond)))
	if got := allReports(t, ctx, reports, account, 10); len(got) != 0 {
		t.Errorf("a lost command's entry is left: %v", got)
	}
	for i := range 40 {
		endReported(t, ctx, reports, reported(t, ctx, reports, account, 10+i), nil, at)
	}
	ok(t, "clear many", reports.ClearReports(ctx, account, false, noon))
	if got := allReports(t, ctx, reports, account, 10); len(got) != 0 {
		t.Errorf("left after clearing many: %d", len(got))
	}
}
