package appstate

import (
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/proto/waServerSync"
)

// collection is one named part of the state: the encrypted records in force, the patches that led to them, and both decoded.
type collection struct {
	name    Name
	version uint64
	hash    lthash
	patches []*patch // patches[i] led to version i+1

	records map[string]*waServerSync.SyncdRecord // by index MAC
	order   []string                             // index MACs, oldest first
	byIndex map[string][]string                  // decoded index → its index MACs, one a key
	current map[string]Entry                     // by decoded index

	snapshot *snapshot // the last one made, nil at first
}

// patch is one step of a collection, verified.
type patch struct {
	name      Name
	version   uint64
	mutations []*waServerSync.SyncdMutation
	decoded   []Mutation // of the same length
	hash      lthash     // of the collection after it
	wire      *waServerSync.SyncdPatch
}

// snapshot is a collection at one version, as new devices get it.
type snapshot struct {
	version uint64
	content *waServerSync.SyncdSnapshot
	ref     *waServerSync.ExternalBlobReference
}

func newCollection(n Name) *collection {
	return &collection{
		name:    n,
		records: make(map[string]*waServerSync.SyncdRecord),
		byIndex: make(map[string][]string),
		current: make(map[string]Entry),
	}
}

// after is the hash that mutations would lead to: a set takes the place of what its index had, a remove takes it away.
// Removing what isn't there changes nothing; devices accept that too.
func (c *collection) after(mutations []*waServerSync.SyncdMutation) (lthash, error) {
	hash := c.hash
	within := make(map[string][]byte) // value MACs set by earlier mutations, nil once removed
	for _, m := range mutations {
		at := string(m.GetRecord().GetIndex().GetBlob())
		old, seen := within[at]
		if !seen {
			old = valueMAC(c.records[at])
		}
		if old != nil {
			if err := hash.subtract(old); err != nil {
				return hash, err
			}
		}
		within[at] = nil
		if m.GetOperation() == Set {
			within[at] = valueMAC(m.GetRecord())
			if err := hash.add(within[at]); err != nil {
				return hash, err
			}
		}
	}
	return hash, nil
}

// append makes p the newest patch.
func (c *collection) append(p *patch) {
	for i, m := range p.mutations {
		at, index := string(m.GetRecord().GetIndex().GetBlob()), indexKey(p.decoded[i].Index)
		same := func(o string) bool { return o == at }
		if _, ok := c.records[at]; ok {
			delete(c.records, at)
			c.order = slices.DeleteFunc(c.order, same)
			c.byIndex[index] = slices.DeleteFunc(c.byIndex[index], same)
		}
		if m.GetOperation() == Set {
			c.records[at] = m.GetRecord()
			c.order = append(c.order, at)
			c.byIndex[index] = append(c.byIndex[index], at)
		}
	}
	c.patches, c.version, c.hash = append(c.patches, p), p.version, p.hash
}

// set makes e the value in force of its index, or takes it away when nothing of the index is left.
func (c *collection) set(e Entry) {
	k := indexKey(e.Index)
	if e.Operation == Set {
		c.current[k] = e
	} else if len(c.byIndex[k]) == 0 {
		delete(c.current, k)
	}
}

// recordsOf are the records in force of a decoded index.
func (c *collection) recordsOf(index []string) []*waServerSync.SyncdRecord {
	var out []*waServerSync.SyncdRecord
	for _, at := range c.byIndex[indexKey(index)] {
		out = append(out, c.records[at])
	}
	return out
}

// snapshotOf returns a snapshot that is at most lag versions old, making one with store when the last is older.
func (c *collection) snapshotOf(
	lag int, store func(*waServerSync.SyncdSnapshot) (*waServerSync.ExternalBlobReference, error),
) (*snapshot, error) {
	if c.snapshot != nil && c.version-c.snapshot.version <= uint64(lag) {
		return c.snapshot, nil
	}
	last := c.patches[len(c.patches)-1].wire
	// Only devices have keys, so a snapshot carries the MAC of the patch that led to it.
	content := &waServerSync.SyncdSnapshot{Version: last.Version, Mac: last.SnapshotMAC, KeyID: last.KeyID}
	for _, at := range c.order {
		content.Records = append(content.Records, c.records[at])
	}
	ref, err := store(content)
	if err != nil {
		return nil, fmt.Errorf("snapshot of %s: %w", c.name, err)
	}
	c.snapshot = &snapshot{version: c.version, content: content, ref: ref}
	return c.snapshot, nil
}
