package dynamo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/testkit/dynamolocal"
)

func none(func(chat.MessageView) bool) (*chat.Message, error) { return nil, nil }

// applied is a chat after a change, and the message it brought.
func applied(t testing.TB, c chat.Change) (*chat.Chat, *chat.Message) {
	th := &chat.Thread{Chat: chat.Chat{JID: c.Chat}, Newest: none}
	if err := th.Apply(c, noon); err != nil {
		t.Fatal(err)
	}
	for _, m := range th.Changed {
		return &th.Chat, m
	}
	return &th.Chat, nil
}

func TestRecords(t *testing.T) {
	r := newInbox(1)
	chats, messages := 0, 0
	for range 200 {
		c, m := applied(t, r.chat(1))
		b, err := encodeChat(c)
		if err != nil {
			t.Fatal(err)
		}
		chats += len(b)
		view := chat.View{JID: c.JID}
		if err := decodeChatHead(b, &view); err != nil {
			t.Fatal(err)
		}
		if err := decodeChatTexts(new(record), b, &view); err != nil {
			t.Fatal(err)
		}
		if view != render.View(c) {
			t.Fatalf("the view came back as %+v, was %+v", view, render.View(c))
		}
		state, err := decodeChatState(b)
		if err != nil || !reflect.DeepEqual(&state, c) {
			t.Fatalf("the chat came back as %+v, was %+v, %v", state, c, err)
		}
		if b, err = encodeMessage(c, m); err != nil {
			t.Fatal(err)
		}
		messages += len(b)
		head, err := decodeMessageHead(b, messageID(m.ID))
		want := render.MessageView(c, m)
		want.Document = ""
		if err != nil || head != want {
			t.Fatalf("the message came back as %+v, was %+v, %v", head, want, err)
		}
		if again, err := decodeMessageState(b); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("the message came back as %+v, was %+v, %v", again, m, err)
		}
	}
	t.Logf("a chat takes %d bytes, a message %d", chats/200, messages/200)
	if chats/200 > 430 || messages/200 > 260 {
		t.Error("records are larger than they were")
	}
}

// TestFormat reads records that were written by the first version of the format: what is stored must stay readable.
func TestFormat(t *testing.T) {
	c, m := applied(t, newInbox(2).chat(1))
	for file, encode := range map[string]func() ([]byte, error){
		"chat":    func() ([]byte, error) { return encodeChat(c) },
		"message": func() ([]byte, error) { return encodeMessage(c, m) },
	} {
		now, err := encode()
		if err != nil {
			t.Fatal(err)
		}
		then := golden(t, "record-1-"+file, now)
		var a, b record
		if err := a.decode(now); err != nil {
			t.Fatal(err)
		}
		if err := b.decode(then); err != nil {
			t.Fatalf("a stored %s can't be read any more: %v", file, err)
		}
		for _, r := range []*record{&a, &b} {
			r.packed[len(r.packed)-1] = nil // the state's JSON may grow fields
		}
		if !reflect.DeepEqual(a.packed, b.packed) || !reflect.DeepEqual(a.raws, b.raws) {
			t.Errorf("a stored %s reads otherwise", file)
		}
	}
}

// TestHostileIDs: the sender chooses a message's id.
func TestHostileIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range []string{"", "#", "a/b", strings.Repeat("x", 128), strings.Repeat("x", 129), strings.Repeat("x", 5000), "\xff", "\x00", "☕", messageID("\xff")} {
		m := &chat.Message{ID: id, Content: chat.Content{Time: 1}}
		inKey := messageID(id)
		if seen[inKey] || len(inKey) > 128 || !json.Valid([]byte(`"`+strings.ReplaceAll(inKey, "\x00", "")+`"`)) {
			t.Errorf("id %.20q is %q in a key", id, inKey)
		}
		seen[inKey] = true
		b, err := encodeMessage(&chat.Chat{JID: own}, m)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := decodeMessageHead(b, idIn(spot(m))); err != nil || v.ID != id {
			t.Errorf("id %.20q came back as %.20q, %v", id, v.ID, err)
		}
		if !validSpot(spot(m)) {
			t.Errorf("id %.20q makes no position", id)
		}
	}
}

