package whatsapp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/appstate"
)

// TestChanges: what a command sets, the next read shows and the phone has, and its opposite takes it back.
func TestChanges(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	b := jid(budi)
	w.from(budi, sim.Text("satu"), sim.SendOptions{})
	w.written(budi.PN(), sim.Text("dua"))
	group, err := w.server.NewGroup("Arisan", budi, sim.GroupOptions{}, w.phone.Contact)
	w.ok(err)
	id, err := budi.SendGroup(w.soon(), group, sim.Text("halo"), sim.SendOptions{})
	w.ok(err)
	w.acked(id)
	g := jidOf(group.JID())
	pinned := func(v chat.View) bool { return v.Pinned }
	archived := func(v chat.View) bool { return v.Archived }
	unread := func(v chat.View) bool { return v.Unread }
	for _, in := range []chat.JID{b, lid(budi), g} {
		index := string(in)
		if in == lid(budi) {
			index = string(b) // where the setting is already, it stays
		}
		for _, step := range []struct {
			kind   chat.CommandKind
			shows  func(chat.View) bool
			want   bool
			action string
		}{
			{chat.PinCommand, pinned, true, "pin_v1"}, {chat.UnpinCommand, pinned, false, "pin_v1"},
			{chat.ArchiveCommand, archived, true, "archive"}, {chat.UnarchiveCommand, archived, false, "archive"},
			{chat.ReadCommand, unread, false, "markChatAsRead"}, {chat.UnreadCommand, unread, true, "markChatAsRead"},
			{chat.ReadCommand, unread, false, "markChatAsRead"},
		} {
			w.ok(w.device.Do(w.soon(), step.kind, in))
			if v, ok := w.shown(in); !ok || step.shows(v) != step.want {
				t.Errorf("%s of %s: %+v", step.kind, in, v)
			}
			set, ok := w.phone.AppState().Lookup(step.action, index)
			on := set.GetPinAction().GetPinned() || set.GetArchiveChatAction().GetArchived() || set.GetMarkChatAsReadAction().GetRead()
			if want := step.want != (step.action == "markChatAsRead"); !ok || on != want {
				t.Errorf("%s of %s: the phone has %v", step.kind, in, set)
			}
		}
	}
}

// TestArchiveAndPin: what is archived isn't pinned, what is pinned isn't archived, here and on the phone.
func TestArchiveAndPin(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("satu"), sim.SendOptions{})
	holds := func(when string, pinned, archived bool) {
		t.Helper()
		v, _ := w.shown(jid(budi))
		pin, _ := w.phone.AppState().Lookup("pin_v1", budi.PN().String())
		archive, _ := w.phone.AppState().Lookup("archive", budi.PN().String())
		if v.Pinned != pinned || v.Archived != archived || pin.GetPinAction().GetPinned() != pinned ||
			archive.GetArchiveChatAction().GetArchived() != archived {
			t.Errorf("%s: the chat has %v, %v; the phone %v, %v", when, v.Pinned, v.Archived, pin, archive)
		}
	}
	w.ok(w.device.Do(w.soon(), chat.PinCommand, jid(budi)))
	holds("pinned", true, false)
	w.ok(w.device.Do(w.soon(), chat.ArchiveCommand, jid(budi)))
	holds("archived", false, true)
	w.ok(w.device.Do(w.soon(), chat.PinCommand, jid(budi)))
	holds("pinned again", true, false)
	w.ok(w.device.Do(w.soon(), chat.ArchiveCommand, jid(budi)))
	w.from(budi, sim.Text("dua"), sim.SendOptions{Time: time.Now().Add(2 * time.Second)})
	w.eventually("news to take it out", func() bool { v, _ := w.shown(jid(budi)); return !v.Archived })
}

// TestPinLimit: three chats may be pinned; which one is pinned again doesn't matter.
func TestPinLimit(t *testing.T) {
	w := linkedWorld(t)
	var all []*sim.Contact
	for i := range maxPinnedChats + 1 {
		c := w.contact(fmt.Sprint("628120000000", i+2), "Orang")
		w.from(c, sim.Text("halo"), sim.SendOptions{})
		all = append(all, c)
	}
	for _, c := range all[:maxPinnedChats] {
		w.ok(w.device.Do(w.soon(), chat.PinCommand, jid(c)))
	}
	last := all[maxPinnedChats]
	wantCode(t, w.device.Do(w.soon(), chat.PinCommand, jid(last)), chat.PinLimit)
	if _, ok := w.phone.AppState().Lookup("pin_v1", last.PN().String()); ok {
		t.Error("a pin too many was sent")
	}
	w.ok(w.device.Do(w.soon(), chat.PinCommand, lid(all[0])))
	w.ok(w.device.Do(w.soon(), chat.UnpinCommand, jid(all[1])))
	w.ok(w.device.Do(w.soon(), chat.PinCommand, jid(last)))
}

