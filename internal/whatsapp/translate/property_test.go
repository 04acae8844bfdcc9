package translate

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/sim"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
)

func jidOf(j types.JID) chat.JID { return chat.JID(j.ToNonAD().String()) }

// The people of the property tests, each with both addresses.
var (
	ownPN  = types.NewJID("6281200000001", types.DefaultUserServer)
	ownLID = types.NewJID("10000000000001", types.HiddenUserServer)
	people = [][2]types.JID{
		{types.NewJID("6281200000002", types.DefaultUserServer), types.NewJID("10000000000002", types.HiddenUserServer)},
		{types.NewJID("6281200000003", types.DefaultUserServer), types.NewJID("10000000000003", types.HiddenUserServer)},
	}
	theGroup = types.NewJID("120363000000000001", types.GroupServer)
)

// knowing is a book in which all addresses stand.
func knowing() *Book {
	b := NewBook(jidOf(ownPN), jidOf(ownLID), func(chat.JID) (chat.JID, error) { return "", nil })
	for _, p := range people {
		b.Learn(jidOf(p[0]), jidOf(p[1]))
	}
	return b
}

// told is one event as it may be projected at any time, any number of times.
type told struct {
	name    string
	changes []chat.Change
}

// wrote says who wrote a message of a chat, and when: that never changes.
func wrote(id string, in types.JID, with types.JID) (types.MessageSource, time.Time) {
	n := int64(id[0] - 'A')
	source := types.MessageSource{Chat: in, Sender: with, IsGroup: in == theGroup}
	switch {
	case n == 0:
		source.Sender, source.IsFromMe = ownPN, true
	case in == theGroup:
		source.Sender = people[n-1][0]
	}
	return source, time.Unix(1_800_000_000+n, 0)
}

// eventGen makes events of a small world, so that they often concern the same message.
var eventGen = rapid.Custom(func(t *rapid.T) told {
	at := time.Unix(1_800_000_000+rapid.Int64Range(0, 3).Draw(t, "second"), 0)
	id := rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "id")
	b := knowing()
	who := rapid.SampledFrom(people).Draw(t, "who")[rapid.IntRange(0, 1).Draw(t, "address")]
	in := who
	if rapid.Bool().Draw(t, "group") {
		in = theGroup
	}
	source := types.MessageSource{Chat: in, Sender: who, IsGroup: in == theGroup}
	if rapid.IntRange(0, 3).Draw(t, "own") == 0 {
		source.Sender, source.IsFromMe = ownPN, true
	}
	target := &waCommon.MessageKey{ID: &id, RemoteJID: proto.String(in.String())}
	info := types.MessageInfo{MessageSource: source, ID: id, Timestamp: at}
	written := info
	written.MessageSource, written.Timestamp = wrote(id, in, who)
	kind := rapid.SampledFrom([]string{
		"text", "edit", "revoke", "reaction", "receipt", "setting", "group", "list", "undecryptable", "history",
	}).Draw(t, "kind")
	message := func(m *waE2E.Message) []chat.Change {
		evt := &events.Message{Info: info, RawMessage: m}
		return b.Message(evt.UnwrapRaw(), int64(len(id))+at.Unix(), Opened{})
	}
	other := info
	other.ID = "X" + id + kind
	var changes []chat.Change
	switch kind {
	case "text":
		info = written
		changes = message(sim.Text("pesan " + id))
	case "undecryptable":
		changes = b.Undecryptable(&events.UndecryptableMessage{Info: written}, 1)
	case "edit":
		info = other
		e := sim.Edit(in, id, sim.Text(rapid.SampledFrom([]string{"satu", "dua"}).Draw(t, "text")))
		e.EditedMessage.Message.ProtocolMessage.TimestampMS = proto.Int64(at.UnixMilli() + rapid.Int64Range(0, 2).Draw(t, "ms"))
		changes = message(e)
	case "revoke":
		info = other
		changes = message(sim.Revoke(in, id))
	case "reaction":
		info = other
		r := sim.React(target, rapid.SampledFrom([]string{"", "👍", "❤️"}).Draw(t, "emoji"))
		r.ReactionMessage.SenderTimestampMS = proto.Int64(at.UnixMilli())
		changes = message(r)
	case "receipt":
		changes = b.Receipt(&events.Receipt{MessageSource: source, MessageIDs: []string{id, "B"}, Timestamp: at,
			Type: rapid.SampledFrom([]types.ReceiptType{types.ReceiptTypeDelivered, types.ReceiptTypeRead, types.ReceiptTypeReadSelf}).Draw(t, "receipt")})
	case "setting":
		changes = settingAt(b, t, in, id, at)
	case "list":
		info := types.GroupInfo{JID: theGroup, GroupName: types.GroupName{Name: "Arisan"}, Participants: []types.GroupParticipant{{JID: who, IsAdmin: true}, {JID: ownPN}}}
		changes = b.JoinedGroup(&events.JoinedGroup{GroupInfo: info}, at.UnixMicro())
	case "group":
		changes = b.GroupChange(&events.GroupInfo{JID: theGroup, Timestamp: at, Join: []types.JID{who}, Promote: []types.JID{people[0][0]}}, at.UnixMicro())
	case "history":
		target.FromMe = &written.IsFromMe
		w := &waWeb.WebMessageInfo{Key: target, MessageTimestamp: proto.Uint64(uint64(written.Timestamp.Unix())), Message: sim.Text("pesan " + id)}
		w.Participant = proto.String(written.Sender.String())
		changes = b.Conversation(&waHistorySync.Conversation{
			ID: proto.String(in.String()), UnreadCount: proto.Uint32(1), Messages: []*waHistorySync.HistorySyncMsg{{Message: w}},
		}, rapid.Bool().Draw(t, "bootstrap"), 1)
	}
	epoch := rapid.Int64Range(1, 2).Draw(t, "link")
	for i := range changes {
		changes[i].Epoch = epoch
	}
	return told{fmt.Sprintf("%s of %s at %d in %s", kind, id, at.Unix(), in), changes}
})

