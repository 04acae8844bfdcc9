package chat

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// FeedKind says what an entry of a feed is about.
type FeedKind string

// The kinds of entries.
const (
	FeedChat    FeedKind = "chat"    // a chat has changed, or messages in it
	FeedState   FeedKind = "state"   // the account's link
	FeedCommand FeedKind = "command" // a command has ended
	FeedBatch   FeedKind = "batch"   // a batch goes on
	FeedWebhook FeedKind = "webhook" // the webhook was switched off
	FeedEmptied FeedKind = "emptied" // all chats were deleted, since they came from another number
	FeedVoid    FeedKind = "void"    // nothing: its number is taken, and that is all. Readers don't get it
)

// FeedEntry is one change of an account.
type FeedEntry struct {
	Seq  int64     `json:"-"` // its number, which only grows; exact as a JavaScript number
	At   time.Time `json:"-"` // to the millisecond
	Kind FeedKind  `json:"k"`

	Chat     JID           `json:"j,omitempty"`  // of a chat's, canonical
	Shows    bool          `json:"s,omitempty"`  // false: the chat was deleted or moved
	Moved    JID           `json:"to,omitempty"` // the chat is the one under this address now
	View     *View         `json:"-"`            // the chat as it is then; nil where it doesn't show, or is too large
	Cleared  bool          `json:"c,omitempty"`  // messages were cleared from it
	Messages []FeedMessage `json:"m,omitempty"`
	Many     bool          `json:"n,omitempty"` // more messages have changed than are named
	Sure     bool          `json:"u,omitempty"` // nothing is stored for it that would have to be waited for

	State   State         `json:"st,omitempty"` // of a state's
	Reason  string        `json:"r,omitempty"`
	Command *FeedOutcome  `json:"o,omitempty"`
	Batch   *FeedProgress `json:"b,omitempty"`
}

// FeedMessage names a message of a chat's entry.
type FeedMessage struct {
	ID     string     `json:"id"`
	Time   int64      `json:"t"` // seconds since 1970
	Order  int64      `json:"o,omitempty"`
	What   FeedChange `json:"w"`
	Status Status     `json:"s,omitempty"` // where it has risen
}

// FeedChange is what happened to a message.
type FeedChange string

// What happens to messages.
const (
	FeedNew     FeedChange = "new"     // it has just come, or was just sent
	FeedAdded   FeedChange = "added"   // it shows now, but isn't new: a history brought it
	FeedChanged FeedChange = "changed" // it was edited, revoked, reacted to, starred, …
	FeedAcked   FeedChange = "acked"   // its status or receipts, and nothing else
	FeedGone    FeedChange = "gone"    // it doesn't show any more
)

// FeedOutcome is how a command ended.
type FeedOutcome struct {
	ID    string       `json:"id"`
	Kind  CommandKind  `json:"k"`
	Chat  JID          `json:"j,omitempty"`
	State CommandState `json:"s"`
	Error Code         `json:"e,omitempty"`
}

// FeedProgress is how far a batch is.
type FeedProgress struct {
	ID     string `json:"id"`
	State  string `json:"s"`
	Total  int    `json:"n"`
	Done   int    `json:"d,omitempty"`
	Failed int    `json:"f,omitempty"`
}

// FeedAge is how long entries are kept unless a store is told otherwise.
const FeedAge = 7 * 24 * time.Hour

// LeastFeedAge is the shortest time that they may be kept.
const LeastFeedAge = 24 * time.Hour

// MostFeedDays bounds a setting of it.
const MostFeedDays = 365

// Position is a place in a feed: behind the entry with the number, at a moment when it was the last. The zero position
// has no feed behind it.
type Position struct {
	Seq   int64
	At    time.Time // when it was given, to the second
	Until int64     // seconds since 1970 until which what was read with it holds by itself; 0: for ever
}

// String is the position as clients carry it.
func (p Position) String() string {
	s := strconv.FormatInt(p.Seq, 36) + "-" + strconv.FormatInt(p.At.Unix(), 36)
	if p.Until != 0 {
		s += "-" + strconv.FormatInt(p.Until, 36)
	}
	return s
}

