package sim_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	waappstate "go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
	"pesan/internal/sim/media"
)

var forever time.Time

// synced makes a client whose app state is fetched.
func synced(w *world) *client {
	w.t.Helper()
	check(w.t, w.phone.Change(soon(w.t), appstate.Pin(pn("62811"), true), appstate.UnarchiveChats(false), appstate.Mute(pn("62811"), appstate.Forever)))
	return w.linked()
}

func TestChangesOnPhone(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	chat := pn("6281200000002")
	c := synced(w)
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	ctx := soon(t)
	check(t, w.phone.Mute(ctx, chat, until))
	mute := wait(c, func(e *events.Mute) bool { return e.JID == chat })
	equal(t, "until", mute.Action.GetMuteEndTimestamp(), until.UnixMilli())
	check(t, w.phone.Unmute(ctx, chat))
	wait(c, func(e *events.Mute) bool { return e.JID == chat && !e.Action.GetMuted() })
	check(t, w.phone.Change(ctx, appstate.Pin(chat, true), appstate.Archive(chat, true, nil), appstate.MarkChatAsRead(chat, false, nil)))
	wait(c, func(e *events.Pin) bool { return e.JID == chat })
	wait(c, func(e *events.Archive) bool { return e.JID == chat })
	wait(c, func(e *events.MarkChatAsRead) bool { return e.JID == chat })
	check(t, w.phone.Change(ctx, appstate.ClearChat(chat, false, false, appstate.UpTo(until))))
	wait(c, func(e *events.ClearChat) bool { return e.JID == chat })
	check(t, c.device.WaitDrained(ctx))
}

func TestChangesByDevice(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	chat := pn("6281200000002")
	a, b := synced(w), w.linked()
	end := time.Now().Add(time.Hour).UnixMilli()
	check(t, a.SendAppState(soon(t), waappstate.BuildMuteAbs(chat, true, &end)))
	entry := must(w.phone.AppState().Wait(soon(t), func(e appstate.Entry) bool { return e.Index[0] == "mute" && e.Index[1] == chat.String() }))(t)
	equal(t, "by", entry.By, a.device.JID().String())
	equal(t, "until", entry.Value.GetMuteAction().GetMuteEndTimestamp(), end)
	wait(b, func(e *events.Mute) bool { return e.JID == chat })
}

func TestKeyRotation(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := synced(w)
	key := func() string { return string(must(c.Store.AppStateKeys.GetLatestAppStateSyncKeyID(soon(t)))(t)) }
	old := key()
	check(t, w.phone.RotateAppStateKey(soon(t)))
	// A fetch that overtakes the key fails, and whatsmeow doesn't repeat it when the key arrives just then.
	poll(t, "new key", func() bool { return key() != old })
	check(t, w.phone.Mute(soon(t), pn("62812"), forever))
	wait(c, func(e *events.Mute) bool { return e.JID == pn("62812") })
	poll(t, "the newest key in use", func() bool {
		return c.SendAppState(soon(t), waappstate.BuildMute(pn("62813"), true, 0)) == nil
	})
}

// A client that misses a key asks its phone, which answers.
func TestKeyRequest(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := synced(w)
	_, err := w.phone.AppState().RotateKey() // and doesn't tell
	check(t, err)
	check(t, w.phone.Mute(soon(t), pn("62812"), forever))
	wait(c, func(e *events.Mute) bool { return e.JID == pn("62812") })
	check(t, c.device.WaitDrained(soon(t)))
}

func TestAppStateFaults(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := synced(w)
	send := func(i int) error {
		return c.SendAppState(soon(t), waappstate.BuildMute(pn("62812%d", i), true, 0))
	}
	state := w.phone.AppState()
	state.Inject(appstate.Fault{Kind: appstate.Refuse, Code: 403})
	if send(1) == nil {
		t.Error("a refused patch was taken")
	}
	check(t, send(2))
	state.Inject(appstate.Fault{Kind: appstate.Conflict})
	check(t, send(3)) // whatsmeow takes what is missing and tries again
	c.unanswered(sim.Fault{Kind: sim.LoseReply, For: "w:sync:app:state", Times: 1}, func(ctx context.Context) error {
		return c.SendAppState(ctx, waappstate.BuildMute(pn("628124"), true, 0))
	})
	if _, on := state.Lookup("mute", pn("628124").String()); !on {
		t.Error("the patch whose answer was lost wasn't applied")
	}
}

func TestBadPatchIsRefused(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.expect(sim.BadAppState)
	c := synced(w)
	// The client's own hash is spoiled, so that the MAC of its next patch is wrong.
	version, hash, err := c.Store.AppState.GetAppStateVersion(soon(t), "regular_high")
	check(t, err)
	hash[0] ^= 1
	check(t, c.Store.AppState.PutAppStateVersion(soon(t), "regular_high", version, hash))
	if c.SendAppState(soon(t), waappstate.BuildMute(pn("62812"), true, 0)) == nil {
		t.Error("a patch with a wrong hash was taken")
	}
	w.reported(sim.BadAppState)
	if _, on := w.phone.AppState().Lookup("mute", pn("62812").String()); on {
		t.Error("a refused patch was applied")
	}
}

