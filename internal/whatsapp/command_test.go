package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

func wantCode(t testing.TB, err error, code chat.Code) {
	t.Helper()
	if chat.CodeOf(err) != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

func TestMuteAndUnmute(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	end := time.Now().Add(time.Hour).UnixMilli()
	w.ok(w.device.Mute(w.soon(), jid(budi), end))
	if v, _ := w.shown(jid(budi)); v.MuteEnd != end {
		t.Errorf("mute ends at %d, want %d", v.MuteEnd, end)
	}
	set, ok := w.phone.AppState().Lookup("mute", budi.PN().String())
	if !ok || !set.GetMuteAction().GetMuted() || set.GetMuteAction().GetMuteEndTimestamp() != end {
		t.Errorf("app state has %v", set)
	}
	w.ok(w.device.Mute(w.soon(), lid(budi), chat.MutedForEver))
	if v, _ := w.shown(jid(budi)); v.MuteEnd != chat.MutedForEver {
		t.Errorf("mute ends at %d, want never", v.MuteEnd)
	}
	w.ok(w.device.Unmute(w.soon(), jid(budi)))
	if v, _ := w.shown(jid(budi)); v.MuteEnd != 0 {
		t.Errorf("mute ends at %d, want none", v.MuteEnd)
	}
	if set, _ := w.phone.AppState().Lookup("mute", budi.PN().String()); set.GetMuteAction().GetMuted() {
		t.Errorf("app state has %v", set)
	}
	if n := len(muteEntries(w)); n != 3 {
		t.Errorf("%d mutes in the app state's log, want 3 under one address", n)
	}
}

func muteEntries(w *world) (entries []appstate.Entry) {
	for _, e := range w.phone.AppState().Log() {
		if e.Index[0] == "mute" {
			entries = append(entries, e)
		}
	}
	return entries
}

func TestClear(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	same := time.Unix(1_800_000_000, 0)
	w.from(budi, sim.Text("satu"), sim.SendOptions{Time: same.Add(-time.Minute)})
	second := w.from(budi, sim.Text("dua"), sim.SendOptions{Time: same})
	third := w.written(budi.PN(), sim.Text("tiga"))
	_ = third
	w.ok(w.device.Clear(w.soon(), jid(budi), chat.DeleteStarred, nil))
	if n := len(w.messages(jid(budi))); n != 0 {
		t.Errorf("%d messages after the clear", n)
	}
	if _, ok := w.shown(jid(budi)); !ok {
		t.Error("a cleared chat must stay in the list")
	}
	cleared, ok := w.phone.AppState().Lookup("clearChat", budi.PN().String(), "1", "0")
	if !ok {
		t.Fatal("the app state has no clear")
	}
	span := cleared.GetClearChatAction().GetMessageRange()
	if span.GetLastMessageTimestamp() < same.Unix() || len(span.GetMessages()) == 0 {
		t.Errorf("range %v", span)
	}
	for _, m := range span.GetMessages() {
		if m.GetKey().GetRemoteJID() != budi.PN().String() || m.GetTimestamp() != span.GetLastMessageTimestamp() {
			t.Errorf("range has %v", m)
		}
	}
	_ = second
	w.from(budi, sim.Text("baru"), sim.SendOptions{Time: time.Unix(span.GetLastMessageTimestamp(), 0)})
	w.says1(jid(budi), `"body":"baru"`)
	wantCode(t, w.device.Clear(w.soon(), "6281999999999@s.whatsapp.net", chat.DeleteStarred, nil), chat.ChatNotFound)
}

// TestClearKeepsStarred: without a word starred messages stay, here as on the phone.
func TestClearKeepsStarred(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	kept := w.from(budi, sim.Text("penting"), sim.SendOptions{})
	w.from(budi, sim.Text("biasa"), sim.SendOptions{})
	w.change("star", jid(budi), func(chat.View, bool) bool {
		return strings.Contains(w.messages(jid(budi))[0], `"starred":true`)
	}, appstate.Star(appstate.Message{Chat: budi.PN(), ID: kept}, true))
	for _, starred := range []chat.Starred{"", chat.KeepStarred} {
		w.ok(w.device.Clear(w.soon(), jid(budi), starred, nil))
		w.says1(jid(budi), `"body":"penting"`)
		if _, ok := w.phone.AppState().Lookup("clearChat", budi.PN().String(), "0", "0"); !ok {
			t.Fatal("the app state has no such clear")
		}
	}
	w.ok(w.device.Clear(w.soon(), jid(budi), chat.DeleteStarred, nil))
	if n := len(w.messages(jid(budi))); n != 0 {
		t.Errorf("%d messages", n)
	}
}

// TestUnstarredAfterAClear: what a clear has left because of its star stays when the star is taken off, as on the phone, also
// when all of the app state is told anew, in no order, and in another link.
func TestUnstarredAfterAClear(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.link()
	budi := w.contact("6281200000002", "Budi")
	b := jid(budi)
	ids := make(map[string]string)
	for i, text := range []string{"biasa", "bintang", "bukan lagi", "dibintangi nanti"} {
		ids[text] = w.from(budi, sim.Text(text), sim.SendOptions{Time: time.Unix(1_790_000_000+int64(i), 0)})
	}
	star := func(text string, on bool) {
		t.Helper()
		w.change("star", b, func(chat.View, bool) bool {
			m, err := w.store.Message(w.soon(), account, b, ids[text], time.Now())
			return err != nil || strings.Contains(string(m.Messages[0].Document), `"starred":true`) == on
		}, appstate.Star(appstate.Message{Chat: budi.PN(), ID: ids[text]}, on))
	}
	shows := func(when string, texts ...string) {
		t.Helper()
		var got string
		w.eventually(when, func() bool {
			got = strings.Join(w.messages(b), "\n")
			count := 0
			for _, text := range texts {
				count += strings.Count(got, field("body", `"`+text+`"`))
			}
			return count == len(texts) && count == len(w.messages(b))
		})
	}
	star("bintang", true)
	star("bukan lagi", true)
	star("bukan lagi", false)
	w.ok(w.device.Clear(w.soon(), b, chat.KeepStarred, nil))
	shows("after the clear", "bintang")
	star("bintang", false)
	star("dibintangi nanti", true)
	shows("after the star was taken off", "bintang", "dibintangi nanti")
	star("dibintangi nanti", false)
	w.from(budi, sim.Text("kabar"), sim.SendOptions{})
	shows("after another star was", "bintang", "dibintangi nanti", "kabar")

	w.ok(w.halt())
	w.ok(w.store.PutBacklog(w.soon(), account, appStateMark, nil)) // as if the process had been killed
	w.open()
	w.run()
	w.fetched()
	shows("all told anew", "bintang", "dibintangi nanti", "kabar")

	w.relink()
	w.fetched()
	shows("in another link", "bintang", "dibintangi nanti", "kabar")
	w.ok(w.device.Clear(w.soon(), b, chat.KeepStarred, nil))
	shows("after another clear")
}

// TestClearThrough: what comes after the call stays, however late it is carried out, also in the same second.
func TestClearThrough(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	now := time.Now().Truncate(time.Second)
	w.from(budi, sim.Text("satu"), sim.SendOptions{Time: now.Add(-time.Minute)})
	w.from(budi, sim.Text("dua"), sim.SendOptions{Time: now})
	w.from(budi, sim.Text("tiga"), sim.SendOptions{Time: now})
	view, ok := w.shown(jid(budi))
	if !ok {
		t.Fatal("no chat")
	}
	through := view.Through()
	w.from(budi, sim.Text("empat"), sim.SendOptions{Time: now})
	for n := range 2 * spanPage {
		_, err := budi.Send(w.soon(), w.phone, sim.Text("baru"), sim.SendOptions{Time: now.Add(time.Duration(1+n/10) * time.Second)})
		w.ok(err)
	}
	w.ok(w.linked.WaitDrained(w.soon()))
	for range 2 { // each attempt is about the same
		w.ok(w.device.Clear(w.soon(), jid(budi), chat.DeleteStarred, &through))
	}
	all := w.messages(jid(budi))
	if len(all) != 1+2*spanPage || !strings.Contains(all[0], `"body":"empat"`) {
		t.Errorf("%d messages are left, the first %s", len(all), all[0])
	}
	view, _ = w.shown(jid(budi))
	says(t, string(view.Document), field("unreadCount", 1+2*spanPage))
	cleared, ok := w.phone.AppState().Lookup("clearChat", budi.PN().String(), "1", "0")
	if span := cleared.GetClearChatAction().GetMessageRange(); !ok || span.GetLastMessageTimestamp() != now.Unix() || len(span.GetMessages()) != 2 {
		t.Errorf("range %v", span)
	}
}

func TestClearGroup(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	g, err := w.server.NewGroup("Arisan", budi, sim.GroupOptions{}, w.phone.Contact)
	w.ok(err)
	id, err := budi.SendGroup(w.soon(), g, sim.Text("halo"), sim.SendOptions{})
	w.ok(err)
	w.acked(id)
	w.ok(w.device.Clear(w.soon(), jidOf(g.JID()), chat.DeleteStarred, nil))
	cleared, _ := w.phone.AppState().Lookup("clearChat", g.JID().String(), "1", "0")
	keys := cleared.GetClearChatAction().GetMessageRange().GetMessages()
	if len(keys) != 1 || keys[0].GetKey().GetParticipant() != budi.PN().String() || keys[0].GetKey().GetID() != id {
		t.Errorf("range has %v", keys)
	}
}

func TestCommandsThatFail(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	state := w.phone.AppState()

	t.Run("refused", func(t *testing.T) {
		w.expect(sim.BadAppState)
		state.Inject(appstate.Fault{Kind: appstate.Refuse, Code: 400})
		wantCode(t, w.device.Mute(w.soon(), jid(budi), chat.MutedForEver), chat.WhatsAppRejected)
		if v, _ := w.shown(jid(budi)); v.MuteEnd != 0 {
			t.Error("a refused mute shows")
		}
	})
	t.Run("conflict", func(t *testing.T) {
		state.Inject(appstate.Fault{Kind: appstate.Conflict, Name: "regular_high", Times: 3})
		w.ok(w.device.Mute(w.soon(), jid(budi), chat.MutedForEver))
	})
	t.Run("corrupt", func(t *testing.T) {
		state.Inject(appstate.Fault{Kind: appstate.Corrupt, Name: "regular_high", Times: 2})
		w.ok(w.device.Unmute(w.soon(), jid(budi)))
	})
	t.Run("reply lost", func(t *testing.T) {
		state.Inject(appstate.Fault{Kind: appstate.Lose, Name: "regular_high"})
		left := len(muteEntries(w)) + 1
		ctx, cancel := context.WithCancel(w.soon())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- w.device.Mute(ctx, jid(budi), chat.MutedForEver) }()
		_, err := state.Wait(ctx, func(e appstate.Entry) bool { // however long it takes until the phone has it
			if e.Index[0] == "mute" {
				left--
			}
			return left == 0
		})
		w.ok(err)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("without an answer: %v", err)
		}
		wantCode(t, refusal(context.DeadlineExceeded), chat.Unavailable)
		w.ok(w.device.Mute(w.soon(), jid(budi), chat.MutedForEver))
	})
	t.Run("offline", func(t *testing.T) {
		w.ok(w.halt())
		wantCode(t, w.device.Mute(w.soon(), jid(budi), 0), chat.DeviceNotConnected)
		wantCode(t, w.device.Unmute(w.soon(), jid(budi)), chat.DeviceNotConnected)
		wantCode(t, w.device.Clear(w.soon(), jid(budi), chat.DeleteStarred, nil), chat.DeviceNotConnected)
		wantCode(t, w.device.PairingCode(w.soon(), ownNumber), chat.DeviceNotConnected)
	})
}