// TestTooLarge: a message that doesn't fit is stored without what makes it too large.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	db := dynamolocal.Client(t, Tuned)
	names := newTables(t)
	store := NewChats(db, names.Chats, names.Messages)
	r := newInbox(6)
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(' ' + 1 + r.IntN(90))
		}
		return strings.NewReplacer(`"`, "_", `\`, "_").Replace(string(b))
	}
	pn, _ := r.person()
	for i, spoil := range []func(*chat.Message){
		func(m *chat.Message) { m.Content.Quoted = chat.JSON(`{"conversation":"` + noise(600_000) + `"}`) },
		func(m *chat.Message) { m.Content.Message = chat.JSON(`{"conversation":"` + noise(600_000) + `"}`) },
		func(m *chat.Message) {
			m.Content.Message = chat.JSON(`{"conversation":"` + strings.Repeat("x", 20<<20) + `"}`)
		},
		func(m *chat.Message) {
			m.Reactions = map[chat.JID]chat.Register[chat.Reaction]{pn: asSet(chat.Reaction{Text: noise(600_000)})}
		},
	} {
		m := r.text(pn, noon.Unix()+int64(i))
		spoil(&m)
		project(t, store, account, chat.Change{Chat: pn, Messages: []chat.Message{m}})
		c, err := store.Messages(t.Context(), account, pn, chat.Page{Limit: 1}, noon)
		if err != nil || len(c.Messages) != 1 || c.Messages[0].ID != m.ID {
			t.Fatalf("message %d isn't there: %v, %v", i, c, err)
		}
	}
}

func TestSortable(t *testing.T) {
	ascending := []int64{-1 << 63, -1e18, -100, -99, -2, -1, 0, 1, 9, 10, 11, 99, 100, 1772366400, 1772366401, 1<<63 - 1}
	for i := range ascending[1:] {
		if a, b := sortable(ascending[i]), sortable(ascending[i+1]); a >= b {
			t.Errorf("%d is %q, %d is %q", ascending[i], a, ascending[i+1], b)
		}
	}
}

func FuzzPack(f *testing.F) {
	for _, s := range []string{
		"", "{", `"`, `{"data":[`, `{"data":[],"type":"Buffer"}`, `{"data":[0,1,255],"type":"Buffer"}`, `{"data":[256],"type":"Buffer"}`,
		`{"data":[01],"type":"Buffer"}`, `{"data":[1,],"type":"Buffer"}`, `{"data":[1]],"type":"Buffer"}`, `{"data":[1],"type":"buffer"}`,
		`"0123456789ABCDEF"`, `"0123456789ABCDEF0"`, `"0123456789abcdef"`, `"0123456789ABCDEF`, "\x00\x01\x02\x03\x04", "\xff\xfe", "☕",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		var r record
		var x, y string
		if err := r.decode(encodeRecord([]byte(a), a, b)); err != nil {
			t.Fatal(err)
		}
		if err := r.texts(&x, &y); err != nil || x != a || y != b {
			t.Fatalf("%q, %q came back as %q, %q, %v", a, b, x, y, err)
		}
		if head, _, err := headOf(encodeRecord([]byte(a), b)); err != nil || !bytes.Equal(head, []byte(a)) {
			t.Fatalf("head %q came back as %q, %v", a, head, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	c, m := applied(f, newInbox(2).chat(1))
	for _, encode := range []func() ([]byte, error){
		func() ([]byte, error) { return encodeChat(c) },
		func() ([]byte, error) { return encodeMessage(c, m) },
	} {
		b, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{format, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) { // nothing panics
		var v chat.View
		_ = decodeChatHead(b, &v)
		_ = decodeChatTexts(new(record), b, &v)
		_, _ = decodeChatState(b)
		_, _ = decodeMessageHead(b, "id")
		_, _ = decodeMessageState(b)
	})
}

func TestManyBuffers(t *testing.T) {
	r := newInbox(5)
	var b strings.Builder
	for range maxRaws + 50 {
		b.WriteString(string(r.buffer(3)))
		b.WriteString(`"` + r.id() + `"`)
	}
	var rec record
	var got string
	if err := rec.decode(encodeRecord(nil, b.String())); err != nil {
		t.Fatal(err)
	}
	if err := rec.texts(&got); err != nil || got != b.String() {
		t.Errorf("came back changed, %v", err)
	}
}

// FuzzAnswer: an answer is read as the SDK reads it, or left to the SDK.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"Count":1,"Items":[{"sk":{"S":"c/1"},"d":{"B":"AQID"}},{"d":{"B":"AQ=="},"sk":{"S":"c/2"}}],"ScannedCount":1}`,
		`{"Items":[]}`, `{"Items":[{}]}`, `{"Items":[{"sk":{"S":"a\"b"},"d":{"B":"AQID"}}]}`, `{"Items":[{"sk":{"S":"a"},"d":{"B":"!"}}]}`,
		`{"Items":[{"sk":{"S":"a"},"sk":{"S":"b"}}]}`, `{ "Items": [ ] }`, `{"Items":[{"sk":{"S":"0"},"d":{"B":"A01="}}]}`, `{"Items":[{"sk":{"S":"a"},"d":{"B":"AQID"}`, ``,
		"{\"Items\":[{\"d\":{\"B\":\"AQID\"},\"sk\":{\"S\":\"\xff\"}}]}", `{"a":{"Items":[{"sk":{"S":"a"},"d":{"B":"AQID"}}]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var whole, left struct {
			Items []map[string]map[string]string
		}
		if json.Unmarshal(body, &whole) != nil || bytes.Count(bytes.ToLower(body), []byte(`items"`)) != 1 {
			return
		}
		records, rest, ok := cutItems(body)
		if !ok {
			return
		}
		if err := json.Unmarshal(rest, &left); err != nil || len(left.Items) != 0 || len(records) != len(whole.Items) {
			t.Fatalf("%s is left of %s: %v", rest, body, err)
		}
		for i, r := range records {
			it := whole.Items[i]
			data, err := base64.StdEncoding.DecodeString(it[attrData]["B"])
			if err != nil || r.sort != it[attrSort]["S"] || !bytes.Equal(r.data, data) {
				t.Fatalf("%v is read as %s, %x", it, r.sort, r.data)
			}
		}
	})
}
