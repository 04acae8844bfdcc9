package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Batch is many changes of an account's chats that were asked for together. Its operations are stored in chunks, each of which
// travels over the queue by itself; how they end is stored per chunk, together with the counts here, so that these always add
// up.
type Batch struct {
	ID          string    `json:"id"` // ULID, so ids order by time
	Account     string    `json:"account"`
	Number      JID       `json:"number,omitempty"`  // whose chats it was made for: the account's Number then
	Key         string    `json:"key,omitempty"`     // by which the client repeats the call; "": it doesn't
	Digest      []byte    `json:"digest,omitempty"`  // of what was asked for under the key
	RetryOf     string    `json:"retryOf,omitempty"` // the batch whose failures it tries again
	Wait        bool      `json:"wait,omitempty"`    // it begins when the device connects, for up to CommandAge
	Rate        int       `json:"rate"`              // operations a second at most
	Total       int       `json:"total"`
	Chunk       int       `json:"chunk"`             // operations of each chunk but the last
	Request     string    `json:"request,omitempty"` // id of the API's call, for the logs
	Report      string    `json:"report,omitempty"`  // id of its report entry
	RequestedAt time.Time `json:"requestedAt"`

	State      BatchState `json:"state"`
	Reason     *Error     `json:"reason,omitempty"` // why a failed batch stopped
	Done       int        `json:"done"`
	Failed     int        `json:"failed"`
	Overtaken  int        `json:"overtaken,omitempty"`
	StartedAt  time.Time  `json:"startedAt,omitzero"`
	ProgressAt time.Time  `json:"progressAt,omitzero"` // of the last operation that ended
	EndedAt    time.Time  `json:"endedAt,omitzero"`
	ParkedAt   time.Time  `json:"parkedAt,omitzero"` // since when it waits for the device; its chunks aren't on the queue then
	Slot       string     `json:"slot,omitempty"`    // which of the account's places for open batches it takes; only the store sets it
}

// BatchState says where a batch stands.
type BatchState string

// The states of a batch. The first two are open: operations that haven't ended may yet.
const (
	BatchQueued    BatchState = "queued"
	BatchRunning   BatchState = "running"
	BatchDone      BatchState = "done" // every operation has ended, well or not
	BatchCancelled BatchState = "cancelled"
	BatchFailed    BatchState = "failed" // it was stopped; Reason says why
)

// Bounds of batches.
const (
	MaxOperations  = 50_000 // of a batch
	BatchChunk     = 500    // operations of a chunk
	MaxOpenBatches = 10     // of an account
	MaxBatchRate   = 10_000 // operations a second, which no batch reaches

	// DefaultBatchRate is what a careful person would choose, and BatchRateBound what an operator lets others choose who hasn't
	// thought about it: operations a second. docs/batch.md says why.
	DefaultBatchRate = 10
	BatchRateBound   = 50
)

// Open tells whether operations may yet end.
func (b Batch) Open() bool { return b.State == BatchQueued || b.State == BatchRunning }

// RoomForBatch is TOO_MANY_BATCHES while an account has MaxOpenBatches. It is asked before a batch's messages are sent: those of
// one that isn't created then would hold up the messages behind them for a while.
func RoomForBatch(ctx context.Context, batches Batches, account string, now time.Time) error {
	open, err := batches.OpenBatches(ctx, account)
	if err != nil {
		return err
	}
	open = slices.DeleteFunc(open, func(b Batch) bool { return b.Lost(now) })
	if len(open) >= MaxOpenBatches {
		return &Error{Code: TooManyBatches}
	}
	return nil
}

// Chunks is how many chunks the operations fill.
func (b Batch) Chunks() int {
	size := max(b.Chunk, 1)
	return (b.Total + size - 1) / size
}

// Pending is how many operations haven't ended and aren't ended by the end of the batch.
func (b Batch) Pending() int {
	if !b.Open() {
		return 0
	}
	return b.Total - b.ended()
}

// Cancelled is how many operations hadn't begun when the batch was cancelled, Unbegun when it failed.
func (b Batch) Cancelled() int {
	if b.State != BatchCancelled {
		return 0
	}
	return b.Total - b.ended()
}

// Unbegun is how many operations ended with the batch when it failed. They count as failed.
func (b Batch) Unbegun() int {
	if b.State != BatchFailed {
		return 0
	}
	return b.Total - b.ended()
}

func (b Batch) ended() int { return b.Done + b.Failed + b.Overtaken }

