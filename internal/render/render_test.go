package render

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pesan/internal/chat"
)

const (
	alice    chat.JID = "6281111111111@s.whatsapp.net"
	aliceLID chat.JID = "111111111111111@lid"
	bob      chat.JID = "6282222222222@s.whatsapp.net"
	own      chat.JID = "6280000000000@s.whatsapp.net"
	team     chat.JID = "120363041234567890@g.us"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func reg[T comparable](v T, at int64) chat.Register[T] { return chat.Register[T]{Value: v, At: at} }

func say(id string, at int64) chat.Message {
	return chat.Message{ID: id, Content: chat.Content{
		Sender: alice, Time: at, Type: "conversation", Body: id, Message: chat.JSON(`{"conversation":"` + id + `"}`), Editable: chat.TextEdit,
	}}
}

// golden compares chat.JSON with what is wanted, written with white space.
func golden(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !json.Valid(got) {
		t.Fatalf("%s is no chat.JSON: %s", what, got)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, b.String())
	}
}

func TestPrivateChatDocument(t *testing.T) {
	c := chat.Chat{
		JID: alice, LID: aliceLID, Activity: 1772366400, Received: 1772366399,
		Fields: map[string]chat.Register[chat.JSON]{
			"ephemeralExpiration": reg[chat.JSON]("86400", 5), "wallpaper": reg[chat.JSON]("", 6), "tcToken": reg[chat.JSON](`{"type":"Buffer","data":[1]}`, 1),
		},
		Contact: reg(`Budi "<&>" ☕`, 1), PushName: reg[string]("budi", 1), Subject: reg[string]("no", 1),
		Mute: reg[int64](noon.UnixMilli()+1, 1), Pin: reg[int64](1772000000000, 1), MarkedUnread: reg[bool](true, 1),
		Unread: chat.Unread{Count: 2, Mentions: 1},
	}
	m := say("3EB0", 1772366400)
	m.Status = chat.ServerAck
	m.Content.Expires = noon.Unix() + 1
	th := &chat.Thread{Chat: c, Newest: func(func(chat.MessageView) bool) (*chat.Message, error) { return nil, nil }}
	if err := th.Apply(chat.Change{Chat: alice, Messages: []chat.Message{m}}, noon); err != nil {
		t.Fatal(err)
	}
	c = th.Chat
	c.Received, c.Unread = 1772366399, chat.Unread{Count: 2, Mentions: 1}
	v := View(&c)
	last := `{"message":{"key":{"fromMe":false,"id":"3EB0","remoteJid":"6281111111111@s.whatsapp.net"},"message":{"conversation":"3EB0"},
		"messageTimestamp":"1772366400","status":"SERVER_ACK"}}`
	rest := `"archived":false,"ephemeralExpiration":86400,"id":"6281111111111@s.whatsapp.net","lastMessageRecvTimestamp":1772366399,
		"lidJid":"111111111111111@lid","markedAsUnread":false,"name":"Budi \"<&>\" ☕","participant":[],"pinned":1772000000000,
		"tcToken":{"type":"Buffer","data":[1]},"unreadCount":2,"unreadMentionCount":1}`
	golden(t, "the listed chat", AppendChat(nil, &v, Listed, noon), `{"conversationTimestamp":{"low":1772366400,"high":0,"unsigned":true},
		"messages":[`+last+`],"muted":true,"muteEndTime":1772366400001,`+rest)
	golden(t, "the chat later", AppendChat([]byte{}, &v, Single, noon.Add(1e9)), `{"conversationTimestamp":1772366400,"messages":[],"muted":false,`+rest)
	if !v.Unread || !v.Pinned || v.Archived || !v.Shows || v.MuteEnd != noon.UnixMilli()+1 {
		t.Errorf("the view is %+v", v)
	}
}

func TestGroupDocument(t *testing.T) {
	c := chat.Chat{
		JID: team, Activity: 1 << 33, Subject: reg[string]("Keluarga", 1), Contact: reg[string]("no", 1),
		Members:  map[chat.JID]chat.Register[chat.Rank]{bob: reg(chat.RankAdmin, 1), alice: reg(chat.RankMember, 1), own: reg(chat.RankLeft, 1)},
		Archived: reg[bool](true, 1), MarkedUnread: reg[bool](false, 1), Mute: reg[int64](chat.MutedForEver, 1),
	}
	v := View(&c)
	golden(t, "the group", AppendChat(nil, &v, Listed, noon), `{"conversationTimestamp":{"low":0,"high":2,"unsigned":true},"messages":[],
		"muted":true,"muteEndTime":-1,"archived":true,"id":"120363041234567890@g.us","markedAsUnread":false,"name":"Keluarga",
		"participant":[{"rank":"REGULAR","userJid":"6281111111111@s.whatsapp.net"},{"rank":"ADMIN","userJid":"6282222222222@s.whatsapp.net"}],
		"unreadCount":0,"unreadMentionCount":0}`)
}

