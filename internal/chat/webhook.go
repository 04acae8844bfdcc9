package chat

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Hook is the endpoint to which an account's events are sent.
type Hook struct {
	URL       string      `json:"url"`
	Events    []EventKind `json:"events,omitempty"` // empty: all
	CreatedAt time.Time   `json:"createdAt"`
	Since     int64       `json:"since"` // what the feed had numbered when the hook was made, or turned on again, isn't sent
	Version   [8]byte     `json:"-"`     // of what is stored of it; only the store sets and reads it
}

// Takes tells whether an event of a kind and number is sent to the endpoint.
func (h *Hook) Takes(kind EventKind, number int64) bool {
	return number > h.Since && (len(h.Events) == 0 || slices.Contains(h.Events, kind))
}

// EventKind is what an event tells of; the names are the API's.
type EventKind string

// The kinds of events; those up to MessageAckEvent are the vendor's.
const (
	ReadyEvent        EventKind = "ready"        // the link is up
	ChangeStateEvent  EventKind = "change_state" // the link's state is another
	DisconnectedEvent EventKind = "disconnected" // the link is down
	MessageEvent      EventKind = "message"      // a message came, was sent, edited or deleted
	MessageAckEvent   EventKind = "message_ack"  // a sent message was delivered, read or played
	ChatEvent         EventKind = "chat"         // a chat is another, or gone
	BatchEvent        EventKind = "batch"        // a batch went on
	CommandEvent      EventKind = "command"      // a command ended
	TestEvent         EventKind = "test"         // sent by testWebhook alone
)

// EventKinds are those that an endpoint may ask for.
func EventKinds() []EventKind {
	return []EventKind{
		ReadyEvent, ChangeStateEvent, DisconnectedEvent, MessageEvent, MessageAckEvent, ChatEvent, BatchEvent, CommandEvent,
	}
}

// Event is one that is to be sent.
type Event struct {
	ID     string    `json:"id"`     // the same each time it is sent; no other event's
	Number int64     `json:"number"` // of the feed's entry that it is of; 0: of none
	Kind   EventKind `json:"kind"`
	At     time.Time `json:"at"`   // when the feed numbered it
	Body   JSON      `json:"body"` // what is sent
}

// EventID names an event: the part, counted from 0, of what the feed's entry of a number tells.
func EventID(account string, number int64, part int) string {
	return account + "-" + strconv.FormatInt(number, 10) + "-" + strconv.Itoa(part)
}

// ParseEventID takes an event's id apart.
func ParseEventID(id string) (account string, number int64, part int, ok bool) {
	account, rest, _ := strings.Cut(id, "-")
	digits, last, _ := strings.Cut(rest, "-")
	number, err := strconv.ParseInt(digits, 10, 64)
	part, err2 := strconv.Atoi(last)
	return account, number, part, err == nil && err2 == nil && number > 0 && part >= 0 && EventID(account, number, part) == id
}

// HookAttempt is what came of sending an event once.
type HookAttempt struct {
	ID     string    `json:"id"`
	Kind   EventKind `json:"kind"`
	At     time.Time `json:"at"`
	Status int       `json:"status,omitempty"` // of the endpoint's answer; 0: there was none
	Error  string    `json:"error,omitempty"`  // stable word, such as TIMEOUT; "": it was delivered
	Millis int64     `json:"ms"`
}

// Delivered tells whether the endpoint has taken the event.
func (a HookAttempt) Delivered() bool { return a.Error == "" }

// HookAnswer is an attempt with what came back.
type HookAnswer struct {
	HookAttempt
	Answer string        // the beginning of the endpoint's answer, if it is text
	After  time.Duration // how long the endpoint asks to be left alone
}

// HookFault says what is wrong with the URL of an endpoint.
type HookFault string

// The faults of a URL.
const (
	HookFormFault   HookFault = "form"   // no URL that can be called
	HookSchemeFault HookFault = "scheme" // not https
	HookUserFault   HookFault = "user"   // with a name or a password
	HookPortFault   HookFault = "port"
	HookHostFault   HookFault = "host" // an address or a name that isn't public
)

// HookCaller calls endpoints.
type HookCaller interface {
	// CheckURL tells what is wrong with the URL of an endpoint, "" for nothing.
	CheckURL(url string) HookFault
	// Send makes one attempt at an event, signed with the secret, and tells what came of it.
	Send(ctx context.Context, url, secret string, e Event) HookAnswer
}

// The bounds of a secret, in bytes: those of the Standard Webhooks specification.
const (
	hookSecretPrefix = "whsec_"
	leastHookSecret  = 24
	mostHookSecret   = 64
	newHookSecret    = 32
)

