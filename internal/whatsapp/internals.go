package whatsapp

import (
	"context"
	"errors"
	"reflect"
	"unsafe"

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

// surround puts a function around each of the client's handlers of stanzas, and tells for which tags there are any. whatsmeow
// gives no other way to know when one is done.
func surround(c *whatsmeow.Client, around func(handlerOfStanza) handlerOfStanza) (tags map[string]bool) {
	field := reflect.ValueOf(c).Elem().FieldByName("nodeHandlers")
	handlers := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
	tags = make(map[string]bool)
	for _, tag := range handlers.MapKeys() {
		next := handlers.MapIndex(tag).Convert(reflect.TypeFor[handlerOfStanza]()).Interface().(handlerOfStanza)
		handlers.SetMapIndex(tag, reflect.ValueOf(around(next)).Convert(field.Type().Elem()))
		tags[tag.String()] = true
	}
	return tags
}

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
