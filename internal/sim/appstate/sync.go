package appstate

import (
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waServerSync"
)

// Answer is what to do after a w:sync:app:state request.
type Answer struct {
	Node    binary.Node // <sync>, the content of <iq type=result>
	Changed []Change    // to be notified to every device but the one that asked
	Refused []*Refusal  // what was refused, already said in Node
	Lost    bool        // an injected fault: send nothing
}

// Node is the child of a notification of type server_sync that announces the change.
func (c Change) Node() binary.Node {
	return binary.Node{Tag: "collection", Attrs: binary.Attrs{"name": string(c.Name), "version": format(c.Version)}}
}

// Handle answers the <sync> of a w:sync:app:state request from a device (its JID, for the log), as it was decoded from the
// wire. The error is a Refusal of the request as a whole, to be answered by <iq type=error>.
func (s *State) Handle(device string, sync binary.Node) (Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	children := sync.GetChildren()
	if sync.Tag != "sync" || len(children) == 0 {
		return Answer{}, s.refuse("", device, 400, "bad-request", fmt.Errorf("%w: no <sync> with collections", ErrMalformed))
	}
	var a Answer
	var nodes []binary.Node
	for _, child := range children {
		c, req, err := s.parse(child)
		if err != nil {
			return Answer{}, s.refuse(req.name, device, 400, "bad-request", err)
		}
		node, err := s.collection(&a, device, c, req)
		if err != nil {
			return Answer{}, err
		}
		nodes = append(nodes, node)
	}
	a.Node = binary.Node{Tag: "sync", Content: nodes}
	return a, nil
}

// request is a <collection> of a request.
type request struct {
	name     Name
	version  uint64
	snapshot bool
	patch    []byte // nil when nothing is sent
	size     int    // most patches in the answer
}

func (s *State) parse(n binary.Node) (*collection, request, error) {
	r := request{size: s.opts.PageSize}
	if n.Tag != "collection" {
		return nil, r, fmt.Errorf("%w: <%s>", ErrMalformed, n.Tag)
	}
	attr := n.AttrGetter()
	r.name = Name(attr.String("name"))
	r.snapshot = attr.OptionalBool("return_snapshot")
	if _, ok := n.Attrs["version"]; ok {
		r.version = attr.Uint64("version")
	} else if !r.snapshot {
		return nil, r, fmt.Errorf("%w: neither version nor return_snapshot", ErrMalformed)
	}
	c := s.collections[r.name]
	children := n.GetChildren()
	switch {
	case !attr.OK():
		return nil, r, fmt.Errorf("%w: %w", ErrMalformed, attr.Error())
	case c == nil:
		return nil, r, fmt.Errorf("%w: collection %q", ErrMalformed, r.name)
	case r.snapshot && r.version != 0:
		return nil, r, fmt.Errorf("%w: a snapshot is for version 0, not %d", ErrMalformed, r.version)
	case len(children) > 1 || len(children) == 1 && children[0].Tag != "patch":
		return nil, r, fmt.Errorf("%w: content of <collection>", ErrMalformed)
	case len(children) == 1:
		var ok bool
		if r.patch, ok = children[0].Content.([]byte); !ok || r.snapshot {
			return nil, r, fmt.Errorf("%w: <patch>", ErrMalformed)
		}
	}
	return c, r, nil
}

// collection answers one <collection>, taking its patch if it brings one.
func (s *State) collection(a *Answer, device string, c *collection, r request) (binary.Node, error) {
	if r.version > c.version {
		err := fmt.Errorf("%w: %d, the newest is %d", ErrVersion, r.version, c.version)
		return s.failed(a, s.refuse(c.name, device, 400, "bad-request", err), c, r.version)
	}
	if r.patch == nil {
		return s.page(c, r, nil)
	}
	if f := s.fault(Refuse, c.name); f != nil {
		return s.failed(a, s.refuse(c.name, device, f.Code, f.Text, ErrInjected), c, r.version)
	}
	if s.fault(Conflict, c.name) != nil {
		change, err := s.interfere(c.name)
		if err != nil {
			return binary.Node{}, err
		}
		a.Changed = append(a.Changed, change...)
	}
	if r.version != c.version {
		err := fmt.Errorf("%w: %d, the newest is %d", ErrVersion, r.version, c.version)
		return s.failed(a, s.refuse(c.name, device, 409, "conflict", err), c, r.version)
	}
	p, err := s.verify(c, r.patch)
	if err != nil {
		return s.failed(a, s.refuse(c.name, device, 400, "bad-request", err), c, r.version)
	}
	a.Changed = append(a.Changed, s.commit(p, device))
	a.Lost = a.Lost || s.fault(Lose, c.name) != nil
	return node(c, nil), nil
}

