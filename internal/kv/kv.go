// Package kv is the storage port: items under keys, written under conditions. It has one adapter for each technology
// (kv/sqlite, kv/dynamodb), which one suite (kv/kvtest) holds to every sentence here. Package store, and for the keys of
// devices package keystore, are written once over it.
//
// # Promise
//
// What a Write returned nil for is durable, and every strong read that begins afterwards sees it. Nothing is written without
// its condition being true at that moment. Methods are safe for concurrent use and give up when ctx ends.
package kv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// Collection is what rights are given by: a table on DynamoDB.
type Collection string

// The collections, apart by who may touch them.
const (
	Accounts Collection = "accounts" // read by all, written by commands, the system's endpoints and the host
	Commands Collection = "commands" // commands and the host
	Work     Collection = "work"     // the host alone: leases, backlog
	Chats    Collection = "chats"    // read by functions, written by the host
	Messages Collection = "messages" // likewise
	Reports  Collection = "reports"  // written by all, read by getReportApi
	Devices  Collection = "devices"  // the host alone: the keys of devices
	Hooks    Collection = "hooks"    // webhooks: their endpoints, the host, and what sends
	Secrets  Collection = "secrets"  // what webhooks are signed with: set by setWebhook, read by what sends
)

var collections = []Collection{Accounts, Commands, Work, Chats, Messages, Reports, Devices, Hooks, Secrets}

// Collections are all of them.
func Collections() []Collection { return slices.Clone(collections) }

// Key is where an item stands. Partition and Sort are valid UTF-8, not empty, at most MaxKey bytes.
type Key struct {
	Collection      Collection
	Partition, Sort string
}

func (k Key) String() string { return fmt.Sprintf("%s %q %q", k.Collection, k.Partition, k.Sort) }

// Item is what stands under a key.
type Item struct {
	Key
	// Fields are what a person, a filter or a stream looks for: times, flags, counts. Zero values are left out: whoever reads
	// the item doesn't find them. A name has up to 32 letters, and an item up to 32 fields.
	Fields map[string]int64
	// Data is up to MaxData bytes that only the item's owner in package store understands.
	Data []byte
	// Version is random and chosen by the writer of each put. A write that finds its own version stored has been made
	// before, its answer lost, and is no conflict.
	Version Version
	// Token is the fencing token of who wrote the item last: the epoch of its lease, which only grows. 0: it needs none.
	Token int64
	// Expires is the time, in seconds since 1970, from which on the item isn't there for reads, queries and conditions; it is
	// deleted some time later, and its token fences nobody. 0: never.
	Expires int64
}

// MaxData bounds Item.Data. DynamoDB's items have at most 400 KB, names included.
const MaxData = 380_000

// MaxKey bounds Key.Partition and Key.Sort.
const MaxKey = 1024

// Version tells one put of an item from every other.
type Version [8]byte

// NewVersion is a version that nobody has chosen before.
func NewVersion() (v Version) {
	_, _ = rand.Read(v[:]) // it never fails
	return v
}

// Condition is what must be true of an item, as it is stored, for a write to be made.
type Condition struct {
	kind    ConditionKind
	version Version
}

// ConditionKind is one of the kinds of conditions.
type ConditionKind int

// The kinds of conditions.
const (
	ConditionAlways    ConditionKind = iota
	ConditionAbsent                  // there is no item
	ConditionPresent                 // there is one
	ConditionUnchanged               // there is one of a version
)

// Always is true of any item, and of none.
func Always() Condition { return Condition{} }

// Absent is true where there is no item.
func Absent() Condition { return Condition{kind: ConditionAbsent} }

// Present is true where there is an item.
func Present() Condition { return Condition{kind: ConditionPresent} }

// Unchanged is true where the item is of the version that was read. Of an item that has expired it isn't.
func Unchanged(v Version) Condition { return Condition{kind: ConditionUnchanged, version: v} }

// As is the condition that an item is as it was read: Unchanged, or Absent where there was none.
func As(read *Item) Condition {
	if read == nil {
		return Absent()
	}
	return Unchanged(read.Version)
}

// Kind is for adapters.
func (c Condition) Kind() ConditionKind { return c.kind }

// Version is for adapters: that of Unchanged.
func (c Condition) Version() Version { return c.version }

// OpKind is one of the kinds of operations.
type OpKind int

// The kinds of operations.
const (
	OpPut OpKind = iota + 1
	OpDelete
	OpCheck
)

