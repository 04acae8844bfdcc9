package appstate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	wa "go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
)

var (
	budi  = types.NewJID("6281200000001", types.DefaultUserServer)
	warga = types.NewJID("120363000000000001", types.GroupServer)
	now   = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
)

// Everything that the typed helpers make is accepted by whatsmeow, and decodes to what was meant.
func TestPhoneToDevice(t *testing.T) {
	s := newState(t, Options{})
	p := newPeer(s, "device")
	until := now.Add(time.Hour).UnixMilli()
	key := &waCommon.MessageKey{RemoteJID: proto.String(budi.String()), ID: proto.String("A1"), FromMe: proto.Bool(false)}
	in := []Mutation{
		Mute(budi, until), Unmute(warga), Pin(budi, true), Archive(warga, true, UpTo(now, key)), MarkChatAsRead(budi, false, UpTo(now)),
		ClearChat(budi, true, false, UpTo(now, key)), DeleteChat(warga, true, UpTo(now)),
		DeleteMessageForMe(Message{Chat: warga, ID: "M1", Sender: budi}, true, now), Star(Message{Chat: budi, ID: "M2", FromMe: true}, true),
		Contact(budi, ContactName{Full: "Budi Santoso", First: "Budi", PN: budi}), PNForLID(types.NewJID("77", types.HiddenUserServer), budi),
		PushName("Sari"), Locale("id_ID"), UnarchiveChats(true), MuteStatus(budi, true), Label("1", "Penting", 2, false), LabelChat("1", budi, true),
	}
	changes := must(s.Apply(in...))
	if len(changes) != 5 {
		t.Fatalf("%d collections changed, not all five", len(changes))
	}
	got := map[string]*waSyncAction.SyncActionValue{}
	for _, n := range Names() {
		news, _, err := p.fetch(n, false)
		if err != nil {
			t.Fatalf("%s: %v", n, err)
		}
		for _, m := range news {
			got[strings.Join(m.Index, " ")] = m.Action
		}
	}
	if len(got) != len(in) {
		t.Fatalf("%d mutations arrived, not %d", len(got), len(in))
	}
	for _, m := range in {
		if err := check(withTime(m)); err != nil {
			t.Errorf("a phone wouldn't take it back: %v", err)
		}
		v := got[strings.Join(m.Index, " ")]
		if v.GetTimestamp() == 0 {
			t.Errorf("%v has no timestamp", m.Index)
		}
		v.Timestamp = nil
		if !proto.Equal(v, m.Value) {
			t.Errorf("%v arrived as %v", m.Index, v)
		}
	}
	for index, v := range map[string]string{
		"star 6281200000001@s.whatsapp.net M2 1 0":                                     "starred",
		"deleteMessageForMe 120363000000000001@g.us M1 0 6281200000001@s.whatsapp.net": "media",
		"clearChat 6281200000001@s.whatsapp.net 1 0":                                   "range",
	} {
		if got[index] == nil {
			t.Errorf("no index %q for %s", index, v)
		}
	}
	if v, ok := s.Lookup("mute", budi.String()); !ok || v.GetMuteAction().GetMuteEndTimestamp() != until {
		t.Errorf("mute in force: %v, %v", v, ok)
	}
}

func withTime(m Mutation) Mutation {
	m.Value = proto.CloneOf(m.Value)
	m.Value.Timestamp = proto.Int64(now.UnixMilli())
	return m
}

// What whatsmeow's builders make is accepted and takes effect.
func TestDeviceToPhone(t *testing.T) {
	s := newState(t, Options{})
	p, other := newPeer(s, "first"), newPeer(s, "second")
	clearChat := wa.PatchInfo{Type: wa.WAPatchRegularHigh, Mutations: []wa.MutationInfo{{
		Index: []string{"clearChat", budi.String(), "1", "0"}, Version: 6,
		Value: &waSyncAction.SyncActionValue{ClearChatAction: &waSyncAction.ClearChatAction{MessageRange: UpTo(now)}},
	}}}
	for _, info := range []wa.PatchInfo{
		wa.BuildMute(budi, true, time.Hour), wa.BuildMute(budi, true, 0), wa.BuildMute(budi, false, 0), clearChat,
		wa.BuildPin(budi, true), wa.BuildArchive(budi, true, now, nil), wa.BuildMarkChatAsRead(budi, true, now, nil),
		wa.BuildDeleteChat(budi, now, nil, true), wa.BuildStar(warga, budi, "M1", false, true), wa.BuildSettingPushName("Sari"),
		wa.BuildLabelEdit("1", "Penting", 3, false), wa.BuildLabelChat(budi, "1", true),
	} {
		if err := p.push(info); err != nil {
			t.Fatalf("%s: %v", info.Mutations[0].Index[0], err)
		}
	}
	if v, ok := s.Lookup("mute", budi.String()); !ok || v.GetMuteAction().GetMuted() {
		t.Errorf("mute in force: %v, %v", v, ok)
	}
	if v, ok := s.Lookup("pin_v1", budi.String()); !ok || v.GetPinAction().GetPinned() {
		t.Errorf("archiving must unpin, but %v, %v", v, ok)
	}
	if len(s.Refusals()) > 0 {
		t.Errorf("refused: %v", s.Refusals())
	}
	log := s.Log()
	for i, e := range log {
		if e.By != "first" || e.Seq != i {
			t.Errorf("entry %d is %d by %s", i, e.Seq, e.By)
		}
	}
	if len(log) != 13 {
		t.Errorf("%d mutations in the log, not 13", len(log))
	}
	for _, n := range Names() {
		if _, _, err := other.fetch(n, false); err != nil {
			t.Errorf("second device, %s: %v", n, err)
		}
	}
}

