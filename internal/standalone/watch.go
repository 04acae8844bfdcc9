package standalone

import (
	"context"
	"sync"

	"pesan/internal/chat"
	"pesan/internal/whatsapp"
)

// watch is the accounts' store, and tells of changes that a person wants to see. While an account's stores fail it says so
// itself: a full disk takes no word of it.
type watch struct {
	accountPort
	changed chan struct{} // holds a token while news wait

	mu      sync.Mutex
	seen    map[string]chat.Account // as last told of
	news    []chat.Account
	failing map[string]bool // accounts whose stores fail
}

// accountPort gives the embedded port a name that isn't one of its methods.
type accountPort interface{ chat.Accounts }

func newWatch(accounts chat.Accounts) *watch {
	return &watch{accountPort: accounts, changed: make(chan struct{}, 1), seen: make(map[string]chat.Account),
		failing: make(map[string]bool)}
}

// fails says that an account's stores fail, or work again.
func (w *watch) fails(account string, failing bool) {
	w.mu.Lock()
	a, known := w.seen[account]
	if failing {
		w.failing[account] = true
	} else {
		delete(w.failing, account)
	}
	w.mu.Unlock()
	if known && failing {
		w.tell(w.asItIs(a))
	}
}

// asItIs is an account with what it can't say while its stores fail.
func (w *watch) asItIs(a chat.Account) chat.Account {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failing[a.ID] && (a.State == chat.Connected || a.State == chat.Pairing) {
		a.State, a.Reason = chat.Pairing, whatsapp.StorageFailing
	}
	return a
}

// Account implements chat.Accounts.
func (w *watch) Account(ctx context.Context, id string) (chat.Account, error) {
	a, err := w.accountPort.Account(ctx, id)
	return w.asItIs(a), err
}

// Accounts implements chat.Accounts.
func (w *watch) Accounts(ctx context.Context, p chat.Page) (accounts []chat.Account, next string, err error) {
	accounts, next, err = w.accountPort.Accounts(ctx, p)
	for i := range accounts {
		accounts[i] = w.asItIs(accounts[i])
	}
	return accounts, next, err
}

// UpdateAccount tells of what it stored.
func (w *watch) UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error {
	var stored chat.Account
	err := w.accountPort.UpdateAccount(ctx, id, func(a *chat.Account) error {
		err := change(a)
		stored = *a
		return err
	})
	if err == nil {
		w.tell(stored)
	}
	return err
}

// tell makes news of an account unless nothing but its time has changed.
func (w *watch) tell(a chat.Account) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old, ok := w.seen[a.ID]; ok && looksSame(old, a) {
		return
	}
	w.seen[a.ID] = a
	w.news = append(w.news, a)
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// take returns the news since the last call, in order.
func (w *watch) take() []chat.Account {
	w.mu.Lock()
	defer w.mu.Unlock()
	news := w.news
	w.news = nil
	return news
}

func looksSame(a, b chat.Account) bool {
	sameSync := a.Sync == b.Sync || a.Sync != nil && b.Sync != nil && a.Sync.Percent == b.Sync.Percent
	return a.State == b.State && a.Reason == b.Reason && a.QR == b.QR && a.PairingCode == b.PairingCode &&
		a.JID == b.JID && sameSync
}
