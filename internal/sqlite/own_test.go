package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
)

const testAccount = "01ARZ3NDEKTSV4RRFFQ69G5FAW"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func apply(t *testing.T, db *DB, changes ...chat.Change) {
	t.Helper()
	p := chat.NewProjector(db, func() time.Time { return noon.Add(-time.Hour) })
	if err := p.Apply(t.Context(), testAccount, changes...); err != nil {
		t.Fatal(err)
	}
}

func text(id string, at, expires int64) chat.Message {
	return chat.Message{ID: id, Content: chat.Content{
		Sender: "6281111111111@s.whatsapp.net", Time: at, Expires: expires, Type: "conversation", Message: chat.JSON(`{"conversation":"` + id + `"}`),
	}}
}

func count(t *testing.T, db *DB, table string) (n int) {
	t.Helper()
	if _, err := db.reader.get(t.Context(), "SELECT count(*) FROM "+table, nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPurge(t *testing.T) {
	db := open(t, Options{Now: func() time.Time { return noon.Add(-time.Hour) }})
	ctx := t.Context()
	const jid = chat.JID("6281111111111@s.whatsapp.net")
	soon := noon.Unix() - 1
	var messages []chat.Message
	for i := range int64(2*purgeBatch + 10) {
		messages = append(messages, text(fmt.Sprint("old", i), 100+i, soon))
	}
	apply(t, db, chat.Change{Chat: jid, Messages: append(messages, text("stays", 50, 0), text("later", 51, noon.Unix()+1))})
	for _, at := range []time.Time{noon.Add(-chat.ReportAge - time.Second), noon.Add(-chat.ReportAge + time.Second)} {
		id := fmt.Sprint(at.Unix())
		c := chat.Command{Version: 1, ID: id, Account: testAccount, Kind: chat.ConnectCommand, RequestedAt: at}
		if _, _, err := db.PutCommand(ctx, c); err != nil {
			t.Fatal(err)
		}
		if err := db.AddReport(ctx, chat.Report{ID: id, Account: testAccount, At: at}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Send(ctx, 1, chat.Command{ID: "1", Account: testAccount}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Purge(ctx, noon); err != nil {
			t.Fatal(err)
		}
		for table, want := range map[string]int{"messages": 2, "reports": 1, "commands": 1, "sent": 0, "queue": 1} {
			if n := count(t, db, table); n != want {
				t.Errorf("%d %s are left, want %d", n, table, want)
			}
		}
	}
	v, err := db.Chat(ctx, testAccount, jid)
	if err != nil || v.Last.ID != "later" {
		t.Errorf("the last message is %q, %v", v.Last.ID, err)
	}
	if err := db.Purge(ctx, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if v, err = db.Chat(ctx, testAccount, jid); err != nil || v.Last.ID != "stays" {
		t.Errorf("the last message is %q, %v", v.Last.ID, err)
	}
}

// TestReopen closes and opens the database, with what was decoded gone.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder?with#odd%characters", "pesan.db")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	const group = chat.JID("120363041234567890@g.us")
	member := chat.JID("6281111111111@s.whatsapp.net")
	first := chat.Change{
		Chat: group, Messages: []chat.Message{text("a", 1, 0)},
		State: chat.Chat{Members: map[chat.JID]chat.Register[chat.Rank]{member: {Value: chat.RankAdmin, At: 1}}},
	}
	later := chat.Change{Chat: group, State: chat.Chat{Mute: chat.Register[int64]{Value: 5, At: 1}}}
	var views []chat.View
	for i := range 3 {
		db, err := Open(t.Context(), path, Options{Sync: i == 1})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			apply(t, db, first)
		}
		apply(t, db, later)
		v, err := db.Chat(t.Context(), testAccount, group)
		if err != nil || !strings.Contains(string(v.Document), string(member)) {
			t.Fatalf("the group is %+v, %v", v, err)
		}
		views = append(views, v)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if views[0] != views[1] || views[1] != views[2] || views[0].Last.Document == "" {
		t.Errorf("the group changes when it is opened: %v", views)
	}
}

// TestSync asks SQLite what it does for a power cut.
func TestSync(t *testing.T) {
	for sync, want := range map[bool]int{false: 1, true: 2} { // NORMAL, FULL
		var got int
		err := open(t, Options{Sync: sync}).write(t.Context(), func(tx *transaction) error {
			_, err := tx.get("PRAGMA synchronous", nil, &got)
			return err
		})
		if err != nil || got != want {
			t.Errorf("with Sync %v, synchronous is %d, want %d: %v", sync, got, want, err)
		}
	}
}

// TestMembersChange changes a rank, which leaves as many members.
func TestMembersChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pesan.db")
	const group = chat.JID("120363041234567890@g.us")
	for i, rank := range []chat.Rank{chat.RankMember, chat.RankAdmin, chat.RankLeft} {
		db, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		apply(t, db, chat.Change{Chat: group, State: chat.Chat{Members: map[chat.JID]chat.Register[chat.Rank]{"6281111111111@s.whatsapp.net": {Value: chat.RankMember, At: 1}}}})
		apply(t, db, chat.Change{Chat: group, State: chat.Chat{Members: map[chat.JID]chat.Register[chat.Rank]{"6281111111111@s.whatsapp.net": {Value: rank, At: int64(i + 1)}}}})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = Open(t.Context(), path, Options{}); err != nil {
			t.Fatal(err)
		}
		c, _, _, err := db.Export(t.Context(), testAccount, group, chat.Page{Limit: 1})
		if got := c.Members["6281111111111@s.whatsapp.net"].Value; err != nil || got != rank {
			t.Errorf("the rank is %q, %v; want %q", got, err, rank)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStaleDelivery uses a delivery after the command was handed out again: only Done has an effect.
func TestStaleDelivery(t *testing.T) {
	now := noon
	db := open(t, Options{Now: func() time.Time { return now }})
	ctx := t.Context()
	if err := db.Send(ctx, 1, chat.Command{ID: "1", Account: testAccount}); err != nil {
		t.Fatal(err)
	}
	take := func() []chat.Delivery {
		t.Helper()
		deliveries, _, err := db.take(ctx, 1, 10)
		if err != nil {
			t.Fatal(err)
		}
		return deliveries
	}
	stale := take()
	now = now.Add(chat.VisibilityTimeout)
	if again := take(); len(stale) != 1 || len(again) != 1 || again[0].Attempt() != 2 {
		t.Fatalf("received %v, then %v", stale, again)
	}
	if err := stale[0].Release(ctx, 0); err != nil {
		t.Error(err)
	}
	if third := take(); len(third) != 0 {
		t.Errorf("a stale release has an effect: %v", third)
	}
	if err := stale[0].Extend(ctx); err != nil {
		t.Error(err)
	}
	if err := stale[0].Done(ctx); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Hour)
	if third := take(); len(third) != 0 {
		t.Errorf("a command that was done is handed out: %v", third)
	}
}

func TestNewerTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pesan.db")
	db, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.write(t.Context(), func(tx *transaction) error { return tx.exec("PRAGMA user_version = 999") }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("tables of a newer program: %v", err)
	}
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pesan.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is no database. ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below a file"), t.TempDir()} {
		if db, err := Open(t.Context(), path, Options{}); err == nil {
			t.Errorf("%s was opened", path)
			db.Close()
		}
	}
}

// TestPlans makes sure that the queries whose speed matters walk an index in its order.
func TestPlans(t *testing.T) {
	db := open(t, Options{})
	for query, index := range map[string]string{
		selectChats:    "SEARCH chats USING INDEX chats_activity",
		selectMessages: "SEARCH messages USING PRIMARY KEY",
		selectNewest:   "SEARCH messages USING PRIMARY KEY",
		"SELECT view FROM chats WHERE account = ?1 AND jid = " + canonical + " AND shows": "SEARCH chats USING INDEX chats_jid",
		"SELECT seq, body, attempts" + heads:                                              "SEARCH q USING INDEX queue_account",
	} {
		rows, err := db.reader.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		err = eachRow(rows, func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			plan = append(plan, detail)
			return err
		})
		all := strings.Join(plan, "\n")
		if err != nil || !strings.Contains(all, index) || strings.Contains(all, "TEMP B-TREE") {
			t.Errorf("plan of %s:\n%s\n%v", query, all, err)
		}
	}
}

// TestWriteWaitsInTurn cancels a call that waits for another's transaction.
func TestWriteWaitsInTurn(t *testing.T) {
	db := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	err := db.write(t.Context(), func(*transaction) error {
		cancel()
		if err := db.DeleteChats(ctx, testAccount); chat.CodeOf(err) != chat.Internal || ctx.Err() == nil {
			return fmt.Errorf("a call whose context has ended: %w", err)
		}
		_, err := db.Accounts(t.Context()) // readers don't wait
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestPanic has a change panic: its transaction is undone, and the next is none the worse.
func TestPanic(t *testing.T) {
	db := open(t, Options{})
	const jid = chat.JID("6281111111111@s.whatsapp.net")
	apply(t, db, chat.Change{Chat: jid, Messages: []chat.Message{text("a", 1, 0)}})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Update(t.Context(), testAccount, jid, nil, func(th *chat.Thread) error {
			th.Chat.Activity = 99
			panic("a bug")
		})
	}()
	apply(t, db, chat.Change{Chat: jid, Messages: []chat.Message{text("b", 2, 0)}})
	if v, err := db.Chat(t.Context(), testAccount, jid); err != nil || v.Activity != 2 || v.Last.ID != "b" {
		t.Errorf("the chat is %+v, %v", v, err)
	}
}
