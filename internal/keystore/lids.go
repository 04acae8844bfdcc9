package keystore

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// Which LID and which phone number (PN) are one person, one to one, for one device. Both sides are stored, and found by either.

const (
	pnByLIDPrefix = "l/"
	lidByPNPrefix = "n/"
)

func isPair(lid, pn types.JID) bool {
	return lid.Server == types.HiddenUserServer && pn.Server == types.DefaultUserServer
}

func (k *deviceKeys) PutLIDMapping(ctx context.Context, lid, pn types.JID) error {
	if !isPair(lid, pn) {
		return fmt.Errorf("key store: no pair of a LID and a phone number: servers %q, %q", lid.Server, pn.Server)
	}
	return k.PutManyLIDMappings(ctx, []store.LIDMapping{{LID: lid, PN: pn}})
}

// PutManyLIDMappings passes over what is no pair of a LID and a phone number. Of mappings that exclude each other the last
// one counts.
func (k *deviceKeys) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	var sorts []string
	for _, m := range mappings {
		if isPair(m.LID, m.PN) {
			sorts = append(sorts, pnByLIDPrefix+m.LID.User, lidByPNPrefix+m.PN.User)
		}
	}
	return k.collect(ctx, func(ctx context.Context) error {
		if _, err := k.getMany(ctx, sorts); err != nil { // in one request
			return err
		}
		for i := 0; i < len(sorts); i += 2 {
			if err := k.join(ctx, sorts[i], sorts[i+1]); err != nil {
				return err
			}
		}
		return nil
	})
}

// join makes the two one person, and what was one with either of them isn't any more.
func (k *deviceKeys) join(ctx context.Context, lidSort, pnSort string) error {
	lid, pn := lidSort[len(pnByLIDPrefix):], pnSort[len(lidByPNPrefix):]
	edits := map[string]edit{}
	set := func(sort, other string) { edits[sort] = func([]byte) ([]byte, error) { return []byte(other), nil } }
	for _, side := range []struct{ sort, self, other, prefix string }{
		{lidSort, lid, pn, lidByPNPrefix}, {pnSort, pn, lid, pnByLIDPrefix},
	} {
		former, err := k.get(ctx, side.sort)
		if err != nil {
			return err
		}
		if was := string(former); was != "" && was != side.other {
			back, err := k.get(ctx, side.prefix+was)
			if err != nil {
				return err
			}
			if string(back) == side.self {
				set(side.prefix+was, "")
			}
		}
		set(side.sort, side.other)
	}
	return k.changeMany(ctx, edits)
}

// GetPNForLID returns an empty JID when it isn't known.
func (k *deviceKeys) GetPNForLID(ctx context.Context, lid types.JID) (types.JID, error) {
	if lid.Server != types.HiddenUserServer {
		return types.JID{}, fmt.Errorf("key store: no LID: server %q", lid.Server)
	}
	return k.other(ctx, pnByLIDPrefix, lid, types.DefaultUserServer)
}

// GetLIDForPN returns an empty JID when it isn't known.
func (k *deviceKeys) GetLIDForPN(ctx context.Context, pn types.JID) (types.JID, error) {
	if pn.Server != types.DefaultUserServer {
		return types.JID{}, fmt.Errorf("key store: no phone number: server %q", pn.Server)
	}
	return k.other(ctx, lidByPNPrefix, pn, types.HiddenUserServer)
}

func (k *deviceKeys) other(ctx context.Context, prefix string, jid types.JID, server string) (types.JID, error) {
	user, err := k.get(ctx, prefix+jid.User)
	if err != nil {
		k.unsure.Store(true)
	}
	if err != nil || user == nil {
		return types.JID{}, err
	}
	return types.JID{User: string(user), Device: jid.Device, Server: server}, nil
}

// GetManyLIDsForPNs returns those that are known.
func (k *deviceKeys) GetManyLIDsForPNs(ctx context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	if len(pns) == 0 {
		return nil, nil
	}
	var sorts []string
	for _, pn := range pns {
		if pn.Server == types.DefaultUserServer {
			sorts = append(sorts, lidByPNPrefix+pn.User)
		}
	}
	found, err := k.getMany(ctx, sorts)
	if err != nil {
		return nil, err
	}
	lids := make(map[types.JID]types.JID, len(pns))
	for _, pn := range pns {
		if user := found[lidByPNPrefix+pn.User]; user != nil && pn.Server == types.DefaultUserServer {
			lids[pn] = types.JID{User: string(user), Device: pn.Device, Server: types.HiddenUserServer}
		}
	}
	return lids, nil
}

// addresses returns the JID and, where it is known, the person's other one.
func (k *deviceKeys) addresses(ctx context.Context, jid types.JID) ([]types.JID, error) {
	var alt types.JID
	var err error
	switch jid.Server {
	case types.DefaultUserServer:
		alt, err = k.GetLIDForPN(ctx, jid)
	case types.HiddenUserServer:
		alt, err = k.GetPNForLID(ctx, jid)
	}
	if err != nil || alt.IsEmpty() {
		return []types.JID{jid}, err
	}
	return []types.JID{jid, alt}, nil
}
