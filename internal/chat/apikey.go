package chat

import (
	"crypto/subtle"
	"time"
)

// Scope is what a key may do. Each allows what those before it do.
type Scope string

// The scopes.
const (
	ReadScope    Scope = "read"     // what changes nothing
	CommandScope Scope = "commands" // changes of chats
	AdminScope   Scope = "admin"    // the link and the keys
)

// Allows tells whether a key of the scope may do what needs another.
func (s Scope) Allows(needed Scope) bool { return s.rank() > 0 && s.rank() >= needed.rank() }

// Valid tells whether it is a scope.
func (s Scope) Valid() bool { return s.rank() > 0 }

func (s Scope) rank() int {
	switch s {
	case ReadScope:
		return 1
	case CommandScope:
		return 2
	case AdminScope:
		return 3
	}
	return 0
}

// APIKey is a key of an account beside its first one.
type APIKey struct {
	ID        string    `json:"id"` // ULID; a name may be given again, this isn't
	Name      string    `json:"name"`
	Scope     Scope     `json:"scope"`
	Hash      []byte    `json:"hash"` // SHA-256 of the key's secret
	CreatedAt time.Time `json:"createdAt"`
	Limits    Limits    `json:"limits,omitzero"`
	Ends      time.Time `json:"ends,omitzero"` // it opens nothing from then on; zero: it has no end
}

// MainKey is the name of an account's first key, which has all rights and no end.
const MainKey = "main"

// FirstKey is the account's first key.
func (a Account) FirstKey() APIKey {
	return APIKey{ID: MainKey, Name: MainKey, Scope: AdminScope, Limits: a.Limits, CreatedAt: a.CreatedAt}
}

// MaxKeys is how many keys an account may have beside its first.
const MaxKeys = 20

// Ended tells whether the key opens nothing any more.
func (k APIKey) Ended(now time.Time) bool { return !k.Ends.IsZero() && !now.Before(k.Ends) }

// Find is which of the account's keys k is, in a time that tells nothing of either; ok is false where it is none that opens at
// the moment.
func (k Key) Find(a Account, now time.Time) (found APIKey, ok bool) {
	hash := hashSecret(k.secret)
	if subtle.ConstantTimeCompare(hash, a.KeyHash) == 1 {
		found, ok = a.FirstKey(), true
	}
	for _, other := range a.Keys {
		if subtle.ConstantTimeCompare(hash, other.Hash) == 1 && !other.Ended(now) {
			found, ok = other, true
		}
	}
	return found, ok && k.AccountID == a.ID
}