// TestReadReceipts: those who wrote get receipts for what waits to be read, and none where they aren't wanted.
func TestReadReceipts(t *testing.T) {
	w := linkedWorld(t)
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	first := w.from(budi, sim.Text("satu"), sim.SendOptions{})
	second := w.from(budi, sim.Text("dua"), sim.SendOptions{})
	group, err := w.server.NewGroup("Arisan", budi, sim.GroupOptions{}, w.phone.Contact, citra)
	w.ok(err)
	third, err := citra.SendGroup(w.soon(), group, sim.Text("tiga"), sim.SendOptions{})
	w.ok(err)
	w.acked(third)
	read := func(c *sim.Contact) (ids []string) {
		for _, r := range c.Receipts() {
			if r.Type == types.ReceiptTypeRead {
				ids = append(ids, r.IDs...)
			}
		}
		slices.Sort(ids)
		return ids
	}
	w.ok(w.device.Change(w.soon(), chat.Command{Kind: chat.ReadCommand, Chat: jid(budi), Quiet: true}))
	fourth := w.from(budi, sim.Text("empat"), sim.SendOptions{Time: time.Now().Add(2 * time.Second)})
	w.ok(w.device.Do(w.soon(), chat.ReadCommand, jid(budi)))
	w.ok(w.device.Do(w.soon(), chat.ReadCommand, jidOf(group.JID())))
	w.eventually("the receipts", func() bool { return len(read(budi)) > 0 && len(read(citra)) > 0 })
	if got := read(budi); !slices.Equal(got, []string{fourth}) {
		t.Errorf("Budi got receipts of %v, not %v; %v and %v were read silently", got, fourth, first, second)
	}
	if got := read(citra); !slices.Equal(got, []string{third}) {
		t.Errorf("Citra got receipts of %v", got)
	}
	for _, in := range []chat.JID{jid(budi), jidOf(group.JID())} {
		if v, _ := w.shown(in); v.Unread || !strings.Contains(string(v.Document), `"unreadCount":0`) {
			t.Errorf("%s is unread: %s", in, v.Document)
		}
	}
}

// TestReadReceiptsOfWhatWasThere: what comes after the call gets no receipt, whenever it is carried out, and however many came.
func TestReadReceiptsOfWhatWasThere(t *testing.T) {
	w := linkedWorld(t)
	budi, at := w.contact("6281200000002", "Budi"), time.Now()
	var wanted []string
	for i := range 3 {
		wanted = append(wanted, w.from(budi, sim.Text("sebelum"), sim.SendOptions{Time: at.Add(time.Duration(i) * time.Second)}))
	}
	slices.Sort(wanted)
	v, _ := w.shown(jid(budi))
	through := v.Through()
	for range 5 {
		w.from(budi, sim.Text("sesudah"), sim.SendOptions{Time: at.Add(2 * time.Second)})
	}
	w.ok(w.device.Change(w.soon(), chat.Command{Kind: chat.ReadCommand, Chat: jid(budi), Through: &through}))
	var got []string
	read := func() []string {
		got = nil
		for _, r := range budi.Receipts() {
			if r.Type == types.ReceiptTypeRead {
				got = append(got, r.IDs...)
			}
		}
		slices.Sort(got)
		return got
	}
	w.eventually("the receipts", func() bool { return len(read()) > 0 })
	if !slices.Equal(read(), wanted) {
		t.Errorf("receipts of %v, want %v", got, wanted)
	}
	says(t, w.row(jid(budi)), `"unreadCount":5`)
}

