package httpapi

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"

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

// repeated answers a call whose key has made a batch before.
func repeated(b chat.Batch, digest []byte) finish {
	return func(_ context.Context, c *call, _ chat.Account) (int, error) {
		if !bytes.Equal(b.Digest, digest) {
			return 0, &chat.Error{Code: chat.IdempotencyConflict}
		}
		c.reported, c.replayed = true, true
		return c.accepted(http.StatusAccepted, b, wish{})
	}
}

// rate reads the parameter rate: operations a second.
func (c *call) rate(most int) (int, error) {
	n, err := c.between("rate", 1, int64(most), int64(min(chat.DefaultBatchRate, most)), wrong(chat.InvalidParameter, "rate",
		"bilangan bulat dari 1 sampai "+strconv.Itoa(most)+" operasi per detik",
		"a whole number from 1 to "+strconv.Itoa(most)+" operations a second"))
	return int(n), err
}

// submit stores a batch and sends it. The messages go ahead of the batch, so that one that is stored is on its way whatever
// happens to this process; a message without its batch is dropped.
func (o batcher) submit(
	ctx context.Context, c *call, a chat.Account, b chat.Batch, w wish,
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
	b.Account, b.Number, b.Total, b.Request, b.Report = a.ID, a.Number(), len(w.operations), c.request.id, b.ID
	if len(w.operations) == 0 {
		return c.accepted(http.StatusOK, b, w) // nothing is to be done, and nothing stored
	}
	if err := chat.RoomForBatch(ctx, o.batches, a.ID, c.now); err != nil {
		return 0, err
	}
	if err := o.batches.PutOperations(ctx, a.ID, b.ID, w.operations); err != nil {
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
	c.used.Operations += int64(b.Total)
	c.addReport(ctx, chat.Report{ID: b.Report, Status: http.StatusAccepted, Batch: b.ID, Command: chat.CommandPending})
	return c.accepted(http.StatusAccepted, stored, w)
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

	place int // in its batch
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
		table, limit := c.prefersCSV(), defaultLimit
		if table {
			limit = chat.MaxOperations
		}
		page, err := c.page(limit)
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
				one := showOperation(operations[i], r)
				one.place = from - from%b.Chunk + i
				shown = append(shown, one)
			}
			from += b.Chunk - from%b.Chunk
		}
		return func(_ context.Context, c *call, _ chat.Account) (int, error) {
			if table {
				c.operationTable(shown, next)
				return http.StatusOK, nil
			}
			cursor := ""
			if next > 0 {
				cursor = strconv.Itoa(next)
			}
			return c.answerPage(batchDetail{c.showBatch(b), shown}, cursor)
		}, nil
	}
}

// operationTable writes operations as CSV, in the columns that createBatch takes and how each ended, as far as the answer holds
// them.
func (c *call) operationTable(all []operationShown, next int) {
	c.contentType = "text/csv; charset=utf-8"
	var row bytes.Buffer
	w := csv.NewWriter(&row)
	write := func(fields ...string) {
		row.Reset()
		_ = w.Write(fields) // a buffer takes everything
		w.Flush()
	}
	write("line", "op", "phone", "id", "outcome", "code", "error", "time")
	c.out = append(c.out, row.Bytes()...)
	room := c.max - weight(c.out)
	for i, o := range all {
		code, at := "", ""
		if o.Code != 0 {
			code = strconv.Itoa(o.Code)
		}
		if o.Time != nil {
			at = *o.Time
		}
		write(strconv.Itoa(o.Line), string(o.Op), o.To, cell(o.ID), string(o.Outcome), code, string(o.Error), at)
		if room -= weight(row.Bytes()); room < 0 && i > 0 {
			next = o.place
			break
		}
		c.out = append(c.out, row.Bytes()...)
	}
	if next > 0 {
		c.next = strconv.Itoa(next)
	}
}

type batchDetail struct {
	batchShown
	Operations []operationShown `json:"operations"`
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
		return "", missing(chat.InvalidParameter, "batchId", "id batch, seperti di createBatch",
			"the id of a batch, as createBatch gives it")
	}
	if len(id) > maxID {
		return "", &chat.Error{Code: chat.BatchNotFound}
	}
	c.target = id
	return id, nil
}
