package store_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/kv/dynamodb"
	"pesan/internal/testkit/dynamolocal"
)

// groupSizes are the sizes of groups that TestLargeGroups measures; PESAN_GROUPS=50,256,512,1024 asks for others.
func groupSizes(t *testing.T) []int {
	sizes := []int{96}
	if asked := os.Getenv("PESAN_GROUPS"); asked != "" {
		sizes = nil
		for s := range strings.SplitSeq(asked, ",") {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, n)
		}
	}
	return sizes
}

// perCall fails the test when pieces of work cost more on average than they may.
func perCall(t *testing.T, meter *dynamolocal.Meter, work string, n int, write float64) {
	t.Helper()
	used := meter.Take()
	t.Logf("%-60s %7.2f RRU %5.2f WRU each", work, used.Read/float64(n), used.Write/float64(n))
	if used.Write > write*float64(n) {
		t.Errorf("%s may cost %.1f WRU", work, write)
	}
}

// TestLargeGroups holds what a group costs by what happens in it, and not by its size: receipts of everyone for a message, a
// reaction of everyone, members that come.
func TestLargeGroups(t *testing.T) {
	t.Parallel()
	var meter dynamolocal.Meter
	s := overDynamoDB(dynamolocal.Client(t, dynamodb.Tuned, meter.Attach), newTables(t))
	for _, size := range groupSizes(t) {
		r := newInbox(uint64(size))
		account := newAccount(t, s)
		group := r.group(1)
		jid := group.Chat
		members := []chat.JID{own}
		group.State.Members = map[chat.JID]chat.Register[chat.Rank]{own: asSet(chat.RankAdmin)}
		for len(members) < size {
			pn, _ := r.person()
			members = append(members, pn)
			group.State.Members[pn] = asSet(chat.RankMember)
		}
		project(t, s, account, group)
		at := noon.Unix()
		sent := r.text(own, at)
		sent.Status, sent.Receipts = chat.ServerAck, nil
		theirs := r.text(members[1], at+1)
		name := func(what string) string { return fmt.Sprintf("%s in a group of %d", what, size) }
		meter.Take()
		project(t, s, account, chat.Change{Chat: jid, Messages: []chat.Message{sent}})
		perCall(t, &meter, name("a message"), 1, 5)
		project(t, s, account, chat.Change{Chat: jid, Messages: []chat.Message{theirs}})
		perCall(t, &meter, name("a message"), 1, 5)
		for i, pn := range members[1:] {
			receipt := chat.Message{ID: sent.ID, Receipts: map[chat.JID]chat.Receipt{pn: {Received: at + int64(i)}}}
			project(t, s, account, chat.Change{Chat: jid, Messages: []chat.Message{receipt}})
		}
		perCall(t, &meter, name("a receipt of delivery"), size, 2)
		for i, pn := range members[1:] {
			receipt := chat.Message{ID: sent.ID, Receipts: map[chat.JID]chat.Receipt{pn: {Read: at + int64(2*i)}}}
			project(t, s, account, chat.Change{Chat: jid, Messages: []chat.Message{receipt}})
		}
		perCall(t, &meter, name("a receipt of reading"), size, 2)
		for i, pn := range members[1:] {
			receipt := chat.Message{ID: "NEVERCAME", Receipts: map[chat.JID]chat.Receipt{pn: {Read: at + int64(2*i)}}}
			project(t, s, account, chat.Change{Chat: jid, Messages: []chat.Message{receipt}})
		}
		perCall(t, &meter, name("a receipt of what isn't there"), size, 2)
		for i, pn := range members[1:] {
			reaction := chat.Reaction{AddOn: chat.AddOn{ID: r.id(), Time: at + int64(i), Order: int64(i)}, Text: "👍"}
			project(t, s, account, chat.Change{Chat: jid, Messages: []chat.Message{{
				ID: theirs.ID, Reactions: map[chat.JID]chat.Register[chat.Reaction]{pn: {Value: reaction, At: (at + int64(i)) * 1000}},
			}}})
		}
		perCall(t, &meter, name("a reaction to another's message"), size, 4)
		for i := range size {
			pn, _ := r.person()
			project(t, s, account, chat.Change{Chat: jid, State: chat.Chat{
				Members: map[chat.JID]chat.Register[chat.Rank]{pn: {Value: chat.RankMember, At: (at + int64(i)) * 1000}},
				Since:   map[chat.JID]chat.Register[int64]{pn: {Value: at + int64(i), At: (at + int64(i)) * 1000}},
			}})
		}
		perCall(t, &meter, name("a member who comes"), size, 3)
		c, err := s.Messages(t.Context(), account, jid, chat.Page{Limit: 10}, noon)
		if err != nil || len(c.Messages) != 3 {
			t.Fatal(err, len(c.Messages))
		}
		i := slices.IndexFunc(c.Messages, func(v chat.MessageView) bool { return v.ID == sent.ID })
		if n := strings.Count(string(c.Messages[i].Document), `"readTimestamp"`); n != size-1 {
			t.Errorf("%d receipts are shown", n)
		}
		i = slices.IndexFunc(c.Messages, func(v chat.MessageView) bool { return v.ID == theirs.ID })
		if n := strings.Count(string(c.Messages[i].Document), `"senderTimestampMs"`); n != size-1 {
			t.Errorf("%d reactions are shown", n)
		}
		meter.Take()
	}
}
