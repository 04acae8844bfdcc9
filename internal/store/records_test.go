package store

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// TestRecordsFromBefore: a record that has no name beside the place is found by the name in its document.
func TestRecordsFromBefore(t *testing.T) {
	v := chat.View{Document: `{"id":"1@g.us","name":"Élan"}`}
	before := binary.AppendVarint(binary.AppendVarint(nil, 7), -3)
	if err := placeOf(before, &v); err != nil || v.Name != "elan" || v.Labels != "" || v.Last.Time != 7 || v.Last.Order != -3 {
		t.Errorf("%+v, %v", v, err)
	}
	if err := placeOf(append(before, "toko\n1 12 "...), &v); err != nil || v.Name != "toko" || !v.Labels.Has("12") || !v.Labels.Has("1") || v.Labels.Has("2") {
		t.Errorf("%+v, %v", v, err)
	}
	for _, broken := range []string{"", "\x80", "\x0e", "\x0e\x80"} {
		if err := placeOf([]byte(broken), &chat.View{Document: "{}"}); err == nil {
			t.Errorf("%q is taken for a place", broken)
		}
	}
	if err := placeOf(before, &chat.View{Document: "{"}); err == nil {
		t.Error("a document that is none has a name")
	}
}

// TestLastLineIsBounded: the line of a chat is kept with it up to its bound; what is larger is none of a client of WhatsApp's.
func TestLastLineIsBounded(t *testing.T) {
	s := New(nil, Options{Compression: S2})
	for size, kept := range map[int]bool{2: true, maxDocument: true, maxDocument + 1: false, 1 << 20: false} {
		line := chat.Line{ID: "A", Time: 5, Document: chat.JSON("{" + strings.Repeat(" ", size-2) + "}")}
		v, record, err := s.encodeChat(&chat.Chat{JID: "1@g.us", Last: chat.Last{Line: line}})
		if err != nil || (v.Last.Document == line.Document) != kept || !kept && v.Last.Document != "{}" {
			t.Errorf("a line of %d bytes is kept as one of %d, %v", size, len(v.Last.Document), err)
		}
		read := chat.View{}
		if err := new(decoder).textsOfChat(record, &read); err != nil || read.Last != v.Last {
			t.Errorf("of a line of %d bytes is read %.80q, %v", size, read.Last.Document, err)
		}
	}
}

// TestRanges: a record tells each of the ranges that hide messages.
func TestRanges(t *testing.T) {
	s := New(nil, Options{Compression: S2})
	for _, c := range []chat.Chat{
		{}, {Cleared: chat.RangeOf(5, "a")}, {ClearedUnstarred: chat.RangeOf(6), ClearedAt: 7}, {Deleted: chat.RangeOf(8, "b")},
	} {
		_, record, err := s.encodeChat(&c)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rangesOfChat("", record); err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%+v is read as %+v, %v", c, got, err)
		}
	}
}

// TestHeads: the fields of a chat's item tell what lists are sorted and filtered by.
func TestHeads(t *testing.T) {
	for _, v := range []chat.View{
		{JID: "1@g.us"},
		{JID: "1@g.us", Shows: true, Activity: 50, Time: 40, MuteEnd: chat.MutedForEver, Pinned: true, Last: chat.Line{Expires: 7}},
		{JID: "1@g.us", Activity: 50, Time: 50, MuteEnd: 7, Archived: true, Unread: true},
	} {
		if got := headOfChat(v.JID, &kv.Item{Fields: fieldsOfView(&v)}); got != v {
			t.Errorf("%+v is read as %+v", v, got)
		}
	}
}

// TestHeadsOfMessages: the fields of a message's item tell whether it is listed, and heads its chat.
func TestHeadsOfMessages(t *testing.T) {
	s, c := New(nil, Options{Compression: S2}), &chat.Chat{JID: "1@s.whatsapp.net"}
	for what, change := range map[string]func(*chat.Message){
		"a text":    func(*chat.Message) {},
		"aside":     func(m *chat.Message) { m.Content.Aside = true },
		"gone":      func(m *chat.Message) { m.Gone = true },
		"starred":   func(m *chat.Message) { m.Starred = chat.Register[bool]{Value: true, At: 5} },
		"unstarred": func(m *chat.Message) { m.Starred = chat.Register[bool]{At: 5} },
		"pinned": func(m *chat.Message) {
			m.Pin = chat.Register[chat.Pin]{Value: chat.Pin{Pinned: true, Seconds: 9}, At: 5000}
		},
	} {
		for _, id := range []string{"A", strings.Repeat("x", 200)} {
			m := &chat.Message{ID: id, Content: chat.Content{Sender: c.JID, Time: 5, Order: 6, Type: "conversation", Body: "b"}}
			change(m)
			want, fields, record, err := s.encodeMessage(c, m)
			if err != nil {
				t.Fatal(err)
			}
			it := kv.Item{Key: messageKey("a", c.JID, place(5, 6, id)), Fields: fields, Data: record, Expires: want.Expires}
			want.Document = ""
			if got, err := headOfMessage(&it); err != nil || got != want {
				t.Errorf("%s: %+v is read as %+v, %v", what, want, got, err)
			}
		}
	}
}