// TestMutesTogether: the app state's hash goes on from change to change, and the phone changes it at the same time.
func TestMutesTogether(t *testing.T) {
	w := linkedWorld(t)
	var contacts []*sim.Contact
	for i := range 8 {
		c := w.contact(fmt.Sprintf("62812000001%02d", i), "Orang")
		w.from(c, sim.Text("halo"), sim.SendOptions{})
		contacts = append(contacts, c)
	}
	var group sync.WaitGroup
	for _, c := range contacts {
		group.Go(func() {
			if err := w.device.Mute(w.soon(), jid(c), chat.MutedForEver); err != nil {
				t.Error(err)
			}
		})
	}
	for range 10 {
		w.ok(w.phone.Mute(w.soon(), contacts[0].LID(), time.Now().Add(time.Hour)))
	}
	group.Wait()
	for _, c := range contacts[1:] {
		if v, _ := w.shown(jid(c)); v.MuteEnd != chat.MutedForEver {
			t.Errorf("%s isn't muted", jid(c))
		}
		set, _ := w.phone.AppState().Lookup("mute", c.PN().String())
		if !set.GetMuteAction().GetMuted() {
			t.Errorf("%s isn't muted on the phone", jid(c))
		}
	}
}

// TestMuteWhileAllIsFetched: a change's hash goes on from values that a full fetch forgets for a while.
func TestMuteWhileAllIsFetched(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	r, err := w.device.(*device).current()
	w.ok(err)
	for n := range 5 {
		r.sync.broken("regular_high")
		for end := range int64(10) {
			w.ok(w.device.Mute(w.soon(), jid(budi), time.Now().Add(time.Hour).UnixMilli()+int64(n)*10+end))
		}
	}
}

func TestLogout(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running %t", running), func(t *testing.T) {
			w := linkedWorld(t)
			if !running {
				w.ok(w.halt())
			}
			w.ok(w.device.Logout(w.soon()))
			a := w.until("logged out", func(a chat.Account) bool { return a.JID == "" && a.State == chat.ServiceOff })
			if a.Device != "" || a.LID != "" {
				t.Errorf("account %+v", a)
			}
			if w.linked.Linked() {
				t.Error("WhatsApp wasn't told")
			}
			all, err := w.keys.GetAllDevices(w.soon())
			w.ok(err)
			if len(all) != 0 {
				t.Errorf("keys of %d devices are left", len(all))
			}
			w.ok(w.halt())
			w.ok(w.device.Logout(w.soon())) // harmless
			w.link()                        // and back
		})
	}
}
