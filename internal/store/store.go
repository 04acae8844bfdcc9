// Package store keeps accounts, chats, messages, the feed of what changes, commands, batches, reports, webhooks, what keys have
// used, leases and the backlog of work: the ports of package chat, written once over the storage port of package kv.
//
// # Promise
//
// What a call returned nil for is stored, and every call that begins afterwards sees it, but for Messages and what
// EventualAccounts returns, which on DynamoDB may show the state of a second before. Whatever two may write is written under
// a condition, so that neither a lost answer nor a second writer undoes what was stored. A process that ends in the middle of
// a change leaves a state that readers can bear, and that the same change, made again, completes. An account's data is found
// only in partitions that are named after it.
//
// # Keys
//
//	collection          partition            sort key                  item
//	Accounts            "account/<id>"       "account"                 JSON of chat.Account
//	                    "accounts"           <id>                      that there is such an account
//	Chats               <account>            "c/<JID>"                 a chat, as a rule one that shows
//	                                         "h/<JID>"                 one that doesn't, or an alias
//	                                         "l/labels"                JSON of chat.Labels
//	                    "feed/<account>"     <number>                  an entry of its feed
//	Messages            <account>/<JID>      "t/<time>/<order>/<id>"   a message
//	                                         "i/<id>"                  its claim, which says where it is; or a placeholder
//	                                         <either> " " <block>      what some persons have to do with it
//	Commands, Reports   <account>            <id>                      JSON
//	Commands            "batches/<account>"  "b/<id>"                  JSON of chat.Batch
//	                                         "k/<key>", "u/<slot>"     the id of the batch with this key, and of an open one
//	                                         "o/<id>/<chunk>"          its operations
//	                                         "r/<id>/<chunk>"          how they ended
//	                                         "w/<JID>/<setting>/<id>"  when a command has set this of the chat meanwhile
//	Commands            "hosts"              <host>                    that it shares the shards
//	Reports, Hooks      "usage/<account>"    <day>/<source>            JSON of what a process has counted
//	Hooks               <account>            "hook"                    JSON of chat.Hook
//	                                         "health", "cursor"        how its deliveries go; how far the feed was handed on
//	                                         "d/<number>/<part>"       its dead letters
//	Secrets             <account>            "hook"                    what its events are signed with
//	Work                "shard/<number>"     "lease"                   JSON
//	                    "backlog/<account>"  "i/<id>"                  work that waits
//	                                         "p/<arrival>/<part>"      the rest of it, where it is long
package store

import (
	"bytes"
	"cmp"
	"context"
	crypto "crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/sleep"
)

// Options of a store.
type Options struct {
	// Compression is how records are written; either is read.
	Compression Compression
	// SoleWriter keeps in memory what was read: it may be set where nothing but this store writes to the database as long as
	// the store is used.
	SoleWriter bool
	// CacheLimit bounds the bytes of lists of chats that a sole writer keeps; 0: 64 MiB.
	CacheLimit int
	// FeedAge is how long a feed's entries may be asked for; 0: chat.FeedAge.
	FeedAge time.Duration
	// Now is the clock that says how long commands and reports are kept; nil: time.Now.
	Now func() time.Time
}

// Store implements the ports of package chat, but for the queue's.
type Store struct {
	kv          kv.Store
	compression Compression
	now         func() time.Time
	token       int64
	feedAge     time.Duration
	arrivals    *ulid.LockedMonotonicReader
	feeds       *feeds
	read        *read
	locks       *locks
	lists       *lists // nil: not the sole writer
	recent      *recent
}

var (
	_ chat.Accounts  = (*Store)(nil)
	_ chat.ChatStore = (*Store)(nil)
	_ chat.Commands  = (*Store)(nil)
	_ chat.Reports   = (*Store)(nil)
	_ chat.Batches   = (*Store)(nil)
	_ chat.Leases    = (*Store)(nil)
	_ chat.Backlog   = (*Store)(nil)

	_ chat.Deltas       = (*Store)(nil)
	_ chat.FeedAppender = (*Store)(nil)
	_ chat.FeedWatcher  = (*Store)(nil)
)

