package whatsapp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/sim"
)

// keyFor is the key of a message in a chat as somebody who didn't write it sees it, or who did.
func keyFor(in types.JID, id string, fromMe bool, author types.JID) *waCommon.MessageKey {
	k := &waCommon.MessageKey{RemoteJID: proto.String(in.String()), FromMe: &fromMe, ID: &id}
	if in.Server == types.GroupServer && !fromMe {
		k.Participant = proto.String(author.String())
	}
	return k
}

// row is a chat as getChats shows it.
func (w *world) row(jid chat.JID) string {
	w.t.Helper()
	v, ok := w.shown(jid)
	if !ok {
		w.t.Fatalf("%s isn't there", jid)
	}
	return string(render.AppendChat(nil, &v, render.Single, time.Now()))
}

func lacks(t testing.TB, text string, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		if strings.Contains(text, p) {
			t.Errorf("%s\nshouldn't be in %s", p, text)
		}
	}
}

// TestSealed has people add to a poll and an event of the account what is encrypted under its secret, with their addresses
// in either form, before and after it.
func TestSealed(t *testing.T) {
	w := linkedWorld(t)
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	g, err := w.server.NewGroup("Arisan", w.phone.Contact, sim.GroupOptions{}, budi, citra)
	w.ok(err)
	send := func(c *sim.Contact, m *waE2E.Message) {
		t.Helper()
		id, err := c.SendGroup(w.soon(), g, m, sim.SendOptions{})
		w.ok(err)
		w.acked(id)
	}
	secret := sim.NewSecret()
	poll := w.written(g.JID(), sim.Poll(secret, "Makan apa?", "soto", "rawon"))
	by := func(c *sim.Contact, id string, byLID bool) sim.Target {
		target := sim.Target{Author: w.phone.PN(), Sender: c.PN(), Secret: secret}
		if byLID {
			target.Author, target.Sender = w.phone.LID(), c.LID()
		}
		target.Key = keyFor(g.JID(), id, false, target.Author)
		return target
	}
	send(budi, sim.Vote(by(budi, poll, false), "soto"))
	send(citra, sim.Vote(by(citra, poll, true), "rawon"))
	in := jidOf(g.JID())
	w.says1(in, `"pollResults":[{"name":"soto","voters":["`+string(jid(budi))+`"]},{"name":"rawon","voters":["`+string(jid(citra))+`"]}]`,
		`"pollUpdates":[{"pollUpdateMessageKey":{"fromMe":false,`)
	says(t, w.row(in), `"pollUpdateMessage":`)
	send(budi, sim.Vote(by(budi, poll, false), "rawon"))
	send(citra, sim.Vote(by(citra, poll, false)))
	w.says1(in, `"pollResults":[{"name":"soto","voters":[]},{"name":"rawon","voters":["`+string(jid(budi))+`"]}]`)
	own := sim.Target{Author: w.phone.PN(), Sender: w.phone.PN(), Secret: secret, Key: keyFor(g.JID(), poll, true, w.phone.PN())}
	w.written(g.JID(), sim.Vote(own, "soto"))
	w.says1(in, `{"name":"soto","voters":["`+ownNumber+`@s.whatsapp.net"]}`)
	send(citra, sim.SecretEdit(by(citra, poll, true), waE2E.SecretEncryptedMessage_POLL_ADD_OPTION, &waE2E.Message{
		PollAddOptionMessage: &waE2E.PollAddOptionMessage{AddOption: &waE2E.PollCreationMessage_Option{OptionName: proto.String("gado-gado")}},
	}))
	w.says1(in, `{"name":"gado-gado","voters":[]}`)
	w.written(g.JID(), sim.SecretEdit(own, waE2E.SecretEncryptedMessage_POLL_EDIT, sim.Poll(nil, "Makan di mana?")))
	w.says1(in, `"body":"Makan di mana?"`, `"optionName":"soto"`)
	send(budi, sim.SecretReact(by(budi, poll, true), "😀"))
	w.says1(in, `"text":"😀"`)
	says(t, w.row(in), `"reactionMessage":`, `"text":"😀"`)
	send(budi, sim.SecretComment(by(budi, poll, false), sim.Text("setuju")))
	w.says1(in, `"replyCount":1`)
	says(t, w.row(in), `"commentMessage":{"message":{"conversation":"setuju"}`)

	// Those that come before their event wait for its secret.
	event := "3EB0EVENT00000000000"
	send(budi, sim.Answer(by(budi, event, false), waE2E.EventResponseMessage_GOING, 2))
	send(citra, sim.Answer(by(citra, event, true), waE2E.EventResponseMessage_MAYBE, 0))
	_, err = w.phone.SendFromPhone(w.soon(), g.JID(), secret.Put(&waE2E.Message{EventMessage: &waE2E.EventMessage{
		Name: proto.String("Arisan Mei"), StartTime: proto.Int64(1_900_000_000), Location: &waE2E.LocationMessage{Name: proto.String("Balai")},
	}}), sim.SendOptions{ID: event})
	w.ok(err)
	w.acked(event)
	w.eventually("the answers", func() bool {
		all := w.messages(in)
		return len(all) == 2 && strings.Contains(all[1], `"response":"GOING"`) && strings.Contains(all[1], `"response":"MAYBE"`)
	})
	says(t, w.messages(in)[1], `"extraGuestCount":2`)
	ownEvent := own
	ownEvent.Key = keyFor(g.JID(), event, true, w.phone.PN())
	w.written(g.JID(), sim.SecretEdit(ownEvent, waE2E.SecretEncryptedMessage_EVENT_EDIT, &waE2E.Message{EventMessage: &waE2E.EventMessage{
		Name: proto.String("Arisan Juni"), IsCanceled: proto.Bool(true),
	}}))
	after := w.messages(in)[1]
	says(t, after, `"body":"Arisan Juni"`, `"isCanceled":true`)
	lacks(t, after, "Balai")
	if items, err := w.store.ListBacklog(w.soon(), account); err != nil || len(items) > 0 && strings.HasPrefix(items[0].ID, laterPrefix) {
		t.Errorf("left in the backlog: %v, %v", items, err)
	}
}

