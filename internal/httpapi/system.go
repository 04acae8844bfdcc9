package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"hash/fnv"
	"log/slog"
	"net/http"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// systemAnswer answers the system's endpoints, as the vendor does.
type systemAnswer struct {
	Code      int    `json:"code,omitempty"` // of a command that goes on
	Status    bool   `json:"status"`
	Message   string `json:"message,omitempty"`
	CommandID string `json:"commandId,omitempty"`
	Data      any    `json:"data,omitempty"`
	Next      string `json:"nextCursor,omitempty"`
}

// device is what the system's endpoints show of an account.
type device struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	APIKey    string     `json:"apiKey"` // whole when it was just made, else masked: only its hash is known
	State     chat.State `json:"state_status"`
	Reason    string     `json:"reason,omitempty"`
	Number    string     `json:"number,omitempty"`
	Service   bool       `json:"service"` // wanted on
	Shard     int        `json:"shard"`
	Proxy     string     `json:"proxy,omitempty"` // without its password
	CreatedAt *string    `json:"createdAt"`
	AsOf      *string    `json:"asOf,omitempty"`
}

func showDevice(a chat.Account, key string) device {
	proxy := ""
	if u, err := chat.ParseProxy(a.Proxy); err == nil {
		proxy = u.Redacted()
	}
	return device{a.ID, a.Name, key, a.State, a.Reason, a.JID.User(), a.On, a.Shard, proxy, moment(a.CreatedAt), moment(a.AsOf)}
}

// maskedKey stands for a key that can't be shown again.
func maskedKey(a chat.Account) string { return render.MaskedKey(a.ID) }

// AccountCreator makes accounts.
type AccountCreator interface {
	chat.AccountReader
	// CreateAccount stores a new account; its id must be new.
	CreateAccount(ctx context.Context, a chat.Account) error
}

// AccountLister lists accounts.
type AccountLister interface {
	// Accounts returns a page of all, oldest first.
	Accounts(ctx context.Context, p chat.Page) (accounts []chat.Account, next string, err error)
}

// AddDevice makes an account on one of the shards, and answers with its key, this once; a repeated Idempotency-Key gets the
// same answer.
func AddDevice(d Deps) Endpoint {
	return Endpoint{
		Name: "addDevice", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts, Requests},
		begin:  addDevice(d.Accounts, d.Commands),
		Params: []string{"name"}, Example: []string{"name=Toko"},
	}
}

func addDevice(accounts AccountCreator, requests chat.Commands) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		name, err := c.name()
		if err != nil {
			return nil, err
		}
		idempotencyKey, err := c.commandID()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, _ chat.Account) (int, error) {
			id, err := c.newID(c.now)
			if err != nil {
				return 0, err
			}
			r, err := c.once(ctx, requests, chat.Command{
				ID: idempotencyKey, Account: chat.SystemAccount, Kind: chat.AddRequest, Name: name, Device: id,
			})
			if err != nil {
				return 0, err
			}
			key, hash, err := c.newKey(r, r.Device)
			if err != nil {
				return 0, err
			}
			a := chat.Account{
				ID: r.Device, Name: name, KeyHash: hash, Shard: shardOf(r.Device), CreatedAt: r.RequestedAt, State: chat.ServiceOff,
			}
			if r.State == chat.CommandPending {
				err = accounts.CreateAccount(ctx, a)
			}
			if c.replayed || err != nil { // it is there, or another call under the same id has just made it
				have, readErr := accounts.Account(ctx, a.ID)
				if readErr != nil {
					return 0, cmp.Or(err, readErr)
				}
				a = have
			}
			c.ended(ctx, requests, r)
			c.account, c.target = a.ID, name
			return c.system(systemAnswer{Status: true, Message: "Device successfully added",
				Data: showDevice(a, shownKey(a, key))})
		}, nil
	}
}

// once records that something is done under the client's id, so that it is done once. Without an id there is no record. For a
// repeated id the first call's is returned, and c.replayed is set.
func (c *call) once(ctx context.Context, requests chat.Commands, cmd chat.Command) (chat.CommandRecord, error) {
	cmd.Version, cmd.RequestedAt = chat.CommandVersion, c.now
	if cmd.ID == "" {
		return chat.CommandRecord{Command: cmd, State: chat.CommandPending}, nil
	}
	r, created, err := requests.PutCommand(ctx, cmd)
	if err != nil {
		return r, err
	}
	if !r.Same(cmd) {
		return r, &chat.Error{Code: chat.IdempotencyConflict}
	}
	c.replayed = !created
	c.reported = c.replayed && r.State != chat.CommandPending // it stands there
	return r, nil
}

