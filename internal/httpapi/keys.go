package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"pesan/internal/chat"
)

// shownAPIKey is what the endpoints of keys show of one.
type shownAPIKey struct {
	Name      string     `json:"name"`
	Scope     chat.Scope `json:"scope"`
	APIKey    string     `json:"apiKey,omitempty"` // when it was just made
	CreatedAt *string    `json:"createdAt"`
	Until     *string    `json:"until,omitempty"`
	Ended     bool       `json:"ended,omitempty"`
	LastUsed  string     `json:"lastUsed,omitempty"` // day
	PerSecond int        `json:"perSecond,omitempty"`
	PerMonth  int64      `json:"perMonth,omitempty"`
}

func (c *call) showKey(k chat.APIKey, key string) shownAPIKey {
	return shownAPIKey{
		Name: k.Name, Scope: k.Scope, APIKey: key, CreatedAt: moment(k.CreatedAt), Until: moment(k.Ends), Ended: k.Ended(c.now),
		PerSecond: k.Limits.PerSecond, PerMonth: k.Limits.PerMonth,
	}
}

// AddKey makes a further key of the account, shown this once. A repeated Idempotency-Key gets the same answer.
func AddKey(d Deps) Endpoint {
	return Endpoint{
		Name: "addKey", Group: OfKeys, Methods: changing, Needs: []Port{Accounts, Requests},
		begin: addKey(d.Accounts, d.Commands), admin: true,
		Params: []string{"name", "scope", "until"}, Example: []string{"name=Laporan", "scope=read"},
	}
}

func addKey(accounts chat.Accounts, requests chat.Commands) begin {
	return func(_ context.Context, c *call) (finish, error) {
		k, err := c.newAPIKey()
		if err != nil {
			return nil, err
		}
		idempotencyKey, err := c.commandID()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			if k.ID, err = c.newID(c.now); err != nil {
				return 0, err
			}
			c.target = k.Name
			wish := strings.Join([]string{string(k.Scope), c.params.get("until"), k.Name}, " ")
			r, err := c.once(ctx, requests, chat.Command{
				ID: idempotencyKey, Account: a.ID, Kind: chat.AddKeyRequest, Name: wish, Device: k.ID,
			})
			if err != nil {
				return 0, err
			}
			key, hash, err := c.newKey(r, a.ID)
			if err != nil {
				return 0, err
			}
			k.ID, k.Hash, k.CreatedAt = r.Device, hash, r.RequestedAt
			if r.State == chat.CommandPending {
				err = accounts.UpdateAccount(ctx, a.ID, func(a *chat.Account) error { return addTo(a, k, c.now) })
			} else {
				a, err = accounts.Account(ctx, a.ID)
				key = stillThere(a, k, key, c.now)
			}
			if err != nil {
				return 0, err
			}
			c.ended(ctx, requests, r)
			return c.answer(http.StatusOK, c.showKey(k, key))
		}, nil
	}
}

// stillThere is the key, or what stands for one that was revoked since, or was made under another key.
func stillThere(a chat.Account, k chat.APIKey, key string, now time.Time) string {
	parsed, err := chat.ParseKey(key)
	if found, ok := parsed.Find(a, now); err != nil || !ok || found.ID != k.ID {
		return maskedKey(a)
	}
	return key
}

// addTo adds a key to an account; one that is there already, of a call before, stays.
func addTo(a *chat.Account, k chat.APIKey, now time.Time) error {
	if slices.ContainsFunc(a.Keys, func(o chat.APIKey) bool { return o.ID == k.ID }) {
		return nil
	}
	keys := slices.DeleteFunc(slices.Clone(a.Keys), func(o chat.APIKey) bool { return o.Name == k.Name && o.Ended(now) })
	switch {
	case slices.ContainsFunc(keys, func(o chat.APIKey) bool { return o.Name == k.Name }):
		return &chat.Error{Code: chat.KeyExists}
	case len(keys) >= chat.MaxKeys:
		return &chat.Error{Code: chat.KeyLimit}
	}
	a.Keys = append(keys, k)
	return nil
}

