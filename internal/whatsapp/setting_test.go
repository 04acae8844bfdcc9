package whatsapp

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waLidMigrationSyncPayload"
	"go.mau.fi/whatsmeow/store"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

// change makes changes on the phone and waits until the chat shows what they say.
func (w *world) change(what string, jid chat.JID, is func(v chat.View, ok bool) bool, mutations ...appstate.Mutation) {
	w.t.Helper()
	for now := time.Now().UnixMilli(); now == time.Now().UnixMilli(); { // the time of a change has milliseconds only
	}
	w.ok(w.phone.Change(w.soon(), mutations...))
	w.eventually(what, func() bool { return is(w.shown(jid)) })
}

func TestSettingsMadeOnThePhone(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	b := jid(budi)
	first := w.from(budi, sim.Text("satu"), sim.SendOptions{Time: time.Unix(1_800_000_000, 0)})
	second := w.from(budi, sim.Text("dua"), sim.SendOptions{Time: time.Unix(1_800_000_010, 0)})

	end := time.Now().Add(time.Hour).UnixMilli()
	w.change("mute", b, func(v chat.View, _ bool) bool { return v.MuteEnd == end }, appstate.Mute(budi.PN(), end))
	w.change("mute for ever, by LID", b, func(v chat.View, _ bool) bool { return v.MuteEnd == chat.MutedForEver },
		appstate.Mute(budi.LID(), appstate.Forever))
	w.change("unmute", b, func(v chat.View, _ bool) bool { return v.MuteEnd == 0 }, appstate.Unmute(budi.PN()))
	w.change("pin", b, func(v chat.View, _ bool) bool { return v.Pinned }, appstate.Pin(budi.PN(), true))
	w.change("unpin", b, func(v chat.View, _ bool) bool { return !v.Pinned }, appstate.Pin(budi.PN(), false))
	upToFirst := appstate.UpTo(time.Unix(1_800_000_000, 0))
	upToSecond := appstate.UpTo(time.Unix(1_800_000_010, 0), &waCommon.MessageKey{ID: &second, RemoteJID: proto.String(string(b)), FromMe: proto.Bool(false)})
	w.change("archive", b, func(v chat.View, _ bool) bool { return v.Archived }, appstate.Archive(budi.PN(), true, upToSecond))
	w.change("archived without what is here", b, func(v chat.View, _ bool) bool { return !v.Archived }, appstate.Archive(budi.PN(), true, upToFirst))
	w.change("archive again", b, func(v chat.View, _ bool) bool { return v.Archived }, appstate.Archive(budi.PN(), true, upToSecond))
	w.change("unarchive", b, func(v chat.View, _ bool) bool { return !v.Archived }, appstate.Archive(budi.PN(), false, upToSecond))
	// A mark and a read that don't know what is here say nothing, nor does what has no range.
	w.ok(w.phone.Change(w.soon(), appstate.MarkChatAsRead(budi.PN(), true, upToFirst), appstate.Pin(budi.PN(), true)))
	w.change("pin", b, func(v chat.View, _ bool) bool { return v.Pinned }, appstate.Archive(budi.PN(), true, nil))
	v, _ := w.shown(b)
	if says(t, string(v.Document), field("unreadCount", 2)); v.Archived {
		t.Error("an archiving without a range counts")
	}
	w.change("read", b, func(v chat.View, _ bool) bool { return !v.Unread }, appstate.MarkChatAsRead(budi.PN(), true, upToSecond))
	w.change("unread", b, func(v chat.View, _ bool) bool { return v.Unread }, appstate.MarkChatAsRead(budi.PN(), false, upToSecond))
	w.change("name", b, func(v chat.View, _ bool) bool { return strings.Contains(string(v.Document), `"name":"Budi Santoso"`) },
		appstate.Contact(budi.PN(), appstate.ContactName{Full: "Budi Santoso", First: "Budi", LID: budi.LID()}))

	has := func(labels ...string) func(chat.View, bool) bool {
		return func(v chat.View, _ bool) bool { return slices.Equal(v.Labels.List(), labels) }
	}
	w.change("labels", b, has("1", "2"), appstate.Label("1", "Baru", 2, false), appstate.Label("2", "Lunas", 3, false),
		appstate.LabelChat("1", budi.PN(), true), appstate.LabelChat("2", budi.LID(), true))
	w.change("label taken off", b, has("2"), appstate.LabelChat("1", budi.PN(), false))
	w.change("label deleted", b, has(), appstate.Label("2", "Lunas", 3, true))
	known, err := w.store.Labels(w.soon(), account)
	w.ok(err)
	if l := known.All["1"].Value; l != (chat.Label{Name: "Baru", Color: 2}) || !known.All["2"].Value.Deleted {
		t.Errorf("labels %v", known)
	}

	starred := appstate.Message{Chat: budi.PN(), ID: first}
	w.ok(w.phone.Change(w.soon(), appstate.Star(starred, true)))
	w.eventually("star", func() bool { return strings.Contains(w.messages(b)[0], `"starred":true`) })
	third := w.from(budi, sim.Text("tiga"), sim.SendOptions{Time: time.Unix(1_800_000_020, 0)})
	w.ok(w.phone.Change(w.soon(), appstate.DeleteMessageForMe(appstate.Message{Chat: budi.PN(), ID: third}, false, time.Unix(1_800_000_020, 0))))
	w.eventually("deleted for me", func() bool { return len(w.messages(b)) == 2 })

	// A clear that spares starred messages, then one that doesn't; what comes at the same second later stays.
	w.ok(w.phone.Change(w.soon(), appstate.ClearChat(budi.PN(), false, false, upToSecond)))
	w.eventually("cleared but for the starred", func() bool { return len(w.messages(b)) == 1 })
	w.says1(b, `"body":"satu"`)
	w.ok(w.phone.Change(w.soon(), appstate.ClearChat(budi.PN(), true, false, upToSecond)))
	w.eventually("cleared", func() bool { return len(w.messages(b)) == 0 })
	if _, ok := w.shown(b); !ok {
		t.Error("a cleared chat must stay in the list")
	}
	fourth := w.from(budi, sim.Text("empat"), sim.SendOptions{Time: time.Unix(1_800_000_010, 0)})
	w.says1(b, `"body":"empat"`)
	upToFourth := appstate.UpTo(time.Unix(1_800_000_021, 0), &waCommon.MessageKey{ID: &fourth, RemoteJID: proto.String(string(b)), FromMe: proto.Bool(false)})
	w.change("deleted", b, func(_ chat.View, ok bool) bool { return !ok }, appstate.DeleteChat(budi.PN(), false, upToFourth))
	w.from(budi, sim.Text("lima"), sim.SendOptions{Time: time.Unix(1_800_000_030, 0)})
	w.says1(b, `"body":"lima"`)

	w.ok(w.phone.ChangePushName(w.soon(), "Sari Dewi"))
	w.until("own name", func(a chat.Account) bool { return a.PushName == "Sari Dewi" })
}

