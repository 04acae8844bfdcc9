package whatsapp

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

// crashesKnowing runs the device anew after a crash that has left a mapping stored, and nothing else.
func (w *world) crashesKnowing(lid, pn types.JID) {
	w.ok(w.halt())
	d, err := w.keys.GetFirstDevice(context.Background())
	w.ok(err)
	w.ok(d.LIDs.PutLIDMapping(w.soon(), lid, pn))
	w.open()
	w.run()
}

// hears has the device hear from somebody who writes by number, and has a LID.
func (w *world) hears(pn, lid types.JID) {
	w.t.Helper()
	r, err := w.device.(*device).current()
	w.ok(err)
	said := &events.Message{Info: types.MessageInfo{
		MessageSource: types.MessageSource{Chat: pn, Sender: pn, SenderAlt: lid}, ID: "HERS", Timestamp: time.Now(),
	}, RawMessage: sim.Text("halo")}
	if !r.handle(said.UnwrapRaw()) {
		w.t.Fatal("not taken")
	}
}

// TestAddressesInAGroupFollow: a group knows its members by LIDs alone; when a number becomes known, everything in it names
// the member by the number, also what was taken back under the other address, and after a crash.
func TestAddressesInAGroupFollow(t *testing.T) {
	group := types.NewJID("120363000000000077", types.GroupServer)
	ani, aniPN := types.NewJID("50000000000001", types.HiddenUserServer), types.NewJID("6281300000001", types.DefaultUserServer)
	eko := types.NewJID("50000000000002", types.HiddenUserServer)
	own := types.NewJID(ownNumber, types.DefaultUserServer)
	for _, crash := range []bool{false, true} {
		w := linkedWorld(t)
		n := 0
		tell := func(evt any) {
			t.Helper()
			r, err := w.device.(*device).current()
			w.ok(err)
			if !r.handle(evt) {
				t.Fatalf("%T isn't taken", evt)
			}
			r.behind.wait()
		}
		message := func(id string, from, alt types.JID, m *waE2E.Message) {
			t.Helper()
			n++
			evt := &events.Message{Info: types.MessageInfo{
				MessageSource: types.MessageSource{Chat: group, Sender: from, SenderAlt: alt, IsGroup: true, IsFromMe: from == own},
				ID:            id, Timestamp: time.Unix(1_800_000_000+int64(n), 0),
			}, RawMessage: m}
			tell(evt.UnwrapRaw())
		}
		target := &waCommon.MessageKey{RemoteJID: proto.String(group.String()), ID: proto.String("MINE"), FromMe: proto.Bool(true)}
		reaction := func(text string, at int64) *waE2E.Message {
			r := sim.React(target, text)
			r.ReactionMessage.SenderTimestampMS = &at
			return r
		}
		tell(&events.JoinedGroup{GroupInfo: types.GroupInfo{
			JID: group, GroupName: types.GroupName{Name: "Arisan"}, GroupCreated: time.Unix(1_700_000_000, 0), OwnerJID: ani,
			Participants: []types.GroupParticipant{{JID: ani, IsAdmin: true}, {JID: eko}, {JID: own}},
		}})
		message("MINE", own, types.JID{}, sim.Text("halo"))
		message("ANI", ani, types.JID{}, sim.Text("hai"))
		message("R1", ani, types.JID{}, reaction("👍", 1))
		message("R2", eko, types.JID{}, reaction("🙏", 1))
		message("QUOTE", eko, types.JID{}, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String("50000000000001@lid"), ContextInfo: &waE2E.ContextInfo{
				StanzaID: proto.String("ANI"), Participant: proto.String(ani.String()), QuotedMessage: sim.Text("hai"),
				MentionedJID: []string{ani.String(), eko.String()},
			},
		}})
		tell(&events.Receipt{MessageSource: types.MessageSource{Chat: group, Sender: ani, IsGroup: true}, MessageIDs: []string{"MINE"},
			Timestamp: time.Unix(1_800_000_100, 0), Type: types.ReceiptTypeRead})
		all := func() string {
			v, _ := w.shown(jidOf(group))
			return string(v.Document) + strings.Join(w.messages(jidOf(group)), "\n")
		}
		if count := strings.Count(all(), ani.String()); count < 7 {
			t.Fatalf("%d times by LID: %s", count, all())
		}
		if crash {
			w.crashesKnowing(ani, aniPN)
		} else { // she takes the reaction back, by number
			message("R3", aniPN, ani, reaction("", 2))
		}
		w.eventually("the addresses to follow", func() bool { return strings.Count(all(), ani.String()) == 2 }) // what she is said to have written
		says(t, all(), `"body":"`+ani.String()+`"`, `{"rank":"ADMIN","userJid":"`+aniPN.String()+`"}`, `"sender":"`+aniPN.String()+`"`,
			`"participant":"`+aniPN.String()+`"`, `"mentionedJidList":["`+aniPN.String()+`","`+eko.String()+`"]`, `"userJid":"`+aniPN.String()+`"`, "🙏")
		if !crash && strings.Contains(all(), "👍") {
			t.Errorf("the reaction is there still: %s", all())
		}
		state, _, _, err := w.store.Export(w.soon(), account, jidOf(group), chat.Page{Limit: 1})
		w.ok(err)
		if !state.Admins[jidOf(aniPN)] || state.Admins[jidOf(ani)] || state.Hidden[jidOf(ani)] || !state.Hidden[jidOf(eko)] {
			t.Errorf("admins %v, hidden %v", state.Admins, state.Hidden)
		}
	}
}

