package render

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"

	"pesan/internal/chat"
)

// part is a field of a message's document, "" where there is none.
func part(t *testing.T, c *chat.Chat, m *chat.Message, name string) string {
	t.Helper()
	var d map[string]json.RawMessage
	if err := json.Unmarshal([]byte(MessageView(c, m).Document), &d); err != nil {
		t.Fatal(err)
	}
	return string(d[name])
}

// TestWhatIsAdded renders all that others add to a message.
func TestWhatIsAdded(t *testing.T) {
	hash := func(option string) string { sum := sha256.Sum256([]byte(option)); return hex.EncodeToString(sum[:]) }
	code := func(option string) string {
		sum := sha256.Sum256([]byte(option))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	c := chat.Chat{JID: team}
	const mine, ofBob, target = `{"fromMe":true,"id":"A","remoteJid":"120363041234567890@g.us"}`,
		`{"fromMe":false,"id":"B","participant":"6282222222222@s.whatsapp.net","remoteJid":"120363041234567890@g.us"}`,
		`{"fromMe":false,"id":"m","participant":"6281111111111@s.whatsapp.net","remoteJid":"120363041234567890@g.us"}`
	addOn := func(id string, fromMe bool) chat.AddOn { return chat.AddOn{ID: id, FromMe: fromMe, Time: 7} }
	for name, field := range map[string]struct {
		change func(*chat.Message)
		want   map[string]string
	}{
		"nothing": {func(*chat.Message) {}, map[string]string{
			"reactions": "", "pollUpdates": "", "pollResults": "", "eventResponses": "", "associatedMessages": "", "commentMetadata": "", "keepInChat": "", "pinInChat": "", "starred": "", "status": "", "userReceipt": "",
		}},
		"votes": {func(m *chat.Message) {
			m.Content.Options, m.Options = []string{"x", "y"}, map[string]bool{"z": true, "x": true}
			m.Votes = map[chat.JID]chat.Register[chat.Vote]{
				own: reg(chat.Vote{AddOn: addOn("A", true), Options: hash("x") + " " + hash("z")}, 3), bob: reg(chat.Vote{AddOn: addOn("B", false), Options: hash("x")}, 4), alice: reg(chat.Vote{}, 5),
			}
		}, map[string]string{
			"pollResults": `[{"name":"x","voters":["6280000000000@s.whatsapp.net","6282222222222@s.whatsapp.net"]},{"name":"y","voters":[]},{"name":"z","voters":["6280000000000@s.whatsapp.net"]}]`,
			"pollUpdates": `[{"pollUpdateMessageKey":` + mine + `,"senderTimestampMs":"3","vote":{"selectedOptions":["` + code("x") + `","` + code("z") + `"]}},
				{"pollUpdateMessageKey":` + ofBob + `,"senderTimestampMs":"4","vote":{"selectedOptions":["` + code("x") + `"]}}]`,
		}},
		"options of what said nothing": {func(m *chat.Message) { m.Content.Options, m.Content.Message = []string{"x"}, "{}" }, map[string]string{"pollResults": ""}},
		"answers": {func(m *chat.Message) {
			m.Answers = map[chat.JID]chat.Register[chat.Answer]{own: reg(chat.Answer{AddOn: addOn("A", true), Response: "GOING"}, 3), bob: reg(chat.Answer{AddOn: addOn("B", false), Response: "MAYBE", Guests: 2}, 4)}
		}, map[string]string{"eventResponses": `[{"eventResponseMessage":{"response":"GOING","timestampMs":"3"},"eventResponseMessageKey":` + mine + `,"timestampMs":"3"},
			{"eventResponseMessage":{"extraGuestCount":2,"response":"MAYBE","timestampMs":"4"},"eventResponseMessageKey":` + ofBob + `,"timestampMs":"4"}]`}},
		"comments":                     {func(m *chat.Message) { m.Comments, m.Content.Replies = map[string]chat.Comment{"x": {}, "y": {}}, 1 }, map[string]string{"commentMetadata": `{"commentParentKey":` + target + `,"replyCount":2}`}},
		"more comments than are known": {func(m *chat.Message) { m.Content.Replies = 5 }, map[string]string{"commentMetadata": `{"commentParentKey":` + target + `,"replyCount":5}`}},
		"kept": {func(m *chat.Message) {
			m.Keeps = map[chat.JID]chat.Register[bool]{bob: reg(true, 9), own: reg(false, 8)}
		},
			map[string]string{"keepInChat": `{"clientTimestampMs":"9","keepType":"KEEP_FOR_ALL","key":` + target + `}`}},
		"kept no more": {func(m *chat.Message) { m.Keeps = map[chat.JID]chat.Register[bool]{bob: reg(false, 9)} },
			map[string]string{"keepInChat": `{"clientTimestampMs":"9","keepType":"UNDO_KEEP_FOR_ALL","key":` + target + `}`}},
		"pinned": {func(m *chat.Message) { m.Pin = reg(chat.Pin{Pinned: true, Seconds: 60}, 9) },
			map[string]string{"pinInChat": `{"key":` + target + `,"messageAddOnContextInfo":{"messageAddOnDurationInSecs":60},"senderTimestampMs":"9","type":"PIN_FOR_ALL"}`}},
		"pinned for ever": {func(m *chat.Message) { m.Pin = reg(chat.Pin{Pinned: true}, 9) },
			map[string]string{"pinInChat": `{"key":` + target + `,"senderTimestampMs":"9","type":"PIN_FOR_ALL"}`}},
		"unpinned": {func(m *chat.Message) { m.Pin = reg(chat.Pin{}, 9) }, map[string]string{"pinInChat": ""}},
		"parts": {func(m *chat.Message) {
			m.Parts = map[string]chat.Part{
				"c": {Time: 2, FromMe: true, Type: "imageMessage", Body: "c", Message: `{"imageMessage":{"url":"u"}}`, Status: chat.Read},
				"b": {Time: 1, Order: 2, Sender: bob, Type: "imageMessage", Message: `{"imageMessage":{"url":"u"}}`, Edit: chat.Edit{Kind: chat.CaptionEdit, Type: "imageMessage", Body: "new", Message: `{"imageMessage":{"caption":"new"}}`}},
				"a": {Time: 1, Order: 2, Sender: bob, Type: "imageMessage"}, "z": {Time: 1, Order: 1, Gone: true},
			}
		}, map[string]string{"associatedMessages": `[
			{"body":"","id":"a","key":{"fromMe":false,"id":"a","participant":"6282222222222@s.whatsapp.net","remoteJid":"120363041234567890@g.us"},"message":{},"messageTimestamp":"1","type":"imageMessage"},
			{"body":"new","id":"b","key":{"fromMe":false,"id":"b","participant":"6282222222222@s.whatsapp.net","remoteJid":"120363041234567890@g.us"},"message":{"imageMessage":{"caption":"new","url":"u"}},"messageTimestamp":"1","type":"imageMessage"},
			{"body":"c","id":"c","key":{"fromMe":true,"id":"c","remoteJid":"120363041234567890@g.us"},"message":{"imageMessage":{"url":"u"}},"messageTimestamp":"2","status":"READ","type":"imageMessage"}]`}},
	} {
		m := say("m", 5)
		field.change(&m)
		for of, want := range field.want {
			if want == "" {
				if got := part(t, &c, &m, of); got != "" {
					t.Errorf("%s: %s is %s", name, of, got)
				}
				continue
			}
			golden(t, name, []byte(part(t, &c, &m, of)), want)
		}
	}
}

// TestAlbumsHaveTheLowestStatus of their own pictures.
func TestAlbumsHaveTheLowestStatus(t *testing.T) {
	for name, c := range map[string]struct {
		kind  string
		parts map[string]chat.Part
		want  string
	}{
		"the lowest": {"albumMessage", map[string]chat.Part{"a": {FromMe: true, Status: chat.Read}, "b": {FromMe: true, Status: chat.ServerAck}}, `"SERVER_ACK"`},
		"all higher": {"albumMessage", map[string]chat.Part{"a": {FromMe: true, Status: chat.Played}}, `"READ"`},
		"one gone":   {"albumMessage", map[string]chat.Part{"a": {FromMe: true, Status: chat.ServerAck, Gone: true}}, `"READ"`},
		"another's":  {"albumMessage", map[string]chat.Part{"a": {Status: chat.ServerAck}}, `"READ"`},
		"a picture":  {"imageMessage", map[string]chat.Part{"a": {FromMe: true, Status: chat.ServerAck}}, `"READ"`},
	} {
		m := say("m", 5)
		m.Content.Type, m.Parts, m.Status = c.kind, c.parts, chat.Read
		if got := part(t, &chat.Chat{JID: alice}, &m, "status"); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestLines renders what may head a chat.
func TestLines(t *testing.T) {
	c := chat.Chat{JID: team}
	m := say("m", 5)
	added := chat.AddOn{ID: "B", Time: 9}
	m.Reactions = map[chat.JID]chat.Register[chat.Reaction]{bob: reg(chat.Reaction{AddOn: added, Text: "x"}, 3)}
	m.Votes = map[chat.JID]chat.Register[chat.Vote]{bob: reg(chat.Vote{AddOn: added, Options: "aa bb"}, 4)}
	m.Comments = map[string]chat.Comment{"B": {AddOn: added, By: bob, Message: `{"conversation":"c"}`}, "C": {AddOn: added, By: bob}}
	m.Receipts = map[chat.JID]chat.Receipt{bob: {Read: 1}}
	const of, target = `{"fromMe":false,"id":"B","participant":"6282222222222@s.whatsapp.net","remoteJid":"120363041234567890@g.us"}`,
		`{"fromMe":false,"id":"m","participant":"6281111111111@s.whatsapp.net","remoteJid":"120363041234567890@g.us"}`
	for _, one := range []struct {
		l    chat.Line
		want string
	}{
		{chat.Line{Kind: chat.AddedReaction, By: string(bob)}, `{"reactionMessage":{"key":` + target + `,"senderTimestampMs":"3","text":"x"}}`},
		{chat.Line{Kind: chat.AddedVote, By: string(bob)}, `{"pollUpdateMessage":{"pollCreationMessageKey":` + target + `,"senderTimestampMs":"4","vote":{"selectedOptions":["qg==","uw=="]}}}`},
		{chat.Line{Kind: chat.AddedComment, By: "B"}, `{"commentMessage":{"message":{"conversation":"c"},"targetMessageKey":` + target + `}}`},
		{chat.Line{Kind: chat.AddedComment, By: "C"}, `{"commentMessage":{"message":{},"targetMessageKey":` + target + `}}`},
	} {
		golden(t, string(one.l.Kind), []byte(line(&c, one.l, &m)), `{"key":`+of+`,"message":`+one.want+`,"messageTimestamp":"9"}`)
	}
	// A group's line doesn't grow with who has read it.
	for jid, want := range map[chat.JID]bool{team: false, alice: true} {
		var d map[string]json.RawMessage
		of := chat.Chat{JID: jid}
		if err := json.Unmarshal([]byte(line(&of, chat.Line{}, &m)), &d); err != nil || (d["userReceipt"] != nil) != want {
			t.Errorf("the line of %s says who got it: %v, %v", jid, !want, err)
		}
	}
	// What is said in a channel has no participant.
	channel := chat.Chat{JID: "123456@newsletter"}
	golden(t, "a channel's key", []byte(key(&channel, "m", false, channel.JID)), `{"fromMe":false,"id":"m","remoteJid":"123456@newsletter"}`)
	if got := info(&c, &chat.Message{ID: "m", Content: chat.Content{Sender: alice, Info: "{}"}}, said{message: "{}"}, false); !json.Valid([]byte(got)) {
		t.Errorf("with nothing more to say the line is %s", got)
	}
}

// TestQuoteAnyByte: every character is written as JSON has it.
func TestQuoteAnyByte(t *testing.T) {
	for c := range 0x100 {
		s := "a" + string(rune(c)) + "b"
		var back string
		if err := json.Unmarshal([]byte(quote(s)), &back); err != nil || back != s {
			t.Errorf("%q is quoted %s", s, quote(s))
		}
	}
	b := make([]byte, 0, 100)
	for _, plain := range []string{"", "plain", " ~", "<&>"} { // most of what is written, a thousand times an answer
		if n := testing.AllocsPerRun(10, func() { _ = appendQuoted(b, plain) }); n != 0 {
			t.Errorf("%q takes %v allocations", plain, n)
		}
	}
}

// TestLabelsInAChat, and its other fields that are there only where there is something to say.
func TestLabelsInAChat(t *testing.T) {
	golden(t, "the empty chat", []byte(document(&chat.Chat{JID: alice})), `{"archived":false,"id":"`+string(alice)+`","participant":[],"unreadCount":0,"unreadMentionCount":0}`)
	c := chat.Chat{JID: alice, Labels: map[string]chat.Register[bool]{"1": reg(true, 1), "2": reg(false, 1)}, Received: 5}
	golden(t, "the labelled chat", []byte(document(&c)), `{"archived":false,"id":"`+string(alice)+`","labels":["1"],"lastMessageRecvTimestamp":5,"participant":[],"unreadCount":0,"unreadMentionCount":0}`)
}

// TestDeepWrappers: an edit is found within as many wrappers as there may be, and no deeper.
func TestDeepWrappers(t *testing.T) {
	wrapped := func(depth int, caption string) string {
		s := `{"imageMessage":{` + caption + `"url":"u"}}`
		for range depth {
			s = `{"ephemeralMessage":{"message":` + s + `}}`
		}
		return s
	}
	edit := chat.Edit{Kind: chat.CaptionEdit, Type: "imageMessage", Body: "b", Message: `{"imageMessage":{"caption":"b"}}`}
	for depth, caption := range map[int]string{0: `"caption":"b",`, 1: `"caption":"b",`, maxDepth: `"caption":"b",`, maxDepth + 1: ""} {
		if got, _ := patched(chat.JSON(wrapped(depth, "")), "imageMessage", &edit); string(got) != wrapped(depth, caption) {
			t.Errorf("within %d wrappers: %.80s", depth, got)
		}
	}
}
