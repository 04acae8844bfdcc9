package whatsapp

import (
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

// TestPlaceholdersOfWhatIsNoMessage: what can't be decrypted at first and turns out to be an edit, a reaction or the like leaves no
// line, and doesn't count.
func TestPlaceholdersOfWhatIsNoMessage(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	first := w.from(budi, sim.Text("satu"), sim.SendOptions{})
	key := keyFor(w.phone.PN(), first, false, w.phone.PN())
	key.FromMe = proto.Bool(true) // as he sees his own
	for what, m := range map[string]*waE2E.Message{
		"an edit": sim.Edit(w.phone.PN(), first, sim.Text("dua")), "a reaction": sim.React(key, "👍"), "a keep": sim.Keep(key, true),
	} {
		id, err := budi.Send(w.soon(), w.phone, m, sim.SendOptions{Spoil: true})
		w.ok(err)
		w.acked(id)
		w.eventually(what, func() bool {
			return len(w.messages(jid(budi))) == 1 && strings.Contains(w.row(jid(budi)), `"unreadCount":1`)
		})
	}
	w.says1(jid(budi), `"body":"dua"`, `"text":"👍"`)
	id, err := budi.Send(w.soon(), w.phone, sim.Revoke(w.phone.PN(), first), sim.SendOptions{Spoil: true})
	w.ok(err)
	w.acked(id)
	w.eventually("the revoke", func() bool { all := w.messages(jid(budi)); return len(all) == 1 && strings.Contains(all[0], "REVOKE") })
}

// TestSpoiltAdditionsMoveNothing: an edit or another addition that can't be decrypted, for now or for ever, moves its chat neither in
// time nor in place, and counts nothing.
func TestSpoiltAdditionsMoveNothing(t *testing.T) {
	w := linkedWorld(t)
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	at := time.Now().Add(-time.Hour)
	first := w.from(budi, sim.Text("satu"), sim.SendOptions{Time: at})
	w.from(citra, sim.Text("lebih baru"), sim.SendOptions{Time: at.Add(time.Minute)})
	key := keyFor(w.phone.PN(), first, false, w.phone.PN())
	key.FromMe = proto.Bool(true) // as he sees his own
	stays := func(what string) {
		t.Helper()
		v, _ := w.shown(jid(budi))
		if all := w.messages(jid(budi)); v.Activity != at.Unix() || v.Last.Time != at.Unix() || len(all) != 1 ||
			!strings.Contains(w.row(jid(budi)), `"unreadCount":1`) {
			t.Errorf("%s: %d messages, moved by %d s: %s", what, len(all), v.Activity-at.Unix(), v.Document)
		}
	}
	for what, m := range map[string]*waE2E.Message{
		"an edit": sim.Edit(w.phone.PN(), first, sim.Text("dua")), "a reaction": sim.React(key, "👍"), "a revoke": sim.Revoke(w.phone.PN(), first),
	} {
		for why, o := range map[string]sim.SendOptions{"spoilt": {Spoil: true}, "absent": {Absent: true}, "kept back": {Absent: true, Why: "view_once"}} {
			o.Time = at.Add(10 * time.Minute)
			id, err := budi.Send(w.soon(), w.phone, m, o)
			w.ok(err)
			w.acked(id)
			w.quiet()
			stays(what + ", " + why)
		}
	}
	w.eventually("what was sent again", func() bool { all := w.messages(jid(budi)); return len(all) == 1 && strings.Contains(all[0], "REVOKE") })
	stays("afterwards")
}

// TestWithinASecond: of what WhatsApp tells within one second what comes last counts, whatever the host's clock says.
func TestWithinASecond(t *testing.T) {
	w := linkedWorld(t)
	budi, at := w.contact("6281200000002", "Zaki"), sim.SendOptions{Time: time.Now()}
	for _, name := range []string{"Zaki", "Budi", "Yuda", "Ani"} {
		budi.SetPushName(name)
		w.from(budi, sim.Text("halo"), at)
		says(t, w.row(jid(budi)), `"name":"`+name+`"`)
	}
	for _, seconds := range []string{"86400", "7776000", "604800", "0"} {
		m := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(),
			EphemeralExpiration: map[string]*uint32{"86400": proto.Uint32(86400), "7776000": proto.Uint32(7776000), "604800": proto.Uint32(604800), "0": proto.Uint32(0)}[seconds]}}
		w.from(budi, m, at)
		says(t, w.row(jid(budi)), `"ephemeralExpiration":`+seconds)
	}
	n := w.phone.Follow("120363000000000077", "Kabar Kota")
	in := jidOf(n.JID())
	w.eventually("the channel", func() bool { _, ok := w.shown(in); return ok })
	w.devices.Now = func() time.Time { return time.Now().Add(time.Hour) }
	for range 3 {
		w.ok(w.device.Mute(w.soon(), in, chat.MutedForEver))
		n.SetMuted(false)
		w.eventually("the phone's unmute", func() bool { v, _ := w.shown(in); return v.MuteEnd == 0 })
	}
}

