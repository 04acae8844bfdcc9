package host_test

import (
	"context"
	"testing"
	"time"

	"pesan/internal/chat"
)

const (
	numberA = chat.JID("6281200000001@s.whatsapp.net")
	numberB = chat.JID("6281200000099@s.whatsapp.net")
)

// TestCommandsOfAnotherNumber: what was wanted of one number's chats isn't done on another's, wherever it was when the other
// was linked.
func TestCommandsOfAnotherNumber(t *testing.T) {
	by := func(number chat.JID) func(*chat.Command) { return func(c *chat.Command) { c.Number = number } }
	early := func(c *chat.Command) { c.RequestedAt = c.RequestedAt.Add(-time.Minute) }
	linkedB := func(a *chat.Account) { a.JID, a.Owner, a.EmptiedAt = numberB, numberB, time.Now().Add(-time.Second) }
	foreign := func(a *chat.Account) { a.JID, a.Owner, a.Device = numberB, numberA, "6281200000099:2@s.whatsapp.net" }
	for name, c := range map[string]struct {
		account func(*chat.Account)
		kind    chat.CommandKind
		change  func(*chat.Command)
		refused bool
	}{
		"mute":                         {linkedB, chat.MuteCommand, by(numberA), true},
		"clear":                        {linkedB, chat.ClearCommand, by(numberA), true},
		"logout":                       {linkedB, chat.LogoutCommand, by(numberA), true},
		"of nobody, early":             {linkedB, chat.UnmuteCommand, early, true},
		"of nobody, late":              {linkedB, chat.UnmuteCommand, by(""), false},
		"its own":                      {linkedB, chat.MuteCommand, by(numberB), false},
		"while the rest is there":      {foreign, chat.MuteCommand, by(numberA), true},
		"of nobody, with the rest":     {foreign, chat.MuteCommand, by(""), true},
		"the logout of who comes":      {foreign, chat.LogoutCommand, by(numberB), false},
		"a service goes on whoever is": {foreign, chat.DisconnectCommand, by(numberA), false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.account(c.account)
				defer w.start(w.config("a"))()
				command := w.command(a, c.kind, c.change)
				w.send(command)
				code := chat.Code("")
				if c.refused {
					code = chat.DeviceNotConnected
				}
				w.ended(command, code, 1)
				if said := w.device(a).said(); c.refused && len(said) > 0 {
					t.Errorf("the device was told %q", said)
				}
			})
			if !c.refused {
				return
			}
			inWorld(t, func(w *world) { // its record has gone with the number's chats
				a := w.account(c.account)
				defer w.start(w.config("a"))()
				command := w.outside(a, c.kind, c.change)
				command.Report = "01JXAMPZ0000000000000000RR"
				w.send(command, command)
				reports := w.reports(a)
				if len(reports) != 1 || reports[0].Error != chat.DeviceNotConnected || reports[0].Target != "" {
					t.Errorf("reports %+v", reports)
				}
				if _, err := w.store.Command(w.t.Context(), a, command.ID); chat.CodeOf(err) != chat.CommandNotFound {
					t.Errorf("record: %v", err)
				}
				if said := w.device(a).said(); len(said) > 0 {
					t.Errorf("the device was told %q", said)
				}
			})
		})
	}
}

// TestAnotherNumberWhileACommandWaits: the device isn't connected, and comes back as another number's.
func TestAnotherNumberWhileACommandWaits(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.account(func(a *chat.Account) { a.Owner = numberA })
		calls := 0
		w.device(a).answer = func(ctx context.Context, _ string) error {
			if calls++; calls > 1 {
				t.Error("it was done on another number's chats")
				return nil
			}
			w.ok(w.store.UpdateAccount(ctx, a, func(a *chat.Account) error { a.JID, a.Owner = numberB, numberB; return nil }))
			return &chat.Error{Code: chat.DeviceNotConnected}
		}
		defer w.start(w.config("a"))()
		command := w.command(a, chat.MuteCommand, func(c *chat.Command) { c.Number = numberA })
		w.send(command)
		pass(time.Minute)
		w.ended(command, chat.DeviceNotConnected, 1)
	})
}
