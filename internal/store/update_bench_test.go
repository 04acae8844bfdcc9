package store_test

import (
	"path/filepath"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/store/storetest"
)

// BenchmarkUpdate tells how much CPU it takes to store what arrives.
func BenchmarkUpdate(b *testing.B) {
	r := newInbox(9)
	large := r.group(1)
	var members []chat.JID
	for range 500 {
		pn, _ := r.person()
		large.State.Members[pn] = asSet(chat.RankMember)
		members = append(members, pn)
	}
	person, _ := r.person()
	for name, change := range map[string]func(i int64) chat.Change{
		"a message in a group of 500": func(i int64) chat.Change {
			return chat.Change{Chat: large.Chat, Messages: []chat.Message{r.text(members[i%500], noon.Unix()+i)}}
		},
		"a message": func(i int64) chat.Change {
			return chat.Change{Chat: person, Messages: []chat.Message{r.text(person, noon.Unix()+i)}}
		},
		"50 messages of a history": func(i int64) chat.Change {
			c := chat.Change{Chat: person, Past: true}
			for j := range int64(50) {
				c.Messages = append(c.Messages, r.text(person, noon.Unix()-i*50-j))
			}
			return c
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := storetest.Open(b, filepath.Join(b.TempDir(), "pesan.db"), storetest.Now)
			account := newAccount(b, s)
			project(b, s, account, large)
			i, before := int64(0), cpuTime()
			for b.Loop() {
				i++
				project(b, s, account, change(i))
			}
			b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
