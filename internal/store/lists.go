package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sync/semaphore"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// lists keeps the chats of accounts that were listed of late, for a sole writer. It isn't told what a chat has become, which
// would depend on the order of two writers, but that it may have changed, before the call that changed it returns; the next
// reader reads it again.
type lists struct {
	limit int // bytes

	mu    sync.Mutex
	all   map[string]*list // by account
	size  int              // bytes
	reads int64            // tells which list was used last
}

// list is all chats of an account that show. It is in use as long as it stands in lists.
type list struct {
	refresh *semaphore.Weighted // held to bring it up to date

	// Under the lists' lock:
	views   []chat.View // in the order of Chats; readers have them too, so that they are replaced and never changed
	read    bool        // views are there
	behind  bool        // somebody has taken what changed, and views don't show it yet
	changed map[chat.JID]bool
	size    int
	used    int64

	activity map[chat.JID]int64 // of the views, to find them by; under refresh
}

func newLists(limit int) *lists { return &lists{limit: limit, all: make(map[string]*list)} }

// read returns all chats that show, in the order of Chats, for reading only; not kept where there are too many.
func (k *lists) read(ctx context.Context, s *Store, account string) (views []chat.View, kept bool, err error) {
	if k == nil {
		return nil, false, nil
	}
	l, fresh := k.find(account)
	if fresh != nil {
		return fresh, true, nil
	}
	if err := l.refresh.Acquire(ctx, 1); err != nil {
		return nil, false, err
	}
	defer l.refresh.Release(1)
	views, read, changed := k.begin(l)
	grown := 0
	switch {
	case !read:
		if views, err = s.readAll(ctx, account); err == nil {
			l.activity = make(map[chat.JID]int64, len(views))
			for i := range views {
				l.activity[views[i].JID] = views[i].Activity
				grown += sizeOf(&views[i])
			}
		}
	case len(changed) > 0:
		var again []chat.View
		if again, err = s.readAgain(ctx, account, changed); err == nil {
			views, grown = l.merge(views, changed, again)
		}
	}
	if err != nil {
		k.abandon(account, l)
		return nil, false, err
	}
	k.end(account, l, views, grown)
	return views, true, nil
}

// find returns the views of an account, not nil, if nothing has changed since they were read, else the list to bring up to
// date.
func (k *lists) find(account string) (l *list, fresh []chat.View) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l = k.all[account]
	if l == nil {
		l = &list{refresh: semaphore.NewWeighted(1), changed: make(map[chat.JID]bool)}
		k.all[account] = l
	}
	k.reads++
	l.used = k.reads
	if l.read && !l.behind && len(l.changed) == 0 {
		fresh = l.views
	}
	return l, fresh
}

// begin takes what has changed so far. What changes from now on is noted for the next reader.
func (k *lists) begin(l *list) (views []chat.View, read bool, changed map[chat.JID]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed, l.changed = l.changed, make(map[chat.JID]bool)
	l.behind = true
	return l.views, l.read, changed
}

// end keeps what was read since begin, and drops other lists if need be: those that weren't used for the longest time.
func (k *lists) end(account string, l *list, views []chat.View, grown int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l.views, l.read, l.behind = views, true, false // also for those who wait for a list that was dropped
	if k.all[account] != l {
		return
	}
	l.size, k.size = l.size+grown, k.size+grown
	for k.size > k.limit {
		oldest := account
		for other, o := range k.all {
			if o.used < k.all[oldest].used {
				oldest = other
			}
		}
		k.dropLocked(oldest)
	}
}

// abandon drops a list that couldn't be brought up to date. Those who wait for it read everything.
func (k *lists) abandon(account string, l *list) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l.views, l.read, l.behind = nil, false, false
	if k.all[account] == l {
		k.dropLocked(account)
	}
}

// note says that a chat may have changed.
func (k *lists) note(account string, jid chat.JID) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.all[account]; l != nil {
		l.changed[jid] = true
	}
}

