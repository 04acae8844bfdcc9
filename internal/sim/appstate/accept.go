package appstate

import (
	"crypto/hmac"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waServerSync"

	"pesan/internal/sim/media"
)

// Why a patch or a request is refused; a Refusal wraps one of them.
var (
	ErrMalformed   = errors.New("malformed")
	ErrUnknownKey  = errors.New("unknown key id")
	ErrValueMAC    = errors.New("value MAC doesn't match")
	ErrIndexMAC    = errors.New("index MAC doesn't match")
	ErrSnapshotMAC = errors.New("snapshot MAC doesn't match: the hash is wrong")
	ErrPatchMAC    = errors.New("patch MAC doesn't match")
	ErrVersion     = errors.New("wrong base version")
	ErrTwice       = errors.New("two mutations of one index with one operation")
	ErrAction      = errors.New("no such action")
	ErrInjected    = errors.New("refused by the test")
)

// Refusal is why something that a device sent was not taken.
type Refusal struct {
	Name   Name // collection, empty when it has none
	Device string
	Code   int    // as answered: 400, 409 or what a test asked for
	Text   string // likewise
	Err    error  // what was wrong
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("app state %s from %s refused with %d %s: %v", r.Name, r.Device, r.Code, r.Text, r.Err)
}

func (r *Refusal) Unwrap() error { return r.Err }

// verify checks a device's patch on top of the collection's newest version, as every other device would, and returns it
// ready to commit.
func (s *State) verify(c *collection, raw []byte) (*patch, error) {
	var in waServerSync.SyncdPatch
	if err := proto.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("%w: no SyncdPatch", ErrMalformed)
	}
	if in.Version != nil {
		return nil, fmt.Errorf("%w: the server sets the version of a patch", ErrMalformed)
	}
	p := &patch{name: c.name, version: c.version + 1, mutations: in.GetMutations()}
	if in.ExternalMutations != nil {
		var err error
		if p.mutations, err = s.fetch(&in); err != nil {
			return nil, err
		}
	}
	if len(p.mutations) == 0 {
		return nil, fmt.Errorf("%w: patch without mutations", ErrMalformed)
	}
	k := s.keyByID(in.GetKeyID().GetID())
	if k == nil {
		return nil, fmt.Errorf("%w %x of the patch", ErrUnknownKey, in.GetKeyID().GetID())
	}
	for i, m := range p.mutations {
		d, err := s.decode(c.name, m)
		if err != nil {
			return nil, fmt.Errorf("mutation %d: %w", i, err)
		}
		p.decoded = append(p.decoded, d)
	}
	if err := once(p.decoded); err != nil {
		return nil, err
	}
	var err error
	if p.hash, err = c.after(p.mutations); err != nil {
		return nil, err
	}
	if !hmac.Equal(in.GetSnapshotMAC(), k.macOfSnapshot(p.hash, p.version, c.name)) {
		return nil, ErrSnapshotMAC
	}
	if !hmac.Equal(in.GetPatchMAC(), k.macOfPatch(in.GetSnapshotMAC(), p.mutations, p.version, c.name)) {
		return nil, ErrPatchMAC
	}
	in.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(p.version)}
	p.wire = &in
	return p, nil
}

// once checks that no index is set, or removed, twice: to a client such a patch is fatal. Set and removed is a change of key.
func once(mutations []Mutation) error {
	seen := make(map[string]bool, len(mutations))
	for _, m := range mutations {
		id := fmt.Sprintf("%v %q", m.Operation, m.Index)
		if seen[id] {
			return fmt.Errorf("%w: %s", ErrTwice, m.Index[0])
		}
		seen[id] = true
	}
	return nil
}

// decode opens one mutation with the key that it names.
func (s *State) decode(name Name, m *waServerSync.SyncdMutation) (Mutation, error) {
	if m.Operation == nil || m.GetOperation() != Set && m.GetOperation() != Remove {
		return Mutation{}, fmt.Errorf("%w: operation %v", ErrMalformed, m.Operation)
	}
	if n := len(m.GetRecord().GetIndex().GetBlob()); n != macSize {
		return Mutation{}, fmt.Errorf("%w: index of %d bytes", ErrMalformed, n)
	}
	id := m.GetRecord().GetKeyID().GetID()
	k := s.keyByID(id)
	if k == nil {
		return Mutation{}, fmt.Errorf("%w %x", ErrUnknownKey, id)
	}
	d, err := k.open(m)
	if err != nil {
		return Mutation{}, err
	}
	d.Collection = name
	return d, check(d)
}

// fetch downloads the mutations that a device put into the media store.
func (s *State) fetch(in *waServerSync.SyncdPatch) ([]*waServerSync.SyncdMutation, error) {
	if len(in.Mutations) > 0 {
		return nil, fmt.Errorf("%w: mutations both inside and outside of the patch", ErrMalformed)
	}
	ref := in.ExternalMutations
	b, err := s.opts.Media.Get(media.AppState, media.File{
		DirectPath: ref.GetDirectPath(), MediaKey: ref.GetMediaKey(),
		FileSHA256: ref.GetFileSHA256(), FileEncSHA256: ref.GetFileEncSHA256(),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: external mutations: %w", ErrMalformed, err)
	}
	var out waServerSync.SyncdMutations
	if err := proto.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("%w: external mutations", ErrMalformed)
	}
	return out.Mutations, nil
}
