package whatsapp

import (
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
	"pesan/internal/sim"
	simstate "pesan/internal/sim/appstate"
)

// wishes are commands of a batch, one of each chat.
func wishes(kind chat.CommandKind, chats ...chat.JID) (all []chat.Command) {
	for _, jid := range chats {
		all = append(all, chat.Command{
			Version: chat.CommandVersion, ID: "batch", Account: account, Kind: kind, Chat: jid, RequestedAt: time.Now(),
		})
	}
	return all
}

func people(n int) (all []chat.JID) {
	for i := range n {
		all = append(all, chat.JID(fmt.Sprintf("%d@s.whatsapp.net", 6281300000000+i)))
	}
	return all
}

// together works on commands until all have ended, and tells how, and how many calls that took.
func (w *world) together(commands []chat.Command) (errs []error, calls int) {
	w.t.Helper()
	errs = make([]error, len(commands))
	places := make([]int, len(commands))
	for i := range places {
		places[i] = i
	}
	for len(places) > 0 {
		var some []chat.Command
		for _, p := range places {
			some = append(some, commands[p])
		}
		ended, err := w.device.(*device).Together(w.soon(), some)
		w.ok(err)
		if len(ended) == 0 {
			w.t.Fatalf("nothing of %d ends", len(some))
		}
		calls++
		var left []int
		for i, p := range places {
			if err, ok := ended[i]; ok {
				errs[p] = err
			} else {
				left = append(left, p)
			}
		}
		places = left
	}
	return errs, calls
}

// took is how often the phone's app state has taken each index.
func (w *world) took() map[string]int {
	counts := make(map[string]int)
	for _, e := range w.phone.AppState().Log() {
		counts[fmt.Sprint(e.Index)]++
	}
	return counts
}

// TestTogether: as many changes as fit go in one patch, and what is so already isn't sent again.
func TestTogether(t *testing.T) {
	w := linkedWorld(t)
	state := w.phone.AppState()
	before := state.Version("regular_high")
	all := wishes(chat.MuteCommand, people(200)...)
	errs, calls := w.together(all)
	for i, err := range errs {
		if err != nil {
			t.Errorf("mute %d: %v", i, err)
		}
	}
	patches := state.Version("regular_high") - before
	if patches > 200/40 || int(patches) != calls {
		t.Errorf("200 mutes took %d patches in %d calls", patches, calls)
	}
	for index, n := range w.took() {
		if n != 1 {
			t.Errorf("%s was sent %d times", index, n)
		}
	}
	if v, _ := w.shown(all[0].Chat); v.MuteEnd != chat.MutedForEver && v.JID != "" {
		t.Errorf("shown %+v", v)
	}
	w.together(all)
	if again := state.Version("regular_high") - before; again != patches {
		t.Errorf("a repetition took %d patches", again-patches)
	}
	w.together(wishes(chat.UnmuteCommand, people(50)...))
	if set, _ := state.Lookup("mute", string(people(1)[0])); set.GetMuteAction().GetMuted() {
		t.Error("the unmute was passed over")
	}
}