// settingAt is a mutation at a place of its own, whatever its time.
func settingAt(b *Book, t *rapid.T, in types.JID, id string, at time.Time) []chat.Change {
	index, value := settingGen.Draw(t, "setting")(in.String(), id, at)
	if rapid.IntRange(0, 5).Draw(t, "removed") == 0 {
		return b.Mutation(Mutation{Index: []string{"contact", in.String()}, Removed: true, Order: rapid.Int64Range(2, 1000).Draw(t, "order")})
	}
	return b.Mutation(Mutation{Index: index, Value: value, Order: rapid.Int64Range(2, 1000).Draw(t, "order")})
}

type mutation func(in, id string, at time.Time) ([]string, *waSyncAction.SyncActionValue)

var settingGen = rapid.SampledFrom([]mutation{
	func(in, _ string, at time.Time) ([]string, *waSyncAction.SyncActionValue) {
		return []string{"mute", in}, &waSyncAction.SyncActionValue{Timestamp: proto.Int64(at.UnixMilli()), MuteAction: &waSyncAction.MuteAction{Muted: proto.Bool(true), MuteEndTimestamp: proto.Int64(-1)}}
	},
	func(in, _ string, at time.Time) ([]string, *waSyncAction.SyncActionValue) {
		return []string{"mute", in}, &waSyncAction.SyncActionValue{Timestamp: proto.Int64(at.UnixMilli()), MuteAction: &waSyncAction.MuteAction{}}
	},
	func(in, id string, at time.Time) ([]string, *waSyncAction.SyncActionValue) {
		return []string{"clearChat", in, "1", "0"}, &waSyncAction.SyncActionValue{Timestamp: proto.Int64(at.UnixMilli()), ClearChatAction: &waSyncAction.ClearChatAction{
			MessageRange: &waSyncAction.SyncActionMessageRange{LastMessageTimestamp: proto.Int64(at.Unix()), Messages: []*waSyncAction.SyncActionMessage{
				{Key: &waCommon.MessageKey{ID: &id}, Timestamp: proto.Int64(at.Unix())},
			}},
		}}
	},
	func(in, _ string, at time.Time) ([]string, *waSyncAction.SyncActionValue) {
		return []string{"contact", in}, &waSyncAction.SyncActionValue{Timestamp: proto.Int64(at.UnixMilli()), ContactAction: &waSyncAction.ContactAction{FullName: proto.String("Budi")}}
	},
	func(in, _ string, at time.Time) ([]string, *waSyncAction.SyncActionValue) {
		return []string{"pin_v1", in}, &waSyncAction.SyncActionValue{Timestamp: proto.Int64(at.UnixMilli()), PinAction: &waSyncAction.PinAction{Pinned: proto.Bool(true)}}
	},
	func(in, id string, at time.Time) ([]string, *waSyncAction.SyncActionValue) {
		return []string{"star", in, id, "0", "0"}, &waSyncAction.SyncActionValue{Timestamp: proto.Int64(at.UnixMilli()), StarAction: &waSyncAction.StarAction{Starred: proto.Bool(true)}}
	},
	func(in, id string, at time.Time) ([]string, *waSyncAction.SyncActionValue) {
		return []string{"deleteMessageForMe", in, id, "0", "0"}, &waSyncAction.SyncActionValue{Timestamp: proto.Int64(at.UnixMilli())}
	},
	func(in, _ string, at time.Time) ([]string, *waSyncAction.SyncActionValue) {
		return []string{"markChatAsRead", in}, &waSyncAction.SyncActionValue{Timestamp: proto.Int64(at.UnixMilli()), MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{
			Read: proto.Bool(true), MessageRange: &waSyncAction.SyncActionMessageRange{LastMessageTimestamp: proto.Int64(at.Unix())},
		}}
	},
})