// New makes a store over a database.
func New(db kv.Store, o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CacheLimit == 0 {
		o.CacheLimit = 64 << 20
	}
	s := &Store{
		kv: db, compression: o.Compression, now: o.Now, locks: newLocks(), feeds: newFeeds(),
		read: newHandy[readKey, kv.Item](maxRead), recent: &recent{handy: newHandy[recentName, *storedChat](maxRecent)},
		feedAge:  cmp.Or(o.FeedAge, chat.FeedAge),
		arrivals: &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(crypto.Reader, 0)},
	}
	if o.SoleWriter {
		s.lists = newLists(o.CacheLimit)
	}
	return s
}

// WithToken is the store as the owner of a lease uses it: what he alone may write carries the lease's epoch as its fencing
// token. That is an account's own data, its backlog and its deletion; a later owner's is refused with LEASE_HELD. What joins,
// such as chats and messages, and what is written on a condition anyway needs no token.
func (s *Store) WithToken(epoch int64) *Store {
	owned := *s
	owned.token = epoch
	return &owned
}

// Owned is the store as an account's owner uses it, for as long as his lease holds: see WithToken.
func (s *Store) Owned(o chat.Ownership) *Store {
	owned := s.WithToken(o.Token())
	owned.kv = kv.Under(s.kv, o.Check)
	return owned
}

// failed says what was being done, in the errors that package chat knows.
func failed(doing string, err error) error {
	var known *chat.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
	case errors.Is(err, kv.ErrUnavailable):
		return fmt.Errorf("%s: %w: %w", doing, &chat.Error{Code: chat.Unavailable}, err)
	case errors.Is(err, kv.ErrFenced):
		return fmt.Errorf("%s: %w: %w", doing, &chat.Error{Code: chat.LeaseHeld}, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

const (
	conflicts   = 12 // tries of a change on newer and newer states
	lastBackoff = 500 * time.Millisecond
)

// retryOnConflict repeats what ended in a conflict. Who loses all the time gets UNAVAILABLE.
func retryOnConflict(ctx context.Context, try func() error) error {
	wait := time.Millisecond
	for range conflicts {
		if err := try(); !errors.Is(err, kv.ErrConflict) {
			return err
		}
		if err := sleep.For(ctx, rand.N(wait)); err != nil { // so that those who met don't meet again
			return err
		}
		wait = min(2*wait, lastBackoff)
	}
	return &chat.Error{Code: chat.Unavailable, Message: "too many writers"}
}

// get is nil where there is no item.
func (s *Store) get(ctx context.Context, k kv.Key) (*kv.Item, error) {
	it, err := s.kv.Get(ctx, k, kv.Strong)
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	return &it, err
}

// deletesTogether is how many items are deleted by one write.
const deletesTogether = 500

// deleteAll deletes what a query finds.
func (s *Store) deleteAll(ctx context.Context, q kv.Query) error {
	q.KeysOnly = true
	var ops []kv.Op
	for it, err := range s.kv.Query(ctx, q) {
		if err != nil {
			return err
		}
		if ops = append(ops, kv.Delete(it.Key, kv.Always(), 0)); len(ops) == deletesTogether {
			if err := s.kv.Write(ctx, kv.Each(ops...)); err != nil {
				return err
			}
			ops = nil
		}
	}
	return s.kv.Write(ctx, kv.Each(ops...))
}

// marshal is json.Marshal that leaves the JSON inside as it is.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Cursors say where a page ended; the letter tells the ports' cursors apart.
const (
	chatCursor    = 'c'
	messageCursor = 'm'
	reportCursor  = 'r'
	exportCursor  = 'x'
	batchCursor   = 'b'
	eventCursor   = 'e'
	accountCursor = 'a'
)

func makeCursor(letter byte, position string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(letter) + position))
}

// page is as many of what is found as are asked for, and the cursor from which those behind them go on.
func page[V any](
	found iter.Seq2[V, error], limit int, letter byte, position func(*V) string,
) (all []*V, next string, err error) {
	for v, err := range found {
		if err != nil {
			return nil, "", err
		}
		if len(all) == limit {
			return all, makeCursor(letter, position(all[limit-1])), nil
		}
		all = append(all, &v)
	}
	return all, "", nil
}

// openCursor returns INVALID_CURSOR for what makeCursor didn't make with the letter. valid checks the position.
func openCursor(letter byte, cursor string, valid func(position string) bool) (position string, err error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	position, ours := strings.CutPrefix(string(b), string(letter))
	if err != nil || !ours || position == "" || !valid(position) {
		return "", &chat.Error{Code: chat.InvalidCursor}
	}
	return position, nil
}