// TestNumberOfAPersonChanges: a person who changes the number keeps one chat, with its history and what it is set to, which is found
// by either number, until somebody else has the old one. Who has another LID, too, has another chat.
func TestNumberOfAPersonChanges(t *testing.T) {
	for _, told := range []string{"one LID", "no LID", "two LIDs"} {
		t.Run(told, func(t *testing.T) {
			w := linkedWorld(t)
			budi := w.contact("6281200000002", "Budi")
			from, to := budi.PN(), types.NewJID("6281200000020", types.DefaultUserServer)
			old, now := jidOf(from), jidOf(to)
			w.from(budi, sim.Text("halo"), sim.SendOptions{HideAlt: told == "no LID"})
			w.ok(w.device.Mute(w.soon(), old, chat.MutedForEver))
			switch told {
			case "one LID":
				w.phone.Renumber(from, to, budi.LID(), budi.LID())
			case "no LID":
				w.phone.Renumber(from, to, types.JID{}, types.JID{})
			case "two LIDs":
				w.phone.Renumber(from, to, budi.LID(), types.NewJID("50000000000020", types.HiddenUserServer))
				w.quiet()
				if v, _ := w.shown(old); v.JID != old {
					t.Error("the chat of the first account is gone")
				}
				return
			}
			w.eventually("the chat to move", func() bool { v, ok := w.shown(old); return ok && v.JID == now })
			forms := []chat.JID{old, now}
			if told == "one LID" {
				forms = append(forms, lid(budi))
			}
			for _, by := range forms {
				v, ok := w.shown(by)
				if !ok || v.JID != now || v.MuteEnd != chat.MutedForEver {
					t.Errorf("by %s: %s %s", by, v.JID, v.Document)
				}
				says(t, w.messages(by)[0], `"body":"halo"`)
			}
			all, _, err := w.store.Chats(w.soon(), account, chat.Filter{Kind: chat.Private}, chat.Page{Limit: 10}, time.Now())
			w.ok(err)
			if len(all) != 1 {
				t.Errorf("%d chats", len(all))
			}
			// Somebody else gets the old number.
			other := &events.Message{Info: types.MessageInfo{
				MessageSource: types.MessageSource{Chat: from, Sender: from, SenderAlt: types.NewJID("50000000000021", types.HiddenUserServer)},
				ID:            "OTHER", Timestamp: time.Now(), PushName: "Orang lain",
			}, RawMessage: sim.Text("siapa ini?")}
			r, err := w.device.(*device).current()
			w.ok(err)
			if !r.handle(other.UnwrapRaw()) {
				t.Fatal("not taken")
			}
			r.behind.wait()
			if v, _ := w.shown(old); v.JID != old || v.MuteEnd != 0 || len(w.messages(old)) != 1 {
				t.Errorf("the other's chat: %s", v.Document)
			}
			if all := w.messages(now); len(all) != 1 {
				t.Errorf("%d messages under the new number", len(all))
			}
		})
	}
}

