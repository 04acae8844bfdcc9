package store_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/budget"
	"pesan/internal/chat"
	"pesan/internal/kv/dynamodb"
	"pesan/internal/render"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
	"pesan/internal/testkit/awsfault"
	"pesan/internal/testkit/dynamolocal"
)

var stacks atomic.Int64

// newTables makes a set of tables for one test.
func newTables(t testing.TB) dynamodb.Tables {
	return dynamolocal.CreateTables(t, fmt.Sprintf("store%d-%d-", os.Getpid(), stacks.Add(1)))
}

func overDynamoDB(db *awsdynamodb.Client, tables dynamodb.Tables) *store.Store {
	return store.New(dynamodb.New(db, tables, storetest.Now), store.Options{Compression: store.Zstd, Now: storetest.Now})
}

func TestContractsOverDynamoDB(t *testing.T) {
	t.Parallel()
	s := overDynamoDB(dynamolocal.Client(t, dynamodb.Tuned), newTables(t))
	storetest.Contracts(t, func(*testing.T) storetest.Store { return s })
}

func TestProjectionOverDynamoDB(t *testing.T) {
	t.Parallel()
	s := overDynamoDB(dynamolocal.Client(t, dynamodb.Tuned), newTables(t))
	storetest.Projection(t, func(*testing.T) chat.ChatStore { return s })
}

// TestContractsOverFaultyDynamoDB runs the suites while a fifth of the requests fail in some way.
func TestContractsOverFaultyDynamoDB(t *testing.T) {
	t.Parallel()
	tables := newTables(t)
	proxy, err := awsfault.New(os.Getenv("DYNAMODB_ENDPOINT"), 1, awsfault.Rates(0.2), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	server := httptest.NewServer(proxy)
	defer server.Close()
	s := overDynamoDB(dynamolocal.Client(t, dynamodb.Tuned, func(o *awsdynamodb.Options) {
		o.BaseEndpoint = aws.String(server.URL)
		o.HTTPClient = o.HTTPClient.(*awshttp.BuildableClient).WithTimeout(2 * time.Second)
	}), tables)
	storetest.Contracts(t, func(*testing.T) storetest.Store { return s })
	for _, f := range []awsfault.Fault{awsfault.Throttled, awsfault.Failed, awsfault.Refused, awsfault.DoneFailed, awsfault.Lost, awsfault.Hung, awsfault.Partial} {
		if proxy.Counts()[f] == 0 {
			t.Errorf("no request was %s", f)
		}
	}
}

func TestCrashOverDynamoDB(t *testing.T) {
	t.Parallel()
	client, tables := dynamolocal.Client(t, dynamodb.Tuned), newTables(t)
	for name := range crashes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crashEverywhere(t, dynamodb.New(client, tables, storetest.Now), store.Zstd, name)
		})
	}
}

// fill stores so many chats, half as many that don't show, and returns the first with a person.
func fill(t testing.TB, s *store.Store, account string, chats int) chat.JID {
	r := newInbox(3)
	var first chat.JID
	for i := range chats {
		c := r.chat(1)
		if first == "" && c.Chat.Kind() == chat.Private {
			first = c.Chat
		}
		project(t, s, account, c)
		if i%2 == 0 {
			pn, _ := r.person()
			project(t, s, account, chat.Change{Chat: pn, State: chat.Chat{Contact: asSet(r.name())}})
		}
	}
	return first
}

// within fails the test when a piece of work costs more than it may.
func within(t *testing.T, meter *dynamolocal.Meter, work budget.Work) {
	t.Helper()
	used := meter.Take()
	t.Logf("%-60s %7.1f RRU %5.1f WRU %3d requests", work.Name, used.Read, used.Write, used.Requests)
	if used.Read > work.Read || used.Write > work.Write || used.Requests > work.Requests {
		t.Errorf("%s may cost %.1f RRU, %.1f WRU, %d requests", work.Name, work.Read, work.Write, work.Requests)
	}
}

