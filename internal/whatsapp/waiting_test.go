package whatsapp

import (
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
	simstate "pesan/internal/sim/appstate"
)

// TestWaitingWishes: a command that waited while the phone set the same gives way to what is later, by the clocks of the two, and
// is sent on top of what is earlier.
func TestWaitingWishes(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	b := jid(budi)
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	muted := func(v chat.View, _ bool) bool { return v.MuteEnd == chat.MutedForEver }
	loud := func(v chat.View, _ bool) bool { return v.MuteEnd == 0 }
	for _, test := range []struct {
		apart  time.Duration // by which the phone's change is later than the wish
		phones bool          // what the phone has set counts
	}{{time.Hour, true}, {time.Second, true}, {0, true}, {-time.Second, false}, {-time.Hour, false}, {-48 * time.Hour, false}} {
		t.Run(test.apart.String(), func(t *testing.T) {
			wished := time.Now().Truncate(time.Millisecond)
			w.change("the phone's mute", b, muted, at(simstate.Mute(budi.PN(), simstate.Forever), wished.Add(test.apart)))
			unmute := chat.Command{Kind: chat.UnmuteCommand, Chat: b, RequestedAt: wished}
			w.ok(w.device.Change(w.soon(), unmute))
			v, ok := w.shown(b)
			if muted(v, ok) != test.phones {
				t.Errorf("the mute ends at %d", v.MuteEnd)
			}
			set, _ := w.phone.AppState().Lookup("mute", string(b))
			if set.GetMuteAction().GetMuted() != test.phones {
				t.Errorf("the phone has %v", set)
			}
			// One that is made now counts, whatever the phone's clock says.
			if test.phones {
				w.change("no mute", b, loud, simstate.Unmute(budi.PN()))
			}
			w.change("a mute", b, muted, at(simstate.Mute(budi.PN(), simstate.Forever), wished.Add(test.apart)))
			for now := time.Now().UnixMilli(); now == time.Now().UnixMilli(); {
			}
			w.ok(w.device.Change(w.soon(), chat.Command{Kind: chat.UnmuteCommand, Chat: b, RequestedAt: time.Now()}))
			if v, ok := w.shown(b); !loud(v, ok) {
				t.Errorf("the mute ends at %d", v.MuteEnd)
			}
		})
	}
}

// TestSettle: of two changes of one index the later counts, of two ranges the one that encloses the other, and where neither does
// both.
func TestSettle(t *testing.T) {
	span := func(end int64, ids ...string) *waSyncAction.SyncActionMessageRange {
		r := &waSyncAction.SyncActionMessageRange{LastMessageTimestamp: &end}
		for _, id := range ids {
			r.Messages = append(r.Messages, &waSyncAction.SyncActionMessage{Timestamp: proto.Int64(end), Key: &waCommon.MessageKey{ID: &id, FromMe: proto.Bool(false)}})
		}
		return r
	}
	actions := map[string]func(on bool, r *waSyncAction.SyncActionMessageRange) *waSyncAction.SyncActionValue{
		"archive": func(on bool, r *waSyncAction.SyncActionMessageRange) *waSyncAction.SyncActionValue {
			return &waSyncAction.SyncActionValue{ArchiveChatAction: &waSyncAction.ArchiveChatAction{Archived: &on, MessageRange: r}}
		},
		"markChatAsRead": func(on bool, r *waSyncAction.SyncActionMessageRange) *waSyncAction.SyncActionValue {
			return &waSyncAction.SyncActionValue{MarkChatAsReadAction: &waSyncAction.MarkChatAsReadAction{Read: &on, MessageRange: r}}
		},
		"clearChat": func(_ bool, r *waSyncAction.SyncActionMessageRange) *waSyncAction.SyncActionValue {
			return &waSyncAction.SyncActionValue{ClearChatAction: &waSyncAction.ClearChatAction{MessageRange: r}}
		},
		"deleteChat": func(_ bool, r *waSyncAction.SyncActionMessageRange) *waSyncAction.SyncActionValue {
			return &waSyncAction.SyncActionValue{DeleteChatAction: &waSyncAction.DeleteChatAction{MessageRange: r}}
		},
	}
	const mine, theirs, both = "mine", "theirs", "both"
	for _, test := range []struct {
		own, other     *waSyncAction.SyncActionMessageRange
		earlier, later string // what is set where the other is earlier, and where it is later
	}{
		{span(10, "A"), span(10, "A"), mine, theirs},
		{span(10, "A", "B"), span(10, "A"), mine, mine},
		{span(20, "C"), span(10, "A"), mine, mine},
		{span(10, "A"), span(10, "A", "B"), theirs, theirs},
		{span(10, "A"), span(20, "C"), theirs, theirs},
		{span(10, "A"), span(10, "B"), both, both},
		{span(10), span(20), mine, theirs},
	} {
		for name, action := range actions {
			for ts, want := range map[int64]string{999: test.earlier, 1000: test.later, 1001: test.later} {
				own, other := action(true, proto.CloneOf(test.own)), action(false, proto.CloneOf(test.other))
				other.Timestamp = proto.Int64(ts)
				got := settle(own, 1000, other)
				what := fmt.Sprintf("%s %v against %v at %d", name, test.own, test.other, ts)
				switch {
				case want == theirs && got != nil, want == mine && got != own:
					t.Errorf("%s: %v", what, got)
				case want == both:
					if got == own || got == nil || len(rangeIn(got).GetMessages()) != 2 || rangeIn(got).GetLastMessageTimestamp() != 10 {
						t.Errorf("%s: %v", what, got)
					}
					on := got.GetArchiveChatAction().GetArchived() || got.GetMarkChatAsReadAction().GetRead()
					if flagged := name == "archive" || name == "markChatAsRead"; flagged && on != (ts < 1000) {
						t.Errorf("%s: the flag is %t", what, on)
					}
					if err := wellFormed(appstate.PatchInfo{Mutations: []appstate.MutationInfo{{Index: []string{name}, Value: got}}}); err == nil {
						t.Errorf("%s: keys without a chat are well-formed", what)
					}
				}
			}
		}
	}
}
