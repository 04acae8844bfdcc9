package dynamo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/testkit/dynamolocal"
)

// project applies a change as a projector does.
func project(t testing.TB, store *Chats, account string, c chat.Change) {
	t.Helper()
	var ids []string
	for _, m := range c.Messages {
		ids = append(ids, m.ID)
	}
	if err := store.Update(t.Context(), account, c.Chat, ids, func(th *chat.Thread) error { return th.Apply(c, noon) }); err != nil {
		t.Fatal(err)
	}
}

const account = "01KXQZ5T9W4Y8N2M6P3R7V1B0C"

// metered makes tables and a client that counts what it costs.
func metered(t testing.TB) (*dynamodb.Client, Names, *dynamolocal.Meter) {
	meter := new(dynamolocal.Meter)
	db := dynamolocal.Client(t, Tuned, meter.Attach)
	return db, newTables(t), meter
}

// fill stores so many chats, half as many that don't show, and returns the first.
func fill(t testing.TB, store *Chats, chats int) chat.JID {
	r := newInbox(3)
	var first chat.JID
	for i := range chats {
		c := r.chat(1)
		if first == "" && c.Chat.Kind() == chat.Private {
			first = c.Chat
		}
		project(t, store, account, c)
		if i%2 == 0 {
			pn, _ := r.person()
			project(t, store, account, chat.Change{Chat: pn, State: chat.Chat{Contact: asSet(r.name())}})
		}
	}
	return first
}

// budget fails the test when a piece of work costs more than it may.
func budget(t *testing.T, meter *dynamolocal.Meter, work string, read, write float64, requests int) {
	t.Helper()
	used := meter.Take()
	t.Logf("%-60s %7.1f RRU %5.1f WRU %3d requests", work, used.Read, used.Write, used.Requests)
	if used.Read > read || used.Write > write || used.Requests > requests {
		t.Errorf("%s may cost %.1f RRU, %.1f WRU, %d requests", work, read, write, requests)
	}
}

// TestBudgets holds what the ports' work costs. The account's own item costs half a unit to read, which is counted in.
func TestBudgets(t *testing.T) {
	t.Parallel()
	db, names, meter := metered(t)
	ctx := t.Context()
	accounts, store := NewAccounts(db, names.Accounts), NewChats(db, names.Chats, names.Messages)
	if err := accounts.CreateAccount(ctx, chat.Account{ID: account, KeyHash: make([]byte, 32), CreatedAt: noon, State: chat.Connected}); err != nil {
		t.Fatal(err)
	}
	person := fill(t, store, 1000)
	r := newInbox(4)
	history := chat.Change{Chat: person, State: chat.Chat{Read: chat.RangeOf(noon.Unix() + 290)}}
	for i := range 300 {
		history.Messages = append(history.Messages, r.text([]chat.JID{person, own}[i%2], noon.Unix()+int64(i)))
	}
	project(t, store, account, history)
	meter.Take()
	read := func() {
		t.Helper()
		if _, err := NewAccountReader(db, names.Accounts).Account(ctx, account); err != nil {
			t.Fatal(err)
		}
	}

	read()
	views, _, err := NewChatReader(db, names.Chats).Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 1000}, noon)
	if err != nil || len(views) != 1000 {
		t.Fatalf("%d chats, %v", len(views), err)
	}
	budget(t, meter, "getChats, 1,000 chats, with the account", 130, 0, 2)

	read()
	if _, err := NewChatReader(db, names.Chats).Chat(ctx, account, person); err != nil {
		t.Fatal(err)
	}
	budget(t, meter, "getChatById, with the account", 1.5, 0, 2)

	read()
	c, err := NewMessageReader(db, names.Chats, names.Messages).Messages(ctx, account, person, chat.Page{Limit: 100}, noon)
	if err != nil || len(c.Messages) != 100 {
		t.Fatalf("%d messages, %v", len(c.Messages), err)
	}
	budget(t, meter, "fetchMessageById, 100 text messages, with the account", 15, 0, 3)

	project(t, store, account, chat.Change{Chat: person, Messages: []chat.Message{r.text(person, noon.Unix()+1000)}})
	budget(t, meter, "an incoming text message", 2, 3, 4)

	last := chat.Message{ID: c.Messages[99].ID, Status: chat.Read, Receipts: map[chat.JID]chat.Receipt{person: {Read: noon.Unix()}}}
	project(t, store, account, chat.Change{Chat: person, Messages: []chat.Message{last}})
	budget(t, meter, "a receipt", 3, 1, 3)

	stranger, _ := r.person()
	project(t, store, account, chat.Change{Chat: stranger, Messages: []chat.Message{r.text(stranger, noon.Unix()+1000)}})
	budget(t, meter, "the first message of a new chat", 3, 10, 7)

	muteAll(t, db, names, store, person)
	budget(t, meter, "mute: record, report, chat, and the ends of the first two", 2, 5, 7)
}

