package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pesan/internal/chat"
)

// batcher is what the endpoints of batches need.
type batcher struct {
	batches chat.Batches
	chats   chat.ChatReader
	sender  chat.BatchSender
	most    int // operations a second
}

func (d Deps) batcher() batcher {
	most := d.BatchRate
	if most == 0 {
		most = chat.BatchRateBound
	}
	return batcher{d.Batches, d.Chats, d.BatchSender, most}
}

// maxBatchBody is what a batch's body may have: a Lambda takes 6 MB, base64 included.
const maxBatchBody = 4 << 20

// CreateBatch accepts many changes of chats, to be carried out one after the other.
func CreateBatch(d Deps) Endpoint {
	return Endpoint{
		Name: "createBatch", Group: OfBatches, Methods: changing, Needs: []Port{Chats, Batches, Sending}, begin: createBatch(d.batcher()),
		Params: []string{"operations", "rate", "wait"}, Example: []string{`operations=[{"op":"mute","phone":"{pinned}","second":3600}]`},
		body: maxBatchBody,
	}
}

// line is an operation as the client asks for it: its place among the others, from 1, and its parameters.
type line struct {
	number int
	params params
}

// invalidLine is one that can't be carried out.
type invalidLine struct {
	Line    int       `json:"line"`
	Error   chat.Code `json:"error"`
	Message string    `json:"message"`
}

func (c *call) invalid(number int, err error) invalidLine {
	return invalidLine{number, known(err).Code, sentence(err, c.request.header("Accept-Language"))}
}

type batchCreated struct {
	Code    int `json:"code"`
	Results struct {
		BatchID  string        `json:"batchId,omitempty"`
		Accepted int           `json:"accepted"`
		Invalid  []invalidLine `json:"invalid"`
	} `json:"results"`
}

// newBatch begins a batch with what a call says of how it is to run, or finds the answer of an earlier call with its key.
func (c *call) newBatch(ctx context.Context, o batcher) (b chat.Batch, before finish, err error) {
	b = chat.Batch{State: chat.BatchQueued, Chunk: chat.BatchChunk, RequestedAt: c.now, Digest: c.digest()}
	if b.Key, err = c.commandID(); err != nil {
		return b, nil, err
	}
	if b.Key != "" {
		stored, err := o.batches.BatchOf(ctx, c.claimed, b.Key)
		switch {
		case err == nil:
			return b, repeated(stored, b.Digest), nil
		case chat.CodeOf(err) != chat.BatchNotFound:
			return b, nil, err
		}
	}
	if b.Rate, err = c.rate(o.most); err != nil {
		return b, nil, err
	}
	wait, err := c.flag("wait")
	b.Wait = wait != nil && *wait
	return b, nil, err
}

func createBatch(o batcher) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		b, before, err := c.newBatch(ctx, o)
		if err != nil || before != nil {
			return before, err
		}
		lines, err := c.lines()
		if err != nil {
			return nil, err
		}
		operations, invalid, err := o.resolve(ctx, c, lines)
		if err != nil {
			return nil, err
		}
		if len(invalid) > 0 {
			return nil, c.rejected(invalid)
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			return o.submit(ctx, c, a, b, operations, nil)
		}, nil
	}
}

// repeated answers a call whose key has made a batch before.
func repeated(b chat.Batch, digest []byte) finish {
	return func(_ context.Context, c *call, _ chat.Account) (int, error) {
		if !bytes.Equal(b.Digest, digest) {
			return 0, &chat.Error{Code: chat.IdempotencyConflict}
		}
		c.reported, c.replayed = true, true
		return c.accepted(http.StatusAccepted, b, nil), nil
	}
}

func (c *call) accepted(status int, b chat.Batch, invalid []invalidLine) int {
	answer := batchCreated{Code: status}
	answer.Results.Accepted, answer.Results.Invalid = b.Total, append([]invalidLine{}, invalid...)
	if b.Total > 0 {
		answer.Results.BatchID = b.ID
	}
	c.json(answer)
	return answer.Code
}

// digest tells what is asked for from anything else.
func (c *call) digest() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", c.endpoint.Name)
	for _, name := range c.endpoint.Params {
		fmt.Fprintf(h, "%q=%q\n", name, c.params.object(name))
	}
	return h.Sum(nil)
}