func TestSettingsMadeWhileOffline(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	w.ok(w.halt())
	w.ok(w.phone.Mute(w.soon(), budi.PN(), time.Time{}))
	w.run()
	w.eventually("mute", func() bool { v, _ := w.shown(jid(budi)); return v.MuteEnd == chat.MutedForEver })
}

// TestAppStateThatCouldNotBeStored: whatsmeow takes a change as applied whatever becomes of it.
func TestAppStateThatCouldNotBeStored(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	broken := make(chan struct{}, 100)
	w.store.breaks(func(what string) error {
		if what != "chat" {
			return nil
		}
		broken <- struct{}{}
		return errBroken
	})
	w.ok(w.phone.Mute(w.soon(), budi.PN(), time.Time{}))
	<-broken
	// The process ends before the store works again.
	w.ok(w.halt())
	w.store.breaks(nil)
	w.open()
	w.run()
	w.eventually("mute", func() bool { v, _ := w.shown(jid(budi)); return v.MuteEnd == chat.MutedForEver })
}

// TestAppStateIsMarked: while a change is projected the backlog says so, for the case that the process ends.
func TestAppStateIsMarked(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	var unmarked atomic.Int32
	w.store.breaks(func(what string) error {
		items, err := w.store.ListBacklog(context.Background(), account)
		if what == "chat" && (err != nil || !slices.ContainsFunc(items, func(i chat.BacklogItem) bool { return i.ID == appStateMark })) {
			unmarked.Add(1)
		}
		return nil
	})
	w.ok(w.phone.Mute(w.soon(), budi.PN(), time.Time{}))
	w.eventually("mute", func() bool { v, _ := w.shown(jid(budi)); return v.MuteEnd == chat.MutedForEver })
	if unmarked.Load() > 0 {
		t.Error("a change was projected without a mark")
	}
}

