package whatsapp

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
	"pesan/internal/sim/media"
	"pesan/internal/whatsapp/translate"
)

const start = 1_790_000_000

// past is a message of a history, so many minutes after the start.
func past(in, id string, minute uint64, text string, more ...func(*waWeb.WebMessageInfo)) *waHistorySync.HistorySyncMsg {
	w := &waWeb.WebMessageInfo{
		Key:              &waCommon.MessageKey{RemoteJID: &in, ID: &id, FromMe: proto.Bool(false)},
		Message:          &waE2E.Message{Conversation: &text},
		MessageTimestamp: proto.Uint64(start + 60*minute),
	}
	for _, f := range more {
		f(w)
	}
	return &waHistorySync.HistorySyncMsg{Message: w}
}

func fromMe(w *waWeb.WebMessageInfo) {
	w.Key.FromMe = proto.Bool(true)
	w.Status = waWeb.WebMessageInfo_DELIVERY_ACK.Enum()
}

func part(kind waHistorySync.HistorySync_HistorySyncType, progress uint32, convs ...*waHistorySync.Conversation) *waHistorySync.HistorySync {
	return &waHistorySync.HistorySync{SyncType: kind.Enum(), ChunkOrder: proto.Uint32(1), Progress: &progress, Conversations: convs}
}

const (
	bootstrap = waHistorySync.HistorySync_INITIAL_BOOTSTRAP
	recent    = waHistorySync.HistorySync_RECENT
)