// TestEditsArePatches has the sender edit what an edit may change, and nothing else.
func TestEditsArePatches(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	photo := &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		URL: proto.String("https://mmg.whatsapp.net/x"), DirectPath: proto.String("/x?y"), MediaKey: []byte{1}, Mimetype: proto.String("image/jpeg"),
		Caption: proto.String("lama"), ContextInfo: &waE2E.ContextInfo{StanzaID: proto.String("Q"), QuotedMessage: sim.Text("q"), Expiration: proto.Uint32(86400)},
	}}}}
	id := w.from(budi, photo, sim.SendOptions{})
	w.from(budi, sim.Edit(w.phone.PN(), id, &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		Caption: proto.String("baru"), ContextInfo: &waE2E.ContextInfo{MentionedJID: []string{w.phone.PN().String()}},
	}}), sim.SendOptions{})
	w.says1(jid(budi), `"body":"baru"`, `"type":"imageMessage"`, `"ephemeralMessage":{"message":{"imageMessage":{`, `"caption":"baru"`,
		`"directPath":"/x?y"`, `"mediaKey":"AQ=="`, `"mimetype":"image/jpeg"`, `"url":"https://mmg.whatsapp.net/x"`, `"stanzaId":"Q"`,
		`"expiration":86400`, `"mentionedJidList":["`+ownNumber+`@s.whatsapp.net"]`, `"quotedMsg":{"conversation":"q"}`)
	// A later one by its time, that comes first, stays.
	newer := sim.Edit(w.phone.PN(), id, &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("terbaru")}})
	p := newer.GetEditedMessage().GetMessage().GetProtocolMessage()
	p.TimestampMS = proto.Int64(p.GetTimestampMS() + 60_000)
	w.from(budi, newer, sim.SendOptions{})
	w.from(budi, sim.Edit(w.phone.PN(), id, &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("usang")}}), sim.SendOptions{})
	w.says1(jid(budi), `"body":"terbaru"`, `"mentionedJidList":[]`, `"directPath":"/x?y"`)
	// One that comes too late, without a time, or for what was forwarded changes nothing.
	late := sim.Edit(w.phone.PN(), id, &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("telat")}})
	late.GetEditedMessage().GetMessage().GetProtocolMessage().TimestampMS = proto.Int64(p.GetTimestampMS() + 120_000)
	w.from(budi, late, sim.SendOptions{Time: time.Now().Add(21 * time.Minute)})
	timeless := sim.Edit(w.phone.PN(), id, &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("tanpa waktu")}})
	timeless.GetEditedMessage().GetMessage().GetProtocolMessage().TimestampMS = nil
	w.from(budi, timeless, sim.SendOptions{})
	w.says1(jid(budi), `"body":"terbaru"`)

	citra := w.contact("6281200000003", "Citra")
	forwarded := w.from(citra, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("terusan"), ContextInfo: &waE2E.ContextInfo{IsForwarded: proto.Bool(true)},
	}}, sim.SendOptions{})
	w.from(citra, sim.Edit(w.phone.PN(), forwarded, sim.Text("diubah")), sim.SendOptions{})
	w.says1(jid(citra), `"body":"terusan"`)

	dewi := w.contact("6281200000004", "Dewi")
	link := w.from(dewi, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("lihat https://a.id"), MatchedText: proto.String("https://a.id"), Title: proto.String("A"), JPEGThumbnail: []byte{1},
		ContextInfo: &waE2E.ContextInfo{StanzaID: proto.String("Q"), QuotedMessage: sim.Text("q")},
	}}, sim.SendOptions{})
	w.from(dewi, sim.Edit(w.phone.PN(), link, sim.Text("tidak jadi")), sim.SendOptions{})
	w.says1(jid(dewi), `"body":"tidak jadi"`, `"message":{"extendedTextMessage":{"contextInfo":{"quotedMessage":{"conversation":"q"},"stanzaId":"Q"},"text":"tidak jadi"}}`)
	lacks(t, w.messages(jid(dewi))[0], "matchedText", "jpegThumbnail", `"title"`)
}

