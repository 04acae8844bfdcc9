package chat

import (
	"context"
	"strings"
	"time"
)

// Every port: an account's data is found only under the account's id. Methods are safe for concurrent use, return
// Unavailable or a foreign error for a fault that trying again may mend, and have done nothing then unless they say
// otherwise. Time and ids come from the caller.

// AccountReader finds accounts.
type AccountReader interface {
	// Account returns DEVICE_NOT_FOUND when there is none.
	Account(ctx context.Context, id string) (Account, error)
}

// Accounts keeps accounts.
type Accounts interface {
	AccountReader
	// Accounts returns a page of all, oldest first, and the cursor of the next page, "" when there is none.
	Accounts(ctx context.Context, p Page) (accounts []Account, next string, err error)
	// AccountsOf returns the accounts of shards, in any order.
	AccountsOf(ctx context.Context, shards []int) ([]Account, error)
	// CreateAccount stores a new account; its id must be new.
	CreateAccount(ctx context.Context, a Account) error
	// UpdateAccount loads the account, lets change work on it, and stores it, atomically. change may be called again, on
	// what it left too: it must come to the same then. An error of change is returned as it is, and nothing is stored.
	// DEVICE_NOT_FOUND when there is none.
	UpdateAccount(ctx context.Context, id string, change func(*Account) error) error
	// DeleteAccount deletes the account; none is no error. Its chats, commands and reports are deleted by their own ports.
	DeleteAccount(ctx context.Context, id string) error
}

// Filter selects chats; nil means either.
type Filter struct {
	Kind                            Kind // "": all
	Unread, Archived, Muted, Pinned *bool
	Name                            string // folded: the chat's name contains it; "": any
	Label                           string // id of a label that the chat has; "": any
	IdleDays                        int    // without activity for as many days; 0: all
}

// MaxIdleDays bounds Filter.IdleDays: no chat is older than WhatsApp.
const MaxIdleDays = 10_000

// Accepts tells whether the filter lets a chat through at a moment.
func (f Filter) Accepts(v *View, now time.Time) bool {
	is := func(want *bool, have bool) bool { return want == nil || *want == have }
	return is(f.Unread, v.Unread) && is(f.Archived, v.Archived) && is(f.Pinned, v.Pinned) &&
		is(f.Muted, MutedAt(v.MuteEnd, now)) && (f.Kind == "" || f.Kind == v.JID.Kind()) &&
		(f.Name == "" || strings.Contains(v.Name, f.Name)) && (f.Label == "" || v.Labels.Has(f.Label)) &&
		(f.IdleDays == 0 || v.Activity <= now.AddDate(0, 0, -f.IdleDays).Unix())
}

// Until is when, in seconds since 1970, the chat shows otherwise by itself than at the moment, or the filter decides otherwise of
// it; 0: never.
func (f Filter) Until(v *View, now time.Time) int64 {
	until := v.Until(now)
	if f.IdleDays != 0 {
		until = Sooner(until, later(time.Unix(v.Activity, 0).AddDate(0, 0, f.IdleDays).Unix(), now.Unix()))
	}
	return until
}

// Timed tells whether time alone may decide otherwise of a chat.
func (f Filter) Timed() bool { return f.Muted != nil || f.IdleDays != 0 }

// Head is the part of the filter that needs neither the name nor the labels of a chat.
func (f Filter) Head() Filter {
	f.Name, f.Label = "", ""
	return f
}

// Page asks for part of a long answer. Cursor is what the answer before gave as next, "" at first; a made-up one is
// INVALID_CURSOR. Limit is positive.
type Page struct {
	Limit  int
	Cursor string
}

// Conversation is a part of a chat's messages.
type Conversation struct {
	Chat     JID // canonical
	Messages []MessageView
	Next     string // cursor of older messages; "" when there are none
}

// Until is when, in seconds since 1970, the first of the messages disappears, or its pin ends; 0: none does.
func (c *Conversation) Until() (until int64) {
	for i := range c.Messages {
		until = Sooner(until, Sooner(c.Messages[i].Expires, c.Messages[i].PinEnds))
	}
	return until
}