func TestHistoryOfAllKinds(t *testing.T) {
	const (
		budi, budiLID   = "6281200000002@s.whatsapp.net", "20000000000002@lid"
		citra, citraLID = "6281200000003@s.whatsapp.net", "20000000000003@lid"
		dewi            = "6281200000004@s.whatsapp.net"
		group           = "120363000000000001@g.us"
		hidden          = "20000000000009@lid"
	)
	first := part(bootstrap, 40,
		&waHistorySync.Conversation{
			ID: proto.String(budi), LidJID: proto.String(budiLID), Name: proto.String("Budi Santoso"),
			UnreadCount: proto.Uint32(2), ConversationTimestamp: proto.Uint64(start + 300), NotSpam: proto.Bool(true),
			MuteEndTime: proto.Uint64(4_102_444_800), Pinned: proto.Uint32(start), TcToken: []byte{1, 2},
			EphemeralExpiration: proto.Uint32(86400),
			Messages: []*waHistorySync.HistorySyncMsg{
				past(budi, "B5", 5, "lima"),
				past(budi, "B4", 4, "empat"),
				past(budi, "B3", 3, "tiga", fromMe, func(w *waWeb.WebMessageInfo) {
					w.UserReceipt = []*waWeb.UserReceipt{{UserJID: proto.String(budiLID), ReadTimestamp: proto.Int64(start + 200)}}
					w.Starred = proto.Bool(true)
					w.Reactions = []*waWeb.Reaction{{Key: &waCommon.MessageKey{ID: proto.String("R"), FromMe: proto.Bool(false)}, Text: proto.String("👍")}}
				}),
				past(budi, "B2", 2, "", func(w *waWeb.WebMessageInfo) {
					w.Message, w.MessageStubType = nil, waWeb.WebMessageInfo_REVOKE.Enum()
				}),
				past(budi, "B1", 1, "", func(w *waWeb.WebMessageInfo) {
					w.Message, w.MessageStubType = nil, waWeb.WebMessageInfo_E2E_ENCRYPTED.Enum()
				}),
			},
		},
		&waHistorySync.Conversation{ // by LID, the number told by the mapping
			ID: proto.String(citraLID), Archived: proto.Bool(true), ConversationTimestamp: proto.Uint64(start),
			Messages: []*waHistorySync.HistorySyncMsg{past(citraLID, "C1", 1, "halo")},
		},
		&waHistorySync.Conversation{
			ID: proto.String(group), Name: proto.String("Arisan"), MarkedAsUnread: proto.Bool(true),
			Participant: []*waHistorySync.GroupParticipant{
				{UserJID: proto.String(budi), Rank: waHistorySync.GroupParticipant_ADMIN.Enum()}, {UserJID: proto.String(citraLID)},
			},
			Messages: []*waHistorySync.HistorySyncMsg{past(group, "G1", 1, "rapat", func(w *waWeb.WebMessageInfo) {
				w.Participant = proto.String(citraLID)
			})},
		},
		&waHistorySync.Conversation{ID: proto.String(hidden), Messages: []*waHistorySync.HistorySyncMsg{past(hidden, "H1", 1, "siapa?")}},
		&waHistorySync.Conversation{ID: proto.String("status@broadcast"), Messages: []*waHistorySync.HistorySyncMsg{past(budi, "S1", 1, "cerita")}},
		&waHistorySync.Conversation{ID: proto.String("nonsense")},
	)
	first.PhoneNumberToLidMappings = []*waHistorySync.PhoneNumberToLIDMapping{{PnJID: proto.String(citra), LidJID: proto.String(citraLID)}}
	edit := past(dewi, "D2", 2, "", func(w *waWeb.WebMessageInfo) {
		w.Message = sim.Edit(translate.WireJID(dewi), "D1", sim.Text("sudah diubah"))
	})
	second := part(recent, 100, &waHistorySync.Conversation{ID: proto.String(dewi), Messages: []*waHistorySync.HistorySyncMsg{edit}})
	names := &waHistorySync.HistorySync{SyncType: waHistorySync.HistorySync_PUSH_NAME.Enum(), Pushnames: []*waHistorySync.Pushname{
		{ID: proto.String(dewi), Pushname: proto.String("Dewi")}, {ID: proto.String("x"), Pushname: proto.String("-")},
	}}
	stories := &waHistorySync.HistorySync{SyncType: waHistorySync.HistorySync_INITIAL_STATUS_V3.Enum()}
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{History: []sim.History{
		{Sync: first, Inline: true}, {Sync: stories}, {Sync: names}, {Sync: second},
	}})
	w.link()
	w.eventually("names", func() bool {
		v, ok := w.shown(dewi)
		return ok && strings.Contains(string(v.Document), `"name":"Dewi"`)
	})
	w.until("the end", func(a chat.Account) bool { return a.Sync == nil })

	v, _ := w.shown(budi)
	says(t, string(v.Document), `"unreadCount":2`, `"name":"Budi Santoso"`, `"notSpam":true`,
		`"tcToken":{"data":[1,2],"type":"Buffer"}`, `"ephemeralExpiration":86400`, `"lidJid":"`+budiLID+`"`)
	if v.MuteEnd != 0 || v.Pinned || !v.Unread || v.Last.ID != "B5" { // mutes and pins are the app state's
		t.Errorf("mute until %d, pinned %t, unread %t, last %s", v.MuteEnd, v.Pinned, v.Unread, v.Last.ID)
	}
	all := w.messages(budiLID)
	if len(all) != 5 {
		t.Fatalf("%d messages", len(all))
	}
	says(t, all[0], `"messageStubType":"E2E_ENCRYPTED"`)
	says(t, all[1], `"messageStubType":"REVOKE"`)
	says(t, all[2], `"body":"tiga"`, `"fromMe":true`, `"status":"DELIVERY_ACK"`, `"starred":true`, `"text":"👍"`,
		`"readTimestamp":"1790000200","receiptTimestamp":"0","userJid":"`+budi+`"`, `"sender":"`+ownNumber+`@s.whatsapp.net"`)
	says(t, all[4], `"body":"lima"`)

	v, _ = w.shown(citra)
	if !v.Archived || v.JID != citra {
		t.Errorf("chat of Citra: %+v", v)
	}
	v, _ = w.shown(group)
	says(t, string(v.Document), `"name":"Arisan"`, `{"rank":"ADMIN","userJid":"`+budi+`"}`, `{"rank":"REGULAR","userJid":"`+citra+`"}`)
	w.says1(group, `"sender":"`+citra+`"`)
	w.says1(hidden, `"body":"siapa?"`)
	w.says1(dewi, `"id":"D1"`, `"body":"sudah diubah"`)
	views, _, err := w.store.Chats(w.soon(), account, chat.Filter{}, chat.Page{Limit: 100}, time.Now())
	w.ok(err)
	if len(views) != 5 {
		t.Errorf("%d chats, want 5", len(views))
	}
}

