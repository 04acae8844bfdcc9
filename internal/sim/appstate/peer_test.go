package appstate

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	wa "go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/store"
	waLog "go.mau.fi/whatsmeow/util/log"

	"pesan/internal/sim/media"
)

// tb is what testing.T and rapid.T have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// peer is a device: whatsmeow's own encoder and decoder over a store in memory, speaking to a State in nodes that went
// through whatsmeow's wire encoding.
type peer struct {
	name  string
	state *State
	media *media.Store
	mem   *memory
	proc  *wa.Processor
}

func newState(t tb, opts Options) *State {
	t.Helper()
	if opts.Media == nil {
		m, err := media.NewStore(media.Options{})
		if err != nil {
			t.Fatalf("media: %v", err)
		}
		opts.Media = m
	}
	s, err := New(opts)
	if err != nil {
		t.Fatalf("new state: %v", err)
	}
	return s
}

func newPeer(s *State, name string) *peer {
	mem := &memory{versions: map[string]version{}, macs: map[string][]byte{}}
	device := &store.Device{AppState: mem, AppStateKeys: mem}
	p := &peer{name: name, state: s, media: s.opts.Media, mem: mem, proc: wa.NewProcessor(device, waLog.Noop)}
	p.learn(s.Share())
	return p
}

func (p *peer) learn(share *waE2E.AppStateSyncKeyShare) {
	for _, k := range share.Keys {
		if k.KeyData != nil {
			p.mem.keys = append(p.mem.keys, memoryKey{k.KeyID.KeyID, store.AppStateSyncKey{Data: k.KeyData.KeyData, Timestamp: k.KeyData.GetTimestamp()}})
		}
	}
}

// ask sends a <collection> through the wire encoding and returns the answered one.
func (p *peer) ask(collection binary.Node) (binary.Node, Answer, error) {
	in, err := wire(binary.Node{Tag: "sync", Content: []binary.Node{collection}})
	if err != nil {
		return binary.Node{}, Answer{}, err
	}
	a, err := p.state.Handle(p.name, in)
	if err != nil {
		return binary.Node{}, a, err
	}
	out, err := wire(a.Node)
	if err != nil {
		return binary.Node{}, a, err
	}
	return out.GetChildByTag("collection"), a, nil
}

// wire is a node as the other side gets it.
func wire(n binary.Node) (binary.Node, error) {
	b, err := binary.Marshal(n)
	if err != nil {
		return n, err
	}
	out, err := binary.Unmarshal(b[1:]) // the first byte is the flags of the frame
	if err != nil {
		return n, err
	}
	return *out, nil
}

// fetch brings the peer up to date and returns the mutations in the order in which it learned them.
func (p *peer) fetch(name Name, full bool) ([]wa.Mutation, int, error) {
	if full {
		delete(p.mem.versions, string(name))
		p.mem.forget(string(name))
	}
	var all []wa.Mutation
	for pages := 1; ; pages++ {
		v := p.mem.versions[string(name)]
		attrs := binary.Attrs{"name": string(name), "return_snapshot": v.version == 0 && pages == 1}
		if v.version > 0 || pages > 1 {
			attrs["version"] = v.version
		}
		node, _, err := p.ask(binary.Node{Tag: "collection", Attrs: attrs})
		if err != nil {
			return all, pages, err
		}
		more, news, err := p.apply(node)
		all = append(all, news...)
		if err != nil || !more {
			return all, pages, err
		}
	}
}

func (p *peer) apply(node binary.Node) (more bool, news []wa.Mutation, err error) {
	ctx := context.Background()
	list, err := wa.ParsePatchList(ctx, &node, p.download)
	if err != nil {
		return false, nil, err
	}
	v := p.mem.versions[string(list.Name)]
	news, _, err = p.proc.DecodePatches(ctx, list, wa.HashState{Version: v.version, Hash: v.hash}, true)
	return list.HasMorePatches, news, err
}

func (p *peer) download(_ context.Context, ref *waServerSync.ExternalBlobReference) ([]byte, error) {
	return p.media.Get(media.AppState, media.File{
		DirectPath: ref.GetDirectPath(), MediaKey: ref.GetMediaKey(), FileSHA256: ref.GetFileSHA256(), FileEncSHA256: ref.GetFileEncSHA256(),
	})
}