// TestDeleteChat: the chat goes with all its messages, and comes back with the next one alone.
func TestDeleteChat(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("satu"), sim.SendOptions{})
	w.written(budi.PN(), sim.Text("dua"))
	before, _ := w.shown(jid(budi))
	through := before.Through()
	deletion := chat.Command{Kind: chat.DeleteChatCommand, Chat: jid(budi), Through: &through}
	w.ok(w.device.Change(w.soon(), deletion))
	w.ok(w.device.Change(w.soon(), deletion)) // an attempt whose outcome was lost
	if v, ok := w.shown(jid(budi)); ok {
		t.Errorf("shown: %s", v.Document)
	}
	set, ok := w.phone.AppState().Lookup("deleteChat", budi.PN().String(), "0")
	if !ok || set.GetDeleteChatAction().GetMessageRange().GetLastMessageTimestamp() == 0 {
		t.Errorf("the phone has %v", set)
	}
	wantCode(t, w.device.Do(w.soon(), chat.DeleteChatCommand, jid(budi)), chat.ChatNotFound)
	w.from(budi, sim.Text("tiga"), sim.SendOptions{Time: time.Now().Add(2 * time.Second)})
	w.says1(jid(budi), `"body":"tiga"`)
}

// TestStars: the index says whose message it is as the phone does.
func TestStars(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	group, err := w.server.NewGroup("Arisan", budi, sim.GroupOptions{}, w.phone.Contact)
	w.ok(err)
	theirs, err := budi.SendGroup(w.soon(), group, sim.Text("halo"), sim.SendOptions{})
	w.ok(err)
	w.acked(theirs)
	for _, m := range []appstate.Message{
		{Chat: budi.PN(), ID: w.from(budi, sim.Text("satu"), sim.SendOptions{})},
		{Chat: budi.PN(), ID: w.written(budi.PN(), sim.Text("dua")), FromMe: true},
		{Chat: group.JID(), ID: theirs, Sender: budi.PN()},
		{Chat: group.JID(), ID: w.written(group.JID(), sim.Text("tiga")), FromMe: true},
	} {
		c := chat.Command{Kind: chat.StarCommand, Chat: jidOf(m.Chat), Message: m.ID}
		starred := func() bool {
			i := slices.IndexFunc(w.messages(c.Chat), func(s string) bool { return strings.Contains(s, `"id":"`+m.ID+`"`) })
			return i >= 0 && strings.Contains(w.messages(c.Chat)[i], `"starred":true`)
		}
		index := appstate.Star(m, true).Index
		w.ok(w.device.Change(w.soon(), c))
		set, _ := w.phone.AppState().Lookup(index...)
		if !starred() || !set.GetStarAction().GetStarred() {
			t.Errorf("star: the phone has %v, shown %v", set, starred())
		}
		c.Kind = chat.UnstarCommand
		w.ok(w.device.Change(w.soon(), c))
		set, ok := w.phone.AppState().Lookup(index...)
		if starred() || !ok || set.GetStarAction().GetStarred() {
			t.Errorf("unstar: the phone has %v, shown %v", set, starred())
		}
		c.Message = "3EB0NOBODY"
		wantCode(t, w.device.Change(w.soon(), c), chat.MessageNotFound)
	}
}