// TestKeepsAndPins keeps a disappearing message and pins one.
func TestKeepsAndPins(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	soon := w.from(budi, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("sebentar"), ContextInfo: &waE2E.ContextInfo{Expiration: proto.Uint32(3600)},
	}}, sim.SendOptions{Time: time.Now().Add(-30 * time.Minute)})
	shown := func(at time.Time) int {
		page, err := w.store.Messages(w.soon(), account, jid(budi), chat.Page{Limit: 10}, at)
		w.ok(err)
		return len(page.Messages)
	}
	later := time.Now().Add(time.Hour)
	if shown(later) != 0 {
		t.Error("a disappearing message stays")
	}
	w.written(budi.PN(), sim.Keep(keyFor(budi.PN(), soon, false, budi.PN()), true))
	w.says1(jid(budi), `"keepInChat":{`, `"keepType":"KEEP_FOR_ALL"`)
	if shown(later) != 1 {
		t.Error("a kept message disappears")
	}
	w.written(budi.PN(), sim.Keep(keyFor(budi.PN(), soon, false, budi.PN()), false))
	if shown(later) != 0 {
		t.Error("a message that is kept no more stays")
	}
	w.from(budi, sim.Keep(keyFor(w.phone.PN(), soon, true, budi.PN()), false), sim.SendOptions{})
	w.written(budi.PN(), sim.Keep(keyFor(budi.PN(), soon, false, budi.PN()), true))
	if shown(later) != 0 {
		t.Error("a message that its author doesn't want kept stays")
	}
	w.from(budi, sim.Pin(keyFor(w.phone.PN(), soon, true, budi.PN()), 24*time.Hour), sim.SendOptions{})
	all := w.messages(jid(budi))
	says(t, all[0], `"pinInChat":{`, `"type":"PIN_FOR_ALL"`, `"messageAddOnDurationInSecs":86400`)
	says(t, all[1], `"messageStubType":"PINNED_MESSAGE_IN_CHAT"`)
	says(t, w.row(jid(budi)), `"unreadCount":2`, `"messageStubType":"PINNED_MESSAGE_IN_CHAT"`)
	w.from(budi, sim.Pin(keyFor(w.phone.PN(), soon, true, budi.PN()), 0), sim.SendOptions{})
	if all = w.messages(jid(budi)); len(all) != 2 {
		t.Errorf("%d messages", len(all))
	}
	lacks(t, all[0], "pinInChat")
}

