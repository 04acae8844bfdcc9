package keystore

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// What is known about others: names, chat settings, privacy tokens; packed by JID.

const (
	contactPrefix  = "c:"
	settingsPrefix = "s:"
	tokenPrefix    = "t:"
	saltSort       = "z"
)

func (k *deviceKeys) contacts() buckets { return buckets{p: k.p, prefix: contactPrefix} }
func (k *deviceKeys) settings() buckets { return buckets{p: k.p, prefix: settingsPrefix} }
func (k *deviceKeys) tokens() buckets   { return buckets{p: k.p, prefix: tokenPrefix} }

// A contact's bytes: first name, full name, push name, business name, redacted phone number.
func encodeContact(c types.ContactInfo) []byte {
	var b []byte
	for _, f := range []string{c.FirstName, c.FullName, c.PushName, c.BusinessName, c.RedactedPhone} {
		b = appendField(b, []byte(f))
	}
	return b
}

func decodeContact(b []byte) (c types.ContactInfo) {
	if b == nil {
		return c
	}
	c.Found = true
	for _, f := range []*string{&c.FirstName, &c.FullName, &c.PushName, &c.BusinessName, &c.RedactedPhone} {
		field, rest, _ := cutField(b)
		*f, b = string(field), rest
	}
	return c
}

// changeContacts lets f work on the contacts, and stores a contact that there wasn't if create is set or f changed it.
func (k *deviceKeys) changeContacts(ctx context.Context, jids []string, create bool, f func(jid string, c *types.ContactInfo)) error {
	return k.contacts().update(ctx, jids, func(jid string, old []byte) []byte {
		before := decodeContact(old)
		after := before
		f(jid, &after)
		if after == before && !before.Found && !create {
			return nil
		}
		return encodeContact(after)
	})
}

// changeName sets one of a contact's names and tells whether it was another, and which.
func (k *deviceKeys) changeName(ctx context.Context, user types.JID, name string, of func(*types.ContactInfo) *string) (bool, string, error) {
	var previous string
	err := k.changeContacts(ctx, []string{user.String()}, false, func(_ string, c *types.ContactInfo) {
		previous, *of(c) = *of(c), name
	})
	if err != nil || previous == name {
		return false, "", err
	}
	return true, previous, nil
}

func (k *deviceKeys) PutPushName(ctx context.Context, user types.JID, name string) (bool, string, error) {
	return k.changeName(ctx, user, name, func(c *types.ContactInfo) *string { return &c.PushName })
}

func (k *deviceKeys) PutBusinessName(ctx context.Context, user types.JID, name string) (bool, string, error) {
	return k.changeName(ctx, user, name, func(c *types.ContactInfo) *string { return &c.BusinessName })
}

// PutContactName takes the first name first, as whatsmeow calls it, whatever the interface's parameters are named.
func (k *deviceKeys) PutContactName(ctx context.Context, user types.JID, firstName, fullName string) error {
	return k.changeContacts(ctx, []string{user.String()}, false, func(_ string, c *types.ContactInfo) {
		c.FirstName, c.FullName = firstName, fullName
	})
}

func (k *deviceKeys) PutAllContactNames(ctx context.Context, contacts []store.ContactEntry) error {
	byJID := map[string]store.ContactEntry{}
	var jids []string
	for _, c := range contacts {
		jid := c.JID.String()
		byJID[jid], jids = c, append(jids, jid)
	}
	return k.changeContacts(ctx, jids, true, func(jid string, c *types.ContactInfo) {
		c.FirstName, c.FullName = byJID[jid].FirstName, byJID[jid].FullName
	})
}

func (k *deviceKeys) PutManyRedactedPhones(ctx context.Context, entries []store.RedactedPhoneEntry) error {
	byJID := map[string]string{}
	var jids []string
	for _, e := range entries {
		jid := e.JID.String()
		byJID[jid], jids = e.RedactedPhone, append(jids, jid)
	}
	return k.changeContacts(ctx, jids, true, func(jid string, c *types.ContactInfo) { c.RedactedPhone = byJID[jid] })
}

func (k *deviceKeys) GetContact(ctx context.Context, user types.JID) (types.ContactInfo, error) {
	b, err := k.contacts().get(ctx, user.String())
	return decodeContact(b), err
}

func (k *deviceKeys) GetAllContacts(ctx context.Context) (map[types.JID]types.ContactInfo, error) {
	all, err := k.contacts().all(ctx)
	if err != nil {
		return nil, err
	}
	contacts := make(map[types.JID]types.ContactInfo, len(all))
	for s, b := range all {
		jid, err := types.ParseJID(s)
		if err != nil {
			return nil, errCorrupt
		}
		contacts[jid] = decodeContact(b)
	}
	return contacts, nil
}

// A chat's settings: 1 pinned, 2 archived; the end of the mute in seconds since 1970 (varint), -1 for ever, 0 for none.
type settings struct {
	pinned, archived bool
	muted            int64
}

func (s settings) bytes() []byte {
	var flags byte
	if s.pinned {
		flags |= 1
	}
	if s.archived {
		flags |= 2
	}
	return binary.AppendVarint([]byte{flags}, s.muted)
}

func decodeSettings(b []byte) (s settings) {
	if len(b) > 0 {
		s.pinned, s.archived = b[0]&1 != 0, b[0]&2 != 0
		s.muted, _ = binary.Varint(b[1:])
	}
	return s
}

