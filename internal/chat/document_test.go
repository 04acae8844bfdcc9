package chat

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// golden compares JSON with what is wanted, written with white space.
func golden(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if !json.Valid(got) {
		t.Fatalf("%s is no JSON: %s", what, got)
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
	c := Chat{
		JID: alice, LID: aliceLID, Activity: 1772366400, Received: 1772366399,
		Fields:  map[string]Register[JSON]{"ephemeralExpiration": {"86400", 5}, "wallpaper": {"", 6}, "tcToken": {`{"type":"Buffer","data":[1]}`, 1}},
		Contact: Register[string]{`Budi "<&>" ☕`, 1}, PushName: Register[string]{"budi", 1}, Subject: Register[string]{"no", 1},
		Mute: Register[int64]{noon.UnixMilli() + 1, 1}, Pin: Register[int64]{1772000000000, 1}, MarkedUnread: Register[bool]{true, 1},
		Unread: Unread{Count: 2, Mentions: 1},
	}
	m := say("3EB0", 1772366400)
	m.Status = ServerAck
	c.Last = Last{ID: m.ID, Time: m.Content.Time, Expires: noon.Unix() + 1, Document: c.info(&m)}
	v := c.View()
	last := `{"message":{"key":{"fromMe":false,"id":"3EB0","remoteJid":"6281111111111@s.whatsapp.net"},"message":{"conversation":"3EB0"},
		"messageTimestamp":"1772366400","status":"SERVER_ACK"}}`
	rest := `"archived":false,"ephemeralExpiration":86400,"id":"6281111111111@s.whatsapp.net","lastMessageRecvTimestamp":1772366399,
		"lidJid":"111111111111111@lid","markedAsUnread":true,"name":"Budi \"<&>\" ☕","participant":[],"pinned":1772000000000,
		"tcToken":{"type":"Buffer","data":[1]},"unreadCount":2,"unreadMentionCount":1}`
	golden(t, "the listed chat", v.Append(nil, Listed, noon), `{"conversationTimestamp":{"low":1772366400,"high":0,"unsigned":true},
		"messages":[`+last+`],"muted":true,"muteEndTime":1772366400001,`+rest)
	golden(t, "the chat later", v.Append([]byte{}, Single, noon.Add(1e9)), `{"conversationTimestamp":1772366400,"messages":[],"muted":false,`+rest)
	if !v.Unread || !v.Pinned || v.Archived || !v.Shows || v.MuteEnd != noon.UnixMilli()+1 {
		t.Errorf("the view is %+v", v)
	}
}

func TestGroupDocument(t *testing.T) {
	c := Chat{
		JID: team, Activity: 1 << 33, Subject: Register[string]{"Keluarga", 1}, Contact: Register[string]{"no", 1},
		Members:  map[JID]Register[Rank]{bob: {RankAdmin, 1}, alice: {RankMember, 1}, own: {RankLeft, 1}},
		Archived: Register[bool]{true, 1}, MarkedUnread: Register[bool]{false, 1}, Mute: Register[int64]{MutedForEver, 1},
	}
	v := c.View()
	golden(t, "the group", v.Append(nil, Listed, noon), `{"conversationTimestamp":{"low":0,"high":2,"unsigned":true},"messages":[],
		"muted":true,"muteEndTime":-1,"archived":true,"id":"120363041234567890@g.us","markedAsUnread":false,"name":"Keluarga",
		"participant":[{"rank":"REGULAR","userJid":"6281111111111@s.whatsapp.net"},{"rank":"ADMIN","userJid":"6282222222222@s.whatsapp.net"}],
		"unreadCount":0,"unreadMentionCount":0}`)
}

func TestNames(t *testing.T) {
	for want, c := range map[string]Chat{
		"":       {JID: alice, Subject: Register[string]{"subject", 1}},
		"push":   {JID: alice, PushName: Register[string]{"push", 1}, Contact: Register[string]{"", 2}},
		"book":   {JID: alice, PushName: Register[string]{"push", 1}, Contact: Register[string]{"book", 1}},
		"lid":    {JID: aliceLID, PushName: Register[string]{"lid", 1}},
		"the us": {JID: team, PushName: Register[string]{"push", 1}, Subject: Register[string]{"the us", 1}},
		"paper":  {JID: "123456@newsletter", Contact: Register[string]{"book", 1}, Subject: Register[string]{"paper", 1}},
	} {
		if got := c.Name(); got != want {
			t.Errorf("%s is named %q, want %q", c.JID, got, want)
		}
		if has := strings.Contains(string(c.View().Document), `"name":`); has != (want != "") {
			t.Errorf("%s has a name in its document: %v", c.JID, has)
		}
	}
}

func TestMessageDocument(t *testing.T) {
	c := Chat{JID: team}
	m := say("3EB0", 1772366400)
	m.Content.Media, m.Content.Ephemeral, m.Content.Mentions = true, true, []JID{bob, own}
	m.Content.Quoted, m.Content.Info = `{"conversation":"q"}`, `{"pushName":"a"}`
	m.Edits = map[JID]Register[Edit]{
		alice: {Edit{Type: "imageMessage", Body: "new\nbody", Message: `{"imageMessage":{}}`}, 2}, bob: {Edit{Body: "forged"}, 9},
	}
	m.Receipts = map[JID]Receipt{own: {Received: 1, Read: 2, Played: 3}, bob: {Received: 4}}
	m.Reactions = map[JID]Register[JSON]{own: {`{"text":"b"}`, 1}, bob: {`{"text":"a"}`, 1}, alice: {"", 1}}
	m.Starred, m.Status = Register[bool]{true, 1}, Read
	golden(t, "the message", []byte(c.ViewMessage(&m).Document), `{"body":"new\nbody","chatId":"120363041234567890@g.us",
		"from":"120363041234567890@g.us","fromMe":false,"id":"3EB0","isEphemeralMessage":true,"isGroupMsg":true,"isMedia":true,
		"mentionedJidList":["6282222222222@s.whatsapp.net","6280000000000@s.whatsapp.net"],"quotedMsg":{"conversation":"q"},
		"sender":"6281111111111@s.whatsapp.net","t":"1772366400","timestamp":"1772366400","type":"imageMessage",
		"key":{"fromMe":false,"id":"3EB0","participant":"6281111111111@s.whatsapp.net","remoteJid":"120363041234567890@g.us"},
		"message":{"imageMessage":{}},"messageTimestamp":"1772366400","reactions":[{"text":"b"},{"text":"a"}],"starred":true,"status":"READ",
		"userReceipt":[{"playedTimestamp":"3","readTimestamp":"2","receiptTimestamp":"1","userJid":"6280000000000@s.whatsapp.net"},
		{"playedTimestamp":"0","readTimestamp":"0","receiptTimestamp":"4","userJid":"6282222222222@s.whatsapp.net"}],"pushName":"a"}`)

	m.Revoked = map[JID]bool{alice: true}
	m.forget()
	m.Receipts, m.Starred = nil, Register[bool]{}
	golden(t, "the revoked message", []byte(c.ViewMessage(&m).Document), `{"body":"","chatId":"120363041234567890@g.us",
		"from":"120363041234567890@g.us","fromMe":false,"id":"3EB0","isEphemeralMessage":true,"isGroupMsg":true,"isMedia":false,
		"mentionedJidList":[],"quotedMsg":false,"sender":"6281111111111@s.whatsapp.net","t":"1772366400","timestamp":"1772366400",
		"type":"protocolMessage","key":{"fromMe":false,"id":"3EB0","participant":"6281111111111@s.whatsapp.net",
		"remoteJid":"120363041234567890@g.us"},"message":{},"messageTimestamp":"1772366400","messageStubType":"REVOKE","status":"READ"}`)

	sent := say("A", 5)
	sent.Content.Sender, sent.Content.FromMe = own, true
	private := Chat{JID: alice}
	golden(t, "an own message", []byte(private.ViewMessage(&sent).Document), `{"body":"A","chatId":"6281111111111@s.whatsapp.net",
		"from":"6280000000000@s.whatsapp.net","fromMe":true,"id":"A","isEphemeralMessage":false,"isGroupMsg":false,"isMedia":false,
		"mentionedJidList":[],"quotedMsg":false,"sender":"6280000000000@s.whatsapp.net","t":"5","timestamp":"5","type":"conversation",
		"key":{"fromMe":true,"id":"A","remoteJid":"6281111111111@s.whatsapp.net"},"message":{"conversation":"A"},"messageTimestamp":"5"}`)

	for name, hidden := range map[string]Message{"a stub": {ID: "A", Status: Read}, "a deleted one": {ID: "A", Content: sent.Content, Gone: true}} {
		if v := private.ViewMessage(&hidden); v.Listed || v.Document != "" {
			t.Errorf("%s is shown: %+v", name, v)
		}
	}
}

func TestLists(t *testing.T) {
	c := Chat{Cleared: RangeOf(10, "a"), ClearedUnstarred: RangeOf(20), Deleted: RangeOf(5)}
	for _, one := range []struct {
		v    MessageView
		want bool
	}{
		{MessageView{ID: "a", Time: 10, Starred: true, Listed: true}, false},
		{MessageView{ID: "b", Time: 10, Starred: true, Listed: true}, true},
		{MessageView{ID: "b", Time: 10, Listed: true}, false},
		{MessageView{ID: "b", Time: 5, Starred: true, Listed: true}, false},
		{MessageView{ID: "b", Time: 21, Listed: true}, true},
		{MessageView{ID: "b", Time: 21}, false},
		{MessageView{ID: "b", Time: 21, Listed: true, Expires: noon.Unix()}, false},
		{MessageView{ID: "b", Time: 21, Listed: true, Expires: noon.Unix() + 1}, true},
	} {
		if c.Lists(one.v, noon) != one.want {
			t.Errorf("%+v is listed: %v", one.v, !one.want)
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
		if got := string(AppendLong(nil, v, true)); got != want {
			t.Errorf("%d is %s, want %s", v, got, want)
		}
	}
}
