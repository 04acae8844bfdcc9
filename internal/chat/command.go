package chat

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CommandKind says what a command does.
type CommandKind string

// The kinds of commands.
const (
	MuteCommand       CommandKind = "mute"
	UnmuteCommand     CommandKind = "unmute"
	ClearCommand      CommandKind = "clear"
	PinCommand        CommandKind = "pin"
	UnpinCommand      CommandKind = "unpin"
	ArchiveCommand    CommandKind = "archive"
	UnarchiveCommand  CommandKind = "unarchive"
	ReadCommand       CommandKind = "read"
	UnreadCommand     CommandKind = "unread"
	DeleteChatCommand CommandKind = "deleteChat"
	StarCommand       CommandKind = "star"
	UnstarCommand     CommandKind = "unstar"
	DisappearCommand  CommandKind = "disappear"
	ConnectCommand    CommandKind = "connect"    // with Phone: link by pairing code
	RestartCommand    CommandKind = "restart"    // connects the device anew; with Shard: as one of that shard
	DisconnectCommand CommandKind = "disconnect" // keeps the link
	LogoutCommand     CommandKind = "logout"     // ends the link and deletes the device's keys
	DeleteCommand     CommandKind = "delete"     // logout, then deletes the account with all its data

	MediaCommand CommandKind = "fetchMedia" // with Message: fetches its file
	OlderCommand CommandKind = "fetchOlder" // asks the phone for messages of a chat before those that are here

	PasskeyCommand        CommandKind = "passkey"        // with Passkey: answers WhatsApp's request for one
	ConfirmPasskeyCommand CommandKind = "confirmPasskey" // the codes were compared
)

// What the API does by itself under an id that the client chose. It is recorded as commands are, so that a repeated id does
// nothing again, but goes to no queue, and no host takes it.
const (
	AddRequest CommandKind = "add" // of SystemAccount: a new account
	KeyRequest CommandKind = "key" // of SystemAccount: a new API key for an account

	AddKeyRequest CommandKind = "addKey" // a further API key
)

// SystemAccount stands for the account of a record that belongs to none.
const SystemAccount = "SYSTEM"

// Command is a wish carried from the API to the account's session host. Carrying it out again is harmless: times are
// absolute, and the stored record says when it has ended.
type Command struct {
	Version     int         `json:"version"` // CommandVersion
	ID          string      `json:"id"`      // chosen by the client, or a ULID
	Account     string      `json:"account"`
	Kind        CommandKind `json:"kind"`
	Chat        JID         `json:"chat,omitempty"`    // of the kinds that have a row in the table of ChatCommand
	Message     string      `json:"message,omitempty"` // star, unstar: the message's id
	Limit       int         `json:"limit,omitempty"`   // fetchOlder: how many messages; 0: OlderMessages
	Quiet       bool        `json:"quiet,omitempty"`   // read: without receipts
	Starred     Starred     `json:"starred,omitempty"` // clear: whether starred messages go too
	Seconds     int64       `json:"seconds,omitempty"` // mute: 0 is for ever; disappear: one of DisappearAfter
	Phone       string      `json:"phone,omitempty"`   // connect: digits of the phone that gets a pairing code
	Request     string      `json:"request,omitempty"` // id of the API's call, for the logs
	Number      JID         `json:"number,omitempty"`  // whose chats it was made for: the account's Owner then; "" where unknown
	Shard       *int        `json:"shard,omitempty"`   // restart: where the account is to go; nil: it stays
	Passkey     JSON        `json:"passkey,omitempty"` // passkey: a credential as PublicKeyCredential.toJSON gives it
	Through     *Through    `json:"through,omitempty"` // what a command of a range is about; nil: to be fixed at the first receipt
	Hops        int         `json:"hops,omitempty"`    // how often it was sent on to another queue
	Report      string      `json:"report,omitempty"`  // id of its report entry
	Name        string      `json:"name,omitempty"`    // add: of the device
	Device      string      `json:"device,omitempty"`  // add: id of the device
	RequestedAt time.Time   `json:"requestedAt"`
}

// Starred says what a clear does to starred messages.
type Starred string

// What a clear does to starred messages. Without a word it keeps them, as WhatsApp Web's dialog proposes.
const (
	KeepStarred   Starred = "keep"
	DeleteStarred Starred = "delete"
)

// Through is the end of a conversation as it was at some moment: the second of the last thing in it, and the last message
// if that is of this second. What comes after is of the same second and behind it in the order of SortMessages, or later.
type Through struct {
	Time  int64  `json:"time"` // seconds since 1970
	Order int64  `json:"order,omitempty"`
	ID    string `json:"id,omitempty"`
}

