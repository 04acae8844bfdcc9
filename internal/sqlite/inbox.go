package sqlite

import (
	"cmp"
	"slices"
	"sync"

	"pesan/internal/chat"
)

// inboxes keeps the chats of accounts that were listed of late, so that listing them again reads no rows. It can, since
// this process alone writes: whoever has changed a chat says so here before its call returns.
type inboxes struct {
	mu   sync.Mutex
	all  map[string]*inbox // by account
	size int               // bytes
}

// maxInboxes bounds the bytes of all inboxes; a chat takes 1 KB.
const maxInboxes = 32 << 20

// inbox is all chats of an account that show.
type inbox struct {
	account string
	filled  bool                   // until then views are being read
	views   []chat.View            // in the order of Chats
	changed map[chat.JID]chat.View // since; some may not show
	size    int
}

func newInboxes() *inboxes { return &inboxes{all: make(map[string]*inbox)} }

// read returns all chats that show, in the order of Chats, for reading only; false where they aren't kept.
func (k *inboxes) read(account string) ([]chat.View, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	in := k.all[account]
	if in == nil || !in.filled {
		return nil, false
	}
	if len(in.changed) > 0 {
		in.settle()
	}
	return in.views, true
}

// settle brings the views up to date. Readers may have the old ones, so it makes new ones.
func (in *inbox) settle() {
	views := make([]chat.View, 0, len(in.views)+len(in.changed))
	for _, v := range in.views {
		if _, ok := in.changed[v.JID]; !ok {
			views = append(views, v)
		}
	}
	for _, v := range in.changed {
		if v.Shows {
			views = append(views, v)
		}
	}
	slices.SortFunc(views, func(a, b chat.View) int {
		return cmp.Or(cmp.Compare(b.Activity, a.Activity), cmp.Compare(a.JID, b.JID))
	})
	in.views = views
	clear(in.changed)
}

// begin starts to keep an account's chats, which the caller reads from now on. Where that has begun already it returns
// nil, which fill and end accept.
func (k *inboxes) begin(account string) *inbox {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[account] != nil {
		return nil
	}
	in := &inbox{account: account, changed: make(map[chat.JID]chat.View)}
	k.all[account] = in
	return in
}

// fill keeps what was read since begin: all chats that show, in the order of Chats.
func (k *inboxes) fill(in *inbox, views []chat.View) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if in == nil || k.all[in.account] != in {
		return
	}
	in.filled, in.views = true, views
	for i := range views {
		k.grow(in, &views[i])
	}
	k.bound()
}

// end drops what was begun and not filled.
func (k *inboxes) end(in *inbox) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if in != nil && k.all[in.account] == in && !in.filled {
		k.drop(in)
	}
}

// change notes what a chat looks like now.
func (k *inboxes) change(account string, v chat.View) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if in := k.all[account]; in != nil {
		in.changed[v.JID] = v
		k.grow(in, &v)
		k.bound()
	}
}

// forget drops an account's chats.
func (k *inboxes) forget(account string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if in := k.all[account]; in != nil {
		k.drop(in)
	}
}

// grow counts a view. What it takes the place of isn't taken off: its memory may belong to a longer text.
func (k *inboxes) grow(in *inbox, v *chat.View) {
	n := len(v.Document) + len(v.Last.Document)
	in.size += n
	k.size += n
}

// bound drops inboxes at random until the others have room.
func (k *inboxes) bound() {
	for _, in := range k.all {
		if k.size <= maxInboxes {
			return
		}
		k.drop(in)
	}
}

func (k *inboxes) drop(in *inbox) {
	delete(k.all, in.account)
	k.size -= in.size
}