// Before is the position at a moment not later than now, as which something was read: what time changes is reckoned from there.
func (p Position) Before(now time.Time) Position {
	if now.Before(p.At) {
		p.At = now
	}
	return p
}

// ParsePosition reads what String gave. INVALID_SINCE for anything else.
func ParsePosition(s string) (p Position, err error) {
	parts := strings.Split(s, "-")
	var n [3]int64
	for i, part := range parts {
		if i >= len(n) || part == "" {
			return Position{}, &Error{Code: InvalidSince}
		}
		if n[i], err = strconv.ParseInt(part, 36, 64); err != nil {
			return Position{}, &Error{Code: InvalidSince}
		}
	}
	p = Position{Seq: n[0], At: time.Unix(n[1], 0), Until: n[2]}
	if len(parts) < 2 || p.String() != s {
		return Position{}, &Error{Code: InvalidSince}
	}
	return p, nil
}

// Feed reads the changes of an account in their order.
type Feed interface {
	// After returns up to limit entries behind a position, oldest first, and the position behind the last of them, or where
	// nothing is missing the position at the end. All that they tell is stored, and whoever reads on until there is none has
	// seen every change that was stored before. SINCE_TOO_OLD where entries may be missing: they have expired, or the account
	// was emptied since.
	After(ctx context.Context, account string, p Position, limit int) (entries []FeedEntry, next Position, err error)
	// End is the position behind every change that is stored.
	End(ctx context.Context, account string) (Position, error)
	// Still tells whether nothing was appended behind a position that End or After has given. It costs least; on DynamoDB it
	// may be wrong about the last second.
	Still(ctx context.Context, account string, p Position) (bool, error)
}

// ChatDelta is what has changed about chats.
type ChatDelta struct {
	Views   []View // of those that changed and the filter accepts, newest activity first; for reading only
	Gone    []JID  // those that changed and don't show, or that the filter doesn't accept; sorted
	Cleared []JID  // those that messages were cleared from; sorted
	Next    Position
	More    bool // more has changed, which Next leads to
}

// MessageDelta is what has changed about a chat's messages.
type MessageDelta struct {
	Conversation          // the messages that changed, oldest first; where it is Complete the newest of all, as Messages gives them
	Gone         []string // ids of messages that don't show any more; sorted
	Complete     bool     // more has changed than can be named: what was known before counts no more
	Position     Position
	More         bool // more may have changed, which Position leads to
}

// Deltas tell what has changed since a position, in place of all. Whoever starts from what End and then ChatReader and
// MessageReader give, and follows, has what they give now. SINCE_TOO_OLD as for Feed.After.
type Deltas interface {
	Feed
	// ChatsSince reads what changed about chats, in up to limit entries of the feed or by itself.
	ChatsSince(ctx context.Context, account string, p Position, f Filter, limit int, now time.Time) (ChatDelta, error)
	// MessagesSince reads what changed about a chat's messages; limit is that of a complete answer. CHAT_NOT_FOUND as for Messages.
	MessagesSince(ctx context.Context, account string, jid JID, p Position, limit int, now time.Time) (MessageDelta, error)
	// Glance is ChatReader.Chat for half the price on DynamoDB: it may show the chat as it was a second ago.
	Glance(ctx context.Context, account string, jid JID) (View, error)
}

// FeedAppender is for who tells of changes that no other port tells of by itself: chats, states and outcomes need none.
type FeedAppender interface {
	// AppendFeed adds an entry, and gives it a number and a time.
	AppendFeed(ctx context.Context, account string, e FeedEntry) error
}

// FeedWatcher hears within its own process of appended entries.
type FeedWatcher interface {
	// WatchFeed has heard called with the account after its feed has grown, of "" after any account's has, until stop. It is
	// called often, by whoever appends, and doesn't block.
	WatchFeed(account string, heard func(account string)) (stop func())
}