// TestAThirdPersonInAPrivateChat is mentioned and quoted there by a LID; once the number is known, also after a crash, the chat names
// the number, and nothing is kept of it.
func TestAThirdPersonInAPrivateChat(t *testing.T) {
	ani, aniPN := types.NewJID("50000000000001", types.HiddenUserServer), types.NewJID("6281300000001", types.DefaultUserServer)
	for _, how := range []string{"a message", "a crash", "a chat that moves", "another link"} {
		w := linkedWorld(t)
		budi := w.contact("6281200000002", "Budi")
		told := &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String("kata 50000000000001@lid"), ContextInfo: &waE2E.ContextInfo{
				StanzaID: proto.String("ANI"), Participant: proto.String(ani.String()), QuotedMessage: sim.Text("hai"),
				RemoteJID: proto.String("120363000000000077@g.us"), MentionedJID: []string{ani.String()},
			},
		}}
		moves := how == "a chat that moves"
		first := w.from(budi, told, sim.SendOptions{ByLID: moves, HideAlt: moves})
		in := jid(budi)
		if moves {
			in = lid(budi)
		}
		says(t, w.messages(in)[0], `"participant":"`+ani.String()+`"`, `"mentionedJidList":["`+ani.String()+`"]`)
		switch how {
		case "a crash":
			w.crashesKnowing(ani, aniPN)
		default:
			if how == "another link" {
				w.relink()
			}
			if moves {
				w.from(budi, sim.Text("ini nomor saya"), sim.SendOptions{})
			}
			w.hears(aniPN, ani)
		}
		w.eventually("the addresses to follow", func() bool {
			for _, m := range w.messages(jid(budi)) {
				if strings.Contains(m, first) {
					return strings.Contains(m, `"participant":"`+aniPN.String()+`"`) && strings.Contains(m, `"mentionedJidList":["`+aniPN.String()+`"]`) &&
						strings.Contains(m, "kata "+ani.String())
				}
			}
			return false
		})
		w.eventually("nothing to be kept", func() bool {
			items, err := w.store.ListBacklog(w.soon(), account)
			w.ok(err)
			return !strings.Contains(fmt.Sprint(items), namedPrefix)
		})
	}
}

// TestANumberBeforeTheFirstSweep becomes known while a run doesn't know yet whom chats name by LID.
func TestANumberBeforeTheFirstSweep(t *testing.T) {
	ani, aniPN := types.NewJID("50000000000001", types.HiddenUserServer), types.NewJID("6281300000001", types.DefaultUserServer)
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("@50000000000001"), ContextInfo: &waE2E.ContextInfo{MentionedJID: []string{ani.String()}},
	}}, sim.SendOptions{})
	says(t, w.messages(jid(budi))[0], `"mentionedJidList":["`+ani.String()+`"]`)
	r, err := w.device.(*device).current()
	w.ok(err)
	w.ok(r.persons.sweepAll())
	r.persons.mu.Lock()
	r.persons.swept, r.persons.hidden = false, make(map[chat.JID]bool)
	r.persons.mu.Unlock()
	w.hears(aniPN, ani)
	w.eventually("the address to follow", func() bool {
		return strings.Contains(w.messages(jid(budi))[0], `"mentionedJidList":["`+aniPN.String()+`"]`)
	})
}
