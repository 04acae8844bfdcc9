package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pesan/internal/chat"
)

// executeCommand does what a valid command asks for; the link is locked.
func (s *shard) executeCommand(ctx context.Context, l *link, a chat.Account, c chat.Command) error {
	switch c.Kind {
	case chat.ConnectCommand, chat.DisconnectCommand, chat.LogoutCommand, chat.DeleteCommand, chat.RestartCommand:
		l.commanded = true
	}
	switch c.Kind {
	case chat.ConnectCommand:
		if !a.On {
			return nil // a later wish has undone it, and counts even if its command never comes
		}
		return s.connectDevice(ctx, l, c)
	case chat.DisconnectCommand:
		if a.On {
			return nil // likewise
		}
		l.stop()
		return s.turnOff(ctx, l.account)
	case chat.RestartCommand:
		return s.restart(ctx, l, a, c)
	case chat.LogoutCommand:
		return s.logout(ctx, l)
	case chat.DeleteCommand:
		return s.delete(ctx, l)
	case chat.PasskeyCommand, chat.ConfirmPasskeyCommand:
		return answerPasskey(ctx, l, c)
	}
	if _, ok := chat.ChatCommandOf(c.Kind); ok || c.Kind == chat.OlderCommand || c.Kind == chat.MediaCommand {
		return s.changeChat(ctx, l, a, c)
	}
	return unknownKind(c.Kind)
}

// answerPasskey doesn't wait for a device to connect: a request for a passkey belongs to the connection that it came over.
func answerPasskey(ctx context.Context, l *link, c chat.Command) error {
	if !l.running() {
		return &chat.Error{Code: chat.PasskeyNotAsked}
	}
	if c.Kind == chat.ConfirmPasskeyCommand {
		return l.device.ConfirmPasskey(ctx)
	}
	return l.device.Passkey(ctx, c.Passkey)
}

// unknownKind refuses a command of a kind that nothing here executes. It can't become known by trying again.
func unknownKind(kind chat.CommandKind) error {
	return &chat.Error{Code: chat.InvalidParameter, Message: fmt.Sprintf("unknown kind of command %q", clip(string(kind)))}
}

// changeChat executes a command that changes one chat.
func (s *shard) changeChat(ctx context.Context, l *link, a chat.Account, c chat.Command) error {
	if !a.On || !a.Linked() {
		return &chat.Error{Code: chat.DeviceNotConnected}
	}
	if !l.started() {
		if err := l.start(ctx); err != nil {
			return err
		}
	}
	waited := false
	return l.retryUntilConnected(ctx, func(d Device) error {
		if waited && !d.Connected() {
			return &chat.Error{Code: chat.DeviceNotConnected}
		}
		if waited { // another number may have been linked meanwhile
			now, err := s.stores.Accounts.Account(ctx, c.Account)
			if err != nil {
				return fmt.Errorf("find account: %w", err)
			}
			if !c.Meant(now) {
				return errOtherNumber
			}
		}
		waited = true
		if err := d.Change(ctx, c); err != nil {
			return err
		}
		return l.overtake(ctx, c)
	})
}

// connectDevice runs the device, also one whose link was over, and asks for a pairing code if the command names a phone.
func (s *shard) connectDevice(ctx context.Context, l *link, c chat.Command) error {
	if err := l.start(ctx); err != nil {
		return err
	}
	if c.Phone == "" {
		return nil
	}
	return l.retryUntilConnected(ctx, func(d Device) error { return d.PairingCode(ctx, c.Phone) })
}

// errMoved is how an attempt ends at a command whose account belongs to another host from now on: there it goes on.
var errMoved = errors.New("the account has gone to another shard")

// restart connects the device anew, after it has let the account go to another shard, if that is wanted.
func (s *shard) restart(ctx context.Context, l *link, a chat.Account, c chat.Command) error {
	l.stop()
	if c.Shard != nil && *c.Shard != a.Shard {
		err := s.stores.Accounts.UpdateAccount(ctx, a.ID, func(stored *chat.Account) error {
			if stored.Shard = *c.Shard; !s.owns(*stored) {
				stored.Fence = s.hold.Token() // the next owner's is to be greater
			}
			a = *stored
			return nil
		})
		if err != nil {
			return fmt.Errorf("move account: %w", err)
		}
	}
	switch {
	case !s.owns(a):
		return errMoved
	case !a.On:
		return nil
	}
	return l.start(ctx)
}

// logout ends the link while the device is still connected, if it is: WhatsApp is to know.
func (s *shard) logout(ctx context.Context, l *link) error {
	device := l.device
	if device == nil {
		var err error
		if device, err = s.Devices.Open(ctx, l.account, s.hold, time.Time{}); err != nil {
			return fmt.Errorf("open device: %w", err)
		}
	}
	if err := device.Logout(ctx); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	l.stop()
	return s.turnOff(ctx, l.account)
}

// delete removes the account last, so that what a crash interrupts is done again.
func (s *shard) delete(ctx context.Context, l *link) error {
	if err := s.logout(ctx, l); err != nil {
		return err
	}
	account := l.account
	if err := s.stores.Chats.DeleteChats(ctx, account); err != nil {
		return fmt.Errorf("delete chats: %w", err)
	}
	if err := s.stores.Commands.DeleteCommands(ctx, account); err != nil {
		return fmt.Errorf("delete commands: %w", err)
	}
	if err := s.stores.Reports.ClearReports(ctx, account, true, s.Now()); err != nil {
		return fmt.Errorf("delete reports: %w", err)
	}
	if err := s.stores.Accounts.DeleteAccount(ctx, account); err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	return nil
}

// turnOff stores that the account's service is off, as was wanted.
func (s *shard) turnOff(ctx context.Context, account string) error {
	err := s.stores.Accounts.UpdateAccount(ctx, account, func(a *chat.Account) error {
		if a.State != chat.ServiceOff { // else the reason tells why
			a.State, a.Reason = chat.ServiceOff, ""
		}
		a.QR, a.PairingCode, a.CodeExpires, a.Sync = "", "", time.Time{}, nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("turn account off: %w", err)
	}
	return nil
}

// wish stores whether a command wants the account's device to be on, which the API does for its own before it sends them.
func (s *shard) wish(ctx context.Context, a *chat.Account, kind chat.CommandKind) error {
	on := kind == chat.ConnectCommand
	if !on && kind != chat.DisconnectCommand && kind != chat.LogoutCommand || a.On == on {
		return nil
	}
	err := s.stores.Accounts.UpdateAccount(ctx, a.ID, func(stored *chat.Account) error {
		stored.On = on
		return nil
	})
	if err != nil {
		return fmt.Errorf("store wish: %w", err)
	}
	a.On = on
	return nil
}