// TestOrderAndRepetition projects the same events in two orders, some of them twice: the chats read the same.
func TestOrderAndRepetition(t *testing.T) {
	db := storetest.Open(t, filepath.Join(t.TempDir(), "p.db"), time.Now)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(eventGen, 1, 8).Draw(t, "events")
		again := rapid.SliceOfN(rapid.SampledFrom(all), 0, 3).Draw(t, "again")
		shuffled := rapid.Permutation(append(append([]told{}, all...), again...)).Draw(t, "shuffled")
		n++
		one, two := projected(t, db, fmt.Sprint("one", n), all), projected(t, db, fmt.Sprint("two", n), shuffled)
		if one != two {
			t.Fatalf("in order:\n%s\nshuffled:\n%s", one, two)
		}
	})
}

// projected is what can be read of an account after some events.
func projected(t *rapid.T, db *store.Store, account string, all []told) string {
	now := time.Unix(1_800_000_100, 0)
	if err := db.CreateAccount(context.Background(), chat.Account{ID: account, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	p := chat.NewProjector(db, func() time.Time { return now })
	for _, e := range all {
		if err := p.Apply(context.Background(), account, e.changes...); err != nil {
			t.Fatal(err)
		}
	}
	views, _, err := db.Chats(context.Background(), account, chat.Filter{}, chat.Page{Limit: 100}, now)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range views {
		fmt.Fprintf(&out, "%s %d %t %d %s\n", v.JID, v.MuteEnd, v.Unread, v.Activity, render.AppendChat(nil, &v, render.Single, now))
		page, err := db.Messages(context.Background(), account, v.JID, chat.Page{Limit: 100}, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			fmt.Fprintf(&out, "  %s\n", m.Document)
		}
	}
	return out.String()
}

// wellFormed fails unless everything in the changes is proper JSON.
func wellFormed(t *testing.T, changes []chat.Change) {
	t.Helper()
	for _, c := range changes {
		if _, err := json.Marshal(c); err != nil {
			t.Errorf("%v in %+v", err, c)
		}
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range []*waE2E.Message{
		sim.Text("halo"), sim.Edit(ownPN, "A", sim.Text("b")), sim.Revoke(theGroup, "A"),
		sim.React(&waCommon.MessageKey{ID: proto.String("A")}, "👍"),
		{DeviceSentMessage: &waE2E.DeviceSentMessage{Message: sim.Text("x")}},
		{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum()}},
		{ExtendedTextMessage: &waE2E.ExtendedTextMessage{ContextInfo: &waE2E.ContextInfo{MentionedJID: []string{"@", "a@lid", "\xff@s.whatsapp.net"}}}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true, true, int64(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, group, fromMe bool, at int64) {
		var m waE2E.Message
		if unmarshal(data, &m) != nil {
			return
		}
		info := types.MessageInfo{
			MessageSource: types.MessageSource{Chat: people[0][1], Sender: people[0][1], IsFromMe: fromMe}, ID: "ID", Timestamp: time.Unix(at, 0),
		}
		if group {
			info.Chat, info.IsGroup = theGroup, true
		}
		evt := &events.Message{Info: info, RawMessage: &m}
		wellFormed(t, knowing().Message(evt.UnwrapRaw(), 1, Opened{}))
	})
}

func FuzzHistory(f *testing.F) {
	message := &waWeb.WebMessageInfo{Key: &waCommon.MessageKey{ID: proto.String("A")}, Message: sim.Text("halo"), MessageTimestamp: proto.Uint64(1)}
	whole := &waHistorySync.HistorySync{
		SyncType: waHistorySync.HistorySync_INITIAL_BOOTSTRAP.Enum(),
		Conversations: []*waHistorySync.Conversation{{
			ID: proto.String(people[0][0].String()), Messages: []*waHistorySync.HistorySyncMsg{{Message: message}},
		}},
	}
	data, err := proto.Marshal(whole)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{0x0b})
	f.Fuzz(func(t *testing.T, data []byte) {
		var blob bytes.Buffer
		z := zlib.NewWriter(&blob)
		_, _ = z.Write(data)
		_ = z.Close()
		common, err := ReadHistory(blob.Bytes(), nil)
		if err != nil {
			return
		}
		wellFormed(t, knowing().Names(common))
		_, _ = ReadHistory(blob.Bytes(), func(conv *waHistorySync.Conversation) error {
			wellFormed(t, knowing().Conversation(conv, true, 2))
			return nil
		})
		_, _ = ReadHistory(data, nil)
	})
}

func FuzzSetting(f *testing.F) {
	f.Add(`["mute","6281200000002@s.whatsapp.net"]`, []byte{})
	f.Add(`["star","6281200000002@s.whatsapp.net","A","0","0"]`, []byte{0x08, 0x01})
	f.Add(`["clearChat"]`, []byte{})
	f.Fuzz(func(t *testing.T, index string, data []byte) {
		var i []string
		var v waSyncAction.SyncActionValue
		if json.Unmarshal([]byte(index), &i) != nil || unmarshal(data, &v) != nil {
			return
		}
		wellFormed(t, knowing().Mutation(Mutation{Index: i, Value: &v, Order: 1}))
		wellFormed(t, knowing().Mutation(Mutation{Index: i, Removed: true, Order: 1}))
	})
}
