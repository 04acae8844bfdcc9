package keystore

import (
	"bytes"
	"context"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// What is known about others: names, privacy tokens.

const (
	contactPrefix = "c/"
	tokenPrefix   = "t/"
	saltSort      = "z"
)

type contact struct {
	First    string `json:"first,omitempty"`
	Full     string `json:"full,omitempty"`
	Push     string `json:"push,omitempty"`
	Business string `json:"business,omitempty"`
	Phone    string `json:"phone,omitempty"` // redacted
}

func (c contact) info() types.ContactInfo {
	return types.ContactInfo{
		Found: true, FirstName: c.First, FullName: c.Full, PushName: c.Push, BusinessName: c.Business, RedactedPhone: c.Phone,
	}
}

func contactSort(jid types.JID) string { return contactPrefix + jid.String() }

// changeName sets one of a contact's names and tells whether it was another, and which. No name makes no contact.
func (k *deviceKeys) changeName(
	ctx context.Context, user types.JID, name string, of func(*contact) *string,
) (bool, string, error) {
	var previous string
	err := k.change(ctx, contactSort(user), jsonEdit(func(c *contact, found bool) bool {
		previous, *of(c) = *of(c), name
		return found || name != ""
	}))
	if err != nil || previous == name {
		return false, "", err
	}
	return true, previous, nil
}

func (k *deviceKeys) PutPushName(ctx context.Context, user types.JID, name string) (bool, string, error) {
	return k.changeName(ctx, user, name, func(c *contact) *string { return &c.Push })
}

func (k *deviceKeys) PutBusinessName(ctx context.Context, user types.JID, name string) (bool, string, error) {
	return k.changeName(ctx, user, name, func(c *contact) *string { return &c.Business })
}

// PutContactName takes the first name first, as whatsmeow calls it, whatever the interface's parameters are named.
func (k *deviceKeys) PutContactName(ctx context.Context, user types.JID, firstName, fullName string) error {
	return k.change(ctx, contactSort(user), jsonEdit(func(c *contact, found bool) bool {
		c.First, c.Full = firstName, fullName
		return found || firstName != "" || fullName != ""
	}))
}

func (k *deviceKeys) PutAllContactNames(ctx context.Context, contacts []store.ContactEntry) error {
	edits := make(map[string]edit, len(contacts))
	for _, entry := range contacts {
		edits[contactSort(entry.JID)] = jsonEdit(func(c *contact, _ bool) bool {
			c.First, c.Full = entry.FirstName, entry.FullName
			return true
		})
	}
	return k.changeMany(ctx, edits)
}

func (k *deviceKeys) PutManyRedactedPhones(ctx context.Context, entries []store.RedactedPhoneEntry) error {
	edits := make(map[string]edit, len(entries))
	for _, entry := range entries {
		edits[contactSort(entry.JID)] = jsonEdit(func(c *contact, _ bool) bool {
			c.Phone = entry.RedactedPhone
			return true
		})
	}
	return k.changeMany(ctx, edits)
}

func (k *deviceKeys) GetContact(ctx context.Context, user types.JID) (types.ContactInfo, error) {
	b, err := k.get(ctx, contactSort(user))
	if err != nil || b == nil {
		return types.ContactInfo{}, err
	}
	c, err := decodeJSON[contact](b)
	return c.info(), err
}

func (k *deviceKeys) GetAllContacts(ctx context.Context) (map[types.JID]types.ContactInfo, error) {
	found, err := k.list(ctx, contactPrefix)
	if err != nil {
		return nil, err
	}
	contacts := make(map[types.JID]types.ContactInfo, len(found))
	for sort, b := range found {
		jid, err := types.ParseJID(sort[len(contactPrefix):])
		if err != nil {
			return nil, errCorrupt
		}
		c, err := decodeJSON[contact](b)
		if err != nil {
			return nil, err
		}
		contacts[jid] = c.info()
	}
	return contacts, nil
}

type token struct {
	At     int64  `json:"at"`               // seconds since 1970
	Sender int64  `json:"sender,omitempty"` // likewise
	Token  []byte `json:"token"`
}

// PutPrivacyTokens keeps a stored token that is younger, and its sender's time where the new one has none.
func (k *deviceKeys) PutPrivacyTokens(ctx context.Context, tokens ...store.PrivacyToken) error {
	byUser := map[string][]store.PrivacyToken{}
	for _, t := range tokens {
		sort := tokenPrefix + t.User.ToNonAD().String()
		byUser[sort] = append(byUser[sort], t)
	}
	edits := map[string]edit{}
	for sort, tokens := range byUser {
		edits[sort] = jsonEdit(func(stored *token, found bool) bool {
			for _, t := range tokens {
				if found && stored.At > t.Timestamp.Unix() {
					continue
				}
				stored.At, stored.Token, found = t.Timestamp.Unix(), t.Token, true
				if !t.SenderTimestamp.IsZero() {
					stored.Sender = t.SenderTimestamp.Unix()
				}
			}
			return found
		})
	}
	return k.changeMany(ctx, edits)
}

// GetPrivacyToken returns the younger one of those stored under the user's two addresses, nil when there is none.
func (k *deviceKeys) GetPrivacyToken(ctx context.Context, user types.JID) (*store.PrivacyToken, error) {
	user = user.ToNonAD()
	addresses, err := k.addresses(ctx, user)
	if err != nil {
		return nil, err
	}
	var youngest *store.PrivacyToken
	for _, a := range addresses {
		b, err := k.get(ctx, tokenPrefix+a.String())
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		t, err := decodeJSON[token](b)
		if err != nil {
			return nil, err
		}
		if youngest == nil || t.At > youngest.Timestamp.Unix() {
			youngest = &store.PrivacyToken{User: user, Token: t.Token, Timestamp: time.Unix(t.At, 0)}
			if t.Sender != 0 {
				youngest.SenderTimestamp = time.Unix(t.Sender, 0)
			}
		}
	}
	return youngest, nil
}

func (k *deviceKeys) DeleteExpiredPrivacyTokens(ctx context.Context, cutoff time.Time) (deleted int64, err error) {
	ctx, giveBack, err := k.take(ctx, &unit{of: k})
	if err != nil {
		return 0, err
	}
	defer giveBack()
	found, err := k.list(ctx, tokenPrefix)
	if err != nil {
		return 0, err
	}
	edits := map[string]edit{}
	for sort, b := range found {
		t, err := decodeJSON[token](b)
		if err != nil {
			return 0, err
		}
		if t.At < cutoff.Unix() {
			edits[sort] = func([]byte) ([]byte, error) { return nil, nil }
		}
	}
	return int64(len(edits)), k.changeMany(ctx, edits)
}

func (k *deviceKeys) PutNCTSalt(ctx context.Context, salt []byte) error {
	return k.change(ctx, saltSort, func([]byte) ([]byte, error) { return bytes.Clone(salt), nil })
}

// GetNCTSalt returns nil when there is none.
func (k *deviceKeys) GetNCTSalt(ctx context.Context) ([]byte, error) {
	b, err := k.get(ctx, saltSort)
	return bytes.Clone(b), err
}

func (k *deviceKeys) DeleteNCTSalt(ctx context.Context) error {
	return k.change(ctx, saltSort, func([]byte) ([]byte, error) { return nil, nil })
}