// encode makes a patch on top of what the peer knows.
func (p *peer) encode(info wa.PatchInfo) (*waServerSync.SyncdPatch, error) {
	ctx := context.Background()
	id, _ := p.mem.GetLatestAppStateSyncKeyID(ctx)
	v := p.mem.versions[string(info.Type)]
	b, err := p.proc.EncodePatch(ctx, id, wa.HashState{Version: v.version, Hash: v.hash}, info)
	if err != nil {
		return nil, err
	}
	var out waServerSync.SyncdPatch
	return &out, proto.Unmarshal(b, &out)
}

// send sends a patch on top of a version.
func (p *peer) send(name Name, version uint64, patch *waServerSync.SyncdPatch) (binary.Node, Answer, error) {
	b, err := proto.Marshal(patch)
	if err != nil {
		return binary.Node{}, Answer{}, err
	}
	return p.ask(binary.Node{
		Tag:     "collection",
		Attrs:   binary.Attrs{"name": string(name), "version": version, "return_snapshot": false},
		Content: []binary.Node{{Tag: "patch", Content: b}},
	})
}

// push makes and sends a change as whatsmeow does: after a conflict once more, on top of what the conflict brought.
func (p *peer) push(info wa.PatchInfo) error {
	name := Name(info.Type)
	for try := 0; ; try++ {
		patch, err := p.encode(info)
		if err != nil {
			return err
		}
		node, _, err := p.send(name, p.mem.versions[string(name)].version, patch)
		if err != nil {
			return err
		}
		if node.Attrs["type"] != "error" {
			_, _, err := p.fetch(name, false)
			return err
		}
		why, ok := node.GetOptionalChildByTag("error")
		if !ok || why.Attrs["code"] != "409" || try > 0 {
			return fmt.Errorf("refused: %s", node.String())
		}
		if _, _, err := p.apply(node); err != nil {
			return fmt.Errorf("conflict: %w", err)
		}
	}
}

// memory is the part of whatsmeow's store that app state needs.
type memory struct {
	store.NoopStore
	keys     []memoryKey
	versions map[string]version
	macs     map[string][]byte // by name ‖ index MAC
}

type memoryKey struct {
	id []byte
	store.AppStateSyncKey
}

type version struct {
	version uint64
	hash    [128]byte
}

func (m *memory) GetAppStateSyncKey(_ context.Context, id []byte) (*store.AppStateSyncKey, error) {
	for _, k := range m.keys {
		if bytes.Equal(k.id, id) {
			return &k.AppStateSyncKey, nil
		}
	}
	return nil, nil
}

func (m *memory) GetLatestAppStateSyncKeyID(context.Context) ([]byte, error) {
	var best memoryKey
	for _, k := range m.keys {
		if k.Timestamp > best.Timestamp {
			best = k
		}
	}
	if best.id == nil {
		return nil, errors.New("no key")
	}
	return best.id, nil
}

func (m *memory) PutAppStateVersion(_ context.Context, name string, v uint64, hash [128]byte) error {
	m.versions[name] = version{v, hash}
	return nil
}

func (m *memory) PutAppStateMutationMACs(_ context.Context, name string, _ uint64, macs []store.AppStateMutationMAC) error {
	for _, mac := range macs {
		m.macs[name+string(mac.IndexMAC)] = mac.ValueMAC
	}
	return nil
}

func (m *memory) DeleteAppStateMutationMACs(_ context.Context, name string, indexes [][]byte) error {
	for _, i := range indexes {
		delete(m.macs, name+string(i))
	}
	return nil
}

func (m *memory) GetAppStateMutationMAC(_ context.Context, name string, index []byte) ([]byte, error) {
	return m.macs[name+string(index)], nil
}

// forget drops the MACs of a collection.
func (m *memory) forget(name string) {
	for k := range m.macs {
		if len(k) == len(name)+macSize && k[:len(name)] == name {
			delete(m.macs, k)
		}
	}
}