// TestTimers: the timer that a command sets the next read shows, the phone has and the other side or the group too, however quickly
// one follows another; who may not set one is told why.
func TestTimers(t *testing.T) {
	w := linkedWorld(t)
	budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
	w.from(budi, sim.Text("satu"), sim.SendOptions{})
	w.from(citra, sim.Text("satu"), sim.SendOptions{ByLID: true})
	groups := map[bool]*sim.Group{}
	for _, byLID := range []bool{false, true} {
		g, err := w.server.NewGroup("Arisan", budi, sim.GroupOptions{ByLID: byLID}, w.phone.Contact, citra)
		w.ok(err)
		id, err := citra.SendGroup(w.soon(), g, sim.Text("halo"), sim.SendOptions{})
		w.ok(err)
		w.acked(id)
		groups[byLID] = g
	}
	n := 0
	set := func(in chat.JID, seconds int64) error {
		n++
		return w.device.Change(w.soon(), chat.Command{Kind: chat.DisappearCommand, Chat: in, Seconds: seconds, ID: fmt.Sprint(n)})
	}
	timers := []int64{86400, 0, 604800, 7776000, 86400, 0}
	for in, has := range map[chat.JID]func() uint32{
		jid(budi):                  func() uint32 { return w.phone.TimerOf(budi) },
		lid(citra):                 func() uint32 { return w.phone.TimerOf(citra) },
		jidOf(groups[false].JID()): groups[false].Ephemeral,
		jidOf(groups[true].JID()):  groups[true].Ephemeral,
	} {
		for _, seconds := range timers {
			w.ok(set(in, seconds))
			v, _ := w.shown(in)
			says(t, string(v.Document), field("ephemeralExpiration", seconds))
			if has() != uint32(seconds) {
				t.Errorf("%s: the phone has %d, not %d", in, has(), seconds)
			}
		}
	}
	if got := budi.TimerOf(w.phone.Contact); got != 0 {
		t.Errorf("Budi has %d", got)
	}
	w.ok(set(jid(budi), 604800))
	if got := budi.TimerOf(w.phone.Contact); got != 604800 {
		t.Errorf("Budi has %d", got)
	}
	w.ok(w.device.Change(w.soon(), chat.Command{Kind: chat.DisappearCommand, Chat: jid(budi), Seconds: 604800, ID: fmt.Sprint(n)}))
	sent := 0
	for _, m := range budi.Received() {
		if m.Message.GetProtocolMessage().GetEphemeralExpiration() == 604800 {
			sent++
		}
	}
	if sent != 2 { // of one command each
		t.Errorf("Budi got %d messages", sent)
	}

	g := groups[false]
	in := jidOf(g.JID())
	expires := func(seconds int) func() bool {
		return func() bool {
			v, _ := w.shown(in)
			return strings.Contains(string(v.Document), field("ephemeralExpiration", seconds))
		}
	}
	w.ok(g.SetEphemeral(w.soon(), budi, 604800)) // later than all above
	w.eventually("Budi's timer", expires(604800))
	w.ok(g.SetLocked(w.soon(), budi, true))
	err := set(in, 86400)
	wantCode(t, err, chat.WhatsAppRejected)
	says(t, err.Error(), "only an admin")
	w.ok(g.Promote(w.soon(), budi, w.phone.Contact))
	w.ok(set(in, 86400))
	w.ok(g.Remove(w.soon(), budi, w.phone.Contact))
	err = set(in, 0)
	wantCode(t, err, chat.WhatsAppRejected)
	says(t, err.Error(), "isn't in this group")
	if got := g.Ephemeral(); got != 86400 {
		t.Errorf("the group has %d", got)
	}
	if !expires(86400)() {
		t.Error("a refused timer shows")
	}
	for _, in := range []chat.JID{"120363000000000077@newsletter", "status@broadcast"} {
		wantCode(t, set(in, 86400), chat.WhatsAppRejected)
	}
	for code, want := range map[int]chat.Code{400: chat.WhatsAppRejected, 429: chat.WhatsAppLimited, 503: chat.Unavailable} {
		w.linked.Inject(sim.Fault{Kind: sim.RefuseQuery, For: "w:g2", Code: code, Times: 1})
		wantCode(t, set(jidOf(groups[true].JID()), 86400), want)
	}
	w.linked.Inject(sim.Fault{Kind: sim.RefuseMessage, Code: 479, Times: 1})
	wantCode(t, set(jid(budi), 86400), chat.WhatsAppRejected)
	v, _ := w.shown(jid(budi))
	says(t, string(v.Document), field("ephemeralExpiration", 604800))
}

// TestEveryKindIsCarriedOut: a row of the table that nothing carries out would show here.
func TestEveryKindIsCarriedOut(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	id := w.from(budi, sim.Text("halo"), sim.SendOptions{})
	n := w.phone.Follow("120363000000000077", "Kabar Kota")
	w.eventually("the channel", func() bool { _, ok := w.shown(jidOf(n.JID())); return ok })
	for _, row := range chat.ChatCommands() {
		w.ok(w.device.Change(w.soon(), chat.Command{Kind: row.Kind, Chat: jid(budi), Message: id, Starred: chat.KeepStarred}))
		if row.Kind == chat.ClearCommand {
			w.from(budi, sim.Text("baru"), sim.SendOptions{Time: time.Now().Add(2 * time.Second)})
		}
		err := w.device.Change(w.soon(), chat.Command{Kind: row.Kind, Chat: jidOf(n.JID()), Message: id})
		switch row.Setting {
		case chat.MuteSetting, chat.PinSetting:
			w.ok(err)
		default:
			wantCode(t, err, chat.WhatsAppRejected)
		}
	}
	for _, kind := range []chat.CommandKind{"", "explode", chat.LogoutCommand} {
		wantCode(t, w.device.Do(w.soon(), kind, jid(budi)), chat.InvalidParameter)
	}
}