// TestTakenBackWhileUnlinked: a reaction that was taken back while no device was linked is gone from what the next link's history
// tells, and stays where that tells nothing. What comes live while the history is under way counts.
func TestTakenBackWhileUnlinked(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	in := string(jid(budi))
	ids := make(map[string]string)
	key := func(text string) *waCommon.MessageKey {
		return &waCommon.MessageKey{RemoteJID: &in, ID: proto.String(ids[text]), FromMe: proto.Bool(false)}
	}
	texts := []string{"satu", "dua", "tiga", "empat"}
	for i, text := range texts {
		ids[text] = w.from(budi, sim.Text(text), sim.SendOptions{Time: time.Unix(start+60*int64(i), 0)})
		w.written(budi.PN(), sim.React(key(text), "👍"))
	}
	reactions := func() string {
		var all []string
		for i, m := range w.messages(jid(budi)) {
			for _, emoji := range []string{"👍", "❤️"} {
				if strings.Contains(m, emoji) {
					all = append(all, texts[i]+" "+emoji)
				}
			}
		}
		return strings.Join(all, ", ")
	}
	if got := reactions(); got != "satu 👍, dua 👍, tiga 👍, empat 👍" {
		t.Fatalf("at first: %s", got)
	}
	w.relink()
	w.written(budi.PN(), sim.React(key("tiga"), "❤️"))
	told := func(text string, minute uint64, more ...func(*waWeb.WebMessageInfo)) *waHistorySync.HistorySyncMsg {
		return past(in, ids[text], minute, text, more...)
	}
	bootstrapped := part(bootstrap, 100, &waHistorySync.Conversation{ID: &in, ConversationTimestamp: proto.Uint64(start + 180),
		Messages: []*waHistorySync.HistorySyncMsg{told("tiga", 2), told("dua", 1, func(m *waWeb.WebMessageInfo) {
			m.Reactions = []*waWeb.Reaction{{Key: &waCommon.MessageKey{RemoteJID: &in, ID: proto.String("R"), FromMe: proto.Bool(true)},
				Text: proto.String("👍"), SenderTimestampMS: proto.Int64(start * 1000)}}
		})}})
	late := part(recent, 100, &waHistorySync.Conversation{ID: &in, Messages: []*waHistorySync.HistorySyncMsg{told("satu", 0)}})
	for _, sync := range []*waHistorySync.HistorySync{bootstrapped, late, bootstrapped} {
		id, err := w.phone.SendHistory(w.soon(), sim.History{Sync: sync, Inline: true})
		w.ok(err)
		w.acked(id)
	}
	w.eventually("the histories", func() bool { return len(backlog(w)) == 0 })
	if got := reactions(); got != "dua 👍, tiga ❤️, empat 👍" {
		t.Errorf("in the next link: %s", got)
	}
}

// TestContactsOfAHistory: who was taken out of the address book after the history was made, and before the app state was fetched,
// has no name there: whichever comes first, and also in a chat that doesn't show yet.
func TestContactsOfAHistory(t *testing.T) {
	const budi, ani, citra = "6281200000002@s.whatsapp.net", "6281200000003@s.whatsapp.net", "6281200000004@s.whatsapp.net"
	conv := func(jid, name string, messages ...*waHistorySync.HistorySyncMsg) *waHistorySync.Conversation {
		return &waHistorySync.Conversation{ID: &jid, Name: &name, Messages: messages}
	}
	told := part(bootstrap, 100, conv(budi, "Budi lama", past(budi, "B1", 1, "halo")), conv(ani, "Ani lama"),
		conv(citra, "Citra lama", past(citra, "C1", 1, "halo")))
	for _, historyFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("history first %t", historyFirst), func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			w.ok(w.phone.Change(w.soon(), appstate.Contact(translate.WireJID(citra), appstate.ContactName{Full: "Citra Lestari"})))
			tell := func() {
				id, err := w.phone.SendHistory(w.soon(), sim.History{Sync: told, Inline: true})
				w.ok(err)
				w.acked(id)
				w.eventually("the history", func() bool { return len(backlog(w)) == 0 })
			}
			named := func(jid chat.JID, name string) {
				w.eventually(name, func() bool { v, ok := w.shown(jid); return ok && callsIt(name)(v, ok) })
			}
			if historyFirst {
				none := w.server.Inject(sim.Fault{Kind: sim.RefuseQuery, For: "w:sync:app:state", Code: 503})
				w.run()
				a := w.until("a QR code", func(a chat.Account) bool { return a.QR != "" })
				var err error
				w.linked, err = w.phone.ScanQR(w.soon(), a.QR)
				w.ok(err)
				w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected })
				w.ok(w.linked.WaitOnline(w.soon()))
				tell()
				named(budi, "Budi lama")
				none.Remove()
				w.quiet()
			} else {
				w.link()
				w.fetched()
				tell()
			}
			w.eventually("the name to go", func() bool { v, ok := w.shown(budi); return ok && !callsIt("Budi lama")(v, ok) })
			named(citra, "Citra Lestari")
			w.fetched()
			w.ok(w.halt())
			w.open()
			w.run()
			w.quiet()
			w.from(w.contact("6281200000003", "Ani"), sim.Text("halo"), sim.SendOptions{})
			named(ani, "Ani")
			if v, ok := w.shown(citra); !callsIt("Citra Lestari")(v, ok) {
				t.Errorf("in the address book: %s", v.Document)
			}
		})
	}
}