// Whatever phone and devices do, in any order, with keys rotated in between, all see the same in the end.
func TestEverybodyAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newState(t, Options{
			PageSize:    rapid.IntRange(1, 5).Draw(t, "page"),
			InlineLimit: rapid.IntRange(1, 4).Draw(t, "inline"),
			SnapshotLag: rapid.IntRange(0, 6).Draw(t, "lag"),
		})
		peers := []*peer{newPeer(s, "a"), newPeer(s, "b")}
		chat := rapid.Custom(func(t *rapid.T) types.JID {
			return types.NewJID(fmt.Sprintf("62812000000%02d", rapid.IntRange(0, 7).Draw(t, "chat")), types.DefaultUserServer)
		})
		want := map[string]int64{} // end of mute; what the test itself believes
		ends := rapid.Int64Range(1e12, 2e12)
		t.Repeat(map[string]func(*rapid.T){
			"phone": func(t *rapid.T) {
				var ms []Mutation
				for range rapid.IntRange(1, 6).Draw(t, "n") {
					c, end := chat.Draw(t, "chat"), ends.Draw(t, "end")
					ms = append(ms, Mute(c, end))
					want[c.String()] = end
				}
				if _, err := s.Apply(ms...); err != nil {
					t.Fatal(err)
				}
			},
			"remove": func(t *rapid.T) {
				c := chat.Draw(t, "chat")
				m := Mute(c, 0)
				m.Operation = Remove
				_, err := s.Apply(m)
				if _, muted := want[c.String()]; muted != (err == nil) {
					t.Fatalf("muted %v, removing says %v", muted, err)
				}
				delete(want, c.String())
			},
			"device": func(t *rapid.T) {
				p, c, end := rapid.SampledFrom(peers).Draw(t, "peer"), chat.Draw(t, "chat"), ends.Draw(t, "end")
				if err := p.push(wa.BuildMuteAbs(c, true, &end)); err != nil {
					t.Fatal(err)
				}
				want[c.String()] = end
			},
			"fetch": func(t *rapid.T) {
				p := rapid.SampledFrom(peers).Draw(t, "peer")
				if _, _, err := p.fetch(RegularHigh, rapid.Bool().Draw(t, "full")); err != nil {
					t.Fatal(err)
				}
			},
			"rotate": func(t *rapid.T) {
				share, err := s.RotateKey()
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range peers {
					p.learn(share)
				}
			},
			"conflict": func(*rapid.T) { s.Heal(); s.Inject(Fault{Kind: Conflict}) },
			"": func(t *rapid.T) {
				got := map[string]int64{}
				for _, e := range s.Current() {
					if e.Index[0] != "mute" {
						continue // made by a conflict
					}
					got[e.Index[1]] = e.Value.GetMuteAction().GetMuteEndTimestamp()
				}
				if !maps.Equal(got, want) {
					t.Fatalf("in force %v, not %v", got, want)
				}
			},
		})
		// A new device, which starts from a snapshot, and an old one end at the same hash as the phone.
		for _, p := range append(peers, newPeer(s, "new")) {
			if _, _, err := p.fetch(RegularHigh, false); err != nil {
				t.Fatal(err)
			}
			c := s.collections[RegularHigh]
			if v := p.mem.versions[string(RegularHigh)]; v.version != c.version || v.hash != c.hash {
				t.Fatalf("%s is at version %d, not %d, or at another hash", p.name, v.version, c.version)
			}
		}
		if len(s.Refusals()) > 0 && !slices.ContainsFunc(s.Refusals(), func(r *Refusal) bool { return errors.Is(r, ErrVersion) }) {
			t.Fatalf("refused: %v", s.Refusals())
		}
	})
}

