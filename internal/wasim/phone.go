package wasim

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"
)

// Phone is the primary device of an account, and the person who holds it.
type Phone struct{ *Contact }

// PhoneOptions describe an account. The zero value is good.
type PhoneOptions struct {
	// LID is the number of the LID; made up if empty.
	LID string
	// PushName is the user's own name.
	PushName string
	// History goes to every newly linked device, in this order.
	History []History
	// Platform is what pairing reports; "android" if empty.
	Platform string
}

// History is one chunk of a history sync.
type History struct {
	// Sync holds syncType, chunkOrder and progress too.
	Sync *waHistorySync.HistorySync
	// Inline puts the chunk into the message; otherwise it is a media file that the device downloads.
	Inline bool
}

// ScanQR links the client that shows this QR text. It returns when the client has confirmed.
func (p *Phone) ScanQR(ctx context.Context, text string) (*Device, error) { return nil, errMissing }

// EnterCode links the client that shows this pairing code ("ABCD-1234" or without dash).
func (p *Phone) EnterCode(ctx context.Context, code string) (*Device, error) { return nil, errMissing }

// Devices are the linked devices, the oldest first.
func (p *Phone) Devices() []*Device { return nil }

// SendFromPhone sends a message that the user wrote on the phone: to the other side, and to the linked devices as sent.
// chat is a person's PN or LID, or a group.
func (p *Phone) SendFromPhone(ctx context.Context, chat types.JID, m *waE2E.Message, o SendOptions) (id string, err error) {
	return "", errMissing
}

// ReadOnPhone tells the linked devices that the user read messages of a chat on the phone.
func (p *Phone) ReadOnPhone(ctx context.Context, chat types.JID, ids ...string) error {
	return errMissing
}

// SendHistory sends a chunk of history to every linked device.
func (p *Phone) SendHistory(ctx context.Context, h History) error { return errMissing }

// Mute mutes a chat until a time, for ever if zero.
func (p *Phone) Mute(ctx context.Context, chat types.JID, until time.Time) error { return errMissing }

// Unmute ends it.
func (p *Phone) Unmute(ctx context.Context, chat types.JID) error { return errMissing }

// Pin pins or unpins a chat.
func (p *Phone) Pin(ctx context.Context, chat types.JID, on bool) error { return errMissing }

// Archive archives or unarchives a chat.
func (p *Phone) Archive(ctx context.Context, chat types.JID, on bool) error { return errMissing }

// MarkRead marks a chat as read or unread.
func (p *Phone) MarkRead(ctx context.Context, chat types.JID, read bool) error { return errMissing }

// MessageRef names a message in a chat.
type MessageRef struct {
	Chat   types.JID
	Sender types.JID // empty in a private chat
	ID     string
	FromMe bool
	Time   time.Time
}

// ClearChat empties a chat up to and including the last message, or wholly if last is zero.
func (p *Phone) ClearChat(ctx context.Context, chat types.JID, last MessageRef) error {
	return errMissing
}

// DeleteChat deletes a chat.
func (p *Phone) DeleteChat(ctx context.Context, chat types.JID, last MessageRef) error {
	return errMissing
}

// DeleteForMe deletes a message on the user's own devices.
func (p *Phone) DeleteForMe(ctx context.Context, m MessageRef) error { return errMissing }

// Star stars or unstars a message.
func (p *Phone) Star(ctx context.Context, m MessageRef, on bool) error { return errMissing }

// SaveContact puts a person into the address book; an empty name removes them.
func (p *Phone) SaveContact(ctx context.Context, who types.JID, fullName string) error {
	return errMissing
}

// ChangePushName changes the user's own name in the account's settings.
func (p *Phone) ChangePushName(ctx context.Context, name string) error { return errMissing }

// RotateAppStateKey makes a new app state key, shares it with the linked devices, and uses it from now on.
func (p *Phone) RotateAppStateKey(ctx context.Context) error { return errMissing }

// Mutate applies mutations of one collection as one patch by the phone; the other methods are made of it.
func (p *Phone) Mutate(ctx context.Context, name appstate.WAPatchName, mutations ...appstate.MutationInfo) error {
	return errMissing
}

// ChatSettings is what the phone's app state says of a chat.
type ChatSettings struct {
	Muted      bool
	MutedUntil time.Time // zero when muted for ever
	Pinned     bool
	Archived   bool
	Cleared    time.Time // last message's time of the last clear; zero if never cleared
}

// ChatSettings tells what the phone sees, changes by linked devices included.
func (p *Phone) ChatSettings(chat types.JID) ChatSettings { return ChatSettings{} }