func conversation(chat string, messages int) *waHistorySync.Conversation {
	c := &waHistorySync.Conversation{ID: proto.String(chat)}
	for i := range messages { // the newest first
		at := 1_700_000_000 - i
		c.Messages = append(c.Messages, historyMessage(chat, fmt.Sprintf("H%d", i), at))
	}
	return c
}

func TestHistory(t *testing.T) {
	var all []*waHistorySync.Conversation
	for i := range 30 {
		all = append(all, conversation(fmt.Sprintf("62813000000%02d@s.whatsapp.net", i), 40))
	}
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{
		Inbox: &media.Inbox{
			Conversations: func(yield func(*waHistorySync.Conversation) bool) {
				for _, c := range all {
					if !yield(c) {
						return
					}
				}
			},
			Count:     len(all),
			Pushnames: []*waHistorySync.Pushname{{ID: proto.String("6281300000000@s.whatsapp.net"), Pushname: proto.String("Eko")}},
		},
		Latest: 10, Chunking: media.Chunking{Conversations: 10, Inline: 1 << 20},
		History: []sim.History{{Inline: true, Sync: &waHistorySync.HistorySync{
			SyncType: waHistorySync.HistorySync_FULL.Enum(), Progress: proto.Uint32(100), ChunkOrder: proto.Uint32(7),
			Conversations: all[:1],
		}}},
	})
	c := w.linked()
	messages := map[waHistorySync.HistorySync_HistorySyncType]int{}
	seen := 0
	for messages[waHistorySync.HistorySync_FULL] == 0 {
		m := wait(c, func() func(*events.Message) bool {
			n := 0
			return func(m *events.Message) bool {
				if m.Message.GetProtocolMessage().GetHistorySyncNotification() == nil {
					return false
				}
				n++
				return n > seen
			}
		}())
		seen++
		n := m.Message.GetProtocolMessage().GetHistorySyncNotification()
		h := must(c.DownloadHistorySync(soon(t), n, true))(t)
		equal(t, "inline", n.InitialHistBootstrapInlinePayload != nil, h.GetSyncType() == waHistorySync.HistorySync_INITIAL_BOOTSTRAP || h.GetSyncType() == waHistorySync.HistorySync_FULL)
		messages[h.GetSyncType()] += len(h.GetPushnames())
		for _, c := range h.GetConversations() {
			messages[h.GetSyncType()] += len(c.GetMessages())
		}
	}
	equal(t, "first", messages[waHistorySync.HistorySync_INITIAL_BOOTSTRAP], 300)
	equal(t, "recent", messages[waHistorySync.HistorySync_RECENT], 900)
	equal(t, "push names", messages[waHistorySync.HistorySync_PUSH_NAME], 1)
	equal(t, "full", messages[waHistorySync.HistorySync_FULL], 40)
	check(t, c.device.WaitDrained(soon(t)))
}

func TestHistoryOnDemand(t *testing.T) {
	chat := pn("6281300000000")
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{Archive: []*waHistorySync.Conversation{conversation(chat.String(), 40)}})
	c := w.linked()
	req := c.BuildHistorySyncRequest(&types.MessageInfo{
		MessageSource: types.MessageSource{Chat: chat}, ID: "H9", Timestamp: time.Unix(1_700_000_000-9, 0),
	}, 20)
	must(c.SendPeerMessage(soon(t), req))(t)
	m := wait(c, func(m *events.Message) bool {
		return m.Message.GetProtocolMessage().GetHistorySyncNotification() != nil
	})
	h := must(c.DownloadHistorySync(soon(t), m.Message.GetProtocolMessage().GetHistorySyncNotification(), true))(t)
	equal(t, "type", h.GetSyncType(), waHistorySync.HistorySync_ON_DEMAND)
	got := h.GetConversations()[0].GetMessages()
	equal(t, "messages", len(got), 20)
	equal(t, "first", got[0].GetMessage().GetKey().GetID(), "H10")
	equal(t, "last", got[19].GetMessage().GetKey().GetID(), "H29")
}

func TestMediaUploadAndDownload(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.linked()
	up := must(c.Upload(soon(t), []byte("gambar"), whatsmeow.MediaImage))(t)
	data := must(c.DownloadMediaWithPath(soon(t), up.DirectPath, up.FileEncSHA256, up.FileSHA256, up.MediaKey, whatsmeow.MediaImage, "", false))(t)
	equal(t, "data", string(data), "gambar")
}
func historyMessage(chat, id string, at int) *waHistorySync.HistorySyncMsg {
	return &waHistorySync.HistorySyncMsg{Message: &waWeb.WebMessageInfo{
		Key:              &waCommon.MessageKey{RemoteJID: proto.String(chat), FromMe: proto.Bool(false), ID: proto.String(id)},
		Message:          sim.Text("pesan " + id),
		MessageTimestamp: proto.Uint64(uint64(at)),
	}}
}
