//go:build unix

package sqlite

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"pesan/internal/chat"
)

const benchAccount = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

func benchPerson(i int) chat.JID {
	return chat.NewJID(fmt.Sprintf("62812%07d", i), chat.UserServer)
}

// benchMessage has the size of an ordinary text message in history.
func benchMessage(from chat.JID, id string, at int64) chat.Message {
	text := "Halo, apakah barangnya masih ada? " + strings.Repeat("Kalau bisa dikirim hari ini ya. ", 3)
	return chat.Message{ID: id, Status: chat.DeliveryAck, Content: chat.Content{
		Sender: from, Time: at, Type: "extendedTextMessage", Body: text,
		Message: chat.JSON(`{"extendedTextMessage":{"text":"` + text + `","previewType":"NONE","contextInfo":{"expiration":0}},` +
			`"messageContextInfo":{"deviceListMetadata":{"senderKeyHash":"AAAAAAAAAAAAAA==","senderTimestamp":"1772000000"},"deviceListMetadataVersion":2}}`),
		Info: `{"pushName":"Siti Rahmawati"}`,
	}}
}

// benchState has as many fields as a conversation of a history sync.
func benchState() chat.Chat {
	c := chat.Chat{Fields: map[string]chat.Register[chat.JSON]{}, Unread: chat.Unread{Count: 1, At: 1}}
	for _, name := range []string{"conversationTimestamp", "endOfHistoryTransferType", "ephemeralExpiration", "ephemeralSettingTimestamp", "notSpam", "disappearingMode", "tcToken", "tcTokenTimestamp", "contactPrimaryIdentityKey", "createdAt", "isDefaultSubgroup", "commentsCount"} {
		c.Fields[name] = chat.Register[chat.JSON]{Value: `"1234567890"`, At: chat.Baseline}
	}
	c.Fields["tcToken"] = chat.Register[chat.JSON]{Value: `{"type":"Buffer","data":[4,1,21,33,45,56,67,78,89,90,12,23,34,45]}`, At: chat.Baseline}
	c.Contact = chat.Register[string]{Value: "Siti Rahmawati", At: chat.Baseline}
	return c
}

// cpu reports the processor time of what runs from now on; on a shared machine it says more than the clock.
func cpu(b *testing.B) {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	b.Cleanup(func() { b.ReportMetric(float64((used()-start).Microseconds())/float64(b.N), "cpu-µs/op") })
}

func benchFill(b *testing.B, db *DB, chats, messages int) {
	b.Helper()
	projector := chat.NewProjector(db, time.Now)
	for i := range chats {
		jid := benchPerson(i)
		for done := 0; done < messages; done += 500 {
			c := chat.Change{Chat: jid, State: benchState()}
			for j := done; j < min(done+500, messages); j++ {
				c.Messages = append(c.Messages, benchMessage(jid, fmt.Sprintf("3EB0%016X", i*messages+j), int64(1_700_000_000+i+j*10)))
			}
			if err := projector.Apply(b.Context(), benchAccount, c); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkApplyMessage projects one incoming message, as they come live: in turn in some chats.
func BenchmarkApplyMessage(b *testing.B) {
	db := open(b, Options{})
	benchFill(b, db, 20, 20)
	projector := chat.NewProjector(db, time.Now)
	i := 0
	cpu(b)
	for b.Loop() {
		jid := benchPerson(i % 20)
		c := chat.Change{Chat: jid, Alt: chat.NewJID(jid.User(), chat.LIDServer), Messages: []chat.Message{benchMessage(jid, fmt.Sprintf("3EB1%016X", i), int64(1_800_000_000+i))}}
		if i%50 == 49 {
			c.Messages[0].ReadHere = true
		}
		if err := projector.Apply(b.Context(), benchAccount, c); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkApplyGroupMessage does so in a group of 500 members.
func BenchmarkApplyGroupMessage(b *testing.B) {
	db := open(b, Options{})
	projector := chat.NewProjector(db, time.Now)
	const jid = chat.JID("120363041234567890@g.us")
	state := benchState()
	state.Members = map[chat.JID]chat.Register[chat.Rank]{}
	for i := range 500 {
		state.Members[benchPerson(i)] = chat.Register[chat.Rank]{Value: chat.RankMember, At: chat.Baseline}
	}
	if err := projector.Apply(b.Context(), benchAccount, chat.Change{Chat: jid, State: state}); err != nil {
		b.Fatal(err)
	}
	i := 0
	cpu(b)
	for b.Loop() {
		c := chat.Change{Chat: jid, Messages: []chat.Message{benchMessage(benchPerson(i%500), fmt.Sprintf("3EB1%016X", i), int64(1_800_000_000+i))}}
		if err := projector.Apply(b.Context(), benchAccount, c); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkApplyHistory projects a page of 50 messages of history.
func BenchmarkApplyHistory(b *testing.B) {
	db := open(b, Options{})
	projector := chat.NewProjector(db, time.Now)
	i := 0
	cpu(b)
	for b.Loop() {
		jid := benchPerson(i)
		c := chat.Change{Chat: jid, State: benchState()}
		for j := range 50 {
			c.Messages = append(c.Messages, benchMessage(jid, fmt.Sprintf("3EB1%016X", j), int64(1_700_000_000+j)))
		}
		if err := projector.Apply(b.Context(), benchAccount, c); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkChats1000(b *testing.B) {
	db := open(b, Options{})
	benchFill(b, db, 1000, 1)
	bytes := 0
	cpu(b)
	for b.Loop() {
		views, _, err := db.Chats(b.Context(), benchAccount, chat.Filter{}, chat.Page{Limit: 1000}, time.Now())
		if err != nil || len(views) != 1000 {
			b.Fatal(len(views), err)
		}
		bytes = 0
		for i := range views {
			bytes += len(views[i].Document) + len(views[i].Last.Document)
		}
	}
	b.ReportMetric(float64(bytes), "bytes/answer")
}

// BenchmarkMessages100 reads a page of 100 of 100,000 messages.
func BenchmarkMessages100(b *testing.B) {
	db := open(b, Options{})
	benchFill(b, db, 100, 1000)
	i := 0
	cpu(b)
	for b.Loop() {
		c, err := db.Messages(b.Context(), benchAccount, benchPerson(i*7%100), chat.Page{Limit: 100}, time.Now())
		if err != nil || len(c.Messages) != 100 {
			b.Fatal(len(c.Messages), err)
		}
		i++
	}
}
