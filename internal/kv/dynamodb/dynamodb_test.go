package dynamodb

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/kv"
	"pesan/internal/testkit/dynamolocal"
)

func TestMain(m *testing.M) { os.Exit(dynamolocal.Main(m)) }

var stacks atomic.Int64

// newTables makes a set of tables for one test.
func newTables(t testing.TB) Tables {
	return dynamolocal.CreateTables(t, fmt.Sprintf("kv%d-%d-", os.Getpid(), stacks.Add(1)))
}

func newStore(t testing.TB, options ...func(*dynamodb.Options)) *Store {
	return New(dynamolocal.Client(t, append([]func(*dynamodb.Options){Tuned}, options...)...), newTables(t), time.Now)
}

func at(sort string) kv.Key { return kv.Key{Collection: kv.Chats, Partition: "p", Sort: sort} }

func all(t testing.TB, s *Store, q kv.Query) (items []kv.Item) {
	t.Helper()
	for it, err := range s.Query(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
	}
	return items
}

// TestItems: whatever an item holds, all three ways to read it give it back.
func TestItems(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for i, it := range []kv.Item{
		{},
		{Data: []byte{0, 1, 0xff}},
		{Fields: map[string]int64{"pk": 1, "sk": 2, "d": 3, "v": 4, "e": 5, "ttl": 6, "token": 7}, Token: 9, Expires: math.MaxInt32},
		{Fields: map[string]int64{"least": math.MinInt64, "greatest": math.MaxInt64}},
		{Key: kv.Key{Sort: "\"quoted\"\\ \n\x00 é 😀 </script> \u2028"}},
		{Key: kv.Key{Sort: `"Items":[{"sk":{"S":"a"}}]`}},
		{Key: kv.Key{Sort: strings.Repeat("\U0010FFFF", 256)}},
	} {
		it.Collection, it.Partition = kv.Chats, fmt.Sprintf(`"%d\`, i)
		if it.Sort == "" {
			it.Sort = "s"
		}
		put := kv.Put(it, kv.Absent())
		if err := s.Write(t.Context(), kv.Each(put)); err != nil {
			t.Fatal(err)
		}
		want := []kv.Item{put.Item}
		got, err := s.Get(t.Context(), it.Key, kv.Eventual)
		if err != nil || !reflect.DeepEqual(got, put.Item) {
			t.Errorf("got %+v, %v, want %+v", got, err, put.Item)
		}
		many, err := s.GetMany(t.Context(), []kv.Key{it.Key, at("none"), it.Key})
		if err != nil || many[1] != nil || !reflect.DeepEqual(*many[0], put.Item) || !reflect.DeepEqual(*many[2], put.Item) {
			t.Errorf("got many %+v, %v, want %+v", many, err, put.Item)
		}
		if listed := all(t, s, kv.Query{Collection: kv.Chats, Partition: it.Partition}); !reflect.DeepEqual(listed, want) {
			t.Errorf("listed %+v, want %+v", listed, want)
		}
		want[0].Data, want[0].Fields = nil, nil
		keys := kv.Query{Collection: kv.Chats, Partition: it.Partition, KeysOnly: true}
		if listed := all(t, s, keys); !reflect.DeepEqual(listed, want) {
			t.Errorf("listed keys %+v, want %+v", listed, want)
		}
	}
}

// TestPrices holds what operations cost.
func TestPrices(t *testing.T) {
	t.Parallel()
	var meter dynamolocal.Meter
	s := newStore(t, meter.Attach)
	meter.Take()
	price := func(what string, read, write float64, requests int) {
		t.Helper()
		if got, want := meter.Take(), (dynamolocal.Usage{Read: read, Write: write, Requests: requests}); got != want {
			t.Errorf("%s costs %+v, want %+v", what, got, want)
		}
	}
	write := func(steps ...kv.Step) {
		t.Helper()
		if err := s.Write(t.Context(), steps...); err != nil {
			t.Fatal(err)
		}
	}
	put := func(sort string, c kv.Condition, token int64) kv.Op {
		return kv.Put(kv.Item{Key: at(sort), Data: make([]byte, 600), Token: token}, c)
	}
	write(kv.Each(put("a", kv.Always(), 0)))
	price("a put", 0, 1, 1)
	write(kv.Each(put("a", kv.Present(), 1)))
	price("a put with condition and token", 0, 1, 1)
	write(kv.Together(put("a", kv.Present(), 1)))
	price("one alone together", 0, 1, 1)
	write(kv.Together(put("a", kv.Present(), 1), put("b", kv.Absent(), 0), kv.Check(at("c"), kv.Absent(), 1)))
	price("two puts together and a check", 0, 4, 1)
	var many []kv.Op
	for i := range 30 {
		many = append(many, put(fmt.Sprint("m", i), kv.Always(), 0))
	}
	write(kv.Each(many...), kv.Each(kv.Delete(at("a"), kv.Always(), 0), kv.Delete(at("b"), kv.Always(), 0)))
	price("thirty puts, two deletes", 0, 32, 3)
	all(t, s, kv.Query{Collection: kv.Chats, Partition: "p", Expect: 30})
	price("a query of thirty", 5, 0, 2)
	all(t, s, kv.Query{Collection: kv.Chats, Partition: "p", Consistency: kv.Eventual})
	price("an eventual query", 2.5, 0, 1)
	for range s.Query(t.Context(), kv.Query{Collection: kv.Chats, Partition: "p", Expect: 3}) {
		break
	}
	price("a query of three", 1, 0, 1)
	if _, err := s.GetMany(t.Context(), []kv.Key{at("m0"), at("m1"), at("m0")}); err != nil {
		t.Fatal(err)
	}
	price("two items", 2, 0, 1)
	if _, err := s.Get(t.Context(), at("m0"), kv.Eventual); err != nil {
		t.Fatal(err)
	}
	price("an item eventually", 0.5, 0, 1)
}

// TestNoTable: a program that has no right to a collection gives no name for its table.
func TestNoTable(t *testing.T) {
	t.Parallel()
	s := New(dynamolocal.Client(t), Tables{kv.Chats: "some"}, time.Now)
	key := kv.Key{Collection: kv.Accounts, Partition: "p", Sort: "s"}
	err := s.Write(t.Context(), kv.Each(kv.Put(kv.Item{Key: key}, kv.Always())))
	_, getErr := s.Get(t.Context(), key, kv.Strong)
	_, manyErr := s.GetMany(t.Context(), []kv.Key{key, at("s")})
	for _, queryErr := range s.Query(t.Context(), kv.Query{Collection: kv.Accounts, Partition: "p"}) {
		if queryErr == nil {
			t.Error("no error of a query")
		}
	}
	for _, err := range []error{err, getErr, manyErr} {
		if err == nil || errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	}
}

// BenchmarkQuery lists 1,000 items of the size of a chat.
func BenchmarkQuery(b *testing.B) {
	s := newStore(b)
	var ops []kv.Op
	for i := range 1000 {
		data := make([]byte, 430)
		for j := range data {
			data[j] = byte(i * (j + 7) >> 3)
		}
		fields := map[string]int64{"activity": 1780000000 + int64(i), "unread": 3}
		it := kv.Item{Key: at(fmt.Sprintf("c/62812%08d@s.whatsapp.net", i)), Data: data, Fields: fields}
		ops = append(ops, kv.Put(it, kv.Always()))
	}
	if err := s.Write(b.Context(), kv.Each(ops...)); err != nil {
		b.Fatal(err)
	}
	before := cpuTime()
	for b.Loop() {
		if items := all(b, s, kv.Query{Collection: kv.Chats, Partition: "p"}); len(items) != 1000 {
			b.Fatal(len(items))
		}
	}
	b.ReportMetric(float64((cpuTime()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
