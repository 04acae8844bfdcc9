package appstate

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	wa "go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
)

// Each forgery is refused for its own reason and changes nothing.
func TestForgedPatches(t *testing.T) {
	for name, c := range map[string]struct {
		want  error
		forge func(*State, *waServerSync.SyncdPatch)
	}{
		"key id of the patch":    {ErrUnknownKey, func(_ *State, p *waServerSync.SyncdPatch) { p.KeyID.ID = []byte{1, 2, 3, 4, 5, 6} }},
		"no key id":              {ErrUnknownKey, func(_ *State, p *waServerSync.SyncdPatch) { p.KeyID = nil }},
		"key id of the mutation": {ErrUnknownKey, func(_ *State, p *waServerSync.SyncdPatch) { record(p).KeyID.ID[5] ^= 1 }},
		"value":                  {ErrValueMAC, func(_ *State, p *waServerSync.SyncdPatch) { record(p).Value.Blob[20] ^= 1 }},
		"value MAC":              {ErrValueMAC, func(_ *State, p *waServerSync.SyncdPatch) { blob := record(p).Value.Blob; blob[len(blob)-1] ^= 1 }},
		"operation":              {ErrValueMAC, func(_ *State, p *waServerSync.SyncdPatch) { p.Mutations[0].Operation = Remove.Enum() }},
		"index MAC":              {ErrIndexMAC, func(_ *State, p *waServerSync.SyncdPatch) { record(p).Index.Blob[0] ^= 1 }},
		"snapshot MAC":           {ErrSnapshotMAC, func(_ *State, p *waServerSync.SyncdPatch) { p.SnapshotMAC[0] ^= 1 }},
		"another mutation":       {ErrSnapshotMAC, func(s *State, p *waServerSync.SyncdPatch) { reseal(s, p, []byte(`["nux"]`)) }},
		"a mutation twice":       {ErrTwice, func(_ *State, p *waServerSync.SyncdPatch) { p.Mutations = append(p.Mutations, p.Mutations[0]) }},
		"patch MAC":              {ErrPatchMAC, func(_ *State, p *waServerSync.SyncdPatch) { p.PatchMAC[0] ^= 1 }},
		"order": {ErrPatchMAC, func(_ *State, p *waServerSync.SyncdPatch) {
			p.Mutations[0], p.Mutations[1] = p.Mutations[1], p.Mutations[0]
		}},
		"version in the patch": {ErrMalformed, func(_ *State, p *waServerSync.SyncdPatch) {
			p.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(1)}
		}},
		"no mutations":          {ErrMalformed, func(_ *State, p *waServerSync.SyncdPatch) { p.Mutations = nil }},
		"no operation":          {ErrMalformed, func(_ *State, p *waServerSync.SyncdPatch) { p.Mutations[0].Operation = nil }},
		"short index":           {ErrMalformed, func(_ *State, p *waServerSync.SyncdPatch) { record(p).Index.Blob = []byte{1} }},
		"short value":           {ErrMalformed, func(_ *State, p *waServerSync.SyncdPatch) { record(p).Value.Blob = []byte{1} }},
		"no record":             {ErrMalformed, func(_ *State, p *waServerSync.SyncdPatch) { p.Mutations[0].Record = nil }},
		"no index":              {ErrMalformed, func(s *State, p *waServerSync.SyncdPatch) { reseal(s, p, []byte(`[]`)) }},
		"index that is no list": {ErrMalformed, func(s *State, p *waServerSync.SyncdPatch) { reseal(s, p, []byte(`"mute"`)) }},
		"lost external file": {ErrMalformed, func(_ *State, p *waServerSync.SyncdPatch) {
			p.Mutations, p.ExternalMutations = nil, &waServerSync.ExternalBlobReference{DirectPath: proto.String("/v/none?")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newState(t, Options{})
			p := newPeer(s, "device")
			patch := must(p.encode(wa.BuildArchive(budi, true, now, nil)))
			c.forge(s, patch)
			node, a, err := p.send(RegularLow, 0, patch)
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Refused) != 1 || !errors.Is(a.Refused[0], c.want) {
				t.Fatalf("refused for %v, not for %v", a.Refused, c.want)
			}
			for _, o := range []error{ErrMalformed, ErrUnknownKey, ErrValueMAC, ErrIndexMAC, ErrSnapshotMAC, ErrPatchMAC, ErrVersion, ErrAction, ErrTwice} {
				if o != c.want && errors.Is(a.Refused[0], o) {
					t.Errorf("refused for %v too", o)
				}
			}
			why := node.GetChildByTag("error")
			if node.Attrs["type"] != "error" || why.Attrs["code"] != "400" {
				t.Errorf("answered %s", node.String())
			}
			if s.Version(RegularLow) != 0 || len(s.Log()) != 0 || len(a.Changed) != 0 {
				t.Error("it was applied")
			}
			if err := p.push(wa.BuildPin(budi, true)); err != nil {
				t.Errorf("a good patch after it: %v", err)
			}
		})
	}
}