// NewHookSecret makes a secret that events are signed with.
func NewHookSecret(random io.Reader) (string, error) {
	var b [newHookSecret]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make webhook secret: %w", err)
	}
	return hookSecretPrefix + base64.StdEncoding.EncodeToString(b[:]), nil
}

// ValidHookSecret tells whether a client may give this secret.
func ValidHookSecret(s string) bool {
	rest, ok := strings.CutPrefix(s, hookSecretPrefix)
	b, err := base64.StdEncoding.Strict().DecodeString(rest)
	return ok && err == nil && len(b) >= leastHookSecret && len(b) <= mostHookSecret
}

// HookHealth is how sending goes. Only who sends changes it.
type HookHealth struct {
	Last     []HookAttempt `json:"last,omitempty"`     // the newest last
	Failures int           `json:"failures,omitempty"` // in a row
	Failing  time.Time     `json:"failing,omitzero"`   // since when
	Next     time.Time     `json:"next,omitzero"`      // nothing is sent before, after a failure
	Off      time.Time     `json:"off,omitzero"`       // when it was switched off; zero: it is on
	Reason   string        `json:"reason,omitempty"`   // why: FAILING or GONE
}

// Why an endpoint is switched off.
const (
	HookFailing = "FAILING" // for HookPatience
	HookGone    = "GONE"    // it answered 410, which says so
)

// The times of a webhook.
const (
	EventPatience = 24 * time.Hour      // how long an event is tried
	HookPatience  = 3 * 24 * time.Hour  // how long an endpoint may fail before it is switched off
	DeadEventAge  = 30 * 24 * time.Hour // how long what failed is kept
)

// DeadEvent is an event that wasn't delivered.
type DeadEvent struct {
	Event
	Failed time.Time   `json:"failed"` // when it was given up
	Last   HookAttempt `json:"last"`   // its last attempt; zero: none was made
}

// HookReader reads an account's webhook.
type HookReader interface {
	// Hook returns WEBHOOK_NOT_FOUND when there is none.
	Hook(ctx context.Context, account string) (Hook, HookHealth, error)
}

// HookSecrets reads what events are signed with. Only who signs has it.
type HookSecrets interface {
	// HookSecret returns WEBHOOK_NOT_FOUND when there is none.
	HookSecret(ctx context.Context, account string) (string, error)
}

// HookSettings is how a client sets an account's webhook.
type HookSettings interface {
	HookReader
	// SetHook stores the hook in place of the one before, and turns it on. secret is "" for the one that is stored. It returns
	// DEVICE_NOT_FOUND without an account, and WEBHOOK_NOT_FOUND where secret is "" and no hook is stored.
	SetHook(ctx context.Context, account string, h Hook, secret string) error
	// DeleteHook deletes the hook with all that is stored of it; none is no error.
	DeleteHook(ctx context.Context, account string) error
}

// HookLog keeps what comes of sending.
type HookLog interface {
	HookReader
	// PutHookHealth stores how sending to the hook goes, as it was read.
	PutHookHealth(ctx context.Context, account string, h Hook, health HookHealth) error
	// PutDeadEvent keeps an event for DeadEventAge, once. WEBHOOK_NOT_FOUND where the hook isn't as it was read.
	PutDeadEvent(ctx context.Context, account string, h Hook, e DeadEvent) error
}

// DeadEvents are what couldn't be delivered.
type DeadEvents interface {
	// DeadEvents returns them, the oldest first.
	DeadEvents(ctx context.Context, account string, p Page) (events []DeadEvent, next string, err error)
	// DeadEvent returns EVENT_NOT_FOUND when there is none of this id.
	DeadEvent(ctx context.Context, account, id string) (DeadEvent, error)
	// DeleteDeadEvent deletes one; none is no error.
	DeleteDeadEvent(ctx context.Context, account, id string) error
}

// HookCursors keeps up to which number of an account's feed events were handed on. Only the account's owner has it.
type HookCursors interface {
	HookReader
	// Hooked returns those of the accounts that have a webhook.
	Hooked(ctx context.Context, accounts []string) ([]string, error)
	// HookCursor returns 0 where there is none.
	HookCursor(ctx context.Context, account string) (HookCursor, error)
	// PutHookCursor stores it.
	PutHookCursor(ctx context.Context, account string, c HookCursor) error
	// EmptyHook has nothing be sent any more of what the feed has numbered up to a number, and deletes what is kept of it.
	EmptyHook(ctx context.Context, account string, through int64) error
}

// HookCursor is how far an account's events were handed on.
type HookCursor struct {
	Number int64     // of the feed
	Told   time.Time // the HookHealth.Off that the API log tells of
}
