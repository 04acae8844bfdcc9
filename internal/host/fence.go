package host

import (
	"context"
	"time"

	"pesan/internal/chat"
)

// Fence makes the writing methods of ports return LEASE_HELD, and do nothing, for accounts that the guard's process
// doesn't hold at that moment. Devices get their stores through it.

// FenceChats fences what projections write.
func FenceChats(s chat.ChatStore, g *Guard) chat.ChatStore { return fencedChats{s, g} }

// FenceAccounts fences what devices write of their account.
func FenceAccounts(s chat.Accounts, g *Guard) chat.Accounts { return fencedAccounts{s, g} }

// FenceBacklog fences what devices put off.
func FenceBacklog(s chat.Backlog, g *Guard) chat.Backlog { return fencedBacklog{s, g} }

// FenceCommands fences what is written of commands.
func FenceCommands(c chat.Commands, g *Guard) chat.Commands { return fencedCommands{c, g} }

// FenceReports fences what is written of reports.
func FenceReports(r chat.Reports, g *Guard) chat.Reports { return fencedReports{r, g} }

type fencedChats struct {
	chat.ChatStore
	guard *Guard
}

// Update asks after the state was loaded, right before it is stored.
func (f fencedChats) Update(ctx context.Context, account string, jid chat.JID, ids []string, change func(*chat.Thread) error) error {
	return f.ChatStore.Update(ctx, account, jid, ids, func(t *chat.Thread) error {
		if err := change(t); err != nil {
			return err
		}
		return f.guard.Check(account)
	})
}

func (f fencedChats) Alias(ctx context.Context, account string, from, to chat.JID) error {
	return f.guard.do(account, func() error { return f.ChatStore.Alias(ctx, account, from, to) })
}

func (f fencedChats) DeleteChats(ctx context.Context, account string) error {
	return f.guard.do(account, func() error { return f.ChatStore.DeleteChats(ctx, account) })
}

type fencedDeleter struct {
	ChatDeleter
	guard *Guard
}

func (f fencedDeleter) DeleteChats(ctx context.Context, account string) error {
	return f.guard.do(account, func() error { return f.ChatDeleter.DeleteChats(ctx, account) })
}

// accountPort gives the embedded port a name that isn't one of its methods.
type accountPort interface{ chat.Accounts }

type fencedAccounts struct {
	accountPort
	guard *Guard
}

func (f fencedAccounts) UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error {
	return f.accountPort.UpdateAccount(ctx, id, func(a *chat.Account) error {
		if err := change(a); err != nil {
			return err
		}
		return f.guard.Check(id)
	})
}

func (f fencedAccounts) DeleteAccount(ctx context.Context, id string) error {
	return f.guard.do(id, func() error { return f.accountPort.DeleteAccount(ctx, id) })
}

type fencedBacklog struct {
	chat.Backlog
	guard *Guard
}

func (f fencedBacklog) PutBacklog(ctx context.Context, account, id string, data []byte) error {
	return f.guard.do(account, func() error { return f.Backlog.PutBacklog(ctx, account, id, data) })
}

func (f fencedBacklog) DeleteBacklog(ctx context.Context, account, id string) error {
	return f.guard.do(account, func() error { return f.Backlog.DeleteBacklog(ctx, account, id) })
}

type fencedCommands struct {
	chat.Commands
	guard *Guard
}

func (f fencedCommands) PutCommand(ctx context.Context, c chat.Command) (stored chat.CommandRecord, created bool, err error) {
	err = f.guard.do(c.Account, func() error {
		stored, created, err = f.Commands.PutCommand(ctx, c)
		return err
	})
	return stored, created, err
}

func (f fencedCommands) EndCommand(ctx context.Context, account, id string, o chat.Outcome) (r chat.CommandRecord, err error) {
	err = f.guard.do(account, func() error {
		r, err = f.Commands.EndCommand(ctx, account, id, o)
		return err
	})
	return r, err
}

func (f fencedCommands) DeleteCommands(ctx context.Context, account string) error {
	return f.guard.do(account, func() error { return f.Commands.DeleteCommands(ctx, account) })
}

type fencedReports struct {
	chat.Reports
	guard *Guard
}

func (f fencedReports) AddReport(ctx context.Context, r chat.Report) error {
	return f.guard.do(r.Account, func() error { return f.Reports.AddReport(ctx, r) })
}

func (f fencedReports) ClearReports(ctx context.Context, account string, all bool, now time.Time) error {
	return f.guard.do(account, func() error { return f.Reports.ClearReports(ctx, account, all, now) })
}

func (g *Guard) do(account string, write func() error) error {
	if err := g.Check(account); err != nil {
		return err
	}
	return write()
}