func TestMessageDocument(t *testing.T) {
	c := chat.Chat{JID: team}
	m := say("3EB0", 1772366400)
	m.Content.Media, m.Content.Ephemeral, m.Content.Mentions = true, true, []chat.JID{bob, own}
	m.Content.Quoted, m.Content.Info = `{"conversation":"q"}`, `{"pushName":"a"}`
	m.Edits = map[chat.JID]chat.Register[chat.Edit]{
		alice: {Value: chat.Edit{Kind: chat.TextEdit, Type: "conversation", Body: "new\nbody", Mentions: chat.JoinJIDs([]chat.JID{bob, own}), Message: `{"conversation":"new\nbody"}`}, At: 2}, bob: {Value: chat.Edit{Body: "forged"}, At: 9},
	}
	m.Receipts = map[chat.JID]chat.Receipt{own: {Received: 1, Read: 2, Played: 3}, bob: {Received: 4}}
	m.Reactions = map[chat.JID]chat.Register[chat.Reaction]{
		own: {Value: chat.Reaction{AddOn: chat.AddOn{ID: "R1", FromMe: true}, Text: "b"}, At: 1},
		bob: {Value: chat.Reaction{AddOn: chat.AddOn{ID: "R2"}, Text: "a"}, At: 1}, alice: {At: 1},
	}
	m.Starred, m.Status = reg[bool](true, 1), chat.Read
	golden(t, "the message", []byte(MessageView(&c, &m).Document), `{"body":"new\nbody","chatId":"120363041234567890@g.us",
		"edited":true,"from":"120363041234567890@g.us","fromMe":false,"id":"3EB0","isEphemeralMessage":true,"isGroupMsg":true,"isMedia":true,
		"mentionedJidList":["6282222222222@s.whatsapp.net","6280000000000@s.whatsapp.net"],"quotedMsg":{"conversation":"q"},
		"sender":"6281111111111@s.whatsapp.net","t":"1772366400","timestamp":"1772366400","type":"conversation",
		"key":{"fromMe":false,"id":"3EB0","participant":"6281111111111@s.whatsapp.net","remoteJid":"120363041234567890@g.us"},
		"message":{"conversation":"new\nbody"},"messageTimestamp":"1772366400","reactions":[{"key":{"fromMe":true,"id":"R1","remoteJid":"120363041234567890@g.us"},"senderTimestampMs":"1","text":"b"},
		{"key":{"fromMe":false,"id":"R2","participant":"6282222222222@s.whatsapp.net","remoteJid":"120363041234567890@g.us"},"senderTimestampMs":"1","text":"a"}],"starred":true,"status":"READ",
		"userReceipt":[{"playedTimestamp":"3","readTimestamp":"2","receiptTimestamp":"1","userJid":"6280000000000@s.whatsapp.net"},
		{"playedTimestamp":"0","readTimestamp":"0","receiptTimestamp":"4","userJid":"6282222222222@s.whatsapp.net"}],"pushName":"a"}`)

	m.Revoked = map[chat.JID]int64{alice: 1}
	m.Receipts, m.Reactions, m.Starred, m.Content.Quoted, m.Content.Info = nil, nil, chat.Register[bool]{}, "", ""
	golden(t, "the revoked message", []byte(MessageView(&c, &m).Document), `{"body":"","chatId":"120363041234567890@g.us",
		"from":"120363041234567890@g.us","fromMe":false,"id":"3EB0","isEphemeralMessage":true,"isGroupMsg":true,"isMedia":false,
		"mentionedJidList":[],"quotedMsg":false,"sender":"6281111111111@s.whatsapp.net","t":"1772366400","timestamp":"1772366400",
		"type":"protocolMessage","key":{"fromMe":false,"id":"3EB0","participant":"6281111111111@s.whatsapp.net",
		"remoteJid":"120363041234567890@g.us"},"message":{},"messageStubType":"REVOKE","messageTimestamp":"1772366400","status":"READ"}`)

	sent := say("A", 5)
	sent.Content.Sender, sent.Content.FromMe = own, true
	private := chat.Chat{JID: alice}
	golden(t, "an own message", []byte(MessageView(&private, &sent).Document), `{"body":"A","chatId":"6281111111111@s.whatsapp.net",
		"from":"6280000000000@s.whatsapp.net","fromMe":true,"id":"A","isEphemeralMessage":false,"isGroupMsg":false,"isMedia":false,
		"mentionedJidList":[],"quotedMsg":false,"sender":"6280000000000@s.whatsapp.net","t":"5","timestamp":"5","type":"conversation",
		"key":{"fromMe":true,"id":"A","remoteJid":"6281111111111@s.whatsapp.net"},"message":{"conversation":"A"},"messageTimestamp":"5"}`)

	for name, hidden := range map[string]chat.Message{"a stub": {ID: "A", Status: chat.Read}, "a deleted one": {ID: "A", Content: sent.Content, Gone: true}} {
		if v := MessageView(&private, &hidden); v.Listed || v.Document != "" {
			t.Errorf("%s is shown: %+v", name, v)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"plain": `"plain"`, `a"b\c`: `"a\"b\\c"`, "<&>": `"<&>"`, "☕\n\x01": `"☕\n\u0001"`, "": `""`, "\xff": "\"\\ufffd\"",
	} {
		if got := string(quote(in)); got != want {
			t.Errorf("%q is quoted %s, want %s", in, got, want)
		}
	}
}

func TestAppendLong(t *testing.T) {
	for v, want := range map[uint64]string{
		0:         `{"low":0,"high":0,"unsigned":true}`,
		1 << 31:   `{"low":-2147483648,"high":0,"unsigned":true}`,
		1 << 32:   `{"low":0,"high":1,"unsigned":true}`,
		1<<64 - 1: `{"low":-1,"high":-1,"unsigned":true}`,
	} {
		if got := string(appendLong(nil, v)); got != want {
			t.Errorf("%d is %s, want %s", v, got, want)
		}
	}
}