// TestSlowAppStateIsMarked: the mark stays as long as a change is being projected, however long that takes.
func TestSlowAppStateIsMarked(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.devices.settled = time.Millisecond
	w.link()
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	w.fetched()
	marked := func() bool {
		items, err := w.store.ListBacklog(context.Background(), account)
		w.ok(err)
		return slices.ContainsFunc(items, func(i chat.BacklogItem) bool { return i.ID == appStateMark })
	}
	defer w.store.hold()()
	w.ok(w.phone.Mute(w.soon(), budi.PN(), time.Time{}))
	w.eventually("the mark", marked)
	for range 500 { // which takes many times as long as the mark waits
		if !marked() {
			t.Fatal("the mark is gone before the change is projected")
		}
	}
	w.ok(w.halt())
	w.open()
	w.run()
	w.eventually("mute", func() bool { v, _ := w.shown(jid(budi)); return v.MuteEnd == chat.MutedForEver })
}

func TestKeyRotation(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	w.ok(w.phone.RotateAppStateKey(w.soon()))
	w.ok(w.phone.Mute(w.soon(), budi.PN(), time.Time{}))
	w.eventually("mute", func() bool { v, _ := w.shown(jid(budi)); return v.MuteEnd == chat.MutedForEver })
	w.ok(w.device.Unmute(w.soon(), jid(budi)))
}

// TestKeyThatThePhoneLacks: a key that the phone names without its data is still missing.
func TestKeyThatThePhoneLacks(t *testing.T) {
	w := linkedWorld(t)
	r, err := w.device.(*device).current()
	w.ok(err)
	id := []byte{0, 0, 9, 9, 9, 9}
	share := func(data []byte) *store.AppStateSyncKey {
		w.ok(r.sync.keysCame(&waE2E.AppStateSyncKeyShare{Keys: []*waE2E.AppStateSyncKey{{
			KeyID:   &waE2E.AppStateSyncKeyId{KeyID: id},
			KeyData: &waE2E.AppStateSyncKeyData{KeyData: data, Timestamp: proto.Int64(1)},
		}}}))
		key, err := r.identity().appKeys.GetAppStateSyncKey(w.soon(), id)
		w.ok(err)
		return key
	}
	if share(nil) != nil {
		t.Error("a key without data is taken for one")
	}
	if share(make([]byte, 32)) == nil {
		t.Error("the key isn't stored")
	}
}

func TestMigrationToLIDs(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("satu"), sim.SendOptions{ByLID: true, HideAlt: true})
	pn, err := strconv.ParseUint(budi.PN().User, 10, 64)
	w.ok(err)
	lid64, err := strconv.ParseUint(budi.LID().User, 10, 64)
	w.ok(err)
	payload, err := proto.Marshal(&waLidMigrationSyncPayload.LIDMigrationMappingSyncPayload{
		ChatDbMigrationTimestamp: proto.Uint64(1),
		PnToLidMappings:          []*waLidMigrationSyncPayload.LIDMigrationMapping{{Pn: &pn, AssignedLid: &lid64}},
	})
	w.ok(err)
	r, err := w.device.(*device).current()
	w.ok(err)
	w.ok(r.migrate(payload))
	w.ok(r.migrate([]byte{0xff})) // what can't be read is left
	w.says1(jid(budi), `"body":"satu"`)
	// The account's chats are under LIDs now, in the app state too.
	w.ok(r.identity().lids.PutLIDMapping(w.soon(), budi.LID(), budi.PN()))
	w.ok(w.device.Mute(w.soon(), jid(budi), chat.MutedForEver))
	if _, ok := w.phone.AppState().Lookup("mute", budi.LID().String()); !ok {
		t.Error("the mute isn't under the LID")
	}
}

func TestLateMappingByAppState(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("satu"), sim.SendOptions{ByLID: true, HideAlt: true})
	if _, ok := w.shown(jid(budi)); ok {
		t.Fatal("the number can't be known yet")
	}
	w.change("chat under the number", jid(budi), func(_ chat.View, ok bool) bool { return ok }, appstate.PNForLID(budi.LID(), budi.PN()))
	w.says1(jid(budi), `"body":"satu"`)
	w.eventually("chat under the LID", func() bool { return len(w.messages(lid(budi))) == 1 })
}
