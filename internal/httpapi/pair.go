package httpapi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"rsc.io/qr"

	"pesan/internal/chat"
)

// pairResults is what getQR shows.
type pairResults struct {
	APIKey      string     `json:"apiKey"` // as the caller gave it
	Message     string     `json:"message"`
	PairingCode string     `json:"pairingCode,omitempty"`
	QRString    string     `json:"qrString"` // an image as data URI; empty when there is nothing to scan
	State       chat.State `json:"state"`
	ExpiresAt   *string    `json:"expiresAt,omitempty"` // of the codes
}

// GetQR shows what links a phone to the account's device: the code to scan or, for the phone of a given number, the code
// to type in.
func GetQR(d Deps) Endpoint {
	return Endpoint{
		Name: "getQR", Group: OfDevice, Methods: either, Needs: []Port{Commands}, begin: getQR(d.commander()),
		Params: []string{"phone"}, silent: true, // a pairing code's command has its report
	}
}

func getQR(o commander) begin {
	return func(_ context.Context, c *call) (finish, error) {
		phone := ""
		if c.params.get("phone") != "" {
			address, err := c.phone()
			if err != nil {
				return nil, err
			}
			jid := address.JIDs[0] // as its owner writes it
			if !jid.IsPN() {
				return nil, &chat.Error{Code: chat.InvalidPhone}
			}
			phone = jid.User()
		}
		id, err := c.commandID()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			if phone != "" && a.On && !a.Linked() {
				if err := o.pair(ctx, c, a, id, phone); err != nil {
					return 0, err
				}
			}
			a, err := c.awaitCode(ctx, a, phone != "", cmp.Or(o.most, commandWait))
			if err != nil {
				return 0, err
			}
			return c.showCode(a)
		}, nil
	}
}

// pairWindow is how long asking again for a pairing code gives the same one. A client that polls would else replace the
// code while its user types it, and WhatsApp allows only a few.
const pairWindow = 2 * time.Minute

// pair lets the host get a pairing code for a phone.
func (o commander) pair(ctx context.Context, c *call, a chat.Account, id, phone string) error {
	cmd := chat.Command{ID: id, Kind: chat.ConnectCommand, Phone: phone}
	if cmd.ID == "" {
		hash := sha256.Sum256([]byte(a.ID + phone)) // ids are logged, numbers aren't
		window := c.now.Unix() / int64(pairWindow/time.Second)
		cmd.ID = "pair-" + hex.EncodeToString(hash[:8]) + "-" + strconv.FormatInt(window, 10)
		if r, err := o.commands.Command(ctx, a.ID, cmd.ID); err == nil &&
			(r.State == chat.CommandFailed || r.State == chat.CommandDone && c.codeUsed(ctx, a.ID)) {
			cmd.ID = "" // try anew
		}
	}
	_, err := o.do(ctx, c, a, cmd)
	return err
}

// codeUsed tells whether an account's pairing code has linked it, or is lost, so that the next link needs another.
func (c *call) codeUsed(ctx context.Context, account string) bool {
	a, err := c.Latest.Account(ctx, account)
	return err == nil && a.PairingCode == ""
}

// awaitCode waits a while for a code that is about to appear, and returns the account as it is then.
func (c *call) awaitCode(ctx context.Context, a chat.Account, pairing bool, most time.Duration) (chat.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	pause := Pauses()
	timer := time.NewTimer(0)
	defer timer.Stop()
	// What the key's check has read may be older than what a command has just done.
	for stale := pairing; ; stale = false {
		ready := a.Linked() || !a.On || a.State == chat.ServiceOff && a.Reason != "" ||
			c.asked(a) == nil || c.valid(a) && (a.PairingCode != "" || !pairing && a.QR != "")
		if ready && !stale {
			return a, nil
		}
		select {
		case <-ctx.Done():
			return a, nil
		case <-timer.C:
		}
		now, err := c.Latest.Account(ctx, a.ID)
		if err != nil && ctx.Err() == nil {
			return a, err
		}
		if err == nil {
			a = now
		}
		timer.Reset(pause())
	}
}

func (c *call) valid(a chat.Account) bool { return a.CodeExpires.After(c.Now()) }

func (c *call) showCode(a chat.Account) (int, error) {
	status, show := http.StatusOK, pairResults{APIKey: c.credential("apiKey"), State: a.State}
	switch {
	case a.State == chat.Connected:
		show.Message = "The device is already connected."
	case a.State == chat.ServiceOff || !a.On:
		return 0, &chat.Error{Code: chat.DeviceNotConnected}
	case a.Linked():
		show.Message = "The device is linked and is connecting to WhatsApp."
	case c.asked(a) == nil:
		show.ExpiresAt = moment(a.Passkey.Expires)
		show.Message = "The code was scanned; WhatsApp asks for the account's passkey: see getPasskey."
	case !c.valid(a) || a.QR == "" && a.PairingCode == "":
		status = http.StatusAccepted
		show.Message = "The code is being made; please ask again in a few seconds."
	default:
		show.PairingCode, show.ExpiresAt = a.PairingCode, moment(a.CodeExpires)
		show.Message = "Type the pairing code into the phone: Linked devices, Link with phone number."
		if a.QR != "" {
			image, err := qrImage(a.QR)
			if err != nil {
				return 0, err
			}
			show.QRString = image
		}
		if a.PairingCode == "" {
			show.Message = "Put the result get QR object into the src of the image tag."
		}
	}
	return c.answer(status, show)
}

// qrScale is the side of a module in pixels: WhatsApp's codes come to some 500 pixels.
const qrScale = 6

// qrImage draws a QR code as a PNG data URI.
func qrImage(text string) (string, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", err
	}
	code.Scale = qrScale
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG()), nil
}