// TestParts sends pictures that belong to others, in both orders.
func TestParts(t *testing.T) {
	w := linkedWorld(t)
	picture := func(path string) *waE2E.Message {
		return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{DirectPath: &path, JPEGThumbnail: []byte{1, 2, 3}}}
	}
	for i, parentFirst := range []bool{true, false} {
		who := w.contact("628120000001"+string(rune('0'+i)), "Budi")
		parent, child := "3EB0PARENT"+string(rune('0'+i)), "3EB0CHILD"+string(rune('0'+i))
		low, high := picture("/low"), sim.PartOf(picture("/high"), waE2E.MessageAssociation_HD_IMAGE_DUAL_UPLOAD, keyFor(who.PN(), parent, true, who.PN()))
		if parentFirst {
			w.from(who, low, sim.SendOptions{ID: parent})
		}
		w.from(who, high, sim.SendOptions{ID: child})
		if !parentFirst {
			w.says1(jid(who), `"directPath":"/high"`)
			says(t, w.row(jid(who)), `"unreadCount":1`)
			w.from(who, low, sim.SendOptions{ID: parent})
		}
		w.says1(jid(who), `"id":"`+parent+`"`, `"directPath":"/low"`, `"associatedMessages":[{`, `"directPath":"/high"`)
		lacks(t, strings.Split(w.messages(jid(who))[0], `"associatedMessages"`)[1], `"jpegThumbnail"`+`:"AQID"},"messageTimestamp"`)
		says(t, w.row(jid(who)), `"unreadCount":1`, `"id":"`+parent+`"`)
	}
	for i, parentFirst := range []bool{true, false} {
		who := w.contact("628120000002"+string(rune('0'+i)), "Citra")
		parent := "3EB0ALBUM" + string(rune('0'+i))
		album := &waE2E.Message{AlbumMessage: &waE2E.AlbumMessage{ExpectedImageCount: proto.Uint32(2)}}
		if parentFirst {
			w.from(who, album, sim.SendOptions{ID: parent})
			if n := len(w.messages(jid(who))); n != 0 {
				t.Errorf("an album without pictures shows: %d", n)
			}
		}
		for _, path := range []string{"/1", "/2"} {
			w.from(who, sim.PartOf(picture(path), waE2E.MessageAssociation_MEDIA_ALBUM, keyFor(who.PN(), parent, true, who.PN())), sim.SendOptions{})
		}
		if !parentFirst {
			w.from(who, album, sim.SendOptions{ID: parent})
		}
		w.says1(jid(who), `"type":"albumMessage"`, `"directPath":"/1"`, `"directPath":"/2"`)
		says(t, w.row(jid(who)), `"unreadCount":1`, `"id":"`+parent+`"`)
		w.from(who, sim.Revoke(w.phone.PN(), parent), sim.SendOptions{})
		w.says1(jid(who), `"messageStubType":"REVOKE"`)
		lacks(t, w.messages(jid(who))[0], "/1")
	}
}