// TestBudgets holds what the ports' work costs. The account's own item costs half a unit to read, which is counted in.
func TestBudgets(t *testing.T) {
	t.Parallel()
	var meter dynamolocal.Meter
	s := overDynamoDB(dynamolocal.Client(t, dynamodb.Tuned, meter.Attach), newTables(t))
	ctx, account := t.Context(), newAccount(t, s)
	accounts := s.EventualAccounts()
	person := fill(t, s, account, 1000)
	r := newInbox(4)
	history := chat.Change{Chat: person, State: chat.Chat{Read: chat.RangeOf(noon.Unix() + 290)}}
	for i := range 300 {
		history.Messages = append(history.Messages, r.text([]chat.JID{person, own}[i%2], noon.Unix()+int64(i)))
	}
	project(t, s, account, history)
	meter.Take()
	read := func() {
		t.Helper()
		if _, err := accounts.Account(ctx, account); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	read()
	views, _, err := s.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 1000}, noon)
	if err != nil || len(views) != 1000 {
		t.Fatalf("%d chats, %v", len(views), err)
	}
	within(t, &meter, budget.GetChats)

	read()
	_, err = s.Chat(ctx, account, person)
	must(err)
	within(t, &meter, budget.GetChatByID)

	read()
	c, err := s.Messages(ctx, account, person, chat.Page{Limit: 100}, noon)
	if err != nil || len(c.Messages) != 100 {
		t.Fatalf("%d messages, %v", len(c.Messages), err)
	}
	within(t, &meter, budget.FetchMessageByID)

	project(t, s, account, chat.Change{Chat: person, Messages: []chat.Message{r.text(person, noon.Unix()+1000)}})
	within(t, &meter, budget.StoreMessage)

	last := chat.Message{ID: c.Messages[99].ID, Status: chat.Read, Receipts: map[chat.JID]chat.Receipt{person: {Read: noon.Unix()}}}
	project(t, s, account, chat.Change{Chat: person, Messages: []chat.Message{last}})
	within(t, &meter, budget.StoreReceipt)

	stranger, _ := r.person()
	project(t, s, account, chat.Change{Chat: stranger, Messages: []chat.Message{r.text(stranger, noon.Unix()+1000)}})
	within(t, &meter, budget.StoreNewChat)

	report := chat.Report{ID: "01KXQZ5T9W4Y8N2M6P3R7V1B0D", Account: account, At: noon, Endpoint: "muteChat", Target: person.Echo(), Status: 202,
		CommandID: "01KXQZ5T9W4Y8N2M6P3R7V1B0D", Command: chat.CommandPending}
	mute := chat.Command{Version: chat.CommandVersion, ID: report.CommandID, Account: account, Kind: chat.MuteCommand, Chat: person, Seconds: 3600, Report: report.ID, RequestedAt: noon}
	_, _, err = s.PutReported(ctx, mute, report)
	must(err)
	project(t, s, account, chat.Change{Chat: person, State: chat.Chat{Mute: chat.Register[int64]{Value: mute.MuteEnd(), At: noon.UnixMilli()}}})
	_, err = s.EndCommand(ctx, account, mute.ID, chat.Outcome{Attempts: 1, At: noon.Add(time.Second)})
	must(err)
	_, err = s.Command(ctx, account, mute.ID)
	must(err)
	within(t, &meter, budget.StoreMute)

	const operations = budget.Operations
	batch := chat.Batch{ID: "01KXQZ5T9W4Y8N2M6P3R7V1B0F", Account: account, Rate: 10, Total: operations, Chunk: chat.BatchChunk,
		State: chat.BatchQueued, RequestedAt: noon}
	var all []chat.Operation
	for i := range operations {
		pn, _ := r.person()
		all = append(all, chat.Operation{Op: chat.MuteCommand, Chat: pn, Seconds: 3600, Line: i + 1})
	}
	meter.Take()
	must(s.PutOperations(ctx, account, batch.ID, all))
	_, _, err = s.CreateBatch(ctx, batch, noon)
	must(err)
	_, _, err = s.Operations(ctx, account, batch.ID, 0)
	must(err)
	for from := 0; from < operations; from += 49 { // as many as a patch holds
		_, err = s.Batch(ctx, account, batch.ID)
		must(err)
		results := make(map[int]chat.Result)
		for i := from; i < min(from+49, operations); i++ {
			results[i] = chat.Result{State: chat.OperationDone, At: noon.Add(time.Duration(from) * time.Second)}
		}
		_, err = s.EndOperations(ctx, account, batch.ID, 0, results)
		must(err)
	}
	within(t, &meter, budget.StoreBatch)

	beat, err := s.Beat(ctx, chat.Heartbeat{Host: "host"}, noon, time.Minute)
	must(err)
	at, err := s.End(ctx, account)
	must(err)
	meter.Take()
	read()
	still, err := s.Still(ctx, account, at)
	if must(err); !still {
		t.Error("the end isn't the end")
	}
	within(t, &meter, budget.NotModified)

	for range 10 {
		project(t, s, account, r.chat(1))
	}
	meter.Take()
	read()
	delta, err := s.ChatsSince(ctx, account, at, chat.Filter{}, 1000, noon)
	if must(err); len(delta.Views) != 10 {
		t.Errorf("%d chats have changed", len(delta.Views))
	}
	within(t, &meter, budget.ChatsSince)

	_, err = s.AcquireLease(ctx, chat.ShardsOf(1, 4), "host", noon)
	must(err)
	meter.Take()
	_, err = s.Beat(ctx, beat, noon, time.Minute)
	must(err)
	within(t, &meter, budget.Beat)
	if hosts, err := s.Hosts(ctx, noon); err != nil || len(hosts) != 1 {
		t.Errorf("hosts %v, %v", hosts, err)
	}
	within(t, &meter, budget.Look)

	owner := s.WithToken(1)
	looked := errors.New("looked")
	var jids []chat.JID
	for _, v := range views[:20] {
		jids = append(jids, v.JID)
	}
	look := func(jid chat.JID) {
		t.Helper()
		err := owner.Update(ctx, account, jid, nil, func(th *chat.Thread) error {
			if th.Chat.JID != jid || th.Chat.Activity == 0 {
				t.Errorf("%s is %+v", jid, th.Chat)
			}
			return looked
		})
		if err != looked {
			t.Error(err)
		}
	}
	look(person) // a new owner looks at more
	meter.Take()
	must(owner.Prefetch(ctx, account, append(jids, jids[0], "0@s.whatsapp.net")))
	for _, jid := range jids {
		look(jid)
	}
	if used := meter.Take(); used.Requests != 1 {
		t.Errorf("chats that were prefetched take %d requests", used.Requests)
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkChatsOverDynamoDB lists 1,000 chats and prints them, as getChats does, and tells how much CPU that takes here.
func BenchmarkChatsOverDynamoDB(b *testing.B) {
	s := overDynamoDB(dynamolocal.Client(b, dynamodb.Tuned), newTables(b))
	account := newAccount(b, s)
	fill(b, s, account, 1000)
	var out []byte
	before := cpuTime()
	for b.Loop() {
		views, _, err := s.Chats(b.Context(), account, chat.Filter{}, chat.Page{Limit: 1000}, noon)
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
