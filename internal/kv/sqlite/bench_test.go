package sqlite

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"pesan/internal/kv"
)

// benchMessage is what a message of some words takes in the store's codec, and benchChat what its chat takes.
const (
	benchMessage = 250
	benchChat    = 630
)

func benchData(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// benchPut stores a message as package store does: it reads the chat and looks for the message, claims its id, puts it, and puts
// the chat.
func benchPut(b *testing.B, s *Store, r *rand.Rand, account string, chat, message int) error {
	jid := fmt.Sprintf("62811%08d@s.whatsapp.net", chat)
	conversation := kv.Key{Collection: kv.Messages, Partition: account + "/" + jid}
	claim, place := conversation, conversation
	claim.Sort = fmt.Sprintf("i/3EB0%016X", message)
	place.Sort = fmt.Sprintf("t/i%d/a0/3EB0%016X", 1_700_000_000+message, message)
	read, err := s.GetMany(b.Context(), []kv.Key{{Collection: kv.Chats, Partition: account, Sort: "c/" + jid}, claim})
	if err != nil {
		return err
	}
	fields := map[string]int64{"activity": int64(1_700_000_000 + message), "unread": int64(message)}
	return s.Write(b.Context(),
		kv.Each(kv.Put(kv.Item{Key: claim, Fields: map[string]int64{"t": int64(1_700_000_000 + message)}}, kv.As(read[1]))),
		kv.Each(kv.Put(kv.Item{Key: place, Data: benchData(r, benchMessage)}, kv.Always())),
		kv.Together(kv.Put(kv.Item{
			Key: kv.Key{Collection: kv.Chats, Partition: account, Sort: "c/" + jid}, Fields: fields, Data: benchData(r,
				benchChat),
		}, kv.As(read[0]))))
}

// BenchmarkMessages stores messages of several accounts at once, each in 50 chats.
func BenchmarkMessages(b *testing.B) {
	for _, sync := range []bool{true, false} {
		for _, writers := range []int{1, 4, 16, 64} {
			b.Run(fmt.Sprintf("sync=%v/writers=%d", sync, writers), func(b *testing.B) {
				s := open(b, Options{Sync: sync})
				benchWriters(b, s, writers)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			})
		}
	}
}

func benchWriters(b *testing.B, s *Store, writers int) {
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for w := range writers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			account := fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ69G%04d", w)
			for i := 0; next.Add(1) <= int64(b.N); i++ {
				if err := benchPut(b, s, r, account, i%50, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
}

// BenchmarkList lists all chats of an account.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{1000, 1001, 10_000} {
		b.Run(fmt.Sprint("items=", n), func(b *testing.B) {
			s := open(b, Options{})
			r := rand.New(rand.NewPCG(1, 1))
			k := kv.Key{Collection: kv.Chats, Partition: "01ARZ3NDEKTSV4RRFFQ69G5FAW"}
			for i := range n {
				k.Sort = fmt.Sprintf("c/62811%08d@s.whatsapp.net", i)
				it := kv.Item{Key: k, Data: benchData(r, benchChat),
					Fields: map[string]int64{"activity": int64(1_700_000_000 + i), "unread": 3}}
				if err := s.Write(b.Context(), kv.Each(kv.Put(it, kv.Always()))); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				count := 0
				for _, err := range s.Query(b.Context(), kv.Query{Collection: k.Collection, Partition: k.Partition}) {
					if err != nil {
						b.Fatal(err)
					}
					count++
				}
				if count != n {
					b.Fatal(count)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := open(b, Options{})
	r := rand.New(rand.NewPCG(1, 1))
	k := kv.Key{Collection: kv.Chats, Partition: "01ARZ3NDEKTSV4RRFFQ69G5FAW", Sort: "c/6281111111111@s.whatsapp.net"}
	if err := s.Write(b.Context(), kv.Each(kv.Put(kv.Item{Key: k, Data: benchData(r, benchChat)}, kv.Always()))); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), k, kv.Strong); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSize tells how many bytes of the file a message takes beyond its own.
func BenchmarkSize(b *testing.B) {
	s := open(b, Options{})
	benchWriters(b, s, 4)
	if err := s.writer.conn.script("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(s.path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(b.N), "bytes/message")
	b.ReportMetric(float64(info.Size())/float64(b.N)-benchMessage, "overhead/message")
}