func TestMentionsOfAll(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	g, err := w.server.NewGroup("Arisan", w.phone.Contact, sim.GroupOptions{}, budi)
	w.ok(err)
	in := jidOf(g.JID())
	said := func(info *waE2E.ContextInfo) string {
		t.Helper()
		id, err := budi.SendGroup(w.soon(), g, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("x"), ContextInfo: info}}, sim.SendOptions{})
		w.ok(err)
		w.acked(id)
		return id
	}
	counts := func(messages, mentions string) {
		t.Helper()
		says(t, w.row(in), `"unreadCount":`+messages+`,"unreadMentionCount":`+mentions+`}`)
	}
	said(nil)
	counts("1", "0")
	everyone := said(&waE2E.ContextInfo{NonJIDMentions: proto.Uint32(1)})
	counts("2", "1")
	said(&waE2E.ContextInfo{MentionedJID: []string{w.phone.LID().String()}})
	counts("3", "2")
	said(&waE2E.ContextInfo{StanzaID: proto.String("Q"), Participant: proto.String(w.phone.PN().String()), QuotedMessage: sim.Text("q")})
	counts("4", "3")
	edit := func(id string, info *waE2E.ContextInfo) {
		t.Helper()
		e := sim.Edit(g.JID(), id, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("y"), ContextInfo: info}})
		id, err := budi.SendGroup(w.soon(), g, e, sim.SendOptions{})
		w.ok(err)
		w.acked(id)
	}
	edit(everyone, nil)
	counts("4", "2")
	plain := said(nil)
	edit(plain, &waE2E.ContextInfo{MentionedJID: []string{w.phone.PN().String()}})
	counts("5", "3")
	id, err := budi.SendGroup(w.soon(), g, sim.Revoke(g.JID(), plain), sim.SendOptions{})
	w.ok(err)
	w.acked(id)
	counts("5", "2")
	w.from(budi, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("x"), ContextInfo: &waE2E.ContextInfo{MentionedJID: []string{w.phone.PN().String()}},
	}}, sim.SendOptions{})
	says(t, w.row(jid(budi)), `"unreadCount":1,"unreadMentionCount":0}`)
}

// TestReactionIsTheLine: a reaction to the account's message is its chat's line and lifts it, and one to another's isn't.
func TestReactionIsTheLine(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	earlier := time.Now().Add(-time.Hour).Truncate(time.Second)
	sent, err := w.phone.SendFromPhone(w.soon(), budi.PN(), sim.Text("halo"), sim.SendOptions{Time: earlier})
	w.ok(err)
	w.acked(sent)
	theirs := w.from(budi, sim.Text("ya"), sim.SendOptions{Time: earlier.Add(time.Second)})
	w.from(budi, sim.React(keyFor(w.phone.PN(), theirs, true, budi.PN()), "🙂"), sim.SendOptions{})
	says(t, w.row(jid(budi)), `"conversation":"ya"`)
	w.from(budi, sim.React(keyFor(w.phone.PN(), sent, false, w.phone.PN()), "👍"), sim.SendOptions{})
	says(t, w.row(jid(budi)), `"reactionMessage":{"key":{"fromMe":true,"id":"`+sent+`"`, `"text":"👍"`, `"unreadCount":1`)
	v, _ := w.shown(jid(budi))
	if v.Time != earlier.Unix()+1 || v.Activity <= v.Time {
		t.Errorf("moved to %d, lifted to %d", v.Time, v.Activity)
	}
	w.from(budi, sim.React(keyFor(w.phone.PN(), sent, false, w.phone.PN()), ""), sim.SendOptions{})
	says(t, w.row(jid(budi)), `"conversation":"ya"`)
	if v, _ = w.shown(jid(budi)); v.Activity != v.Time {
		t.Errorf("still lifted to %d", v.Activity)
	}
	w.written(budi.PN(), sim.React(keyFor(budi.PN(), theirs, false, budi.PN()), "❤️"))
	says(t, w.row(jid(budi)), `"text":"❤️"`)
	w.from(budi, sim.Revoke(w.phone.PN(), theirs), sim.SendOptions{})
	lacks(t, w.row(jid(budi)), "❤️")
}

func TestCalls(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	line := func(reason, outcome string, call sim.Call) {
		t.Helper()
		call.ID = budi.Ring(w.soon(), w.phone, call)
		budi.HangUp(w.soon(), w.phone, call, reason)
		w.eventually("the call", func() bool {
			all := w.messages(jid(budi))
			return len(all) > 0 && strings.Contains(all[len(all)-1], call.ID)
		})
		says(t, w.row(jid(budi)), `"callOutcome":"`+outcome+`"`, `"unreadCount":0`, `"callLogMesssage":`)
	}
	line("timeout", "MISSED", sim.Call{})
	line("", "MISSED", sim.Call{Video: true, ByLID: true})
	says(t, w.row(jid(budi)), `"isVideo":true`)
	line("accepted_elsewhere", "ACCEPTED_ELSEWHERE", sim.Call{})
	line("rejected_elsewhere", "REJECTED", sim.Call{})
	n := len(w.messages(jid(budi)))
	budi.HangUp(w.soon(), w.phone, sim.Call{ID: "NEVERSEEN"}, "timeout")
	w.from(budi, sim.Text("sudah?"), sim.SendOptions{})
	if all := w.messages(jid(budi)); len(all) != n+1 {
		t.Errorf("%d messages, want %d", len(all), n+1)
	}
	// One that waits for the device was missed at once.
	w.ok(w.halt())
	waited := budi.Ring(w.soon(), w.phone, sim.Call{})
	w.run()
	w.eventually("the missed call", func() bool {
		all := w.messages(jid(budi))
		return strings.Contains(all[len(all)-1], waited)
	})
	says(t, w.row(jid(budi)), `"callOutcome":"MISSED"`)
}