// ChatReader reads chats, by either address of a person.
type ChatReader interface {
	// Chats returns the chats that show and that the filter accepts at the moment, newest activity first, then by JID,
	// and the cursor of the next page, "" when there is none. They are for reading only.
	Chats(ctx context.Context, account string, f Filter, p Page, now time.Time) (views []View, next string, err error)
	// Chat returns CHAT_NOT_FOUND for a chat that is unknown or doesn't show.
	Chat(ctx context.Context, account string, jid JID) (View, error)
	// WholeChat is Chat with the members of a large group, which only lists have else.
	WholeChat(ctx context.Context, account string, jid JID) (View, error)
	// State returns all that is known of a chat; CHAT_NOT_FOUND as for Chat.
	State(ctx context.Context, account string, jid JID) (Chat, error)
}

// MessageReader reads conversations, by either address of a person.
type MessageReader interface {
	// Messages returns the newest messages before the cursor that the chat lists at the moment, oldest first, in the
	// order of SortMessages where their seconds are equal. CHAT_NOT_FOUND as for Chat.
	Messages(ctx context.Context, account string, jid JID, p Page, now time.Time) (Conversation, error)
	// Message returns a conversation of the one message with this id, which the chat lists at the moment. MESSAGE_NOT_FOUND
	// when it doesn't, CHAT_NOT_FOUND as for Chat.
	Message(ctx context.Context, account string, jid JID, id string, now time.Time) (Conversation, error)
	// Around returns what Message returns of the one that shows the message with this id inside of it.
	Around(ctx context.Context, account string, jid JID, id string, now time.Time) (Conversation, error)
}

// ChatStore is where the projection writes.
type ChatStore interface {
	ChatReader
	MessageReader
	LabelStore
	// Update loads the chat, a Chat with only its JID where there is none, and the messages with these ids that are
	// stored, lets change work on them, stores the chat, the messages in Changed and their views, and deletes what Prune
	// covers but for stubs, whose time isn't known. jid may be an alias. change may be called again, on a newer state, which
	// may hold what it did already; its error is returned as it is. The thread belongs to change for its call only. Changed
	// holds nothing but messages with these ids: one that is stored but wasn't loaded conflicts for ever.
	//
	// On another error some of it may have been stored: messages, and the deletions too. A change that joins, as Apply does,
	// completes it when it is made again.
	Update(ctx context.Context, account string, jid JID, ids []string, change func(*Thread) error) error
	// Prefetch has an owner's chats at hand that he is about to look at or to change: one request for all of them, not one each.
	Prefetch(ctx context.Context, account string, jids []JID) error
	// Oldest returns the oldest message of the chat that is stored, without its document. MESSAGE_NOT_FOUND when there is none.
	Oldest(ctx context.Context, account string, jid JID) (MessageView, error)
	// Export returns the state stored under exactly this JID, and a page of its messages, stubs included, in any order.
	// A chat that isn't stored, or is an alias, is CHAT_NOT_FOUND.
	Export(ctx context.Context, account string, jid JID, p Page) (c Chat, messages []Message, next string, err error)
	// Alias makes from another address of the chat to, for every method, and deletes what is stored under from itself.
	// Where it is so already, nothing is written.
	Alias(ctx context.Context, account string, from, to JID) error
	// DeleteChats deletes all chats, messages and aliases of the account.
	DeleteChats(ctx context.Context, account string) error
}

// CommandReader finds command records.
type CommandReader interface {
	// Command sees every write that ended before. COMMAND_NOT_FOUND when there is none.
	Command(ctx context.Context, account, id string) (CommandRecord, error)
}

// Commands keeps command records for ReportAge.
type Commands interface {
	CommandReader
	// PutCommand stores the command as pending unless the account has one with this id, and returns what is stored.
	PutCommand(ctx context.Context, c Command) (stored CommandRecord, created bool, err error)
	// PutReported is PutCommand together with the command's entry in the log, for the price of one. The entry has the command's
	// id, account, time and request, and is to be pending; the log has it as long as nobody clears it.
	PutReported(ctx context.Context, c Command, entry Report) (stored CommandRecord, created bool, err error)
	// EndCommand writes the outcome of a pending command, and returns the record as it is then. One that has ended stays
	// as it is: the first outcome counts.
	EndCommand(ctx context.Context, account, id string, o Outcome) (CommandRecord, error)
	// DeleteCommands deletes all command records and batches of the account.
	DeleteCommands(ctx context.Context, account string) error
}

