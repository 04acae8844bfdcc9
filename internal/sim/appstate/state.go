package appstate

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/proto/waSyncAction"

	"pesan/internal/sim/media"
)

// Options of a State.
type Options struct {
	Media *media.Store     // holds snapshots and the mutations of large patches; required
	Now   func() time.Time // time.Now when nil
	Rand  io.Reader        // of keys and ivs; crypto/rand when nil. Reads are serialised

	PageSize    int // most patches in one answer; 50 when 0
	InlineLimit int // most mutations inside a patch, more go to Media; 100 when 0
	SnapshotLag int // a snapshot may be this many versions old, patches follow it; 0 is always the newest
}

// State is the app state of one account. It is safe for concurrent use.
type State struct {
	opts  Options
	rawID uint32

	mu          sync.Mutex
	keys        []*key // never empty, newest last
	collections map[Name]*collection
	log         []Entry
	grown       chan struct{} // closed and replaced whenever log grows
	faults      []*Fault
	refusals    []*Refusal
}

// New returns an empty state with one sync key.
func New(opts Options) (*State, error) {
	if opts.Media == nil {
		return nil, fmt.Errorf("app state: no media store")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.PageSize == 0 {
		opts.PageSize = 50
	}
	if opts.InlineLimit == 0 {
		opts.InlineLimit = 100
	}
	s := &State{opts: opts, collections: make(map[Name]*collection), grown: make(chan struct{})}
	var id [4]byte
	if _, err := io.ReadFull(opts.Rand, id[:]); err != nil {
		return nil, fmt.Errorf("app state: %w", err)
	}
	s.rawID = binary.BigEndian.Uint32(id[:])
	for _, n := range Names() {
		s.collections[n] = newCollection(n)
	}
	_, err := s.newKey()
	return s, err
}

// Apply makes mutations on the phone: one patch a collection, of two mutations with the same index the last counts.
// It returns what is to be notified to every device. Nothing is changed when there is an error.
func (s *State) Apply(mutations ...Mutation) ([]Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apply(mutations)
}

// Lookup is the value in force for an index such as "mute", "<jid>".
func (s *State) Lookup(index ...string) (*waSyncAction.SyncActionValue, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := indexKey(index)
	for _, c := range s.collections {
		if e, ok := c.current[k]; ok {
			return proto.CloneOf(e.Value), true
		}
	}
	return nil, false
}

// Current is all that is in force, in the order in which it was set.
func (s *State) Current() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	for _, c := range s.collections {
		for _, e := range c.current {
			out = append(out, clone(e))
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return a.Seq - b.Seq })
	return out
}

// Log is every mutation that took effect, oldest first.
func (s *State) Log() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Entry, len(s.log))
	for i, e := range s.log {
		out[i] = clone(e)
	}
	return out
}

// Wait returns the first entry of the log for which match is true, waiting for it until ctx ends.
func (s *State) Wait(ctx context.Context, match func(Entry) bool) (Entry, error) {
	for i := 0; ; {
		s.mu.Lock()
		news, grown := s.log[i:], s.grown
		i = len(s.log)
		s.mu.Unlock()
		for _, e := range news {
			if e = clone(e); match(e) {
				return e, nil
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return Entry{}, ctx.Err()
		}
	}
}

// Version is a collection's version; 0 for one that never changed.
func (s *State) Version(n Name) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.collections[n]; c != nil {
		return c.version
	}
	return 0
}

// Refusals are the patches and requests that were refused so far, conflicts included.
func (s *State) Refusals() []*Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refusals)
}

func (s *State) apply(mutations []Mutation) ([]Change, error) {
	byName, err := group(mutations)
	if err != nil {
		return nil, err
	}
	var patches []*patch
	for _, n := range Names() {
		if len(byName[n]) == 0 {
			continue
		}
		p, err := s.build(s.collections[n], byName[n])
		if err != nil {
			return nil, fmt.Errorf("change %s: %w", n, err)
		}
		patches = append(patches, p)
	}
	var changes []Change
	for _, p := range patches {
		changes = append(changes, s.commit(p, Phone))
	}
	return changes, nil
}