// inbox makes a history of so many chats with so many messages each.
func inbox(chats, each int) *media.Inbox {
	return &media.Inbox{Count: chats, Conversations: func(yield func(*waHistorySync.Conversation) bool) {
		for c := range chats {
			jid := fmt.Sprintf("62813%08d@s.whatsapp.net", c)
			conv := &waHistorySync.Conversation{ID: &jid, ConversationTimestamp: proto.Uint64(start + uint64(each)*60)}
			for n := range each {
				text := fmt.Sprintf("pesan nomor %d, sekadar contoh yang agak panjang supaya mirip dengan percakapan sungguhan", n)
				conv.Messages = append(conv.Messages, past(jid, fmt.Sprintf("3EB0%08X%08X", c, n), uint64(n), text))
			}
			slices.Reverse(conv.Messages)
			if !yield(conv) {
				return
			}
		}
	}}
}

// complete waits until a history is projected, and checks that nothing is missing.
func (w *world) complete(chats, each int) {
	w.t.Helper()
	w.eventually("the end of the history", func() bool {
		a, err := w.store.Account(w.soon(), account)
		return err == nil && a.Sync == nil && len(backlog(w)) == 0
	})
	views, _, err := w.store.Chats(w.soon(), account, chat.Filter{}, chat.Page{Limit: chats + 1}, time.Now())
	w.ok(err)
	if len(views) != chats {
		w.t.Errorf("%d chats, want %d", len(views), chats)
	}
	for _, v := range views {
		if n := len(w.messages(v.JID)); n != each {
			w.t.Errorf("%s has %d messages, want %d", v.JID, n, each)
		}
	}
}

func backlog(w *world) (left []string) {
	items, err := w.store.ListBacklog(w.soon(), account)
	w.ok(err)
	for _, item := range items {
		if strings.HasPrefix(item.ID, historyPrefix) {
			left = append(left, item.ID)
		}
	}
	return left
}

// TestHistoryResumes: the process ends in the middle of a history sync, again and again.
func TestHistoryResumes(t *testing.T) {
	const chats, each = 40, 30
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{
		Inbox: inbox(chats, each), Latest: 5, Chunking: media.Chunking{Conversations: 15, Messages: 200, Inline: 1 << 20},
	})
	var writes atomic.Int32
	stuck := make(chan struct{}, 1)
	afterTen := func(what string) error {
		if what == "chat" && writes.Add(1) > 10 {
			select {
			case stuck <- struct{}{}:
			default:
			}
			return errBroken
		}
		return nil
	}
	w.store.breaks(afterTen)
	w.link()
	for range 3 {
		w.stuck(stuck)
		w.ok(w.halt())
		if len(backlog(w)) == 0 {
			t.Fatal("nothing is left in the backlog")
		}
		w.open()
		writes.Store(0)
		w.store.breaks(afterTen)
		w.run()
	}
	w.stuck(stuck)
	w.store.breaks(nil)
	w.complete(chats, each)
}

func (w *world) stuck(stuck <-chan struct{}) {
	w.t.Helper()
	select {
	case <-stuck:
	case <-w.soon().Done():
		w.t.Fatal("the store wasn't written")
	}
}