// BatchReader reads batches.
type BatchReader interface {
	// Batch sees every write that ended before. BATCH_NOT_FOUND when there is none.
	Batch(ctx context.Context, account, id string) (Batch, error)
	// ListBatches returns batches, newest first.
	ListBatches(ctx context.Context, account string, p Page) (batches []Batch, next string, err error)
	// Operations returns the operations of a batch's chunk, in their order, and how each ended, the zero Result where it hasn't.
	// BATCH_NOT_FOUND when there is no such chunk.
	Operations(ctx context.Context, account, id string, chunk int) ([]Operation, []Result, error)
}

// Batches keeps batches for ReportAge.
type Batches interface {
	BatchReader
	// PutOperations stores the operations of a batch that is to be created, in chunks of BatchChunk. Without the batch they are
	// nothing, and go after ReportAge.
	PutOperations(ctx context.Context, account, id string, all []Operation) error
	// BatchOf returns the account's batch of a key; BATCH_NOT_FOUND when there is none.
	BatchOf(ctx context.Context, account, key string) (Batch, error)
	// CreateBatch stores a batch whose operations are stored, unless the account has one with its key or its id, and returns
	// what is stored. TOO_MANY_BATCHES when MaxOpenBatches are open.
	CreateBatch(ctx context.Context, b Batch, now time.Time) (stored Batch, created bool, err error)
	// UpdateBatch loads the batch, lets change work on it, and stores it, atomically. change may be called again. An error of
	// change is returned as it is, and nothing is stored.
	UpdateBatch(ctx context.Context, account, id string, change func(*Batch) error) error
	// EndOperations records how operations of a chunk ended, by their place in it, and counts them, atomically. One that has
	// ended stays as it is: the first result counts. It returns the batch as it is then.
	EndOperations(ctx context.Context, account, id string, chunk int, results map[int]Result) (Batch, error)
	// OpenBatches returns the account's batches that are open, oldest first.
	OpenBatches(ctx context.Context, account string) ([]Batch, error)
	// Overtake notes that a command has set what it wishes, at a time, so that no batch that was wanted before undoes it. Without an
	// open batch it does nothing.
	Overtake(ctx context.Context, account string, at time.Time, wishes ...Wish) error
	// Overtaken tells when each of some wishes was set, the zero time where no command is noted to have done it.
	Overtaken(ctx context.Context, account string, wishes []Wish) ([]time.Time, error)
	// Overtakes tells whether any wish of an account is noted to have been set after a time.
	Overtakes(ctx context.Context, account string, after time.Time) (bool, error)
}

// BatchSender puts batches on the queue of a shard.
type BatchSender interface {
	// SendBatch returns when the queue holds the messages durably, in their order, in the group of their account's batches. After
	// an error it may hold some. Sending the same message again within minutes adds nothing.
	SendBatch(ctx context.Context, shard int, messages ...BatchMessage) error
}

// CommandSender puts commands on a shard's queue.
type CommandSender interface {
	// Send returns when the queue holds the command durably. Commands of one account keep their order. Sending the same
	// id again within minutes adds nothing.
	Send(ctx context.Context, shard int, c Command) error
}

// CommandQueue hands out the commands of a queue. It may hand out one twice.
type CommandQueue interface {
	// Receive waits until a command is there or ctx ends, and returns up to limit of them. An account's next command isn't
	// handed out before the one before is done or released. A received command that is neither done nor extended within
	// the visibility timeout comes again.
	Receive(ctx context.Context, queue, limit int) ([]Delivery, error)
}

// Delivery is a command handed out.
type Delivery interface {
	// Command returns INVALID_BODY when what was on the queue is no command.
	Command() (Command, error)
	// Batch returns the message of a batch; ok is false when it is none, and so may be a command.
	Batch() (m BatchMessage, ok bool)
	// Attempt counts the deliveries, from 1.
	Attempt() int
	// Extend gives the receiver another visibility timeout; it is called well before the present one ends.
	Extend(ctx context.Context) error
	// Done deletes the command from the queue.
	Done(ctx context.Context) error
	// Release lets the command be handed out again after a delay. After too many attempts it goes to the dead letters.
	Release(ctx context.Context, after time.Duration) error
}

