package whatsapp

import (
	"context"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
)

// whatsmeow's own tables hold locks of their own in memory while they write names and addresses, and a transaction that holds the
// database's lock comes by there as well: each would wait for the other until the database gives up. So who writes there has the
// database's lock first. What is there already isn't written, which costs no lock.

// orderedNames are names whose writers take locks in one order.
type orderedNames struct{ *sqlstore.SQLStore }

func (s orderedNames) PutPushName(ctx context.Context, user types.JID, name string) (changed bool, old string, err error) {
	known, err := s.GetContact(ctx, user)
	if err != nil || known.PushName == name {
		return false, "", err
	}
	err = s.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		changed, old, err = s.SQLStore.PutPushName(ctx, user, name)
		return err
	})
	return changed, old, err
}

func (s orderedNames) PutBusinessName(ctx context.Context, user types.JID, name string) (changed bool, old string, err error) {
	known, err := s.GetContact(ctx, user)
	if err != nil || known.BusinessName == name {
		return false, "", err
	}
	err = s.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		changed, old, err = s.SQLStore.PutBusinessName(ctx, user, name)
		return err
	})
	return changed, old, err
}

// PutContactName passes the names on in the order that it gets them in.
func (s orderedNames) PutContactName(ctx context.Context, user types.JID, first, second string) error {
	return s.DoDecryptionTxn(ctx, func(ctx context.Context) error { return s.SQLStore.PutContactName(ctx, user, first, second) })
}

// orderedAddresses are addresses whose writers take locks in one order.
type orderedAddresses struct {
	store.LIDStore
	tables *sqlstore.SQLStore
}

// knows tells whether a mapping is there.
func (s orderedAddresses) knows(ctx context.Context, lid, pn types.JID) (bool, error) {
	if lid.Server != types.HiddenUserServer || pn.Server != types.DefaultUserServer {
		return false, nil
	}
	known, err := s.GetLIDForPN(ctx, pn)
	return known.User == lid.User, err
}

func (s orderedAddresses) PutLIDMapping(ctx context.Context, lid, pn types.JID) error {
	known, err := s.knows(ctx, lid, pn)
	if err != nil || known {
		return err
	}
	return s.tables.DoDecryptionTxn(ctx, func(ctx context.Context) error { return s.LIDStore.PutLIDMapping(ctx, lid, pn) })
}

func (s orderedAddresses) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	var left []store.LIDMapping
	for _, m := range mappings {
		known, err := s.knows(ctx, m.LID, m.PN)
		if err != nil {
			return err
		}
		if !known {
			left = append(left, m)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return s.tables.DoDecryptionTxn(ctx, func(ctx context.Context) error { return s.LIDStore.PutManyLIDMappings(ctx, left) })
}