func (k *deviceKeys) changeSettings(ctx context.Context, chat types.JID, f func(*settings)) error {
	return k.settings().update(ctx, []string{chat.String()}, func(_ string, old []byte) []byte {
		s := decodeSettings(old)
		f(&s)
		return s.bytes()
	})
}

func (k *deviceKeys) PutMutedUntil(ctx context.Context, chat types.JID, until time.Time) error {
	return k.changeSettings(ctx, chat, func(s *settings) {
		switch {
		case until.Equal(store.MutedForever):
			s.muted = -1
		case until.IsZero():
			s.muted = 0
		default:
			s.muted = until.Unix()
		}
	})
}

func (k *deviceKeys) PutPinned(ctx context.Context, chat types.JID, pinned bool) error {
	return k.changeSettings(ctx, chat, func(s *settings) { s.pinned = pinned })
}

func (k *deviceKeys) PutArchived(ctx context.Context, chat types.JID, archived bool) error {
	return k.changeSettings(ctx, chat, func(s *settings) { s.archived = archived })
}

func (k *deviceKeys) GetChatSettings(ctx context.Context, chat types.JID) (types.LocalChatSettings, error) {
	b, err := k.settings().get(ctx, chat.String())
	if err != nil || b == nil {
		return types.LocalChatSettings{}, err
	}
	s := decodeSettings(b)
	out := types.LocalChatSettings{Found: true, Pinned: s.pinned, Archived: s.archived}
	switch {
	case s.muted < 0:
		out.MutedUntil = store.MutedForever
	case s.muted > 0:
		out.MutedUntil = time.Unix(s.muted, 0)
	}
	return out, nil
}

// A privacy token's bytes: its time, the sender's time or 0 (varints, seconds since 1970), the token.
func encodeToken(t store.PrivacyToken) []byte {
	var sender int64
	if !t.SenderTimestamp.IsZero() {
		sender = t.SenderTimestamp.Unix()
	}
	b := binary.AppendVarint(nil, t.Timestamp.Unix())
	return append(binary.AppendVarint(b, sender), t.Token...)
}

func decodeToken(b []byte) (t store.PrivacyToken, err error) {
	at, n := binary.Varint(b)
	if n <= 0 {
		return t, errCorrupt
	}
	sender, m := binary.Varint(b[n:])
	if m <= 0 {
		return t, errCorrupt
	}
	t.Timestamp = time.Unix(at, 0)
	if sender != 0 {
		t.SenderTimestamp = time.Unix(sender, 0)
	}
	t.Token = slices.Clone(b[n+m:])
	return t, nil
}

// PutPrivacyTokens keeps a stored token that is younger, and its sender's time where the new one has none.
func (k *deviceKeys) PutPrivacyTokens(ctx context.Context, tokens ...store.PrivacyToken) error {
	byUser := map[string][]store.PrivacyToken{}
	var users []string
	for _, t := range tokens {
		user := t.User.ToNonAD().String()
		byUser[user], users = append(byUser[user], t), append(users, user)
	}
	slices.Sort(users)
	return k.tokens().update(ctx, slices.Compact(users), func(user string, old []byte) []byte {
		for _, t := range byUser[user] {
			before, err := decodeToken(old)
			if err == nil && before.Timestamp.Unix() > t.Timestamp.Unix() {
				continue
			}
			if t.SenderTimestamp.IsZero() {
				t.SenderTimestamp = before.SenderTimestamp
			}
			old = encodeToken(t)
		}
		return old
	})
}

// GetPrivacyToken returns the younger one of those stored under the user's two addresses, nil when there is none.
func (k *deviceKeys) GetPrivacyToken(ctx context.Context, user types.JID) (*store.PrivacyToken, error) {
	user = user.ToNonAD()
	addresses, err := k.lids.addresses(ctx, user)
	if err != nil {
		return nil, err
	}
	var youngest *store.PrivacyToken
	for _, a := range addresses {
		b, err := k.tokens().get(ctx, a.String())
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		t, err := decodeToken(b)
		if err != nil {
			return nil, err
		}
		if youngest == nil || t.Timestamp.After(youngest.Timestamp) {
			t.User = user
			youngest = &t
		}
	}
	return youngest, nil
}

func (k *deviceKeys) DeleteExpiredPrivacyTokens(ctx context.Context, cutoff time.Time) (int64, error) {
	all, err := k.tokens().all(ctx)
	if err != nil {
		return 0, err
	}
	expired := func(b []byte) bool {
		t, err := decodeToken(b)
		return err == nil && t.Timestamp.Unix() < cutoff.Unix()
	}
	var users []string
	for user, b := range all {
		if expired(b) {
			users = append(users, user)
		}
	}
	var mu sync.Mutex
	var deleted int64
	err = k.tokens().update(ctx, users, func(_ string, old []byte) []byte {
		if old != nil && expired(old) {
			mu.Lock()
			defer mu.Unlock()
			deleted++
			return nil
		}
		return old
	})
	return deleted, err
}

func (k *deviceKeys) PutNCTSalt(ctx context.Context, salt []byte) error {
	return k.p.update(ctx, saltSort, func([]byte) ([]byte, error) { return slices.Clone(salt), nil })
}

// GetNCTSalt returns nil when there is none.
func (k *deviceKeys) GetNCTSalt(ctx context.Context) ([]byte, error) {
	b, err := k.p.get(ctx, saltSort)
	return slices.Clone(b), err
}

func (k *deviceKeys) DeleteNCTSalt(ctx context.Context) error {
	return k.p.update(ctx, saltSort, func([]byte) ([]byte, error) { return nil, nil })
}