// VisibilityTimeout is how long a received command is hidden from others.
const VisibilityTimeout = 30 * time.Second

// MaxAttempts is how often a command is begun.
const MaxAttempts = 5

// MaxDeliveries is how often a command is handed out before it goes to the dead letters. The last times nobody begins it any more:
// where the processes have ended that had begun it, they record that it has failed.
const MaxDeliveries = MaxAttempts + 3

// Reports keeps the API log for ReportAge.
type Reports interface {
	// AddReport stores an entry, once. One with a command ends as that does: nobody ends it.
	AddReport(ctx context.Context, r Report) error
	// ListReports returns entries, newest first, each with how its command has ended.
	ListReports(ctx context.Context, account string, p Page) (reports []Report, next string, err error)
	// ClearReports deletes the account's entries that are finished or lost at the moment, or with all also the pending ones.
	ClearReports(ctx context.Context, account string, all bool, now time.Time) error
}

// Shards is how many there are: mere numbers, which accounts keep while queues and hosts change. The commands of a shard come by
// the queue that is the shard modulo the number of queues, so the shards of one queue are worked on together.
const Shards = 64

// ShardsOf are the shards whose commands come by one of so many queues.
func ShardsOf(queue, queues int) (shards []int) {
	for shard := queue; shard < Shards; shard += queues {
		shards = append(shards, shard)
	}
	return shards
}

// Heartbeat is a host's sign of life. Its leases last as long as that does.
type Heartbeat struct {
	Host    string // like no other's, and used for one life only
	Leaving bool   // the host hands over what it holds, and takes nothing any more
	Expires time.Time
	Version [8]byte // of what is stored of it; only the store sets and reads it
}

// Lease is a host's right to some shards, together.
type Lease struct {
	Shards []int
	Host   string
	Epoch  int64 // greater than that of every lease before, of any shard
}

// Ownership is a lease as its holder sees it: what belongs to an account he writes under it.
type Ownership interface {
	// Token is the lease's epoch, the fencing token of what is written.
	Token() int64
	// Check returns LEASE_HELD once the lease can't be relied on any more, by the holder's own clocks.
	Check() error
}

// Leases shares out the shards. A host trusts its heartbeat only until its own clock says that it expires.
type Leases interface {
	// Beat stores that the host lives until ttl ends. A heartbeat without a version is a life's first. LEASE_HELD when another
	// host has found it expired and taken it away: what the host held is over then, and it begins a new life.
	Beat(ctx context.Context, b Heartbeat, now time.Time, ttl time.Duration) (Heartbeat, error)
	// Leave takes the host's heartbeat away; what it still holds is free at once.
	Leave(ctx context.Context, host string) error
	// Hosts returns the hosts that live at the moment and aren't leaving, sorted.
	Hosts(ctx context.Context, now time.Time) ([]string, error)
	// AcquireLease takes shards that no living host holds, all or none; LEASE_HELD otherwise. The epoch is greater than any
	// before.
	AcquireLease(ctx context.Context, shards []int, host string, now time.Time) (Lease, error)
	// ReleaseLease lets others take the shards at once. A lease that is no more the newest is no error.
	ReleaseLease(ctx context.Context, l Lease) error
}

// Backlog keeps what WhatsApp handed over to be worked on later, such as a history sync notification, until it is done.
type Backlog interface {
	// PutBacklog stores an item durably; an id that is there stays as it is.
	PutBacklog(ctx context.Context, account, id string, data []byte) error
	// ListBacklog returns the account's items in the order of their first arrival.
	ListBacklog(ctx context.Context, account string) ([]BacklogItem, error)
	// DeleteBacklog deletes an item; none is no error.
	DeleteBacklog(ctx context.Context, account, id string) error
}

// BacklogItem is one piece of stored work.
type BacklogItem struct {
	ID   string
	Data []byte
}