// newAPIKey reads what a key shall be.
func (c *call) newAPIKey() (k chat.APIKey, err error) {
	if k.Name, err = c.keyName(); err != nil {
		return k, err
	}
	k.Scope = chat.ReadScope
	if text := c.params.get("scope"); text != "" {
		k.Scope = chat.Scope(text)
	}
	if !k.Scope.Valid() {
		return k, wrong(chat.InvalidParameter, "scope", "read, commands atau admin", "read, commands or admin")
	}
	k.Ends, err = c.until()
	return k, err
}

// keyName reads the parameter name, of a key beside the first.
func (c *call) keyName() (string, error) {
	name, err := c.name()
	if err == nil && name == chat.MainKey {
		err = wrong(chat.InvalidParameter, "name",
			`bukan "main": itu API key pertama perangkat, yang diganti dengan changeApiKey`,
			`another than "main": that is the device's first key, which changeApiKey changes`)
	}
	return name, err
}

// maxUntil bounds the end of a key.
const maxUntil = 10 * 365 * 24 * time.Hour

// until reads the parameter until: a day, which is its beginning in UTC, or a time.
func (c *call) until() (time.Time, error) {
	text := c.params.get("until")
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	if t = t.UTC(); err != nil || !t.After(c.now) || t.Sub(c.now) > maxUntil {
		return t, wrong(chat.InvalidParameter, "until",
			"tanggal seperti 2027-01-31 atau waktu RFC 3339, yang belum lewat dan paling lama sepuluh tahun lagi",
			"a date such as 2027-01-31 or a time by RFC 3339, to come within ten years")
	}
	return t, nil
}

// ListKeys lists the account's keys, the first one first.
func ListKeys(d Deps) Endpoint {
	return Endpoint{Name: "listKeys", Group: OfKeys, Methods: reading, Needs: []Port{Usage}, begin: listKeys(d.Usage),
		admin: true}
}

// usedSince is how long ago a key's last use may be to be shown.
const usedSince = 62 * 24 * time.Hour

func listKeys(usage chat.UsageReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		days, err := usage.Usage(ctx, c.claimed, c.now.Add(-usedSince).UTC().Format(time.DateOnly),
			c.now.UTC().Format(time.DateOnly))
		if err != nil {
			return nil, err
		}
		used := make(map[string]string)
		for _, d := range days { // in their order
			used[d.Key] = d.Day
		}
		return func(_ context.Context, c *call, a chat.Account) (int, error) {
			keys := []shownAPIKey{}
			for _, k := range append([]chat.APIKey{a.FirstKey()}, a.Keys...) {
				shown := c.showKey(k, "")
				shown.LastUsed = used[k.ID]
				keys = append(keys, shown)
			}
			return c.answer(http.StatusOK, keys)
		}, nil
	}
}

// RevokeKey takes a key away, which opens nothing from then on.
func RevokeKey(d Deps) Endpoint {
	return Endpoint{
		Name: "revokeKey", Group: OfKeys, Methods: changing, Needs: []Port{Accounts}, begin: revokeKey(d.Accounts), admin: true,
		Params: []string{"name"}, Example: []string{"name=Laporan"},
	}
}

func revokeKey(accounts AccountUpdater) begin {
	return func(_ context.Context, c *call) (finish, error) {
		name, err := c.keyName()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			c.target = name
			err := accounts.UpdateAccount(ctx, a.ID, func(a *chat.Account) error {
				left := slices.DeleteFunc(slices.Clone(a.Keys), func(k chat.APIKey) bool { return k.Name == name })
				if len(left) == len(a.Keys) {
					return &chat.Error{Code: chat.KeyNotFound}
				}
				a.Keys = left
				return nil
			})
			if err != nil {
				return 0, err
			}
			return c.answer(http.StatusOK, done{"Key successfully revoked"})
		}, nil
	}
}