func TestLostHistoryIsAskedForAgain(t *testing.T) {
	w := linkedWorld(t)
	w.server.Media().Inject(media.Fault{Method: "GET", Status: 404, Times: 100})
	id, err := w.phone.SendHistory(w.soon(), sim.History{Sync: part(recent, 100, &waHistorySync.Conversation{ID: proto.String("6281200000002@s.whatsapp.net")})})
	w.ok(err)
	w.acked(id)
	w.eventually("the part to be given up", func() bool { return len(backlog(w)) == 0 })
}

func TestHistoryOverABadLine(t *testing.T) {
	w := linkedWorld(t)
	w.server.Media().Inject(media.Fault{Method: "GET", Status: 500, Times: 7})
	budi := "6281200000002@s.whatsapp.net"
	_, err := w.phone.SendHistory(w.soon(), sim.History{Sync: part(recent, 100, &waHistorySync.Conversation{
		ID: &budi, Messages: []*waHistorySync.HistorySyncMsg{past(budi, "B1", 1, "halo")},
	})})
	w.ok(err)
	w.eventually("the message", func() bool { return len(w.messages(chat.JID(budi))) == 1 })
}

// TestMemoryOfHistory bounds what a history sync needs; BenchmarkHistory does it with more.
func TestMemoryOfHistory(t *testing.T) {
	if growth, _ := bigHistory(t, 200, 50); growth > 60<<20 {
		t.Errorf("heap grew by %d MB", growth>>20)
	}
}

// BenchmarkHistory is about 1,000 chats with 50,000 messages in one part.
func BenchmarkHistory(b *testing.B) {
	for b.Loop() {
		growth, took := bigHistory(b, 1000, 50)
		b.ReportMetric(float64(growth>>20), "MB-heap")
		b.ReportMetric(took.Seconds(), "s")
	}
}

func bigHistory(t testing.TB, chats, each int) (growth int64, took time.Duration) {
	t.Helper()
	w := linkedWorld(t)
	var parts []sim.History
	for p := range inbox(chats, each).Parts(recent, media.Chunking{Conversations: chats, Messages: chats * each}) {
		parts = append(parts, sim.History{Sync: p})
	}
	notification, err := w.server.Media().PutHistory(parts[0].Sync, 0)
	w.ok(err)
	parts = nil
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	// How much garbage there may be goes by what is alive, of which tests before may have left some.
	const garbage = 20 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(min(100, int(100*garbage/before.HeapAlloc))))
	var mu sync.Mutex
	peak, writes := uint64(0), 0
	w.store.breaks(func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if writes++; writes%20 == 0 {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
		return nil
	})
	started := time.Now()
	_, err = w.phone.SendHistoryNotification(w.soon(), notification)
	w.ok(err)
	w.eventually("the history", func() bool {
		return len(w.messages(chat.JID(fmt.Sprintf("62813%08d@s.whatsapp.net", chats-1)))) == each
	})
	took = time.Since(started)
	w.store.breaks(nil)
	w.complete(chats, each)
	mu.Lock()
	defer mu.Unlock()
	return int64(peak) - int64(before.HeapAlloc), took
}

// TestBootstrapIsTakenOnce: what comes as a bootstrap once the link's is whole adds older messages, and nothing else.
func TestBootstrapIsTakenOnce(t *testing.T) {
	w := linkedWorld(t)
	budi := "6281200000002@s.whatsapp.net"
	told := func(progress, unread uint32, at uint64, name string, id string) {
		t.Helper()
		_, err := w.phone.SendHistory(w.soon(), sim.History{Sync: part(bootstrap, progress, &waHistorySync.Conversation{
			ID: &budi, Name: &name, UnreadCount: &unread, ConversationTimestamp: proto.Uint64(start + at),
			Messages: []*waHistorySync.HistorySyncMsg{past(budi, id, at/60, id)},
		})})
		w.ok(err)
		w.eventually("the part", func() bool {
			return slices.ContainsFunc(w.messages(chat.JID(budi)), func(m string) bool { return strings.Contains(m, `"id":"`+id+`"`) })
		})
	}
	told(50, 1, 60, "Budi", "B1")
	told(100, 2, 120, "Budi", "B2")
	w.eventually("its end", func() bool { return len(backlog(w)) == 0 })
	told(100, 9, 180, "Zaki", "B3")
	v, _ := w.shown(chat.JID(budi))
	says(t, string(v.Document), field("unreadCount", 2), `"name":"Budi"`)
}
