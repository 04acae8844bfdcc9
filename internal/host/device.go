package host

import (
	"context"
	"time"

	"pesan/internal/chat"
)

// Devices opens linked devices.
type Devices interface {
	// Open makes the account's device ready to run for its owner, under whose lease it stores what it learns; it doesn't
	// connect. An account that was never linked gets a new one. Of those that wait to connect, whichever shard is theirs, the one
	// that was active last comes first; zero where that isn't known, and then it comes last.
	Open(ctx context.Context, account string, o chat.Ownership, active time.Time) (Device, error)
}

// Device is the link of one account to WhatsApp. Its methods are safe for concurrent use. It stores what it learns: the
// account's state, chats and messages.
//
// Commands return nil when WhatsApp took them and the store shows it; WhatsAppRejected, DeviceNotConnected or another
// chat.Error that is final; Unavailable or any other error when trying again may help.
type Device interface {
	// Run connects and stays connected until ctx ends, and returns nil then, after everything received is either stored
	// and acknowledged or left to be delivered again. It returns early when the link is over or WhatsApp forbids to
	// connect again; the account's state and reason say why, and it must not be run again by itself.
	Run(ctx context.Context) error
	// Connected tells whether WhatsApp takes commands from the device now.
	Connected() bool
	// Hurry has the device, if it waits for others to connect before it, connect now: somebody waits for it.
	Hurry()
	// Change changes a chat as a command of a kind in the table of chat.ChatCommand asks; InvalidParameter for another kind.
	Change(ctx context.Context, c chat.Command) error
	// Together changes chats as commands of one account's batch ask, as many of them as WhatsApp takes at once, in their order where
	// two are about one chat. It returns how those ended, by their place; the others are as if they hadn't been asked for. What
	// the chat is already isn't sent again. It returns an error, such as DeviceNotConnected, when none was tried.
	Together(ctx context.Context, commands []chat.Command) (ended map[int]error, err error)
	// PairingCode makes a code for the phone with this number to link the device, and stores it on the account.
	PairingCode(ctx context.Context, phone string) error
	// Passkey answers WhatsApp's request for a passkey with a credential as PublicKeyCredential.toJSON makes it. PasskeyNotAsked
	// when no such answer is waited for, InvalidParameter when it can't be one.
	Passkey(ctx context.Context, credential chat.JSON) error
	// ConfirmPasskey says that the code on the account is the one that the phone shows. PasskeyNotAsked when there is none.
	ConfirmPasskey(ctx context.Context) error
	// Logout ends the link, also with WhatsApp when it can be reached, and deletes the device's keys.
	Logout(ctx context.Context) error
}