// TestOrderOverARestart: messages of one second keep the order in which they come where the host is started anew in between, and its
// clock was a year ahead before.
func TestOrderOverARestart(t *testing.T) {
	w := linkedWorld(t)
	budi, at := w.contact("6281200000002", "Budi"), sim.SendOptions{Time: time.Now()}
	var ids []string
	for _, off := range []time.Duration{365 * 24 * time.Hour, 0, -2 * time.Hour, 2 * time.Hour, -365 * 24 * time.Hour, 0} {
		w.ok(w.halt())
		w.open()
		w.devices.Now = func() time.Time { return time.Now().Add(off) }
		w.run()
		for range 2 {
			ids = append(ids, w.from(budi, sim.Text("halo"), at))
		}
	}
	all := w.messages(jid(budi))
	if len(all) != len(ids) {
		t.Fatalf("%d of %d messages", len(all), len(ids))
	}
	for i, id := range ids {
		says(t, all[i], field("id", `"`+id+`"`))
	}
}

// TestReceiptsOfABroadcastList: who gets a message to a list says so in the list, and the copy in the person's chat follows.
func TestReceiptsOfABroadcastList(t *testing.T) {
	w := linkedWorld(t)
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	id, err := w.phone.Broadcast(w.soon(), "1234567890", []*sim.Contact{budi, citra}, sim.Text("kabar"), sim.SendOptions{})
	w.ok(err)
	w.acked(id)
	w.from(budi, sim.Text("ya"), sim.SendOptions{})
	w.from(citra, sim.Text("ya"), sim.SendOptions{})
	r, err := w.device.(*device).current()
	w.ok(err)
	if !r.handle(&events.Receipt{MessageSource: types.MessageSource{Chat: types.NewJID("1234567890", types.BroadcastServer), Sender: budi.PN()},
		MessageIDs: []string{id}, Timestamp: time.Now(), Type: types.ReceiptTypeRead}) {
		t.Fatal("the receipt isn't taken")
	}
	r.behind.wait()
	says(t, w.messages(jid(budi))[0], field("id", `"`+id+`"`), `"status":"READ"`)
	says(t, w.messages(jid(citra))[0], field("id", `"`+id+`"`), `"status":"SERVER_ACK"`)
}

// TestDecryptedLaterStaysInPlace: a message that can be decrypted only when it is sent again stands among those of its second where it
// came first.
func TestDecryptedLaterStaysInPlace(t *testing.T) {
	w := linkedWorld(t)
	budi, at := w.contact("6281200000002", "Budi"), time.Now()
	first, err := budi.Send(w.soon(), w.phone, sim.Text("satu"), sim.SendOptions{Time: at, Spoil: true})
	w.ok(err)
	second := w.from(budi, sim.Text("dua"), sim.SendOptions{Time: at})
	w.acked(first)
	w.eventually("the first", func() bool { return strings.Contains(strings.Join(w.messages(jid(budi)), ""), `"body":"satu"`) })
	all := w.messages(jid(budi))
	says(t, all[0], field("id", `"`+first+`"`))
	says(t, all[1], field("id", `"`+second+`"`))
}