// Lost tells whether an open batch has gone without progress for so long that nobody goes on with it.
func (b Batch) Lost(now time.Time) bool {
	last := b.RequestedAt
	for _, at := range []time.Time{b.StartedAt, b.ProgressAt} {
		if at.After(last) {
			last = at
		}
	}
	return b.Open() && now.Sub(last) > CommandAge
}

// At is the batch as it stands at a moment: one that was lost has failed.
func (b Batch) At(now time.Time) Batch {
	if b.Lost(now) {
		b.Stop(BatchFailed, &Error{Code: Unavailable, Message: "too late"}, now)
	}
	return b
}

// Stop ends an open batch; what hasn't ended by itself ends with it. One that has ended stays as it is.
func (b *Batch) Stop(state BatchState, reason *Error, now time.Time) {
	if b.Open() {
		b.State, b.Reason, b.EndedAt = state, reason, now
	}
}

// Count adds how an operation ended, and ends the batch with its last one.
func (b *Batch) Count(r Result) {
	switch r.State {
	case OperationDone:
		b.Done++
	case OperationFailed:
		b.Failed++
	case OperationOvertaken:
		b.Overtaken++
	default:
		return
	}
	if b.StartedAt.IsZero() {
		b.StartedAt = r.At
	}
	if r.At.After(b.ProgressAt) {
		b.ProgressAt = r.At
	}
	switch {
	case b.ended() >= b.Total:
		b.Stop(BatchDone, nil, r.At)
	case b.State == BatchQueued:
		b.State = BatchRunning
	}
}

// EstimatedEnd is when the batch will have ended if it goes on as it did; zero where that can't be told.
func (b Batch) EstimatedEnd(now time.Time) time.Time {
	ended := b.ended()
	if b.State != BatchRunning || ended == 0 || !b.ParkedAt.IsZero() {
		return time.Time{}
	}
	each := max(b.ProgressAt.Sub(b.StartedAt)/time.Duration(ended), time.Second/time.Duration(max(b.Rate, 1)))
	end := b.ProgressAt.Add(each * time.Duration(b.Total-ended))
	if end.Before(now) {
		return now
	}
	return end
}

// Meant tells whether the batch was made for the number that owns the account now.
func (b Batch) Meant(a Account) bool {
	return Command{Kind: MuteCommand, Number: b.Number, RequestedAt: b.RequestedAt}.Meant(a)
}

// Operation is one change of a batch: of one chat, by a kind that has a row in the table of ChatCommand.
type Operation struct {
	Op      CommandKind `json:"op"`
	Chat    JID         `json:"chat"`
	Seconds int64       `json:"seconds,omitempty"`
	Message string      `json:"message,omitempty"`
	Quiet   bool        `json:"quiet,omitempty"`
	Starred Starred     `json:"starred,omitempty"`
	Through *Through    `json:"through,omitempty"` // of a ranged one: what was there when the call was made
	Line    int         `json:"line,omitempty"`    // where the client's file has it
}

// Command is the operation as a command of its own.
func (o Operation) Command(b Batch) Command {
	return Command{
		Version: CommandVersion, ID: b.ID, Account: b.Account, Kind: o.Op, Chat: o.Chat, Seconds: o.Seconds, Message: o.Message,
		Quiet: o.Quiet, Starred: o.Starred, Through: o.Through, Number: b.Number, Request: b.Request, RequestedAt: b.RequestedAt,
	}
}

// Validate returns what Command.Validate does.
func (o Operation) Validate(b Batch) error {
	if _, ok := ChatCommandOf(o.Op); !ok {
		return &Error{Code: InvalidParameter, Message: "op"}
	}
	return o.Command(b).Validate()
}

// OperationState says how an operation ended.
type OperationState string

// The states of an operation.
const (
	OperationPending   OperationState = "pending"
	OperationDone      OperationState = "done"
	OperationFailed    OperationState = "failed"
	OperationCancelled OperationState = "cancelled" // with its batch
	OperationOvertaken OperationState = "overtaken" // by a later command about the same setting of the chat
)

// Result is how an operation ended. The zero Result is of one that hasn't.
type Result struct {
	State   OperationState
	Failure *Error // of a failed one
	At      time.Time
}

// Of is the result as the batch has it: what ended with the batch has no result of its own.
func (r Result) Of(b Batch) Result {
	if r.State != "" && r.State != OperationPending {
		return r
	}
	switch b.State {
	case BatchCancelled:
		return Result{State: OperationCancelled, At: b.EndedAt}
	case BatchFailed:
		return Result{State: OperationFailed, Failure: b.Reason, At: b.EndedAt}
	}
	return Result{State: OperationPending}
}