// ended records that what once has recorded is done. If that fails, a repeated call does it again, with the same outcome.
func (c *call) ended(ctx context.Context, requests chat.Commands, r chat.CommandRecord) {
	if r.ID == "" || r.State != chat.CommandPending {
		return
	}
	if _, err := requests.EndCommand(ctx, r.Account, r.ID, chat.Outcome{Attempts: 1, At: c.Now()}); err != nil {
		c.Logger.LogAttrs(ctx, slog.LevelWarn, "end request", slog.String("request", c.request.id), slog.Any("error", err))
	}
}

// newKey makes a key for an account. Under a client's id it comes of the secret or key that has opened and the id, so that a
// repeated call can show it though only its hash is stored.
func (c *call) newKey(r chat.CommandRecord, account string) (key string, hash []byte, err error) {
	if r.ID == "" {
		return chat.NewKey(account, c.Random)
	}
	info := "pesan api key " + string(r.Kind) + " " + r.ID
	derived, err := hkdf.Key(sha256.New, []byte(c.credential(c.endpoint.Auth.Credential())), []byte(account), info, chat.KeySize)
	if err != nil {
		return "", nil, err
	}
	return chat.NewKey(account, bytes.NewReader(derived))
}

// shownKey is the key as an answer shows it: masked when it was replaced since, or was made under another system secret.
func shownKey(a chat.Account, key string) string {
	if k, err := chat.ParseKey(key); err != nil || !k.Opens(a) {
		return maskedKey(a)
	}
	return key
}

// shardOf spreads accounts over the shards.
func shardOf(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % chat.Shards)
}

// EditDevice renames an account, and says by which proxy its device reaches WhatsApp and to which shard it belongs. A device that
// is on connects anew for that.
func EditDevice(d Deps) Endpoint {
	return Endpoint{
		Name: "editDevice", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts, Commands},
		begin:  editDevice(d.Accounts, d.commander()),
		Params: []string{"id", "name", "proxy", "shard"}, Example: []string{"id={id}", "name=Gudang"},
	}
}

// edit is what editDevice changes; nil: nothing.
type edit struct {
	name, proxy *string
	shard       *int
}

// noProxy takes a device's proxy away.
const noProxy = "none"

func (c *call) edit() (e edit, err error) {
	proxy, shard := c.params.get("proxy"), c.params.number("shard")
	if c.params.get("name") != "" || proxy == "" && shard == "" {
		name, err := c.name()
		if err != nil {
			return e, err
		}
		e.name = &name
	}
	switch proxy {
	case "":
	case noProxy:
		e.proxy = new(string)
	default:
		if _, err := chat.ParseProxy(proxy); err != nil {
			return e, wrong(chat.InvalidParameter, "proxy", "http://, https:// atau socks5:// dengan host dan port, atau none",
				"http://, https:// or socks5:// with a host and a port, or none")
		}
		e.proxy = &proxy
	}
	if shard != "" {
		n, ok := whole(shard)
		if !ok || n < 0 || n >= chat.Shards {
			return e, wrong(chat.InvalidParameter, "shard", "0 sampai 63", "0 to 63")
		}
		number := int(n)
		e.shard = &number
	}
	return e, nil
}

func editDevice(accounts AccountUpdater, o commander) begin {
	return func(_ context.Context, c *call) (finish, error) {
		id, err := c.id()
		if err != nil {
			return nil, err
		}
		e, err := c.edit()
		if err != nil {
			return nil, err
		}
		commandID, err := c.commandID()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, _ chat.Account) (int, error) {
			restart := e.shard != nil
			a, err := c.update(ctx, accounts, id, func(a *chat.Account) {
				if e.name != nil {
					a.Name = *e.name
				}
				if e.proxy != nil {
					restart = restart || a.On
					a.Proxy = *e.proxy
				}
			})
			if err != nil {
				return 0, err
			}
			const updated = "Device successfully updated"
			if !restart {
				return c.system(systemAnswer{Status: true, Message: updated})
			}
			again := chat.Command{ID: commandID, Kind: chat.RestartCommand, Shard: e.shard}
			return o.doForSystem(ctx, c, a, again, "Device is connecting anew", updated)
		}, nil
	}
}