// A full sync may begin with an old snapshot, and go on over several pages.
func TestPages(t *testing.T) {
	s := newState(t, Options{PageSize: 10, SnapshotLag: 100})
	must(s.Apply(Mute(budi, Forever)))
	first := newPeer(s, "first")
	if _, pages, err := first.fetch(RegularHigh, true); err != nil || pages != 1 {
		t.Fatalf("%d pages, %v", pages, err)
	}
	for i := range 35 {
		if _, err := s.Apply(Mute(types.NewJID(fmt.Sprint(6281200000100+i), types.DefaultUserServer), Forever)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []*peer{first, newPeer(s, "second")} {
		news, pages, err := p.fetch(RegularHigh, false)
		if err != nil || pages != 4 {
			t.Errorf("%s: %d pages, %v", p.name, pages, err)
		}
		if want := 36; p != first && len(news) != want {
			t.Errorf("%s: %d mutations, not %d", p.name, len(news), want)
		}
	}
}

// A patch with many mutations keeps them in the media store.
func TestExternalMutations(t *testing.T) {
	s := newState(t, Options{})
	var contacts []Mutation
	for i := range 500 {
		jid := types.NewJID(fmt.Sprint(6281200000100+i), types.DefaultUserServer)
		contacts = append(contacts, Contact(jid, ContactName{Full: fmt.Sprint("Nama ", i)}))
	}
	p := newPeer(s, "device")
	must(s.Apply(contacts[0]))
	if _, _, err := p.fetch(CriticalUnblockLow, false); err != nil {
		t.Fatal(err)
	}
	must(s.Apply(contacts...))
	if s.collections[CriticalUnblockLow].patches[1].wire.ExternalMutations == nil {
		t.Error("500 mutations inside the patch")
	}
	news, _, err := p.fetch(CriticalUnblockLow, false)
	if err != nil || len(news) != 500 {
		t.Errorf("%d mutations, %v", len(news), err)
	}
	if _, err := s.Apply(RemoveContact(types.NewJID("6281200000100", types.DefaultUserServer))); err != nil {
		t.Fatal(err)
	}
	if news, _, err = p.fetch(CriticalUnblockLow, false); err != nil || len(news) != 1 || news[0].Operation != Remove {
		t.Errorf("removal: %v, %v", news, err)
	}
}

// Without the new key a device can't read; the ids that it asks for bring it.
func TestKeyRotation(t *testing.T) {
	s := newState(t, Options{})
	p := newPeer(s, "device")
	must(s.Apply(Mute(budi, Forever)))
	if _, _, err := p.fetch(RegularHigh, false); err != nil {
		t.Fatal(err)
	}
	old := p.mem.keys[0].id
	share := must(s.RotateKey())
	if n := len(share.Keys[0].KeyID.KeyID); n != 6 {
		t.Errorf("key id of %d bytes", n)
	}
	must(s.Apply(Mute(budi, now.UnixMilli())))
	if _, _, err := p.fetch(RegularHigh, false); !errors.Is(err, wa.ErrKeyNotFound) {
		t.Fatalf("read without the key: %v", err)
	}
	answer := s.ShareOf(share.Keys[0].KeyID.KeyID, []byte{9, 9, 9, 9, 9, 9})
	if answer.Keys[0].KeyData == nil || answer.Keys[1].KeyData != nil {
		t.Fatalf("answer to a request for a known and an unknown key: %v", answer)
	}
	p.learn(answer)
	if _, _, err := p.fetch(RegularHigh, false); err != nil {
		t.Fatal(err)
	}
	if latest, _ := p.mem.GetLatestAppStateSyncKeyID(context.Background()); slices.Equal(latest, old) {
		t.Error("the new key isn't the latest")
	}
	// The record under the old key is gone: one mute, one record.
	if n := len(s.collections[RegularHigh].records); n != 1 {
		t.Errorf("%d records", n)
	}
	end := Forever
	if err := p.push(wa.BuildMuteAbs(budi, true, &end)); err != nil {
		t.Fatal(err)
	}
}

func TestFaults(t *testing.T) {
	s := newState(t, Options{})
	p := newPeer(s, "device")
	mute := func() error { return p.push(wa.BuildMute(budi, true, 0)) }

	s.Inject(Fault{Kind: Refuse, Name: RegularLow})
	s.Inject(Fault{Kind: Refuse, Code: 503, Text: "service-unavailable", Times: 2})
	for range 2 {
		if err := mute(); err == nil || !strings.Contains(err.Error(), `code="503"`) {
			t.Fatalf("refused mute: %v", err)
		}
	}
	if s.Version(RegularHigh) != 0 || !errors.Is(s.Refusals()[0], ErrInjected) {
		t.Fatal("a refused patch was applied, or isn't among the refusals")
	}
	if err := mute(); err != nil {
		t.Fatalf("after the faults are used up: %v", err)
	}
	s.Heal()

	s.Inject(Fault{Kind: Conflict})
	if err := mute(); err != nil {
		t.Fatalf("one conflict is overcome: %v", err)
	}
	s.Inject(Fault{Kind: Conflict, Times: -1})
	if err := mute(); err == nil || !strings.Contains(err.Error(), `code="409"`) {
		t.Fatalf("endless conflicts: %v", err)
	}
	s.Heal()
	if _, _, err := p.fetch(RegularHigh, false); err != nil {
		t.Fatal(err)
	}

	must(s.Apply(Unmute(budi)))
	s.Inject(Fault{Kind: Corrupt})
	if _, _, err := p.fetch(RegularHigh, false); !errors.Is(err, wa.ErrMismatchingLTHash) {
		t.Fatalf("corrupted patch: %v", err)
	}
	s.Inject(Fault{Kind: Corrupt})
	if _, _, err := p.fetch(RegularHigh, true); !errors.Is(err, wa.ErrMismatchingLTHash) {
		t.Fatalf("corrupted snapshot: %v", err)
	}
	if _, _, err := p.fetch(RegularHigh, true); err != nil {
		t.Fatalf("after the corruption: %v", err)
	}

	s.Inject(Fault{Kind: Lose})
	before := p.mem.versions[string(RegularHigh)].version
	patch := must(p.encode(wa.BuildMute(warga, true, 0)))
	_, a, err := p.send(RegularHigh, before, patch)
	if err != nil || !a.Lost || s.Version(RegularHigh) != before+1 {
		t.Fatalf("lost answer: %v, lost %v, version %d", err, a.Lost, s.Version(RegularHigh))
	}
	if _, a, _ = p.send(RegularHigh, before, patch); a.Lost || len(a.Refused) != 1 || a.Refused[0].Code != 409 {
		t.Fatalf("the same again must conflict: %+v", a)
	}
}

// A test that waits gets what came before and what comes later, and gives up with its context.
func TestWait(t *testing.T) {
	s := newState(t, Options{})
	isMute := func(e Entry) bool { return e.Index[0] == "mute" && e.Value.GetMuteAction().GetMuted() }
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if e, err := s.Wait(ctx, isMute); err != nil || e.Index[1] != budi.String() {
				t.Errorf("waited for a mute, got %v, %v", e.Index, err)
			}
		})
	}
	must(s.Apply(Pin(budi, true), Unmute(budi)))
	must(s.Apply(Mute(budi, Forever)))
	wg.Wait()
	if e, err := s.Wait(ctx, isMute); err != nil || e.By != Phone {
		t.Errorf("what has come already: %v, %v", e, err)
	}
	cancel()
	if _, err := s.Wait(ctx, func(Entry) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Phone and devices change and read at the same time; the race detector looks on.
func TestConcurrency(t *testing.T) {
	s := newState(t, Options{PageSize: 3})
	var wg sync.WaitGroup
	for i := range 4 {
		p := newPeer(s, fmt.Sprint(i))
		chat := types.NewJID(fmt.Sprint(6281200000200+i), types.DefaultUserServer)
		wg.Go(func() {
			for range 20 {
				// A third party may come between both tries.
				for p.push(wa.BuildMute(chat, true, 0)) != nil {
					if _, _, err := p.fetch(RegularHigh, false); err != nil {
						t.Errorf("fetch: %v", err)
						return
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			must(s.Apply(Pin(budi, true), Mute(budi, Forever)))
			s.Log()
			s.Current()
		}
	})
	wg.Wait()
	mine := 0
	for _, e := range s.Log() {
		if e.By != Phone {
			mine++
		}
	}
	if mine != 80 {
		t.Errorf("%d changes by devices, not 80", mine)
	}
}

// Handle gets nodes from the outside: nothing makes it panic, and nothing malformed changes the state.
func FuzzHandle(f *testing.F) {
	s := newState(f, Options{})
	p := newPeer(s, "device")
	patch := must(p.encode(wa.BuildMute(budi, true, 0)))
	must(s.Apply(Mute(budi, Forever)))
	f.Add("regular_high", "1", "false", must(proto.Marshal(patch)))
	f.Add("regular", "0", "true", []byte(nil))
	patch.Mutations[0].Record = nil
	f.Add("regular_high", "18446744073709551615", "", must(proto.Marshal(patch)))
	f.Fuzz(func(t *testing.T, name, version, snapshot string, patch []byte) {
		n := binary.Node{Tag: "collection", Attrs: binary.Attrs{"name": name, "version": version, "return_snapshot": snapshot}}
		if patch != nil {
			n.Content = []binary.Node{{Tag: "patch", Content: patch}}
		}
		a, err := s.Handle("device", binary.Node{Tag: "sync", Content: []binary.Node{n}})
		if err == nil && len(a.Changed) > 0 {
			t.Errorf("changed %v", a.Changed)
		}
	})
}

// must panics on an error, which ends the test; for calls inside expressions.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
