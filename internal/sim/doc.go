// Package sim is a WhatsApp server, the phones behind it and the people they chat with, over the real protocol, for
// tests and the demo. An unmodified whatsmeow pairs with it, logs in, receives, sends, syncs; nothing of the client is
// replaced but the address it dials and the root key it trusts.
//
// # Promise
//
// The simulator is as strict as WhatsApp: a bad signature, MAC, hash, key id or acknowledgement, or a stanza that
// WhatsApp does not know, is refused on the wire and recorded as a [Violation]. What it keeps for a device it keeps until
// the device acknowledges it, and delivers it again byte for byte. It tells what was acknowledged, and when.
//
// # Use
//
//	server, err := sim.New(sim.Options{OnViolation: func(v sim.Violation) { t.Error(v) }})
//	defer server.Close()
//	phone, err := server.NewPhone("6281200000001", sim.PhoneOptions{PushName: "Sari"})
//	budi, err := server.NewContact("6281200000002", "", "Budi")
//	device, err := phone.ScanQR(ctx, qrText) // or phone.EnterCode(ctx, "ABCD-1234")
//	id, err := budi.Send(ctx, phone, sim.Text("halo"), sim.SendOptions{})
//	err = device.WaitAcked(ctx, id)
//
// A client in the same process sets whatsmeow.WACertPubKey to [Server.RootKey] and gives [Server.HTTPClient] to its three
// Set…HTTPClient methods; one in another process dials [Server.Address] without TLS whatever the URL says.
//
// # Parts
//
//   - [Server]: listener, noise, IQs, media, registry of all that follows; [Server.Acks], [Server.Violations],
//     [Server.Connections], [Server.Inject].
//   - [Contact]: a person. It sends to phones and groups, gives receipts, and records what it receives.
//   - [Phone]: a Contact whose account can have linked devices. It pairs them, shares keys and history with them,
//     answers their peer messages, and changes the account's app state: phone.Change(ctx, appstate.Pin(chat, true)).
//   - [Device]: one linked device: its queue, its acknowledgements, its connection and the faults put into it.
//   - [Group]: subject, members, notifications.
//   - [Fault]: what goes wrong, where, how often. App state and media have their own: [Phone.AppState], [Server.Media].
//
// Every goroutine belongs to the Server; [Server.Close] waits for all of them. All types are safe for concurrent use.
// Messages given to the simulator must not be changed afterwards.
package sim
