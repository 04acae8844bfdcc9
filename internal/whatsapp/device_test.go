package whatsapp

import (
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

func linkedWorld(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.link()
	return w
}

// relink ends the link on the phone, and links the device anew.
func (w *world) relink() {
	w.t.Helper()
	w.linked.Unlink()
	w.until("the end of the link", func(a chat.Account) bool { return a.Device == "" })
	w.ok(w.halt())
	w.link()
}

// from sends a message to the account and waits until it is stored.
func (w *world) from(c *sim.Contact, m *waE2E.Message, o sim.SendOptions) (id string) {
	w.t.Helper()
	id, err := c.Send(w.soon(), w.phone, m, o)
	w.ok(err)
	w.acked(id)
	return id
}

// written sends a message from the user's phone and waits until the device has stored it.
func (w *world) written(to types.JID, m *waE2E.Message) (id string) {
	w.t.Helper()
	id, err := w.phone.SendFromPhone(w.soon(), to, m, sim.SendOptions{})
	w.ok(err)
	w.acked(id)
	return id
}

func TestConversation(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	own := chat.JID(w.phone.PN().String())

	first := w.from(budi, sim.Text("halo"), sim.SendOptions{})
	w.says1(jid(budi), `"body":"halo"`, `"fromMe":false`, `"pushName":"Budi"`, `"type":"conversation"`, `"sender":"6281200000002@s.whatsapp.net"`)

	w.from(budi, sim.Edit(w.phone.PN(), first, sim.Text("halo juga")), sim.SendOptions{})
	w.says1(jid(budi), `"body":"halo juga"`, `"message":{"conversation":"halo juga"}`, field("id", `"`+first+`"`))

	theirs := &waCommon.MessageKey{RemoteJID: proto.String(string(jid(budi))), FromMe: proto.Bool(false), ID: &first}
	w.written(budi.PN(), sim.React(theirs, "👍"))
	w.says1(jid(budi), `"reactions":[{"key":{"fromMe":true`, `"text":"👍"`)
	w.written(budi.PN(), sim.React(theirs, ""))
	if all := w.messages(jid(budi)); strings.Contains(all[0], "reactions") {
		t.Errorf("reaction is still there: %s", all[0])
	}

	answer := w.written(budi.PN(), &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("ya"), ContextInfo: &waE2E.ContextInfo{
			StanzaID: &first, Participant: proto.String(string(jid(budi))), QuotedMessage: sim.Text("halo"),
			MentionedJID: []string{string(own), "nonsense"},
		},
	}})
	all := w.messages(jid(budi))
	if len(all) != 2 {
		t.Fatalf("%d messages", len(all))
	}
	says(t, all[1], `"body":"ya"`, `"fromMe":true`, `"quotedMsg":{"conversation":"halo"}`, `"status":"SERVER_ACK"`,
		field("from", `"`+own+`"`), field("mentionedJidList", `["`+own+`"]`), field("id", `"`+answer+`"`))

	w.from(budi, sim.Revoke(w.phone.PN(), first), sim.SendOptions{})
	all = w.messages(jid(budi))
	says(t, all[0], `"body":""`, `"message":{}`, `"messageStubType":"REVOKE"`)

	// A stranger's revoke and edit change nothing.
	w.from(budi, sim.Revoke(w.phone.PN(), answer), sim.SendOptions{})
	w.from(budi, sim.Edit(w.phone.PN(), answer, sim.Text("tidak")), sim.SendOptions{})
	says(t, w.messages(jid(budi))[1], `"body":"ya"`)
	if v, ok := w.shown(jid(budi)); !ok || v.Last.ID != answer {
		t.Errorf("last message %q, want %q", v.Last.ID, answer)
	}
}

func TestKindsOfMessages(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	image := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		Caption: proto.String("foto"), Mimetype: proto.String("image/jpeg"), FileSHA256: []byte{1, 2, 3},
		ContextInfo: &waE2E.ContextInfo{Expiration: proto.Uint32(86400)},
	}}
	tests := []struct {
		name    string
		message *waE2E.Message
		pieces  []string
	}{
		{"image", image, []string{`"type":"imageMessage"`, `"body":"foto"`, `"isMedia":true`, `"isEphemeralMessage":true`, `"fileSha256":"AQID"`}},
		{"disappearing", &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: sim.Text("sebentar")}},
			[]string{`"type":"conversation"`, `"body":"sebentar"`, `"isEphemeralMessage":true`, `"ephemeralMessage":`}},
		{"view once", &waE2E.Message{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: image}},
			[]string{`"type":"imageMessage"`, `"viewOnceMessageV2":`}},
		{"document", &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
			DocumentMessage: &waE2E.DocumentMessage{Caption: proto.String("laporan"), FileName: proto.String("a.pdf")},
		}}}, []string{`"type":"documentMessage"`, `"body":"laporan"`, `"documentWithCaptionMessage":`}},
		{"poll", &waE2E.Message{PollCreationMessage: &waE2E.PollCreationMessage{Name: proto.String("makan apa?")}},
			[]string{`"type":"pollCreationMessage"`, `"body":"makan apa?"`}},
	}
	for i, test := range tests {
		w.from(budi, test.message, sim.SendOptions{})
		all := w.messages(jid(budi))
		if len(all) != i+1 {
			t.Fatalf("%s: %d messages, want %d", test.name, len(all), i+1)
		}
		says(t, all[i], test.pieces...)
	}

	asides := []*waE2E.Message{
		{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_SHARE_PHONE_NUMBER.Enum()}},
		{KeepInChatMessage: &waE2E.KeepInChatMessage{}},
		{PollUpdateMessage: &waE2E.PollUpdateMessage{}},
		{PinInChatMessage: &waE2E.PinInChatMessage{}},
	}
	for _, m := range asides {
		w.from(budi, m, sim.SendOptions{})
	}
	if n := len(w.messages(jid(budi))); n != len(tests) {
		t.Errorf("%d messages after asides, want %d", n, len(tests))
	}
	w.from(budi, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(604800),
	}}, sim.SendOptions{})
	v, _ := w.shown(jid(budi))
	says(t, string(v.Document), `"ephemeralExpiration":604800`)
}

