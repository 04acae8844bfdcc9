package keystore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// lidMap tells which LID and which phone number (PN) are one person, one to one, for one device. Each direction is packed by user; LID → PN
// is written first, and a pair counts as known only if both have it.
type lidMap struct {
	p        *partition
	changing sync.Mutex
}

var _ store.LIDStore = (*lidMap)(nil)

const (
	pnByLIDPrefix = "l:"
	lidByPNPrefix = "n:"
)

func (m *lidMap) pns() buckets  { return buckets{p: m.p, prefix: pnByLIDPrefix} }
func (m *lidMap) lids() buckets { return buckets{p: m.p, prefix: lidByPNPrefix} }

func isPair(lid, pn types.JID) bool {
	return lid.Server == types.HiddenUserServer && pn.Server == types.DefaultUserServer
}

func (m *lidMap) PutLIDMapping(ctx context.Context, lid, pn types.JID) error {
	if !isPair(lid, pn) {
		return fmt.Errorf("device store: no pair of a LID and a phone number: servers %q, %q", lid.Server, pn.Server)
	}
	return m.PutManyLIDMappings(ctx, []store.LIDMapping{{LID: lid, PN: pn}})
}

// PutManyLIDMappings passes over what is no pair of a LID and a phone number. Of mappings that exclude each other the last one counts.
func (m *lidMap) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	c, err := m.load(ctx, mappings)
	if err != nil {
		return err
	}
	for _, pair := range mappings {
		if isPair(pair.LID, pair.PN) {
			if err := c.join(ctx, pair.LID.User, pair.PN.User); err != nil {
				return err
			}
		}
	}
	if err := putUsers(ctx, m.pns(), c.pnOf); err != nil {
		return err
	}
	return putUsers(ctx, m.lids(), c.lidOf)
}

func putUsers(ctx context.Context, m buckets, changed map[string]string) error {
	return m.update(ctx, slices.Collect(maps.Keys(changed)), func(user string, _ []byte) []byte {
		if changed[user] == "" {
			return nil
		}
		return []byte(changed[user])
	})
}

// lidChange is the part of the map that a change touches; "" means no mapping.
type lidChange struct {
	m           *lidMap
	pnOf, lidOf map[string]string
}

func (m *lidMap) load(ctx context.Context, mappings []store.LIDMapping) (*lidChange, error) {
	var lids, pns []string
	for _, pair := range mappings {
		if isPair(pair.LID, pair.PN) {
			lids, pns = append(lids, pair.LID.User), append(pns, pair.PN.User)
		}
	}
	c := &lidChange{m: m, pnOf: map[string]string{}, lidOf: map[string]string{}}
	for _, side := range []struct {
		of    buckets
		users []string
		to    map[string]string
	}{{m.pns(), lids, c.pnOf}, {m.lids(), pns, c.lidOf}} {
		found, err := side.of.getMany(ctx, side.users)
		if err != nil {
			return nil, err
		}
		for _, u := range side.users {
			side.to[u] = string(found[u])
		}
	}
	return c, nil
}

// join makes the two one person, and what was one with either of them isn't any more.
func (c *lidChange) join(ctx context.Context, lid, pn string) error {
	oldPN, err := lookUp(ctx, c.m.pns(), c.pnOf, lid)
	if err != nil {
		return err
	}
	oldLID, err := lookUp(ctx, c.m.lids(), c.lidOf, pn)
	if err != nil {
		return err
	}
	if oldPN != "" && oldPN != pn {
		if back, err := lookUp(ctx, c.m.lids(), c.lidOf, oldPN); err != nil {
			return err
		} else if back == lid {
			c.lidOf[oldPN] = ""
		}
	}
	if oldLID != "" && oldLID != lid {
		if back, err := lookUp(ctx, c.m.pns(), c.pnOf, oldLID); err != nil {
			return err
		} else if back == pn {
			c.pnOf[oldLID] = ""
		}
	}
	c.pnOf[lid], c.lidOf[pn] = pn, lid
	return nil
}

func lookUp(ctx context.Context, m buckets, known map[string]string, user string) (string, error) {
	if v, ok := known[user]; ok {
		return v, nil
	}
	b, err := m.get(ctx, user)
	if err != nil {
		return "", err
	}
	known[user] = string(b)
	return known[user], nil
}

// GetPNForLID returns an empty JID when it isn't known.
func (m *lidMap) GetPNForLID(ctx context.Context, lid types.JID) (types.JID, error) {
	if lid.Server != types.HiddenUserServer {
		return types.JID{}, fmt.Errorf("device store: no LID: server %q", lid.Server)
	}
	return other(ctx, m.pns(), lid, types.DefaultUserServer)
}

// GetLIDForPN returns an empty JID when it isn't known.
func (m *lidMap) GetLIDForPN(ctx context.Context, pn types.JID) (types.JID, error) {
	if pn.Server != types.DefaultUserServer {
		return types.JID{}, fmt.Errorf("device store: no phone number: server %q", pn.Server)
	}
	return other(ctx, m.lids(), pn, types.HiddenUserServer)
}

func other(ctx context.Context, m buckets, jid types.JID, server string) (types.JID, error) {
	user, err := m.get(ctx, jid.User)
	if err != nil {
		m.p.unsure.Store(true)
	}
	if err != nil || user == nil {
		return types.JID{}, err
	}
	return types.JID{User: string(user), Device: jid.Device, Server: server}, nil
}

// GetManyLIDsForPNs returns those that are known.
func (m *lidMap) GetManyLIDsForPNs(ctx context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	if len(pns) == 0 {
		return nil, nil
	}
	users := make([]string, 0, len(pns))
	for _, pn := range pns {
		if pn.Server == types.DefaultUserServer {
			users = append(users, pn.User)
		}
	}
	found, err := m.lids().getMany(ctx, users)
	if err != nil {
		return nil, err
	}
	lids := make(map[types.JID]types.JID, len(pns))
	for _, pn := range pns {
		if user := found[pn.User]; user != nil && pn.Server == types.DefaultUserServer {
			lids[pn] = types.JID{User: string(user), Device: pn.Device, Server: types.HiddenUserServer}
		}
	}
	return lids, nil
}

// addresses returns the JID and, where it is known, the person's other one.
func (m *lidMap) addresses(ctx context.Context, jid types.JID) ([]types.JID, error) {
	var alt types.JID
	var err error
	switch jid.Server {
	case types.DefaultUserServer:
		alt, err = m.GetLIDForPN(ctx, jid)
	case types.HiddenUserServer:
		alt, err = m.GetPNForLID(ctx, jid)
	}
	if err != nil || alt.IsEmpty() {
		return []types.JID{jid}, err
	}
	return []types.JID{jid, alt}, nil
}
