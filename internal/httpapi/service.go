package httpapi

import (
	"cmp"
	"context"
	"net/http"

	"pesan/internal/chat"
)

// AccountUpdater changes accounts.
type AccountUpdater interface {
	// UpdateAccount loads the account, lets change work on it, and stores it, atomically.
	UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error
}

// ServiceStart makes the account's device connect, or wait to be linked.
func ServiceStart(d Deps) Endpoint {
	return Endpoint{
		Name: "serviceStart", Group: OfDevice, Methods: either, Needs: []Port{Accounts, Commands},
		begin: serviceStart(d.Accounts, d.commander()),
	}
}

func serviceStart(accounts AccountUpdater, o commander) begin {
	return func(_ context.Context, c *call) (finish, error) {
		id, err := c.commandID()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			message := "API for device " + cmp.Or(a.Name, a.ID) + " Already activated"
			if !a.Linked() {
				message += ", please scan the qr code to connect the device"
			}
			return o.setOn(ctx, c, a, accounts, true, chat.Command{ID: id, Kind: chat.ConnectCommand}, message)
		}, nil
	}
}

// ServiceDestroy makes the account's device disconnect; with logout it ends the link too.
func ServiceDestroy(d Deps) Endpoint {
	return Endpoint{
		Name: "serviceDestroy", Group: OfDevice, Methods: either, Needs: []Port{Accounts, Commands},
		begin:  serviceDestroy(d.Accounts, d.commander()),
		Params: []string{"logout"},
	}
}

func serviceDestroy(accounts AccountUpdater, o commander) begin {
	return func(_ context.Context, c *call) (finish, error) {
		id, err := c.commandID()
		if err != nil {
			return nil, err
		}
		logout, err := c.flag("logout")
		if err != nil {
			return nil, err
		}
		cmd := chat.Command{ID: id, Kind: chat.DisconnectCommand}
		if logout != nil && *logout {
			cmd.Kind = chat.LogoutCommand
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			return o.setOn(ctx, c, a, accounts, false, cmd, "Whatsapp API service successfully turned off.")
		}, nil
	}
}

// setOn stores whether the account's device shall be on, and lets its host know. The wish counts even if the host never
// hears the command: it reads it when it takes the account. A repeated id doesn't wish again.
func (o commander) setOn(
	ctx context.Context, c *call, a chat.Account, accounts AccountUpdater, on bool, cmd chat.Command, message string,
) (int, error) {
	if a.On != on && !o.earlier(ctx, a.ID, cmd.ID) {
		if err := accounts.UpdateAccount(ctx, a.ID, func(a *chat.Account) error {
			a.On = on
			return nil
		}); err != nil {
			return 0, err
		}
	}
	r, err := o.do(ctx, c, a, cmd)
	if err != nil {
		return 0, err
	}
	return c.serviceDone(r, message)
}

// serviceDone answers with how a command about the link stands.
func (c *call) serviceDone(r chat.CommandRecord, message string) (int, error) {
	if r.State == chat.CommandPending {
		return c.answer(http.StatusAccepted, c.pending(r))
	}
	return c.answer(http.StatusOK, done{message})
}

// GetState tells where the link to WhatsApp stands.
func GetState(Deps) Endpoint {
	return Endpoint{
		Name: "getState", Group: OfDevice, Methods: reading, begin: getState,
	}
}

// restrictions are what WhatsApp limits of the account.
type restrictions struct {
	TimeLock *timeLock `json:"timeLock,omitempty"`
	NewChats *newChats `json:"newChats,omitempty"`
}

type timeLock struct {
	Type  string  `json:"type"`
	Until *string `json:"until"`
}

type newChats struct {
	Status string  `json:"status"`
	Used   int64   `json:"used"`
	Total  int64   `json:"total"`
	Until  *string `json:"until,omitempty"`
}

func restrictionsOf(i chat.Imposed) *restrictions {
	if i == (chat.Imposed{}) {
		return nil
	}
	r := new(restrictions)
	if lock := i.TimeLock; lock != nil {
		r.TimeLock = &timeLock{lock.Kind, moment(lock.Until)}
	}
	if n := i.NewChats; n != nil {
		r.NewChats = &newChats{n.Status, n.Used, n.Total, moment(n.Until)}
	}
	return r
}

func getState(context.Context, *call) (finish, error) {
	return func(_ context.Context, c *call, a chat.Account) (int, error) {
		type results struct {
			ID       string     `json:"id"`
			Name     string     `json:"name"`
			Service  bool       `json:"service"` // wanted on
			State    chat.State `json:"state"`
			Reason   string     `json:"reason,omitempty"`
			Number   string     `json:"number,omitempty"` // own
			PushName string     `json:"pushName,omitempty"`
			Sync     *chat.Sync `json:"sync,omitempty"`      // history sync under way
			Expires  *string    `json:"expiresAt,omitempty"` // of what is waited for: a scan, a passkey, the end of a ban
			Emptied  *string    `json:"emptiedAt,omitempty"` // when what came from another number was deleted

			Restrictions *restrictions `json:"restrictions,omitempty"`
		}
		c.json(struct {
			Code    int        `json:"code"`
			Results results    `json:"results"`
			AsOf    *string    `json:"asOf"`
			State   chat.State `json:"state"`
		}{http.StatusOK, results{
			a.ID, a.Name, a.On, a.State, a.Reason, a.JID.User(), a.PushName, a.Sync, moment(a.CodeExpires), moment(a.EmptiedAt),
			restrictionsOf(a.Imposed.At(c.now)),
		}, moment(a.AsOf), a.State})
		return http.StatusOK, nil
	}, nil
}
