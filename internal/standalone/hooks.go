package standalone

import (
	"context"
	"sync/atomic"
	"time"

	"pesan/internal/chat"
	"pesan/internal/store"
	"pesan/internal/webhook"
)

// hooks sends the events of all accounts to their webhooks: the feed is the queue, and what takes from it sends.
type hooks struct {
	*store.Store
	program *program
	sender  *webhook.Sender
	working atomic.Pointer[webhook.Forwarder]
}

func (p *program) newHooks() *hooks {
	return &hooks{Store: p.store, program: p, sender: webhook.NewSender(webhook.Options{Loopback: p.Loopback, Now: time.Now})}
}

func (h *hooks) close() { h.sender.Close() }

// run works until ctx ends.
func (h *hooks) run(ctx context.Context, _ chat.Ownership, shards []int) {
	p := h.program
	f := webhook.NewForwarder(webhook.Config{
		Accounts: p.accounts, Feed: p.store, Messages: p.store, Hooks: p.store, Reports: p.store, Shards: shards,
		Sink: &webhook.Deliverer{
			Log: p.store, Caller: h.sender, Now: time.Now, Logger: p.Logger, Delivered: p.meter.Delivered,
		},
		Now: time.Now, Logger: p.Logger,
	})
	h.working.Store(f)
	f.Run(ctx)
}

// SetHook has what is new to the webhook sent at once.
func (h *hooks) SetHook(ctx context.Context, account string, hook chat.Hook, secret string) error {
	err := h.Store.SetHook(ctx, account, hook, secret)
	if f := h.working.Load(); f != nil {
		f.Wake(account)
	}
	return err
}