// muteAll writes what a mute writes.
func muteAll(t *testing.T, db *dynamodb.Client, names Names, store *Chats, jid chat.JID) {
	ctx, clock := t.Context(), at(noon)
	commands, reports := NewCommands(db, names.Commands, clock), NewReports(db, names.Reports, clock)
	r := chat.Report{ID: "01KXQZ5T9W4Y8N2M6P3R7V1B0D", Account: account, At: noon, Endpoint: "muteChat", Target: jid.Echo(), Status: 202,
		CommandID: "01KXQZ5T9W4Y8N2M6P3R7V1B0E", Command: chat.CommandPending}
	c := chat.Command{Version: chat.CommandVersion, ID: r.CommandID, Account: account, Kind: chat.MuteCommand, Chat: jid, Seconds: 3600, Report: r.ID, RequestedAt: noon}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := commands.PutCommand(ctx, c)
	must(err)
	must(reports.AddReport(ctx, r))
	project(t, store, account, chat.Change{Chat: jid, State: chat.Chat{Mute: chat.Register[int64]{Value: c.MuteEnd(), At: noon.UnixMilli()}}})
	_, err = commands.EndCommand(ctx, account, c.ID, chat.Outcome{Attempts: 1, At: noon.Add(time.Second)})
	must(err)
	must(reports.EndReport(ctx, account, r.ID, chat.CommandDone, 200, "", noon.Add(time.Second)))
	_, err = commands.Command(ctx, account, c.ID)
	must(err)
}

// captured keeps the last answer that a client got.
type captured struct {
	dynamodb.HTTPClient
	body []byte
}

func (c *captured) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.HTTPClient.Do(r)
	if err == nil {
		c.body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(c.body))
	}
	return resp, err
}

// TestLeanAnswers checks that DynamoDB's answers have the form that is read in one pass, and that the SDK, which compares
// their checksum, has nothing to complain of.
func TestLeanAnswers(t *testing.T) {
	t.Parallel()
	var c captured
	db := dynamolocal.Client(t, Tuned, func(o *dynamodb.Options) {
		c.HTTPClient = o.HTTPClient
		o.HTTPClient = &c
		o.Logger = logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) { t.Errorf(format, v...) })
	})
	names := newTables(t)
	fill(t, NewChats(db, names.Chats, names.Messages), 5)
	if views, _, err := NewChatReader(db, names.Chats).Chats(t.Context(), account, chat.Filter{}, chat.Page{Limit: 10}, noon); err != nil || len(views) != 5 {
		t.Fatal(views, err)
	}
	if records, _, ok := cutItems(c.body); !ok || len(records) != 5 {
		t.Errorf("%d records, %v, in %s", len(records), ok, c.body)
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkChats lists 1,000 chats and prints them, as getChats does, and tells how much CPU that takes here.
func BenchmarkChats(b *testing.B) {
	db := dynamolocal.Client(b, Tuned)
	names := newTables(b)
	fill(b, NewChats(db, names.Chats, names.Messages), 1000)
	reader := NewChatReader(db, names.Chats)
	var out []byte
	before := cpuTime()
	for b.Loop() {
		views, _, err := reader.Chats(b.Context(), account, chat.Filter{}, chat.Page{Limit: 1000}, noon)
		if err != nil {
			b.Fatal(err)
		}
		out = out[:0]
		for i := range views {
			out = render.AppendChat(out, &views[i], render.Listed, noon)
		}
	}
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(len(out)), "bytes")
}

// BenchmarkMessage stores incoming messages, of one device and of twenty.
func BenchmarkMessage(b *testing.B) {
	for _, devices := range []int{1, 20} {
		b.Run(fmt.Sprint(devices), func(b *testing.B) {
			db := dynamolocal.Client(b, Tuned)
			names := newTables(b)
			store := NewChats(db, names.Chats, names.Messages)
			b.ResetTimer()
			err := inParallel(b.Context(), devices, func(_ context.Context, i int) error {
				r := newInbox(uint64(i))
				pn, _ := r.person()
				for n := range b.N / devices {
					project(b, store, fmt.Sprint(account, i), chat.Change{Chat: pn, Messages: []chat.Message{r.text(pn, noon.Unix()+int64(n))}})
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