func TestViewOnce(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	id := budi.ViewOnce(w.soon(), w.phone, sim.SendOptions{})
	w.eventually("it", func() bool { return len(w.messages(jid(budi))) == 1 })
	w.says1(jid(budi), `"type":"viewOnceMessage"`, `"messageStubParameters":["view_once_unavailable_fanout"]`, `"id":"`+id+`"`)
	says(t, w.row(jid(budi)), `"unreadCount":1`)
}

// TestNewerKinds: what the library doesn't know has a line, counts, and is kept.
func TestNewerKinds(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	id := w.from(budi, sim.Newer("dari masa depan"), sim.SendOptions{})
	w.says1(jid(budi), `"messageStubType":"FUTUREPROOF"`, `"futureproofData":"`)
	says(t, w.row(jid(budi)), `"unreadCount":1`, `"messageStubType":"FUTUREPROOF"`)
	items, err := w.store.ListBacklog(w.soon(), account)
	w.ok(err)
	kept := false
	for _, item := range items {
		kept = kept || strings.HasPrefix(item.ID, laterPrefix) && strings.HasSuffix(item.ID, id) && strings.Contains(string(item.Data), "dari masa depan")
	}
	if !kept {
		t.Error("its bytes aren't kept")
	}
	// An update of the library knows the kind: here the bytes become those of a text.
	w.ok(w.halt())
	for _, item := range items {
		if strings.HasPrefix(item.ID, laterPrefix) {
			data := replaceMessage(t, item.Data, sim.Text("sekarang terbaca"))
			w.ok(w.store.DeleteBacklog(w.soon(), account, item.ID))
			w.ok(w.store.PutBacklog(w.soon(), account, item.ID, data))
		}
	}
	w.run()
	w.eventually("the text", func() bool { return strings.Contains(w.messages(jid(budi))[0], "sekarang terbaca") })
	says(t, w.row(jid(budi)), `"unreadCount":1`, "sekarang terbaca")
}

func TestBroadcastList(t *testing.T) {
	w := linkedWorld(t)
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	w.from(budi, sim.Text("halo"), sim.SendOptions{Time: time.Now().Add(-time.Hour)})
	before, _ := w.shown(jid(budi))
	id, err := w.phone.Broadcast(w.soon(), "1234567890", []*sim.Contact{budi, citra}, sim.Text("kabar"), sim.SendOptions{})
	w.ok(err)
	w.acked(id)
	if all := w.messages(jid(budi)); len(all) != 2 {
		t.Fatalf("%d messages", len(all))
	}
	says(t, w.messages(jid(budi))[1], `"body":"kabar"`, `"fromMe":true`, `"id":"`+id+`"`, `"broadcast":true`)
	after, _ := w.shown(jid(budi))
	if after.Time != before.Time || after.Activity != before.Activity {
		t.Errorf("the copy moved the chat from %d to %d", before.Time, after.Time)
	}
	says(t, w.row(jid(budi)), `"unreadCount":1`)
	if _, ok := w.shown(jid(citra)); ok {
		t.Error("a chat that has only a copy is listed")
	}
	if all := w.messages("1234567890@broadcast"); len(all) != 1 {
		t.Errorf("the list has %d messages", len(all))
	}
	w.ok(citra.SendReceipt(w.soon(), w.phone, sim.Receipt{IDs: []string{id}, Type: types.ReceiptTypeRead}))
	w.from(citra, sim.Text("terima kasih"), sim.SendOptions{})
	all := w.messages(jid(citra))
	says(t, all[0], `"status":"READ"`)
	says(t, w.messages(jid(budi))[1], `"status":"SERVER_ACK"`)
}