func TestReceipts(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	id := w.written(budi.PN(), sim.Text("sampai?"))
	at := time.Unix(1_800_000_000, 0)
	steps := []struct {
		kind   types.ReceiptType
		status string
	}{
		{types.ReceiptTypeRead, `"status":"READ"`},
		{types.ReceiptTypeDelivered, `"status":"READ"`}, // late: it only rises
		{types.ReceiptTypePlayed, `"status":"PLAYED"`},
	}
	for _, s := range steps {
		w.ok(budi.SendReceipt(w.soon(), w.phone, sim.Receipt{Type: s.kind, IDs: []string{id}, Time: at}))
		w.ok(w.linked.WaitDrained(w.soon()))
		w.says1(jid(budi), s.status)
		at = at.Add(time.Second)
	}
	w.says1(jid(budi), `{"playedTimestamp":"1800000002","readTimestamp":"1800000000","receiptTimestamp":"1800000001","userJid":"6281200000002@s.whatsapp.net"}`)
}

func TestReadOnPhone(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	ids := []string{
		w.from(budi, sim.Text("satu"), sim.SendOptions{}),
		w.from(budi, sim.Text("dua"), sim.SendOptions{}),
	}
	v, _ := w.shown(jid(budi))
	says(t, string(v.Document), `"unreadCount":2`)
	w.ok(w.phone.ReadOnPhone(w.soon(), budi.PN(), ids...))
	w.eventually("chat read", func() bool { v, _ := w.shown(jid(budi)); return !v.Unread })
}

func TestOnePersonOneChat(t *testing.T) {
	hidden := sim.SendOptions{HideAlt: true}
	hiddenLID := sim.SendOptions{HideAlt: true, ByLID: true}
	shown, shownLID := sim.SendOptions{}, sim.SendOptions{ByLID: true}
	for name, order := range map[string][]sim.SendOptions{
		"PN first":              {hidden, hiddenLID, shown},
		"LID first":             {hiddenLID, hidden, shownLID},
		"LID, then the mapping": {hiddenLID, shownLID},
		"PN, then the mapping":  {hidden, shown, shownLID, hiddenLID},
	} {
		t.Run(name, func(t *testing.T) {
			w := linkedWorld(t)
			budi := w.contact("6281200000002", "Budi")
			for _, o := range order {
				w.from(budi, sim.Text("halo"), o)
			}
			for _, j := range []chat.JID{jid(budi), lid(budi)} {
				all := w.messages(j)
				if len(all) != len(order) {
					t.Errorf("%s shows %d messages, want %d", j, len(all), len(order))
				}
				for _, m := range all {
					says(t, m, `"sender":"6281200000002@s.whatsapp.net"`, `"chatId":"6281200000002@s.whatsapp.net"`)
				}
			}
			views, _, err := w.store.Chats(w.soon(), account, chat.Filter{}, chat.Page{Limit: 10}, time.Now())
			w.ok(err)
			if len(views) != 1 {
				t.Errorf("%d chats, want one", len(views))
			}
		})
	}
}

// TestTimersOfOneSecond: of two timers of the same second the later counts, by whichever of the person's addresses they come.
func TestTimersOfOneSecond(t *testing.T) {
	timer := func(seconds uint32) *waE2E.Message {
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: &seconds,
		}}
	}
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	at := time.Now().Truncate(time.Second)
	w.from(budi, sim.Text("halo"), sim.SendOptions{Time: at.Add(-time.Minute)})
	for n, from := range []func(m *waE2E.Message, o sim.SendOptions){
		func(m *waE2E.Message, o sim.SendOptions) { w.from(budi, m, o) },
		func(m *waE2E.Message, o sim.SendOptions) {
			id, err := w.phone.SendFromPhone(w.soon(), budi.LID(), m, o)
			w.ok(err)
			w.acked(id)
		},
	} {
		o := sim.SendOptions{Time: at.Add(time.Duration(20*n) * time.Second)}
		w.from(budi, timer(86400), o)
		from(timer(604800), o)
		o.ByLID = true
		w.from(budi, timer(7776000), o)
		v, _ := w.shown(jid(budi))
		says(t, string(v.Document), `"ephemeralExpiration":7776000`)
		o = sim.SendOptions{Time: at.Add(time.Duration(20*n+10) * time.Second), ByLID: true}
		w.from(budi, timer(86400), o)
		o.ByLID = false
		from(timer(604800), o)
		v, _ = w.shown(jid(budi))
		says(t, string(v.Document), `"ephemeralExpiration":604800`)
	}
}

func TestUndecryptableMessageShowsOnce(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	id, err := budi.Send(w.soon(), w.phone, sim.Text("rahasia"), sim.SendOptions{Spoil: true})
	w.ok(err)
	w.eventually("the message", func() bool {
		all := w.messages(jid(budi))
		return len(all) == 1 && strings.Contains(all[0], `"body":"rahasia"`)
	})
	w.acked(id)
	w.says1(jid(budi), `"type":"conversation"`)
	if all := w.messages(jid(budi)); strings.Contains(all[0], "CIPHERTEXT") {
		t.Errorf("placeholder is left: %s", all[0])
	}
	v, _ := w.shown(jid(budi))
	says(t, string(v.Document), `"unreadCount":1`)
}
