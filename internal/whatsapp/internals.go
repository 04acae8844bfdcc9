package whatsapp

import (
	"context"
	"errors"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// internals are those functions of whatsmeow that it doesn't promise to keep. All use of them is in this file and in
// history.go.
func internals(c *whatsmeow.Client) *whatsmeow.DangerousInternalClient {
	//lint:ignore SA1019 there is no other way
	return c.DangerousInternals()
}

// detached tells whether the client has noticed the end of its connection. Only then may it connect again: it sets an
// unguarded field otherwise. With an ended context nothing is sent.
func detached(c *whatsmeow.Client) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return errors.Is(internals(c).SendNode(ctx, waBinary.Node{Tag: "ack"}), whatsmeow.ErrNotConnected)
}

// dismissed tells whether whatsmeow expects the connection to end, which it does before it says why.
func dismissed(c *whatsmeow.Client) bool { return internals(c).IsExpectedDisconnect() }

// unlink asks WhatsApp to remove the device from the account. whatsmeow's Logout disconnects too, in a race with WhatsApp.
func unlink(ctx context.Context, c *whatsmeow.Client, device types.JID) error {
	_, err := internals(c).SendIQ(ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "md",
		Type:      "set",
		To:        types.ServerJID,
		Content: []waBinary.Node{{
			Tag:   "remove-companion-device",
			Attrs: waBinary.Attrs{"jid": device, "reason": "user_initiated"},
		}},
	})
	return err
}