// Op is an operation on one item. Put and Delete with a token fail with ErrFenced where the stored item has a greater one, even
// if their condition holds: two owners who take turns are told apart by it. So does Check with a token.
type Op struct {
	Kind      OpKind
	Item      Item // of a delete or check: key and token only
	Condition Condition
}

// Put stores an item in place of what stands under its key, with a new version, whatever version the item has: one that was
// read and is put again must not keep its own, or two who do so at once would both find theirs. The new one is Op.Item.Version.
// Who makes a put again, since he doesn't know whether it was made, gives the same Op.
func Put(it Item, c Condition) Op {
	it.Version = NewVersion()
	return Op{OpPut, it, c}
}

// Delete removes what stands under the key; that there is nothing is no error unless the condition says so.
func Delete(k Key, c Condition, token int64) Op { return Op{OpDelete, Item{Key: k, Token: token}, c} }

// Check writes nothing; with it a step of Together depends on another item.
func Check(k Key, c Condition, token int64) Op { return Op{OpCheck, Item{Key: k, Token: token}, c} }

// Step is a part of a write. No two operations of a step may name one key.
type Step struct {
	Ops []Op
	All bool // all or none
}

// Each makes every operation by itself, in any order, at the single price.
func Each(ops ...Op) Step { return Step{Ops: ops} }

// Together makes all of up to MaxTogether operations or none, at twice the price on DynamoDB.
func Together(ops ...Op) Step { return Step{Ops: ops, All: true} }

// MaxTogether and MaxTogetherData bound Together: its operations, and the bytes of their Data. DynamoDB takes 4 MB, names
// included.
const (
	MaxTogether     = 100
	MaxTogetherData = 3_500_000
)

// Query asks for the items of a partition in the order of their sort keys, which is that of their bytes.
type Query struct {
	Collection  Collection
	Partition   string
	From, To    string // the first sort key that counts, and the first that doesn't; "" is no bound; may be longer than a key
	Reverse     bool   // the greatest first
	KeysOnly    bool   // Data and Fields are left out
	Expect      int    // how many items will be taken; a hint for the size of pages, 0: all
	Consistency Consistency
}

// Prefix bounds a query to the sort keys that begin so.
func (q Query) Prefix(prefix string) Query {
	q.From, q.To = prefix, prefix+"\U0010FFFF"
	return q
}

// After is the least sort key behind another.
func After(sort string) string { return sort + "\x00" }

// Consistency says what a read sees.
type Consistency bool

// The consistencies.
const (
	Strong   Consistency = false // every write that returned before
	Eventual Consistency = true  // perhaps an earlier state, at half the price on DynamoDB
)

// Store keeps items.
type Store interface {
	// Get returns ErrNotFound when there is no item.
	Get(ctx context.Context, k Key, c Consistency) (Item, error)
	// GetMany returns the items under the keys, in their order, nil where there is none. It may be asked for a key twice. Each
	// item is strongly consistent; together they aren't of one moment.
	GetMany(ctx context.Context, keys []Key) ([]*Item, error)
	// Query reads page by page while the caller goes on; it holds nothing between two items, so that the caller may make other
	// calls, and it is no snapshot. An error ends it.
	Query(ctx context.Context, q Query) iter.Seq2[Item, error]
	// Write makes the steps one after the other. When it fails it has stopped between two steps: those before are made, of an
	// Each some operations, of those behind none. So every prefix of the steps must make sense, and making the change again
	// must complete it. That a form stores all steps at once may be relied on for speed only. A step without operations does
	// nothing, and takes no time.
	//
	// ErrConflict, ErrFenced, ErrTooLarge and ErrUnavailable are told apart by errors.Is. Anything else is a fault of ours.
	// What is too large or not valid is refused before the first step.
	Write(ctx context.Context, steps ...Step) error
}

// The errors of a store.
var (
	// ErrNotFound: there is no such item.
	ErrNotFound = errors.New("kv: no such item")
	// ErrConflict: a condition wasn't true. Read again, decide again. It may come although the write was made, and replaced
	// by another since: a change that is made again must bear to find itself.
	ErrConflict = errors.New("kv: the item has changed")
	// ErrFenced: the item belongs to a later owner. Don't try again.
	ErrFenced = errors.New("kv: the item belongs to a later owner")
	// ErrTooLarge: an item is larger than can be stored.
	ErrTooLarge = errors.New("kv: the item is too large")
	// ErrUnavailable: the technology failed for as long as it was tried; whether it was written isn't known. Trying again
	// may help.
	ErrUnavailable = errors.New("kv: the store doesn't answer")
)
