package whatsapp

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
)

// maxScans is how many times new codes are asked for, 160 s each, before the device gives up to be linked.
const maxScans = 5

// codes is how long WhatsApp takes the first QR code of a connection, and each of the others.
type codes struct{ first, other time.Duration }

// last is how long so many are taken in all.
func (c codes) last(n int) time.Duration { return c.first + time.Duration(max(n-1, 0))*c.other }

// bindTimeout bounds the write that binds a device to its account.
const bindTimeout = 10 * time.Second

// pairing tells whether the connection can link the device by a code.
type pairing struct {
	mu    sync.Mutex
	until time.Time // WhatsApp ends the connection then; zero: it can't
	shown time.Time // end of the pairing code on the account; zero: there is none
}

func (p *pairing) open(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = until
}

func (p *pairing) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until, p.shown = time.Time{}, time.Time{}
}

// show marks that a code is shown until the connection ends.
func (p *pairing) show() (until time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = p.until
	return p.until, !p.until.IsZero()
}

// ends is when what is shown now ends, if a QR code ends at a time.
func (p *pairing) ends(qr time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown.IsZero() {
		return qr
	}
	return p.shown
}

// bind is called with the address of the new device right before its keys are stored under it.
func (r *run) bind(jid types.JID, _, _ string) bool {
	ctx, cancel := context.WithTimeout(r.ctx, bindTimeout)
	defer cancel()
	a, err := r.Accounts.Account(ctx, r.account)
	if err == nil {
		epoch := a.Epoch + 1
		err = r.Accounts.UpdateAccount(ctx, r.account, func(a *chat.Account) error {
			a.Device, a.Epoch, a.LinkedAt = jid.String(), epoch, 0
			return nil
		})
	}
	if err != nil {
		r.log.Error("bind device", failure(err))
	}
	return err == nil
}

// scan is called when the phone has linked the device.
func (c *connection) scan() {
	c.scanned = true
	c.next.Stop()
	c.pairing.close()
	c.timeout.Reset(pairTimeout)
	c.identify()
	c.log.Info("linked")
	own := c.identity()
	c.status.set(func(a *chat.Account) {
		state(chat.Pairing, "")(a)
		a.JID, a.LID = own.pn, own.lid
	})
	c.sync.fresh()
}

// showCode shows the next QR code; it is false when there are no more.
func (c *connection) showCode() bool {
	if len(c.qr) == 0 {
		c.status.set(func(a *chat.Account) { a.QR, a.PairingCode, a.CodeExpires = "", "", time.Time{} })
		return false
	}
	code, life := c.qr[0], c.codes.other
	if !c.shown {
		c.shown, life = true, c.codes.first
	}
	c.qr = c.qr[1:]
	c.next.Reset(life)
	ends := c.pairing.ends(c.Now().Add(life))
	c.status.set(func(a *chat.Account) {
		state(chat.ServiceScan, "")(a)
		a.QR, a.CodeExpires = code, ends
	})
	return true
}

// PairingCode implements host.Device. A linked device needs none.
func (d *device) PairingCode(ctx context.Context, phone string) error {
	r, err := d.current()
	if err != nil || r.identity().pn != "" {
		return err
	}
	until, ok := r.pairing.show()
	if !ok {
		return &chat.Error{Code: chat.DeviceNotConnected}
	}
	code, err := r.wa.PairPhone(ctx, phone, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		return fmt.Errorf("get pairing code: %w", refusal(err))
	}
	r.status.set(func(a *chat.Account) {
		if a.JID == "" {
			a.State, a.PairingCode, a.CodeExpires = chat.ServiceScan, code, until
		}
	})
	if _, err := r.status.flush(ctx); err != nil {
		return fmt.Errorf("store pairing code: %w", err)
	}
	return nil
}