// rate reads the parameter rate: operations a second.
func (c *call) rate(most int) (int, error) {
	text := c.params.number("rate")
	if text == "" {
		return min(chat.DefaultBatchRate, most), nil
	}
	n, ok := whole(text)
	if !ok || n < 1 || n > int64(most) {
		return 0, wrong(chat.InvalidParameter, "rate", "bilangan bulat dari 1 sampai "+strconv.Itoa(most)+" operasi per detik",
			"a whole number from 1 to "+strconv.Itoa(most)+" operations a second")
	}
	return int(n), nil
}

// lines reads the parameter operations: a list of objects.
func (c *call) lines() ([]line, error) {
	text := c.params.object("operations")
	if text == "" {
		return nil, missing(chat.InvalidParameter, "operations", "daftar operasi", "a list of operations")
	}
	var all []json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, wrong(chat.InvalidParameter, "operations", "daftar objek JSON", "a JSON list of objects")
	}
	if len(all) > chat.MaxOperations {
		return nil, wrong(chat.InvalidParameter, "operations", "paling banyak 50000 operasi", "at most 50000 operations")
	}
	lines := make([]line, len(all))
	for i, object := range all {
		p, ok := params(nil), false
		if len(object) > 0 && object[0] == '{' {
			p, ok = decodeJSON(object)
		}
		if !ok {
			return nil, wrong(chat.InvalidParameter, "operations", "daftar objek JSON", "a JSON list of objects")
		}
		lines[i] = line{i + 1, p}
	}
	return lines, nil
}

// rejected refuses a batch for its invalid lines.
func (c *call) rejected(invalid []invalidLine) error {
	first := invalid[0]
	return &refusal{chat.InvalidParameter,
		fmt.Sprintf("%d baris salah; baris %d: %s", len(invalid), first.Line, first.Message),
		fmt.Sprintf("%d lines are wrong; line %d: %s", len(invalid), first.Line, first.Message)}
}

// operation reads a line; its chat isn't looked for yet.
func (c *call) operation(l line) (o chat.Operation, row chat.ChatCommand, address chat.Address, err error) {
	own := &call{API: c.API, endpoint: c.endpoint, request: c.request, params: l.params, now: c.now}
	op := strings.TrimSpace(l.params.get("op"))
	row, ok := chat.ChatCommandOf(chat.CommandKind(op))
	if !ok {
		return o, row, address, wrong(chat.InvalidParameter, "op", "salah satu dari "+operationNames(), "one of "+operationNames())
	}
	if address, err = own.phone(); err != nil {
		return o, row, address, err
	}
	var cmd chat.Command
	for _, name := range row.Takes {
		if err := own.take(name, &cmd); err != nil {
			return o, row, address, err
		}
	}
	o = chat.Operation{Op: row.Kind, Seconds: cmd.Seconds, Message: cmd.Message, Quiet: cmd.Quiet, Starred: cmd.Starred, Line: l.number}
	return o, row, address, nil
}

func operationNames() string {
	var names []string
	for _, row := range chat.ChatCommands() {
		names = append(names, string(row.Kind))
	}
	return strings.Join(names, ", ")
}

// fewLookups is up to how many operations their chats are looked for one by one, rather than all chats be listed.
const fewLookups = 50

// resolve makes operations of lines: each about a chat that the account has, and a ranged one about what is there now. It returns
// the lines that can't be carried out, and why.
func (o batcher) resolve(ctx context.Context, c *call, lines []line) (operations []chat.Operation, invalid []invalidLine, err error) {
	find, err := o.finder(ctx, c, len(lines))
	if err != nil {
		return nil, nil, err
	}
	type resolved struct {
		operation chat.Operation
		err       error
	}
	all := make([]resolved, len(lines))
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(16, len(lines)) {
		wg.Go(func() {
			for i := range work {
				r := &all[i]
				var row chat.ChatCommand
				var address chat.Address
				if r.operation, row, address, r.err = c.operation(lines[i]); r.err != nil {
					continue
				}
				var found place
				if found, r.err = lookup(address, func(jid chat.JID) (place, error) { return find(jid) }); r.err != nil {
					continue
				}
				r.operation.Chat = found.jid
				if r.operation.Seconds > 0 && found.jid.Kind() == chat.Newsletter {
					r.err = &chat.Error{Code: chat.InvalidSecond} // a channel's mute has no end
				}
				if row.Ranged && found.through.Time > 0 {
					r.operation.Through = &found.through
				}
			}
		})
	}
	for i := range lines {
		work <- i
	}
	close(work)
	wg.Wait()
	for i, r := range all {
		switch code := chat.CodeOf(r.err); {
		case r.err == nil:
			operations = append(operations, r.operation)
		case Status(code) >= http.StatusInternalServerError:
			return nil, nil, r.err
		default:
			invalid = append(invalid, c.invalid(lines[i].number, r.err))
		}
	}
	return operations, invalid, nil
}

