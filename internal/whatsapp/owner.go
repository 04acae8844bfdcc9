package whatsapp

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
	"pesan/internal/stableid"
)

// OtherNumber is the account's reason while what came from the number before is deleted.
const OtherNumber = "OTHER_NUMBER"

// emptied is the endpoint that the API log names for it.
const emptied = "link:emptied"

// claim makes all that is stored of the account belong to the number whose device it is. It comes before that number's first
// login, so that nothing new is among what goes. What came from another number can't be read any more since the device was
// bound (see chat.Account.Foreign); here it is deleted, before the account says whose it is: interrupted at any point, it
// starts again.
func (r *run) claim(ctx context.Context) error {
	own := r.identity()
	if own.pn == "" {
		return nil
	}
	a, err := r.seenAccount(ctx, true)
	if err != nil {
		return fmt.Errorf("claim account: %w", err)
	}
	a.JID, a.LID = own.pn, own.lid
	foreign := a.Foreign()
	r.epoch.Store(a.Epoch)
	r.linkedAt.Store(a.LinkedAt)
	r.booted.Store(a.Booted)
	if a.Order > 0 { // else a clock that has been set back would put what comes now before what came then
		r.order.CompareAndSwap(0, a.Order+orderLag)
	}
	if r.archive.Load() == nil {
		setting := a.Unarchive
		if a.Renewed != a.Epoch {
			setting = chat.Register[bool]{}
		}
		r.archive.Store(&setting)
		if a.Renewed == a.Epoch {
			r.contacts.Store(a.Contacts)
		}
	}
	if foreign {
		if err := r.empty(ctx); err != nil {
			return fmt.Errorf("delete what came from another number: %w", err)
		}
	} else if a.Owner != "" && (own.lid == "" || own.lid == a.OwnerLID) && a.Renewed == a.Epoch {
		return nil
	} else if err := r.renew(ctx, a.Epoch); err != nil {
		return fmt.Errorf("begin the chats anew: %w", err)
	}
	now := r.Now()
	err = r.Accounts.UpdateAccount(ctx, r.account, func(a *chat.Account) error {
		if a.Owner == "" {
			a.Owner = own.pn
		}
		if own.lid != "" {
			a.OwnerLID = own.lid
		}
		if a.Renewed != a.Epoch {
			a.Renewed, a.Unarchive, a.Contacts = a.Epoch, chat.Register[bool]{}, 0
		}
		if foreign {
			a.Owner, a.OwnerLID, a.EmptiedAt, a.AsOf, a.Sync = own.pn, own.lid, now, time.Time{}, nil
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("claim account: %w", err)
	}
	return nil
}

// empty deletes all that is stored of the account but for the link itself.
func (r *run) empty(ctx context.Context) error {
	r.log.Warn("another number was linked: what came from the one before is deleted")
	r.status.set(state(chat.Pairing, OtherNumber))
	if err := r.clearBacklog(ctx, false); err != nil {
		return err
	}
	if err := r.Chats.DeleteChats(ctx, r.account); err != nil {
		return err
	}
	r.projector.Forget(r.account)
	if err := r.Commands.DeleteCommands(ctx, r.account); err != nil {
		return err
	}
	now := r.Now()
	if err := r.Reports.ClearReports(ctx, r.account, true, now); err != nil {
		return err
	}
	return r.Reports.AddReport(ctx, chat.Report{
		ID: emptiedID(r.account, now), Account: r.account, At: now, Endpoint: emptied, Status: 200,
		Number: r.identity().pn, Target: r.identity().pn.Echo(),
	})
}

// renewing chats at a time.
const renewing = 16

// renew has the chats that an earlier link of the same number left keep no more than their messages: this link says anew what
// they are like. A chat that doesn't show is renewed when something is told of it.
func (r *run) renew(ctx context.Context, epoch int64) error {
	for cursor := ""; ; {
		views, next, err := r.Chats.Chats(ctx, r.account, chat.Filter{}, chat.Page{Limit: renewPage, Cursor: cursor}, r.Now())
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(renewing)
		for _, v := range views {
			group.Go(func() error {
				return r.Chats.Update(ctx, r.account, v.JID, nil, func(t *chat.Thread) error {
					return t.Apply(chat.Change{Chat: v.JID, Epoch: epoch}, r.Now())
				})
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// renewPage is how many chats are listed at a time.
const renewPage = 1000

func emptiedID(account string, at time.Time) string {
	return stableid.New(at, fmt.Sprintf("%s\x00%d", account, at.UnixNano()))
}