// TestTogetherOfEachKind: every kind of command in one batch, some of them twice or thrice of a chat.
func TestTogetherOfEachKind(t *testing.T) {
	w := linkedWorld(t)
	var all []chat.Command
	var contacts []*sim.Contact
	for i := range 5 {
		c := w.contact(fmt.Sprint(6281200000010+i), "Budi")
		w.from(c, sim.Text("halo"), sim.SendOptions{Time: time.Unix(1_800_000_000, 0)})
		contacts = append(contacts, c)
	}
	var chats []chat.JID
	for _, c := range contacts {
		chats = append(chats, jid(c))
	}
	for _, kind := range []chat.CommandKind{chat.MuteCommand, chat.PinCommand, chat.ReadCommand} {
		all = append(all, wishes(kind, chats...)...)
	}
	errs, calls := w.together(all)
	for i, err := range errs {
		full := all[i].Kind == chat.PinCommand && i >= 5+maxPinnedChats
		if want := map[bool]chat.Code{true: chat.PinLimit}[full]; chat.CodeOf(err) != want {
			t.Errorf("%s %d: %v", all[i].Kind, i, err)
		}
	}
	if calls > 5 {
		t.Errorf("%d calls", calls)
	}
	errs, _ = w.together(append(wishes(chat.ArchiveCommand, chats...), wishes(chat.ClearCommand, chats...)...))
	for i, err := range errs {
		if err != nil {
			t.Errorf("archive and clear %d: %v", i, err)
		}
	}
	for _, jid := range chats {
		if v, _ := w.shown(jid); v.Pinned || !v.Archived || v.Unread || v.MuteEnd != chat.MutedForEver || len(w.messages(jid)) > 0 {
			t.Errorf("shown %+v with %d messages", v, len(w.messages(jid)))
		}
	}
	errs, _ = w.together(wishes(chat.DeleteChatCommand, chats...))
	for i, err := range errs {
		if _, there := w.shown(chats[i]); err != nil || there {
			t.Errorf("delete %d: %v, there %v", i, err, there)
		}
	}
	// What was done isn't done again, of deletions too.
	versions := w.versions()
	w.together(wishes(chat.UnmuteCommand, people(1)...))
	if now := w.versions(); now != versions {
		t.Errorf("an unmute of what isn't muted was sent: %v, was %v", now, versions)
	}
}

func (w *world) versions() [2]uint64 {
	s := w.phone.AppState()
	return [2]uint64{s.Version("regular_high"), s.Version("regular_low")}
}

// TestTogetherBehind: what WhatsApp has already, as after an end in the middle of a patch, isn't made again: the conflict shows it.
func TestTogetherBehind(t *testing.T) {
	w := linkedWorld(t)
	chats := people(30)
	for _, c := range chats[:10] {
		_, err := w.phone.AppState().Apply(simstate.Mute(types.NewJID(c.User(), types.DefaultUserServer), simstate.Forever)) // and tells nobody
		w.ok(err)
	}
	errs, calls := w.together(wishes(chat.MuteCommand, chats...))
	for i, err := range errs {
		if err != nil {
			t.Errorf("mute %d: %v", i, err)
		}
	}
	counts := w.took()
	for _, c := range chats {
		if n := counts[fmt.Sprint([]string{"mute", string(c)})]; n != 1 {
			t.Errorf("%s was muted %d times", c, n)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

// TestTogetherLimited: WhatsApp's wish to be slower is told as such, for a patch and for all of it.
func TestTogetherLimited(t *testing.T) {
	w := linkedWorld(t)
	w.expect(sim.BadAppState)
	w.phone.AppState().Inject(simstate.Fault{Kind: simstate.Refuse, Name: "regular_high", Code: 429, Text: "rate-overlimit", Times: 1})
	ended, err := w.device.(*device).Together(w.soon(), wishes(chat.MuteCommand, people(3)...))
	w.ok(err)
	if len(ended) != 3 {
		t.Fatalf("%d ended", len(ended))
	}
	for i, err := range ended {
		if chat.CodeOf(err) != chat.WhatsAppLimited {
			t.Errorf("mute %d: %v", i, err)
		}
	}
}

// TestTogetherAfterKill: what WhatsApp took before a host was killed, but nobody projected, isn't sent again when a batch goes on before
// the app state is fetched.
func TestTogetherAfterKill(t *testing.T) {
	w := linkedWorld(t)
	w.fetched()
	all := wishes(chat.MuteCommand, people(5)...)
	w.together(all)
	w.ok(w.halt())
	w.ok(w.store.PutBacklog(w.soon(), account, appStateMark, nil))
	for _, c := range all {
		w.ok(w.store.Update(w.soon(), account, c.Chat, nil, func(t *chat.Thread) error {
			t.Chat.Mute = chat.Register[int64]{}
			return nil
		}))
	}
	w.linked.Inject(sim.Fault{Kind: sim.Slow, For: "w:sync:app:state", Delay: 200 * time.Millisecond})
	w.run()
	d := w.device.(*device)
	w.eventually("the batch to go on", func() bool {
		if !d.Connected() {
			return false
		}
		ended, err := d.Together(w.soon(), all)
		return err == nil && len(ended) == len(all)
	})
	for index, n := range w.took() {
		if n != 1 {
			t.Errorf("%s was sent %d times", index, n)
		}
	}
}