// place is a chat, and the end of its conversation now.
type place struct {
	jid     chat.JID
	through chat.Through
}

// finder finds chats by either address: one by one where it is asked for few, else among all.
func (o batcher) finder(ctx context.Context, c *call, count int) (func(chat.JID) (place, error), error) {
	single := func(jid chat.JID) (place, error) {
		v, err := o.chats.Chat(ctx, c.claimed, jid)
		return place{v.JID, v.Through()}, err
	}
	if count <= fewLookups {
		return single, nil
	}
	all := make(map[chat.JID]place)
	for cursor := ""; ; {
		views, next, err := o.chats.Chats(ctx, c.claimed, chat.Filter{}, chat.Page{Limit: chat.MaxOperations, Cursor: cursor}, c.now)
		if err != nil {
			return nil, err
		}
		for i := range views {
			all[views[i].JID] = place{views[i].JID, views[i].Through()}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return func(jid chat.JID) (place, error) {
		if p, ok := all[jid]; ok {
			return p, nil
		}
		if !jid.IsPN() && !jid.IsLID() {
			return place{}, &chat.Error{Code: chat.ChatNotFound}
		}
		return single(jid) // the other address of a person, perhaps
	}, nil
}

// submit stores a batch and sends it. The messages go ahead of the batch, so that one that is stored is on its way whatever
// happens to this process; a message without its batch is dropped.
func (o batcher) submit(
	ctx context.Context, c *call, a chat.Account, b chat.Batch, operations []chat.Operation, invalid []invalidLine,
) (int, error) {
	if err := connected(a); err != nil && (!b.Wait || !a.Linked()) {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	defer cancel()
	var err error
	if b.ID, err = c.newID(c.now); err != nil {
		return 0, err
	}
	b.Account, b.Number, b.Total, b.Request, b.Report = a.ID, a.Number(), len(operations), c.request.id, b.ID
	if len(operations) == 0 {
		return c.accepted(http.StatusOK, b, invalid), nil // nothing is to be done, and nothing stored
	}
	if err := o.batches.PutOperations(ctx, a.ID, b.ID, operations); err != nil {
		return 0, err
	}
	messages := make([]chat.BatchMessage, b.Chunks())
	for i := range messages {
		messages[i] = b.Message(i)
	}
	if err := o.sender.SendBatch(ctx, a.Shard, messages...); err != nil {
		return 0, err
	}
	stored, created, err := o.batches.CreateBatch(ctx, b, c.now)
	if err != nil {
		return 0, err
	}
	if !created {
		return repeated(stored, b.Digest)(ctx, c, a)
	}
	c.addReport(ctx, chat.Report{ID: b.Report, Status: http.StatusAccepted, Batch: b.ID, Command: chat.CommandPending})
	return c.accepted(http.StatusAccepted, stored, invalid), nil
}

// GetBatch shows how a batch is doing, and how its operations ended.
func GetBatch(d Deps) Endpoint {
	return Endpoint{
		Name: "getBatch", Group: OfBatches, Methods: reading, Needs: []Port{Batches}, begin: getBatch(d.Batches), large: true,
		Params: []string{"batchId", "only", "limit", "cursor"},
	}
}

// batchShown is a batch as answers show it.
type batchShown struct {
	BatchID      string          `json:"batchId"`
	State        chat.BatchState `json:"state"`
	Error        chat.Code       `json:"error,omitempty"`
	Message      string          `json:"message,omitempty"`
	RetryOf      string          `json:"retryOf,omitempty"`
	Total        int             `json:"total"`
	Counts       batchCounts     `json:"counts"`
	Rate         int             `json:"rate"`
	CreatedAt    *string         `json:"createdAt"`
	StartedAt    *string         `json:"startedAt"`
	EndedAt      *string         `json:"endedAt"`
	EstimatedEnd *string         `json:"estimatedEnd"`
}

type batchCounts struct {
	Pending   int `json:"pending"`
	Done      int `json:"done"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	Overtaken int `json:"overtaken"`
}

type operationShown struct {
	Line    int                 `json:"line"`
	Op      chat.CommandKind    `json:"op"`
	To      string              `json:"to"`
	ID      string              `json:"id,omitempty"`
	Outcome chat.OperationState `json:"outcome"`
	Code    int                 `json:"code,omitempty"`
	Error   chat.Code           `json:"error,omitempty"`
	Time    *string             `json:"time"`
}

func (c *call) showBatch(b chat.Batch) batchShown {
	shown := batchShown{
		BatchID: b.ID, State: b.State, RetryOf: b.RetryOf, Total: b.Total, Rate: b.Rate,
		Counts:    batchCounts{b.Pending(), b.Done, b.Failed + b.Unbegun(), b.Cancelled(), b.Overtaken},
		CreatedAt: moment(b.RequestedAt), StartedAt: moment(b.StartedAt), EndedAt: moment(b.EndedAt),
		EstimatedEnd: moment(b.EstimatedEnd(c.now)),
	}
	if b.Reason != nil {
		shown.Error, shown.Message = known(b.Reason).Code, sentence(b.Reason, c.request.header("Accept-Language"))
	}
	return shown
}

func getBatch(batches chat.BatchReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		page, err := c.page(defaultLimit)
		if err != nil {
			return nil, err
		}
		only := chat.OperationState(c.params.get("only"))
		states := []chat.OperationState{
			"", chat.OperationPending, chat.OperationDone, chat.OperationFailed, chat.OperationCancelled, chat.OperationOvertaken,
		}
		if !slices.Contains(states, only) {
			return nil, wrong(chat.InvalidParameter, "only", "pending, done, failed, cancelled atau overtaken",
				"pending, done, failed, cancelled or overtaken")
		}
		from := 0
		if page.Cursor != "" {
			n, ok := whole(page.Cursor)
			if from = int(n); !ok || n <= 0 || n > chat.MaxOperations {
				return nil, &chat.Error{Code: chat.InvalidCursor}
			}
		}
		b, err := c.batch(ctx, batches)
		if err != nil {
			return nil, err
		}
		shown := []operationShown{}
		next := 0
		for from < b.Total && next == 0 {
			operations, results, err := batches.Operations(ctx, c.claimed, b.ID, from/b.Chunk)
			if err != nil {
				return nil, err
			}
			for i := from % b.Chunk; i < len(operations); i++ {
				r := results[i].Of(b)
				if only != "" && r.State != only {
					continue
				}
				if len(shown) == page.Limit {
					next = from - from%b.Chunk + i
					break
				}
				shown = append(shown, showOperation(operations[i], r))
			}
			from += b.Chunk - from%b.Chunk
		}
		return func(_ context.Context, c *call, _ chat.Account) (int, error) {
			answer := batchAnswer{Code: http.StatusOK, Results: batchDetail{c.showBatch(b), shown}}
			if next > 0 {
				answer.Next = strconv.Itoa(next)
			}
			c.json(answer)
			return http.StatusOK, nil
		}, nil
	}
}

type batchDetail struct {
	batchShown
	Operations []operationShown `json:"operations"`
}

type batchAnswer struct {
	Code    int         `json:"code"`
	Results batchDetail `json:"results"`
	Next    string      `json:"nextCursor,omitempty"`
}

func showOperation(o chat.Operation, r chat.Result) operationShown {
	shown := operationShown{Line: o.Line, Op: o.Op, To: o.Chat.Echo(), ID: o.Message, Outcome: r.State, Time: moment(r.At)}
	switch r.State {
	case chat.OperationDone:
		shown.Code = http.StatusOK
	case chat.OperationFailed:
		e := known(r.Failure)
		shown.Code, shown.Error = Status(e.Code), e.Code
	}
	return shown
}

// batch finds the batch that a call is about: without batchId the newest.
func (c *call) batch(ctx context.Context, batches chat.BatchReader) (b chat.Batch, err error) {
	if c.params.get("batchId") == "" {
		newest, _, err := batches.ListBatches(ctx, c.claimed, chat.Page{Limit: 1})
		if err == nil && len(newest) == 0 {
			err = &chat.Error{Code: chat.BatchNotFound}
		}
		if err != nil {
			return b, err
		}
		return newest[0].At(c.now), nil
	}
	id, err := c.batchID()
	if err == nil {
		b, err = batches.Batch(ctx, c.claimed, id)
	}
	return b.At(c.now), err
}

// batchID reads the parameter batchId.
func (c *call) batchID() (string, error) {
	id := c.params.get("batchId")
	if id == "" {
		return "", missing(chat.InvalidParameter, "batchId", "id batch, seperti di createBatch", "the id of a batch, as createBatch gives it")
	}
	if len(id) > maxID {
		return "", &chat.Error{Code: chat.BatchNotFound}
	}
	c.target = id
	return id, nil
}