func TestChannels(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	before := w.phone.Follow("120363000000000079", "Cuaca")
	w.link()
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{Time: time.Now().Add(-time.Hour)})
	n := w.phone.Follow("120363000000000077", "Kabar Kota")
	in := jidOf(n.JID())
	w.eventually("the newest on top", func() bool {
		views, _, err := w.store.Chats(w.soon(), account, chat.Filter{}, chat.Page{Limit: 10}, time.Now())
		w.ok(err)
		var order []chat.JID
		for _, v := range views {
			order = append(order, v.JID)
		}
		return slices.Equal(order, []chat.JID{in, jid(budi), jidOf(before.JID())})
	})
	w.eventually("the channel", func() bool { _, ok := w.shown(in); return ok })
	says(t, w.row(in), `"name":"Kabar Kota"`, `"muted":false`)
	n.SetMuted(true)
	w.eventually("the mute", func() bool { v, _ := w.shown(in); return v.MuteEnd == chat.MutedForEver })
	w.ok(w.device.Unmute(w.soon(), in))
	if n.Muted() {
		t.Error("still muted")
	}
	says(t, w.row(in), `"muted":false`)
	w.ok(w.device.Mute(w.soon(), in, chat.MutedForEver))
	if !n.Muted() {
		t.Error("not muted")
	}
	says(t, w.row(in), `"muted":true,"muteEndTime":-1`)
	if err := w.device.Mute(w.soon(), in, time.Now().Add(time.Hour).UnixMilli()); chat.CodeOf(err) != chat.InvalidSecond {
		t.Errorf("a mute with an end: %v", err)
	}
	if err := w.device.Clear(w.soon(), in, chat.DeleteStarred, nil); chat.CodeOf(err) != chat.WhatsAppRejected {
		t.Errorf("a clear: %v", err)
	}
	n.Leave()
	w.eventually("the end", func() bool { _, ok := w.shown(in); return !ok })
}

// TestChannelsFollowedBefore: what was followed, muted or left while no device was linked shows after the link, and what changes
// then counts after it.
func TestChannelsFollowedBefore(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	news, quiet := w.phone.Follow("120363000000000077", "Kabar Kota"), w.phone.Follow("120363000000000078", "Resep")
	quiet.SetMuted(true)
	w.link()
	w.eventually("the channels", func() bool {
		_, one := w.shown(jidOf(news.JID()))
		_, other := w.shown(jidOf(quiet.JID()))
		return one && other
	})
	says(t, w.row(jidOf(news.JID())), `"name":"Kabar Kota"`, `"muted":false`)
	says(t, w.row(jidOf(quiet.JID())), `"name":"Resep"`, `"muted":true,"muteEndTime":-1`)
	w.ok(w.device.Unmute(w.soon(), jidOf(quiet.JID())))
	says(t, w.row(jidOf(quiet.JID())), `"muted":false`)
	w.ok(w.halt()) // what happens while the device is off is in the list, too
	news.Leave()
	quiet.SetMuted(true)
	w.open()
	w.run()
	w.eventually("the changes", func() bool {
		_, followed := w.shown(jidOf(news.JID()))
		return !followed && strings.Contains(w.row(jidOf(quiet.JID())), `"muted":true`)
	})
	w.ok(w.device.Logout(w.soon())) // unlinked, nothing is told
	w.ok(w.halt())
	quiet.Leave()
	news = w.phone.Follow("120363000000000077", "Kabar Kota")
	w.link()
	w.eventually("one channel left, the other followed again", func() bool {
		_, one := w.shown(jidOf(news.JID()))
		_, other := w.shown(jidOf(quiet.JID()))
		return one && !other
	})
}

// replaceMessage puts another content into what is kept for later.
func replaceMessage(t *testing.T, data []byte, m *waE2E.Message) []byte {
	t.Helper()
	conv := &waHistorySync.Conversation{}
	if err := proto.Unmarshal(data, conv); err != nil {
		t.Fatal(err)
	}
	conv.Messages[0].Message.Message = m
	data, err := proto.Marshal(conv)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