// Through is the end of the chat's conversation.
func (v View) Through() Through {
	if v.Last.Time < v.Activity {
		return Through{Time: v.Activity}
	}
	return Through{Time: v.Last.Time, Order: v.Last.Order, ID: v.Last.ID}
}

// Covers tells whether a message was there at the moment.
func (t Through) Covers(m MessageView) bool {
	return cmp.Or(cmp.Compare(m.Time, t.Time), cmp.Compare(m.Order, t.Order), cmp.Compare(m.ID, t.ID)) <= 0
}

// CommandVersion is the version of the public JSON form of Command.
const CommandVersion = 1

// MaxMuteSeconds bounds a mute: ten years.
const MaxMuteSeconds = 10 * 365 * 24 * 60 * 60

// DisappearAfter are the times in seconds after which WhatsApp lets messages disappear: never, a day, a week, 90 days.
func DisappearAfter() []int64 { return []int64{0, 86400, 604800, 7776000} }

// How many older messages are asked for: WhatsApp's own clients ask for as many, and at most.
const (
	OlderMessages    = 50
	MaxOlderMessages = 500
)

// MaxPasskey bounds the credential that answers a request for a passkey, in bytes; usual ones have some 1,000.
const MaxPasskey = 16 << 10

const maxCommandID = 128

// MaxHops bounds how often a command is sent on: once where queues have changed, twice for an account that changes shards.
const MaxHops = 16

// Validate returns INVALID_PARAMETER, INVALID_PHONE or INVALID_SECOND when the command can't be carried out. What comes
// from the queue is checked too, since others may write there.
func (c Command) Validate() error {
	row, chats := ChatCommandOf(c.Kind)
	links := []CommandKind{ConnectCommand, DisconnectCommand, LogoutCommand, DeleteCommand, ConfirmPasskeyCommand, RestartCommand}
	switch {
	case c.Version != CommandVersion:
		return &Error{Code: InvalidParameter, Message: "version"}
	case !ValidCommandID(c.ID):
		return &Error{Code: InvalidParameter, Message: "id"}
	case !isULID(c.Account):
		return &Error{Code: InvalidParameter, Message: "account"}
	case c.Hops < 0 || c.Hops > MaxHops:
		return &Error{Code: InvalidParameter, Message: "hops"}
	case c.RequestedAt.IsZero():
		return &Error{Code: InvalidParameter, Message: "requestedAt"}
	case c.Message != "" && !ValidCommandID(c.Message), c.Message == "" &&
		(slices.Contains(row.Takes, TakesID) || c.Kind == MediaCommand):
		return &Error{Code: InvalidParameter, Message: "message"}
	case c.Limit < 0 || c.Limit > MaxOlderMessages || c.Limit > 0 && c.Kind != OlderCommand:
		return &Error{Code: InvalidLimit}
	case chats, c.Kind == OlderCommand, c.Kind == MediaCommand:
		if jid, err := ParseJID(string(c.Chat)); err != nil || jid != c.Chat {
			return &Error{Code: InvalidPhone}
		}
	case c.Kind == PasskeyCommand:
		if c.Passkey == "" || len(c.Passkey) > MaxPasskey {
			return &Error{Code: InvalidParameter, Message: "passkey"}
		}
	case !slices.Contains(links, c.Kind):
		return &Error{Code: InvalidParameter, Message: "kind"}
	case c.Phone != "" && !isNumber(c.Phone, 7, 15):
		return &Error{Code: InvalidPhone}
	}
	if jid, err := ParseJID(string(c.Number)); c.Number != "" && (err != nil || jid != c.Number) {
		return &Error{Code: InvalidParameter, Message: "number"}
	}
	if c.Shard != nil && (c.Kind != RestartCommand || *c.Shard < 0 || *c.Shard >= Shards) {
		return &Error{Code: InvalidParameter, Message: "shard"}
	}
	if c.Starred != "" && c.Starred != KeepStarred && c.Starred != DeleteStarred {
		return &Error{Code: InvalidParameter, Message: "starred"}
	}
	if c.Through != nil && (!row.Ranged || c.Through.Time <= 0) {
		return &Error{Code: InvalidParameter, Message: "through"}
	}
	if c.Kind == DisappearCommand && !slices.Contains(DisappearAfter(), c.Seconds) {
		return &Error{Code: InvalidParameter, Message: "seconds"}
	}
	if c.Seconds < 0 || c.Seconds > MaxMuteSeconds {
		return &Error{Code: InvalidSecond}
	}
	return nil
}