// noise is text that can't be compressed much.
func noise(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	r, b := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

// TestLargeMessages: of a message that no item can hold less is stored, the least important first, rather than nothing: it would
// come again and again.
func TestLargeMessages(t *testing.T) {
	s := New(nil, Options{Compression: S2})
	of := func(change func(*chat.Message)) *chat.Message {
		m := &chat.Message{ID: "A", Content: chat.Content{
			Sender: "1@s.whatsapp.net", Time: 5, Type: "conversation", Body: "b", Message: `"m"`,
			Quoted: `"q"`, Info: `{"i":1}`, Mentions: []chat.JID{"2@lid"},
		}, Revoked: map[chat.JID]int64{"3@lid": 1}}
		change(m)
		return m
	}
	much := noise(3 * kv.MaxData / 2)
	quote := func(text string) chat.JSON { return chat.JSON(`"` + text + `"`) }
	easy := func(size int) chat.JSON { return quote(strings.Repeat("x", size)) }
	reactions := map[chat.JID]chat.Register[chat.Reaction]{"3@lid": {Value: chat.Reaction{Text: much}, At: 5}}
	for what, one := range map[string]struct {
		m    *chat.Message
		less func(*chat.Message)
	}{
		"little":              {of(func(*chat.Message) {}), func(*chat.Message) {}},
		"what is quoted":      {of(func(m *chat.Message) { m.Content.Quoted = quote(much) }), withoutQuoted},
		"the message":         {of(func(m *chat.Message) { m.Content.Message = quote(much) }), withoutContent},
		"the body":            {of(func(m *chat.Message) { m.Content.Body = much }), withoutContent},
		"who is mentioned":    {of(func(m *chat.Message) { m.Content.Mentions = []chat.JID{chat.JID(much)} }), withoutContent},
		"reactions":           {of(func(m *chat.Message) { m.Reactions = reactions }), withoutPersons},
		"12 MiB, well packed": {of(func(m *chat.Message) { m.Content.Message = easy(6 << 20) }), withoutContent}, // in two texts
		"6 MiB, well packed":  {of(func(m *chat.Message) { m.Content.Message = easy(3 << 20) }), func(*chat.Message) {}},
	} {
		v, _, record, err := s.encodeFitting(&chat.Chat{JID: "1@s.whatsapp.net"}, one.m)
		if err != nil || len(record) > kv.MaxData {
			t.Errorf("%s: %d bytes, %v", what, len(record), err)
			continue
		}
		stored, err := stateOfMessage(record)
		want := *one.m
		one.less(&want)
		wantState, _ := marshal(want)
		gotState, _ := marshal(stored)
		if err != nil || string(gotState) != string(wantState) {
			t.Errorf("%s: %.300s is stored, %v; want %.300s", what, gotState, err, wantState)
		}
		if document, err := new(decoder).documentOfMessage(record); err != nil || document != v.Document || !v.Listed {
			t.Errorf("%s: the document is %.300s, %v", what, document, err)
		}
	}
}

func withoutQuoted(m *chat.Message) { m.Content.Quoted, m.Content.Info = "", "" }

func withoutContent(m *chat.Message) {
	withoutQuoted(m)
	m.Content.Message, m.Content.Body, m.Content.Mentions = "", "", nil
}

func withoutPersons(m *chat.Message) {
	withoutContent(m)
	m.Reactions, m.Revoked = nil, nil
}

// TestLargestMessage: a message whose record is just as large as an item's data may be is stored whole.
func TestLargestMessage(t *testing.T) {
	s := New(nil, Options{Compression: S2})
	all := noise(kv.MaxData)
	size := func(n int) (int, error) {
		m := chat.Message{ID: "A", Gone: true, Content: chat.Content{Time: 5, Body: all[:n]}} // not listed, it has no document
		_, _, record, err := s.encodeMessage(&chat.Chat{JID: "1@s.whatsapp.net"}, &m)
		return len(record), err
	}
	n := kv.MaxData * 9 / 10
	for {
		now, err := size(n)
		if err != nil {
			t.Fatalf("a message of %d bytes: %v", n, err)
		}
		if now == kv.MaxData {
			break
		}
		n += kv.MaxData - now
	}
	if _, err := size(n + 1); err != errTooLarge {
		t.Errorf("one byte more: %v", err)
	}
	all = strings.Repeat("x", maxRecord) // what takes little to store is bounded by what it takes to read
	m := chat.Message{ID: "A", Gone: true, Content: chat.Content{Time: 5}}
	state, err := marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	n = maxRecord/2 - len(state) - len(`"b":"",`)
	if len(all) != maxRecord || n < 0 {
		t.Fatal(n)
	}
	for more, want := range map[int]error{0: nil, 1: errTooLarge} {
		m.Content.Body = all[:n+more]
		if state, err = marshal(m); len(state) != maxRecord/2+more || err != nil {
			t.Fatalf("the state has %d bytes, %v", len(state)-maxRecord/2, err)
		}
		if _, err := size(n + more); err != want {
			t.Errorf("a state of %d bytes: %v", len(state), err)
		}
	}
}