// An action that no phone would take is refused although its MACs are right.
func TestBadActions(t *testing.T) {
	type info = wa.MutationInfo
	muted := func(end int64) *value {
		return &value{MuteAction: &waSyncAction.MuteAction{Muted: proto.Bool(true), MuteEndTimestamp: &end}}
	}
	key := func(chat, id, participant string) *waCommon.MessageKey {
		return &waCommon.MessageKey{RemoteJID: &chat, FromMe: proto.Bool(false), ID: &id, Participant: &participant}
	}
	undirected := key(budi.String(), "3EB0", "")
	undirected.FromMe = nil
	archived := func(change func(*Range)) info {
		r := UpTo(now, key(budi.String(), "3EB0", ""), key(warga.String(), "3EB1", budi.String()))
		change(r)
		return info{Index: []string{"archive", "x"}, Version: 3, Value: &value{ArchiveChatAction: &waSyncAction.ArchiveChatAction{MessageRange: r}}}
	}
	cleared := &value{ClearChatAction: &waSyncAction.ClearChatAction{MessageRange: UpTo(now)}}
	for want, c := range map[string]struct {
		name Name
		info info
	}{
		"belongs to":            {RegularLow, info{Index: []string{"mute", "x"}, Version: 2, Value: muted(-1)}},
		"has version":           {RegularHigh, info{Index: []string{"mute", "x"}, Version: 1, Value: muted(-1)}},
		"parts":                 {RegularHigh, info{Index: []string{"clearChat", "x"}, Version: 6, Value: cleared}},
		"flags other than":      {RegularHigh, info{Index: []string{"clearChat", "x", "true", "0"}, Version: 6, Value: cleared}},
		"has no value":          {RegularHigh, info{Index: []string{"mute", "x"}, Version: 2, Value: &value{}}},
		"ends neither":          {RegularHigh, info{Index: []string{"mute", "x"}, Version: 2, Value: muted(now.Unix())}},
		"has no range":          {RegularHigh, info{Index: []string{"deleteChat", "x", "1"}, Version: 6, Value: &value{DeleteChatAction: &waSyncAction.DeleteChatAction{}}}},
		"at a time in second":   {RegularLow, info{Index: []string{"archive", "x"}, Version: 3, Value: &value{ArchiveChatAction: &waSyncAction.ArchiveChatAction{MessageRange: &Range{LastMessageTimestamp: proto.Int64(now.UnixMilli())}}}}},
		"key without":           {RegularLow, archived(func(r *Range) { r.Messages[0].Key = key(budi.String(), "", "") })},
		"without chat":          {RegularLow, archived(func(r *Range) { r.Messages[0].Key = key("", "3EB0", "") })},
		"direction":             {RegularLow, archived(func(r *Range) { r.Messages[0].Key = undirected })},
		"of nobody":             {RegularLow, archived(func(r *Range) { r.Messages[1].Key = key(warga.String(), "3EB1", "") })},
		"last notice is before": {RegularLow, archived(func(r *Range) { r.LastSystemMessageTimestamp = proto.Int64(now.Unix() - 1) })},
		"too many":              {RegularLow, archived(func(r *Range) { r.Messages = slices.Repeat(r.Messages, 501) })},
	} {
		s := newState(t, Options{})
		p := newPeer(s, "device")
		patch := must(p.encode(wa.PatchInfo{Type: wa.WAPatchName(c.name), Mutations: []info{c.info}}))
		_, a, err := p.send(c.name, 0, patch)
		if err != nil || len(a.Refused) != 1 || !errors.Is(a.Refused[0], ErrAction) || !strings.Contains(a.Refused[0].Error(), want) {
			t.Errorf("%s: refused %v, %v", want, a.Refused, err)
		}
	}
	if err := newPeer(newState(t, Options{}), "device").push(wa.PatchInfo{Type: wa.WAPatchRegularLow, Mutations: []info{archived(func(*Range) {})}}); err != nil {
		t.Errorf("a good range: %v", err)
	}
	// A kind that this package doesn't know passes.
	s := newState(t, Options{})
	if err := newPeer(s, "device").push(wa.PatchInfo{Type: wa.WAPatchRegular, Mutations: []info{{Index: []string{"quick_reply", "1"}, Value: &value{}}}}); err != nil {
		t.Error(err)
	}
}