// drop forgets an account's chats.
func (k *lists) drop(account string) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropLocked(account)
}

func (k *lists) dropLocked(account string) {
	if l := k.all[account]; l != nil {
		k.size -= l.size
		delete(k.all, account)
	}
}

// sizeOf is what a view takes: itself, its entry in the list's map, and the texts that it alone holds.
func sizeOf(v *chat.View) int {
	return int(unsafe.Sizeof(*v)) + 48 + len(v.JID) + len(v.Document) + len(v.Last.Document) + len(v.Last.ID) + len(v.Name) + len(v.Labels)
}

// readAll is never nil without an error.
func (s *Store) readAll(ctx context.Context, account string) ([]chat.View, error) {
	found, err := s.listed(ctx, account, func(*chat.View) bool { return true })
	if err != nil {
		return nil, err
	}
	return texts(found)
}

// readAgain reads those that show of chats that may have changed, in the order of Chats.
func (s *Store) readAgain(ctx context.Context, account string, changed map[chat.JID]bool) ([]chat.View, error) {
	keys := make([]kv.Key, 0, len(changed))
	for jid := range changed {
		keys = append(keys, chatKey(account, jid, true))
	}
	items, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	var found []listedChat
	for _, it := range items {
		if it == nil {
			continue
		}
		if v := headOfChat(chat.JID(strings.TrimPrefix(it.Sort, shown)), it); v.Shows {
			members, err := s.besideItem(ctx, it)
			if err != nil {
				return nil, err
			}
			found = append(found, listedChat{v, it.Data, members})
		}
	}
	slices.SortFunc(found, func(a, b listedChat) int { return compareViews(&a.view, &b.view) })
	return texts(found)
}

// merge puts sorted views in the place of those that have changed, and tells by how many bytes the list has grown.
func (l *list) merge(views []chat.View, changed map[chat.JID]bool, again []chat.View) (merged []chat.View, grown int) {
	var left []int // places of those that have changed
	for jid := range changed {
		if activity, listed := l.activity[jid]; listed {
			at, _ := placeOfView(views, &chat.View{JID: jid, Activity: activity})
			left, grown = append(left, at), grown-sizeOf(&views[at])
			delete(l.activity, jid)
		}
	}
	slices.Sort(left)
	merged = make([]chat.View, 0, len(views)+len(again))
	copied := 0
	copyTo := func(end int) { // but for those that have changed
		for len(left) > 0 && left[0] < end {
			merged = append(merged, views[copied:left[0]]...)
			copied, left = left[0]+1, left[1:]
		}
		merged, copied = append(merged, views[copied:end]...), end
	}
	for i := range again {
		v := &again[i]
		at, _ := placeOfView(views, v)
		copyTo(at)
		merged, grown = append(merged, *v), grown+sizeOf(v)
		l.activity[v.JID] = v.Activity
	}
	copyTo(len(views))
	return merged, grown
}

func placeOfView(views []chat.View, v *chat.View) (at int, found bool) {
	return slices.BinarySearchFunc(views, v, func(a chat.View, b *chat.View) int { return compareViews(&a, b) })
}

// pick takes a page out of all views. Where all are wanted it is a part of them and no copy.
func pick(all []chat.View, f chat.Filter, limit int, after string, now time.Time) (views []chat.View, next string) {
	if after != "" {
		start, found := slices.BinarySearchFunc(all, after, func(v chat.View, after string) int {
			return strings.Compare(chatPosition(&v), after)
		})
		if found {
			start++
		}
		all = all[start:]
	}
	if f == (chat.Filter{}) {
		views = slices.Clip(all[:min(limit, len(all))])
		if len(all) > limit {
			next = makeCursor(chatCursor, chatPosition(&views[limit-1]))
		}
		return views, next
	}
	for i := range all {
		switch {
		case !f.Accepts(&all[i], now):
		case len(views) == limit:
			return views, makeCursor(chatCursor, chatPosition(&views[limit-1]))
		default:
			views = append(views, all[i])
		}
	}
	return views, ""
}
