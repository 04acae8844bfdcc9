package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pesan/internal/chat"
)

// Commands checks an adapter of the command records.
func Commands(t *testing.T, open func(*testing.T) chat.Commands) {
	runAll(t, open, []test[chat.Commands]{
		{"Put", putCommand},
		{"PutAgain", putCommandAgain},
		{"PutTogether", putCommandTogether},
		{"End", endCommand},
		{"EndTogether", endCommandTogether},
		{"Accounts", commandsOfAccounts},
	})
}

func muteCommand(account, id string) chat.Command {
	return chat.Command{
		Version: chat.CommandVersion, ID: id, Account: account, Kind: chat.MuteCommand,
		Chat: "6281234567890@s.whatsapp.net", Seconds: 3600, Report: "01ARZ3NDEKTSV4RRFFQ69G5FAV", RequestedAt: noon,
	}
}

func putCommand(t *testing.T, ctx context.Context, commands chat.Commands) {
	c := muteCommand(newAccount(), "a.client's~id!/#?%")
	_, err := commands.Command(ctx, c.Account, c.ID)
	wantCode(t, "a command before it is put", err, chat.CommandNotFound)
	want := chat.CommandRecord{Command: c, State: chat.CommandPending}
	stored, created, err := commands.PutCommand(ctx, c)
	ok(t, "put", err)
	wantSame(t, "what put returns", stored, want)
	if !created {
		t.Error("a new command wasn't created")
	}
	got, err := commands.Command(ctx, c.Account, c.ID)
	ok(t, "get", err)
	wantSame(t, "the command", got, want)
}

func putCommandAgain(t *testing.T, ctx context.Context, commands chat.Commands) {
	c := muteCommand(newAccount(), "1")
	_, _, err := commands.PutCommand(ctx, c)
	ok(t, "put", err)
	other := c
	other.Kind, other.Seconds, other.RequestedAt = chat.ClearCommand, 0, noon.Add(time.Hour)
	stored, created, err := commands.PutCommand(ctx, other)
	ok(t, "put again", err)
	if created {
		t.Error("a command was created twice")
	}
	wantSame(t, "what is stored", stored, chat.CommandRecord{Command: c, State: chat.CommandPending})
	ended, err := commands.EndCommand(ctx, c.Account, c.ID, chat.Outcome{Attempts: 2, At: noon})
	ok(t, "end", err)
	stored, created, err = commands.PutCommand(ctx, c)
	ok(t, "put after the end", err)
	if created {
		t.Error("a command was created again after its end")
	}
	wantSame(t, "what is stored after the end", stored, ended)
}

func putCommandTogether(t *testing.T, ctx context.Context, commands chat.Commands) {
	account := newAccount()
	var creations atomic.Int32
	ok(t, "put", together(8, func(i int) error {
		c := muteCommand(account, "same")
		c.Seconds = int64(i)
		var created bool
		err := untilAvailable(func() (err error) { _, created, err = commands.PutCommand(ctx, c); return err })
		if created {
			creations.Add(1)
		}
		return err
	}))
	if creations.Load() != 1 {
		t.Errorf("%d calls created the command", creations.Load())
	}
}

func endCommand(t *testing.T, ctx context.Context, commands chat.Commands) {
	account := newAccount()
	_, err := commands.EndCommand(ctx, account, "none", chat.Outcome{At: noon})
	wantCode(t, "end of no command", err, chat.CommandNotFound)
	_, err = commands.Command(ctx, account, "none")
	wantCode(t, "no command after its end", err, chat.CommandNotFound)

	failure := &chat.Error{Code: chat.WhatsAppRejected, Message: "not a contact"}
	for id, o := range map[string]chat.Outcome{
		"done":   {Attempts: 1, At: noon.Add(time.Second)},
		"failed": {Failure: failure, Attempts: 3, At: noon.Add(2 * time.Second)},
	} {
		c := muteCommand(account, id)
		_, _, err := commands.PutCommand(ctx, c)
		ok(t, "put", err)
		want := chat.CommandRecord{Command: c, State: o.State(), Failure: o.Failure, Attempts: o.Attempts, EndedAt: o.At}
		got, err := commands.EndCommand(ctx, account, id, o)
		ok(t, "end", err)
		wantSame(t, "what end returns", got, want)
		got, err = commands.EndCommand(ctx, account, id,
			chat.Outcome{Failure: &chat.Error{Code: chat.Internal}, Attempts: 9, At: noon.Add(time.Hour)})
		ok(t, "end again", err)
		wantSame(t, "what a second end returns", got, want)
		got, err = commands.Command(ctx, account, id)
		ok(t, "get", err)
		wantSame(t, "the ended command", got, want)
	}
}

func endCommandTogether(t *testing.T, ctx context.Context, commands chat.Commands) {
	c := muteCommand(newAccount(), "1")
	_, _, err := commands.PutCommand(ctx, c)
	ok(t, "put", err)
	const many = 8
	var records [many]chat.CommandRecord
	ok(t, "end", together(many, func(i int) error {
		return untilAvailable(func() (err error) {
			records[i], err = commands.EndCommand(ctx, c.Account, c.ID,
				chat.Outcome{Attempts: i + 1, At: noon.Add(time.Duration(i) * time.Second)})
			return err
		})
	}))
	for i := range records {
		wantSame(t, fmt.Sprintf("what end %d returned", i), records[i], records[0])
	}
}

func commandsOfAccounts(t *testing.T, ctx context.Context, commands chat.Commands) {
	mine, foreign := newAccount(), newAccount()
	for _, account := range []string{mine, foreign} {
		for i := range 30 {
			_, created, err := commands.PutCommand(ctx, muteCommand(account, fmt.Sprint(i)))
			ok(t, "put", err)
			if !created {
				t.Errorf("command %d of the second account wasn't created", i)
			}
		}
	}
	_, err := commands.EndCommand(ctx, mine, "1", chat.Outcome{At: noon})
	ok(t, "end", err)
	got, err := commands.Command(ctx, foreign, "1")
	ok(t, "get", err)
	wantSame(t, "the other account's command", got,
		chat.CommandRecord{Command: muteCommand(foreign, "1"), State: chat.CommandPending})
	ok(t, "delete", commands.DeleteCommands(ctx, mine))
	for i := range 30 {
		_, err = commands.Command(ctx, mine, fmt.Sprint(i))
		wantCode(t, "a deleted command", err, chat.CommandNotFound)
		_, err = commands.Command(ctx, foreign, fmt.Sprint(i))
		ok(t, "get the other account's", err)
	}
	ok(t, "delete again", commands.DeleteCommands(ctx, mine))
}
