// Package whatsapp is one linked device: it turns what WhatsApp tells into changes of the account's chats, and commands
// into changes of WhatsApp's app state. It is the only adapter of whatsmeow.
//
// # Promise
//
// What WhatsApp delivers is acknowledged after it is stored, never before: what can't be stored is left unacknowledged, and
// the device reconnects so that WhatsApp delivers it again. A history sync is put into the backlog before it is
// acknowledged, and projected from there, after a crash again. A change of app state that was interrupted is fetched anew.
// Everything projected may come twice and in any order.
//
// A device makes one connection at a time, and gives up for good only when WhatsApp ends the link or forbids to connect.
//
// # Parts
//
// [Devices] opens devices for the host. A device's Run drives one whatsmeow client: run.go and live.go connect it, status.go
// tells the account how it stands, handle.go takes its events, history.go and sync.go do what takes longer, command.go
// carries out commands. What an event means is said by package translate, which has no effects.
//
// Stories (status@broadcast) are no chat and are left out.
package whatsapp