// TestTwiceInAPatch: two values of one index in a patch are refused, of two they are not.
func TestTwiceInAPatch(t *testing.T) {
	archive := func(chats ...types.JID) (p wa.PatchInfo) {
		for i, jid := range chats {
			one := wa.BuildArchive(jid, i%2 == 0, now, nil)
			p.Type, p.Mutations = one.Type, append(p.Mutations, one.Mutations[0])
		}
		return p
	}
	for want, p := range map[error]wa.PatchInfo{nil: archive(budi, warga), ErrTwice: archive(budi, warga, budi)} {
		s := newState(t, Options{})
		d := newPeer(s, "device")
		_, a, err := d.send(RegularLow, 0, must(d.encode(p)))
		if err != nil || (want == nil) != (len(a.Refused) == 0) || want != nil && !errors.Is(a.Refused[0], want) {
			t.Errorf("refused %v, %v; want %v", a.Refused, err, want)
		}
	}
}

func TestVersions(t *testing.T) {
	s := newState(t, Options{})
	p := newPeer(s, "device")
	for range 3 {
		must(s.Apply(Mute(budi, Forever)))
	}
	patch := must(p.encode(wa.BuildMute(warga, true, 0)))
	node, a, err := p.send(RegularHigh, 0, patch)
	if err != nil || len(a.Refused) != 1 || !errors.Is(a.Refused[0], ErrVersion) || a.Refused[0].Code != 409 {
		t.Fatalf("behind: %+v, %v", a, err)
	}
	missing := node.GetChildByTag("patches")
	if n := len(missing.GetChildrenByTag("patch")); n != 3 {
		t.Errorf("the conflict brings %d patches, not 3", n)
	}
	if _, a, err = p.send(RegularHigh, 9, patch); err != nil || len(a.Refused) != 1 || a.Refused[0].Code != 400 {
		t.Errorf("ahead: %+v, %v", a, err)
	}
	if s.Version(RegularHigh) != 3 {
		t.Error("applied")
	}
}

func TestBadRequests(t *testing.T) {
	s := newState(t, Options{})
	collection := func(attrs binary.Attrs, content ...binary.Node) binary.Node {
		return binary.Node{Tag: "sync", Content: []binary.Node{{Tag: "collection", Attrs: attrs, Content: content}}}
	}
	for name, n := range map[string]binary.Node{
		"another tag":        {Tag: "query"},
		"empty":              {Tag: "sync"},
		"unknown child":      {Tag: "sync", Content: []binary.Node{{Tag: "patch"}}},
		"unknown collection": collection(binary.Attrs{"name": "regular_middle", "version": "0"}),
		"no name":            collection(binary.Attrs{"version": "0"}),
		"no version":         collection(binary.Attrs{"name": "regular"}),
		"version no number":  collection(binary.Attrs{"name": "regular", "version": "one"}),
		"snapshot later":     collection(binary.Attrs{"name": "regular", "version": "1", "return_snapshot": "true"}),
		"two patches":        collection(binary.Attrs{"name": "regular", "version": "0"}, binary.Node{Tag: "patch"}, binary.Node{Tag: "patch"}),
		"patch without data": collection(binary.Attrs{"name": "regular", "version": "0"}, binary.Node{Tag: "patch"}),
	} {
		_, err := s.Handle("device", n)
		var r *Refusal
		if !errors.As(err, &r) || !errors.Is(r, ErrMalformed) || r.Code != 400 || r.Device != "device" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func record(p *waServerSync.SyncdPatch) *waServerSync.SyncdRecord { return p.Mutations[0].Record }

// reseal makes the first mutation one with a right value MAC and index MAC, but another index.
func reseal(s *State, p *waServerSync.SyncdPatch, index []byte) {
	k := s.latestKey()
	plain := must(proto.Marshal(&waSyncAction.SyncActionData{Index: index}))
	sealed := must(k.encrypt(plain, Set, s.opts.Rand))
	record(p).Value.Blob = sealed
	record(p).Index.Blob = mac(sha256.New, k.index, index)
}