// ValidCommandID tells whether a client may use the id: 1 to 128 printable ASCII characters without space.
func ValidCommandID(id string) bool {
	return id != "" && len(id) <= maxCommandID &&
		strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// Dispatch tells one sending of the command to a queue from the others: its id, and with it how often it was sent on.
func (c Command) Dispatch() string {
	if c.Hops == 0 {
		return c.ID
	}
	return c.ID + " " + strconv.Itoa(c.Hops)
}

// Meant tells whether the command was made for the number that owns the account now. What was wanted of the chats or the
// link of another isn't carried out on it.
func (c Command) Meant(a Account) bool {
	switch c.Kind {
	case ConnectCommand, DisconnectCommand, DeleteCommand, RestartCommand: // the account's own, whoever is linked
		return true
	}
	if c.Number == "" {
		return !a.Foreign() && !c.RequestedAt.Before(a.EmptiedAt)
	}
	return c.Number == a.Number()
}

// Same tells whether the two ask for the same thing, which a repeated id must.
func (c Command) Same(o Command) bool {
	if c.Number != "" && o.Number != "" && c.Number != o.Number {
		return false
	}
	starred := (c.Starred == DeleteStarred) == (o.Starred == DeleteStarred)
	if (c.Shard == nil) != (o.Shard == nil) || c.Shard != nil && *c.Shard != *o.Shard {
		return false
	}
	if c.Kind == KeyRequest && c.Device != o.Device { // other kinds get theirs when they are recorded
		return false
	}
	return c.Account == o.Account && c.Kind == o.Kind && c.Chat == o.Chat && c.Seconds == o.Seconds && c.Phone == o.Phone &&
		c.Passkey == o.Passkey && c.Name == o.Name && starred && c.Message == o.Message && c.Quiet == o.Quiet &&
		c.Limit == o.Limit
}

// MuteEnd is when the mute that c asks for ends: ms since 1970, or MutedForEver.
func (c Command) MuteEnd() int64 {
	if c.Seconds == 0 {
		return MutedForEver
	}
	return c.RequestedAt.Add(time.Duration(c.Seconds) * time.Second).UnixMilli()
}

// CommandAge is how old a command gets: then it has ended or was lost on its way, and nobody begins it any more. What was
// wanted a day ago need not be wanted now.
const CommandAge = 24 * time.Hour

// Lost tells whether a command that hasn't ended never will. A deletion can always be carried out.
func (c Command) Lost(now time.Time) bool {
	return c.Kind != DeleteCommand && now.Sub(c.RequestedAt) > CommandAge
}

// CommandState says whether a command has ended.
type CommandState string

// The states of a command.
const (
	CommandPending CommandState = "pending"
	CommandDone    CommandState = "done"
	CommandFailed  CommandState = "failed"
)

// CommandRecord is what is stored of a command.
type CommandRecord struct {
	Command
	State    CommandState `json:"state"`
	Failure  *Error       `json:"failure,omitempty"` // of a failed command
	Attempts int          `json:"attempts"`
	EndedAt  time.Time    `json:"endedAt,omitzero"`
}

// Outcome is how a command ended.
type Outcome struct {
	Failure  *Error // nil: done
	Attempts int
	At       time.Time
}

// State is CommandDone or CommandFailed.
func (o Outcome) State() CommandState {
	if o.Failure != nil {
		return CommandFailed
	}
	return CommandDone
}

// Report is an entry of the API log: a call that changed something or failed, and how its command ended.
type Report struct {
	ID        string       `json:"id"` // ULID, so ids order by time
	Account   string       `json:"account"`
	At        time.Time    `json:"at"`
	Request   string       `json:"request,omitempty"` // id of the call, as the logs have it
	Endpoint  string       `json:"endpoint"`
	Key       string       `json:"key,omitempty"`    // name of the key that opened, but for an account's first
	Number    JID          `json:"number,omitempty"` // the account's Owner then, whose business the target is
	Target    string       `json:"target,omitempty"` // as answers echo it
	Status    int          `json:"status,omitempty"` // what the call was answered; 0: there was no call
	Error     Code         `json:"error,omitempty"`
	CommandID string       `json:"commandId,omitempty"`
	Batch     string       `json:"batch,omitempty"`   // id of the batch that it is about, instead of a command
	Command   CommandState `json:"command,omitempty"` // stored as pending; how it has ended stands in its record
	EndedAt   time.Time    `json:"endedAt,omitzero"`  // of the command
	Going     bool         `json:"-"`                 // its batch is open: it takes as long as it takes
}

// Finished tells whether nothing is expected to happen to the entry any more.
func (r Report) Finished() bool { return r.Command != CommandPending }

// Lost tells whether the entry waits for the end of a command that was lost. It counts as finished then.
func (r Report) Lost(now time.Time) bool {
	return !r.Finished() && !r.Going && now.Sub(r.At) > CommandAge
}

// ReportAge is how long a report and a command record are kept.
const ReportAge = 30 * 24 * time.Hour