// MayPass tells whether the operation failed for a reason that may have passed since.
func (r Result) MayPass() bool {
	return r.State == OperationFailed && r.Failure != nil &&
		slices.Contains([]Code{Unavailable, Internal, LeaseHeld, DeviceNotConnected, WhatsAppLimited}, r.Failure.Code)
}

// BatchMessage is what the queue carries of a batch: which chunk is to be worked on, or from others than the API a small batch
// with its operations.
type BatchMessage struct {
	Version     int         `json:"version"` // BatchVersion
	Account     string      `json:"account"`
	Batch       string      `json:"batch"` // with operations an id that the sender chose
	Chunk       int         `json:"chunk,omitempty"`
	Operations  []Operation `json:"operations,omitempty"` // up to BatchChunk; or else one of all chats that are selected:
	Op          CommandKind `json:"op,omitempty"`
	Seconds     int64       `json:"seconds,omitempty"`
	Quiet       bool        `json:"quiet,omitempty"`
	Starred     Starred     `json:"starred,omitempty"`
	Selection   *Selection  `json:"selection,omitempty"`
	Rate        int         `json:"rate,omitempty"`
	Wait        bool        `json:"wait,omitempty"`
	Number      JID         `json:"number,omitempty"`
	RequestedAt time.Time   `json:"requestedAt,omitzero"` // with operations
	Again       string      `json:"again,omitempty"`      // tells a message that is sent again from the one before
}

// BatchVersion is the version of the public JSON form of BatchMessage.
const BatchVersion = 1

// Message is what the queue carries of a chunk.
func (b Batch) Message(chunk int) BatchMessage {
	return BatchMessage{Version: BatchVersion, Account: b.Account, Batch: b.ID, Chunk: chunk}
}

// Validate returns INVALID_PARAMETER and the like when the message can't be worked on.
func (m BatchMessage) Validate() error {
	wrong := func(name string) error { return &Error{Code: InvalidParameter, Message: name} }
	switch {
	case m.Version != BatchVersion:
		return wrong("version")
	case !isULID(m.Account):
		return wrong("account")
	case m.Chunk < 0 || m.Chunk > MaxOperations:
		return wrong("chunk")
	case m.Rate < 0 || m.Rate > MaxBatchRate:
		return wrong("rate")
	case len(m.Operations) == 0 && m.Selection == nil:
		if !isULID(m.Batch) || m.Op != "" {
			return wrong("batch")
		}
		return nil
	case !ValidCommandID(m.Batch):
		return wrong("batch")
	case len(m.Operations) > BatchChunk || m.Chunk != 0 || len(m.Operations) > 0 && (m.Selection != nil || m.Op != ""):
		return wrong("operations")
	case m.RequestedAt.IsZero():
		return wrong("requestedAt")
	}
	if jid, err := ParseJID(string(m.Number)); m.Number != "" && (err != nil || jid != m.Number) {
		return wrong("number")
	}
	if m.Selection != nil {
		return m.validateSelection()
	}
	return nil
}

// validateSelection returns an error where no chat could be selected for the operation, or all by mistake.
func (m BatchMessage) validateSelection() error {
	row, ok := ChatCommandOf(m.Op)
	if !ok || slices.Contains(row.Takes, TakesID) {
		return &Error{Code: InvalidParameter, Message: "op"}
	}
	some := m.Operation()
	some.Chat = "120363000000000000@g.us" // any
	if err := some.Validate(Batch{ID: m.Batch, Account: m.Account, RequestedAt: m.RequestedAt}); err != nil {
		return err
	}
	return m.Selection.Validate()
}

// Operation is what is to be done to the chats that are selected.
func (m BatchMessage) Operation() Operation {
	return Operation{Op: m.Op, Seconds: m.Seconds, Quiet: m.Quiet, Starred: m.Starred}
}

// ID tells the message from all others of its group.
func (m BatchMessage) ID() string { return fmt.Sprintf("%s/%d/%s", m.Batch, m.Chunk, m.Again) }

// Group is the queue's group of the account's batches: one chunk at a time, and apart from its commands, which don't wait for
// them.
func (m BatchMessage) Group() string { return m.Account + ".batch" }

// BatchMessageOf reads the message of a batch; ok is false for anything else that was on the queue. Fields that this version
// doesn't know are skipped.
func BatchMessageOf(body []byte) (m BatchMessage, ok bool) {
	if err := json.Unmarshal(body, &m); err != nil || m.Batch == "" {
		return BatchMessage{}, false
	}
	return m, true
}
