package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"pesan/internal/chat"
)

// passkeyResults is what getPasskey shows.
type passkeyResults struct {
	Message   string     `json:"message"`
	State     chat.State `json:"state"`
	Reason    string     `json:"reason"`
	PublicKey chat.JSON  `json:"publicKey"`             // for PublicKeyCredential.parseRequestOptionsFromJSON
	Compare   string     `json:"compareCode,omitempty"` // once the passkey was taken: the phone shows the same
	ExpiresAt *string    `json:"expiresAt"`
}

// GetPasskey shows the passkey that WhatsApp asks for before it links the account's device.
func GetPasskey(Deps) Endpoint {
	return Endpoint{Name: "getPasskey", Group: OfDevice, Methods: reading, begin: getPasskey, Idle: chat.PasskeyNotAsked}
}

func getPasskey(context.Context, *call) (finish, error) {
	return func(ctx context.Context, c *call, a chat.Account) (int, error) {
		// Minutes count here, and the request appears just before somebody asks for it.
		a, err := c.Latest.Account(ctx, a.ID)
		if err != nil {
			return 0, err
		}
		if err := c.asked(a); err != nil {
			return 0, err
		}
		show := passkeyResults{
			"Give publicKey to an authenticator on https://web.whatsapp.com, and what it answers to sendPasskey.",
			a.State, a.Reason, a.Passkey.Options, a.Passkey.Code, moment(a.Passkey.Expires),
		}
		if a.Passkey.Code != "" {
			show.Message = "Call confirmPasskey if the phone shows the same code."
		}
		return c.answer(http.StatusOK, show)
	}, nil
}

// asked tells whether WhatsApp asks for a passkey of the account.
func (c *call) asked(a chat.Account) error {
	if a.Passkey == nil || !a.Passkey.Expires.After(c.Now()) {
		return &chat.Error{Code: chat.PasskeyNotAsked}
	}
	return nil
}

// SendPasskey answers the request.
func SendPasskey(d Deps) Endpoint {
	return Endpoint{
		Name: "sendPasskey", Group: OfDevice, Methods: changing, Needs: []Port{Commands}, begin: sendPasskey(d.commander()),
		Params: []string{"credential"}, Example: []string{"credential={}"}, Idle: chat.PasskeyNotAsked,
	}
}

func sendPasskey(o commander) begin {
	return func(_ context.Context, c *call) (finish, error) {
		credential := c.params.object("credential")
		if credential == "" || len(credential) > chat.MaxPasskey || !isObject(credential) {
			return nil, &refusal{chat.InvalidParameter,
				"Parameter credential harus berisi objek JSON dari PublicKeyCredential.toJSON(), paling besar 16 KB.",
				"The parameter credential must be the JSON object that PublicKeyCredential.toJSON() gives, 16 KB at most."}
		}
		cmd := chat.Command{Kind: chat.PasskeyCommand, Passkey: chat.JSON(credential)}
		return o.passkey(c, cmd,
			"The passkey was accepted; the device is being linked. See getState, and getPasskey for a code to compare.")
	}
}

func isObject(text string) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
}

// ConfirmPasskey says that the phone shows the code of getPasskey.
func ConfirmPasskey(d Deps) Endpoint {
	return Endpoint{
		Name: "confirmPasskey", Group: OfDevice, Methods: changing, Needs: []Port{Commands}, begin: confirmPasskey(d.commander()),
		Idle: chat.PasskeyNotAsked,
	}
}

func confirmPasskey(o commander) begin {
	return func(_ context.Context, c *call) (finish, error) {
		return o.passkey(c, chat.Command{Kind: chat.ConfirmPasskeyCommand}, "Confirmed; the device is being linked.")
	}
}

// passkey sends a command of the ceremony.
func (o commander) passkey(c *call, cmd chat.Command, message string) (finish, error) {
	var err error
	if cmd.ID, err = c.commandID(); err != nil {
		return nil, err
	}
	return func(ctx context.Context, c *call, a chat.Account) (int, error) {
		a, err := c.Latest.Account(ctx, a.ID)
		if err != nil {
			return 0, err
		}
		if err := c.asked(a); err != nil && !o.earlier(ctx, a.ID, cmd.ID) {
			return 0, err
		}
		r, err := o.do(ctx, c, a, cmd)
		if err != nil {
			return 0, err
		}
		return c.serviceDone(r, message)
	}, nil
}