// ListDevice lists accounts.
func ListDevice(d Deps) Endpoint {
	return Endpoint{
		Name: "listDevice", Group: OfSystem, Auth: BySecret, Methods: reading, Needs: []Port{Accounts}, begin: listDevice(d.Accounts),
		Params: []string{"limit", "cursor"},
	}
}

func listDevice(accounts AccountLister) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		page, err := c.page(maxLimit)
		if err != nil {
			return nil, err
		}
		listed, next, err := accounts.Accounts(ctx, page)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, c *call, _ chat.Account) (int, error) {
			devices := make([]device, 0, len(listed))
			for _, a := range listed {
				devices = append(devices, showDevice(a, maskedKey(a)))
			}
			return c.system(systemAnswer{Status: true, Data: devices, Next: next})
		}, nil
	}
}

// DeleteDevice ends an account's link and deletes all that is stored of it. Its key stops opening at once.
func DeleteDevice(d Deps) Endpoint {
	return Endpoint{
		Name: "deleteDevice", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts, Commands},
		begin:  deleteDevice(d.Accounts, d.commander()),
		Params: []string{"id"}, Example: []string{"id={id}"},
	}
}

func deleteDevice(accounts AccountUpdater, o commander) begin {
	return func(_ context.Context, c *call) (finish, error) {
		id, err := c.id()
		if err != nil {
			return nil, err
		}
		commandID, err := c.commandID()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, _ chat.Account) (int, error) {
			a, err := c.update(ctx, accounts, id, func(a *chat.Account) { a.On, a.KeyHash, a.Keys = false, nil, nil })
			if err != nil {
				return 0, err
			}
			deletion := chat.Command{ID: commandID, Kind: chat.DeleteCommand}
			return o.doForSystem(ctx, c, a, deletion, "Device is being deleted", "Device successfully deleted")
		}, nil
	}
}

// ChangeAPIKey gives an account a new key, shown this once; the old one stops opening. A repeated Idempotency-Key gets the same
// answer and changes nothing.
func ChangeAPIKey(d Deps) Endpoint {
	return Endpoint{
		Name: "changeApiKey", Group: OfSystem, Auth: BySecret, Methods: changing, Needs: []Port{Accounts, Requests},
		begin:  changeAPIKey(d.Accounts, d.Commands),
		Params: []string{"id"}, Example: []string{"id={id}"},
	}
}

func changeAPIKey(accounts chat.Accounts, requests chat.Commands) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		id, err := c.id()
		if err != nil {
			return nil, err
		}
		idempotencyKey, err := c.commandID()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, _ chat.Account) (int, error) {
			a, err := accounts.Account(ctx, id)
			if err != nil {
				return 0, err
			}
			r, err := c.once(ctx, requests, chat.Command{
				ID: idempotencyKey, Account: chat.SystemAccount, Kind: chat.KeyRequest, Device: id, // so that one for another device conflicts
			})
			if err != nil {
				return 0, err
			}
			key, hash, err := c.newKey(r, id)
			if err != nil {
				return 0, err
			}
			if r.State == chat.CommandPending {
				if a, err = c.update(ctx, accounts, id, func(a *chat.Account) { a.KeyHash = hash }); err != nil {
					return 0, err
				}
			}
			c.ended(ctx, requests, r)
			return c.system(systemAnswer{Status: true, Message: "API key successfully changed",
				Data: showDevice(a, shownKey(a, key))})
		}, nil
	}
}

// update changes an account and returns it as it is then; the call's report goes to it.
func (c *call) update(
	ctx context.Context, accounts AccountUpdater, id string, change func(*chat.Account),
) (changed chat.Account, err error) {
	err = accounts.UpdateAccount(ctx, id, func(a *chat.Account) error {
		change(a)
		changed = *a
		return nil
	})
	if err == nil {
		c.account, c.target = id, changed.Name
	}
	return changed, err
}

// doForSystem has a command be done, and says whether it is.
func (o commander) doForSystem(ctx context.Context, c *call, a chat.Account, cmd chat.Command, doing, done string) (int, error) {
	r, err := o.do(ctx, c, a, cmd)
	if err != nil {
		return 0, err
	}
	if r.State == chat.CommandPending {
		return c.system(systemAnswer{Code: http.StatusAccepted, Status: true, Message: doing, CommandID: r.ID})
	}
	return c.system(systemAnswer{Status: true, Message: done})
}

func (c *call) system(answer systemAnswer) (int, error) {
	c.json(answer)
	if answer.Code != 0 {
		return answer.Code, nil
	}
	return http.StatusOK, nil
}
