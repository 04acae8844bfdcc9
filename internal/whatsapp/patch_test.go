package whatsapp

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
	simstate "pesan/internal/sim/appstate"
)

func mutes(n int) (all []appstate.PatchInfo) {
	for i := range n {
		all = append(all, appstate.BuildMuteAbs(types.NewJID(fmt.Sprint(6281300000000+i), types.DefaultUserServer), true, proto.Int64(-1)))
	}
	return all
}

// TestChangesTogether: many changes go in few patches, each as big as may be, and all are taken.
func TestChangesTogether(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	w.from(budi, sim.Text("halo"), sim.SendOptions{})
	r, err := w.device.(*device).current()
	w.ok(err)
	before := w.phone.AppState().Version("regular_high")
	all := mutes(200)
	all = append(all, appstate.BuildPin(budi.PN(), true), appstate.BuildMuteAbs(budi.PN(), true, proto.Int64(-1)),
		appstate.BuildMuteAbs(budi.PN(), false, nil)) // of one index: not in one patch, and the last counts
	for i, err := range r.setAll(w.soon(), all, nil) {
		if err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	for _, c := range all[:200] {
		set, _ := w.phone.AppState().Lookup(c.Mutations[0].Index...)
		if !set.GetMuteAction().GetMuted() {
			t.Fatalf("%s isn't muted", c.Mutations[0].Index)
		}
	}
	if v, _ := w.shown(jid(budi)); !v.Pinned || v.MuteEnd != 0 {
		t.Errorf("shown %+v", v)
	}
	patches := w.phone.AppState().Version("regular_high") - before
	if patches > 200/40 {
		t.Errorf("202 mutes took %d patches", patches)
	}
}

// TestOneOfManyIsRefused: only that one fails.
func TestOneOfManyIsRefused(t *testing.T) {
	w := linkedWorld(t)
	w.expect(sim.BadAppState, sim.BadAppState, sim.BadAppState, sim.BadAppState, sim.BadAppState)
	r, err := w.device.(*device).current()
	w.ok(err)
	all := mutes(16)
	all[11].Mutations[0].Version = 1 // which no client takes
	for i, err := range r.setAll(w.soon(), all, nil) {
		set, _ := w.phone.AppState().Lookup(all[i].Mutations[0].Index...)
		if refused := i == 11; (chat.CodeOf(err) == chat.WhatsAppRejected) != refused || set.GetMuteAction().GetMuted() == refused {
			t.Errorf("change %d: %v, the phone has %v", i, err, set)
		}
	}
}

// TestConflictOfMany: what won is applied, and all are sent again.
func TestConflictOfMany(t *testing.T) {
	w := linkedWorld(t)
	r, err := w.device.(*device).current()
	w.ok(err)
	w.phone.AppState().Inject(simstate.Fault{Kind: simstate.Conflict, Name: "regular_high", Times: 5})
	w.ok(errors.Join(r.setAll(w.soon(), mutes(30), nil)...))
}

// TestPatchesFit: what is packed together is within the bounds once it is encoded.
func TestPatchesFit(t *testing.T) {
	w := linkedWorld(t)
	r, err := w.device.(*device).current()
	w.ok(err)
	id, err := r.identity().appKeys.GetLatestAppStateSyncKeyID(w.soon())
	w.ok(err)
	all := mutes(300)
	var pending []int
	for i := range all {
		pending = append(pending, i)
	}
	for len(pending) > 0 {
		var together []int
		together, pending = pack(all, pending)
		p := appstate.PatchInfo{Type: all[0].Type, Timestamp: time.Now()}
		for _, i := range together {
			p.Mutations = append(p.Mutations, all[i].Mutations...)
		}
		encoded, err := r.states.processor.EncodePatch(own(w.soon()), id, appstate.HashState{}, p)
		w.ok(err)
		if len(encoded) > maxPatch || len(p.Mutations) > maxMutations || len(pending) > 0 && len(p.Mutations) < 40 {
			t.Errorf("%d mutations in %d bytes", len(p.Mutations), len(encoded))
		}
	}
}

// TestMalformedIsNotSent: such a patch would have the account's other clients log themselves out.
func TestMalformedIsNotSent(t *testing.T) {
	w := linkedWorld(t)
	r, err := w.device.(*device).current()
	w.ok(err)
	group := types.NewJID("120363000000000001", types.GroupServer)
	with := func(change func(*waSyncAction.SyncActionMessageRange)) appstate.PatchInfo {
		span := &waSyncAction.SyncActionMessageRange{LastMessageTimestamp: proto.Int64(1_800_000_000)}
		span.Messages = []*waSyncAction.SyncActionMessage{{Key: &waCommon.MessageKey{
			RemoteJID: proto.String(group.String()), FromMe: proto.Bool(true), ID: proto.String("3EB0"),
		}}}
		change(span)
		return appstate.PatchInfo{Type: appstate.WAPatchRegularLow, Mutations: []appstate.MutationInfo{archiving(group, true, span)}}
	}
	type span = *waSyncAction.SyncActionMessageRange
	good := with(func(span) {})
	twice := appstate.PatchInfo{Type: good.Type, Mutations: append(good.Mutations[:1:1], good.Mutations[0])}
	errs := r.setAll(w.soon(), []appstate.PatchInfo{
		good, twice, with(func(s span) { s.LastMessageTimestamp = nil }), with(func(s span) { s.LastSystemMessageTimestamp = proto.Int64(1) }),
		with(func(s span) { s.Messages[0].Key.ID = nil }), with(func(s span) { s.Messages[0].Key.FromMe = nil }),
		with(func(s span) { s.Messages[0].Key.RemoteJID = nil }), with(func(s span) { s.Messages[0].Key.FromMe = proto.Bool(false) }),
		with(func(s span) {
			for range maxSpan {
				s.Messages = append(s.Messages, s.Messages[0])
			}
		}),
	}, nil)
	for i, err := range errs {
		if (err == nil) != (i == 0) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if n := w.phone.AppState().Version("regular_low"); n != 1 {
		t.Errorf("%d patches were taken", n)
	}
}