// failed is the answer to a refused patch; a conflict brings what the device lacks.
func (s *State) failed(a *Answer, refusal *Refusal, c *collection, from uint64) (binary.Node, error) {
	a.Refused = append(a.Refused, refusal)
	why := binary.Node{Tag: "error", Attrs: binary.Attrs{"code": strconv.Itoa(refusal.Code), "text": refusal.Text}}
	if refusal.Code != 409 {
		n := node(c, binary.Attrs{"type": "error"}, why)
		return n, nil
	}
	// All of it: a device tries again on top of this answer alone.
	n, err := s.page(c, request{version: from, size: int(c.version - from)}, []binary.Node{why})
	if err == nil {
		n.Attrs["type"] = "error"
	}
	return n, err
}

// page is what a device at a version lacks: a snapshot if it asked for one, and the patches that follow, as many as fit.
func (s *State) page(c *collection, r request, first []binary.Node) (binary.Node, error) {
	content, from := first, r.version
	corrupt := from < c.version && s.fault(Corrupt, c.name) != nil
	if r.snapshot && c.version > 0 {
		store := func(m *waServerSync.SyncdSnapshot) (*waServerSync.ExternalBlobReference, error) { return s.external(m) }
		snap, err := c.snapshotOf(s.opts.SnapshotLag, store)
		if err != nil {
			return binary.Node{}, err
		}
		ref := snap.ref
		if corrupt {
			bad := proto.CloneOf(snap.content)
			bad.Mac[0] ^= 1
			if ref, err = s.external(bad); err != nil {
				return binary.Node{}, err
			}
			corrupt = false
		}
		blob, err := proto.Marshal(ref)
		if err != nil {
			return binary.Node{}, fmt.Errorf("encode reference: %w", err)
		}
		content, from = append(content, binary.Node{Tag: "snapshot", Content: blob}), snap.version
	}
	until := min(from+uint64(r.size), c.version)
	var patches []binary.Node
	for _, p := range c.patches[from:until] {
		wire := p.wire
		if corrupt {
			wire = proto.CloneOf(wire)
			wire.SnapshotMAC[0] ^= 1
			corrupt = false
		}
		blob, err := proto.Marshal(wire)
		if err != nil {
			return binary.Node{}, fmt.Errorf("encode patch: %w", err)
		}
		patches = append(patches, binary.Node{Tag: "patch", Content: blob})
	}
	if len(patches) > 0 {
		content = append(content, binary.Node{Tag: "patches", Content: patches})
	}
	attrs := binary.Attrs{}
	if until < c.version {
		attrs["has_more_patches"] = "true"
	}
	return node(c, attrs, content...), nil
}

func (s *State) refuse(n Name, device string, code int, text string, err error) *Refusal {
	r := &Refusal{Name: n, Device: device, Code: code, Text: text, Err: err}
	s.refusals = append(s.refusals, r)
	return r
}

// node is a <collection> with its name and version.
func node(c *collection, attrs binary.Attrs, content ...binary.Node) binary.Node {
	if attrs == nil {
		attrs = binary.Attrs{}
	}
	attrs["name"], attrs["version"] = string(c.name), format(c.version)
	n := binary.Node{Tag: "collection", Attrs: attrs}
	if len(content) > 0 {
		n.Content = slices.Clone(content)
	}
	return n
}

func format(v uint64) string { return strconv.FormatUint(v, 10) }