// group checks mutations, sorts them by collection and drops all but the last of each index.
func group(mutations []Mutation) (map[Name][]Mutation, error) {
	out := make(map[Name][]Mutation)
	last := make(map[string]int, len(mutations))
	for i, m := range mutations {
		last[indexKey(m.Index)] = i
	}
	for i, m := range mutations {
		if len(m.Index) == 0 {
			return nil, fmt.Errorf("mutation without an index")
		}
		if m.Collection == "" {
			m.Collection = actions[m.Index[0]].collection
		}
		if !slices.Contains(Names(), m.Collection) {
			return nil, fmt.Errorf("no collection for %q", m.Index[0])
		}
		if last[indexKey(m.Index)] == i {
			out[m.Collection] = append(out[m.Collection], m)
		}
	}
	return out, nil
}

// build encrypts mutations into the next patch of a collection. What was set under an older key is removed under that
// key, since an index has another MAC under each key.
func (s *State) build(c *collection, mutations []Mutation) (*patch, error) {
	k, now := s.latestKey(), s.opts.Now()
	p := &patch{name: c.name, version: c.version + 1}
	seal := func(k *key, m Mutation) error {
		sealed, err := k.seal(m, s.opts.Rand)
		if err == nil {
			p.mutations, p.decoded = append(p.mutations, sealed), append(p.decoded, m)
		}
		return err
	}
	for _, m := range mutations {
		m.Value = proto.CloneOf(m.Value)
		if m.Value == nil {
			m.Value = &waSyncAction.SyncActionValue{}
		}
		if m.Value.Timestamp == nil {
			m.Value.Timestamp = proto.Int64(now.UnixMilli())
		}
		inForce := c.recordsOf(m.Index)
		if m.Operation == Remove && len(inForce) == 0 {
			return nil, fmt.Errorf("nothing to remove at %s", m.Index[0])
		}
		for _, r := range inForce {
			if m.Operation == Set && slices.Equal(r.GetKeyID().GetID(), k.id) {
				continue
			}
			gone := m
			gone.Operation = Remove
			if err := seal(s.keyByID(r.GetKeyID().GetID()), gone); err != nil {
				return nil, err
			}
		}
		if m.Operation == Set {
			if err := seal(k, m); err != nil {
				return nil, err
			}
		}
	}
	after, err := c.after(p.mutations)
	if err != nil {
		return nil, err
	}
	p.hash = after
	snapshotMAC := k.macOfSnapshot(after, p.version, c.name)
	wire := &waServerSync.SyncdPatch{
		Version:     &waServerSync.SyncdVersion{Version: proto.Uint64(p.version)},
		Mutations:   p.mutations,
		SnapshotMAC: snapshotMAC,
		PatchMAC:    k.macOfPatch(snapshotMAC, p.mutations, p.version, c.name),
		KeyID:       &waServerSync.KeyId{ID: k.id},
		DeviceIndex: proto.Uint32(0),
	}
	if len(p.mutations) > s.opts.InlineLimit {
		if wire.ExternalMutations, err = s.external(&waServerSync.SyncdMutations{Mutations: p.mutations}); err != nil {
			return nil, err
		}
		wire.Mutations = nil
	}
	p.wire = wire
	return p, nil
}

// commit makes a verified patch the newest of its collection.
func (s *State) commit(p *patch, by string) Change {
	c, now := s.collections[p.name], s.opts.Now()
	c.append(p)
	for _, m := range p.decoded {
		m.Collection = p.name
		e := Entry{Mutation: m, Seq: len(s.log), PatchVersion: p.version, By: by, At: now}
		s.log = append(s.log, e)
		c.set(e)
	}
	close(s.grown)
	s.grown = make(chan struct{})
	return Change{Name: p.name, Version: p.version}
}

// external puts a protobuf message into the media store.
func (s *State) external(m proto.Message) (*waServerSync.ExternalBlobReference, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode blob: %w", err)
	}
	f, err := s.opts.Media.Put(media.AppState, b)
	if err != nil {
		return nil, fmt.Errorf("store blob: %w", err)
	}
	return &waServerSync.ExternalBlobReference{
		MediaKey: f.MediaKey, DirectPath: &f.DirectPath, Handle: &f.Handle,
		FileSizeBytes: &f.FileLength, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256,
	}, nil
}

func clone(e Entry) Entry {
	e.Index, e.Value = slices.Clone(e.Index), proto.CloneOf(e.Value)
	return e
}

func indexKey(index []string) string {
	b, _ := json.Marshal(index) // strings always encode
	return string(b)
}
