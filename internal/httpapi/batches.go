package httpapi

import (
	"context"
	"net/http"

	"pesan/internal/chat"
)

// ListBatches shows the batches of the last 30 days, newest first.
func ListBatches(d Deps) Endpoint {
	return Endpoint{
		Name: "listBatches", Group: OfBatches, Methods: reading, Needs: []Port{Batches}, begin: listBatches(d.Batches),
		Params: []string{"limit", "cursor"},
	}
}

func listBatches(batches chat.BatchReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		page, err := c.page(defaultLimit)
		if err != nil {
			return nil, err
		}
		all, next, err := batches.ListBatches(ctx, c.claimed, page)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, c *call, _ chat.Account) (int, error) {
			shown := make([]batchShown, len(all))
			for i, b := range all {
				shown[i] = c.showBatch(b.At(c.now))
			}
			return c.answerPage(shown, next)
		}, nil
	}
}

// CancelBatch keeps what hasn't begun from beginning.
func CancelBatch(d Deps) Endpoint {
	return Endpoint{
		Name: "cancelBatch", Group: OfBatches, Methods: changing, Needs: []Port{Batches}, begin: cancelBatch(d.Batches),
		Params: []string{"batchId"}, Example: []string{"batchId=0"}, Idle: chat.BatchNotFound,
	}
}

func cancelBatch(batches chat.Batches) begin {
	return func(_ context.Context, c *call) (finish, error) {
		id, err := c.batchID()
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			var ended chat.Batch
			err := batches.UpdateBatch(ctx, a.ID, id, func(b *chat.Batch) error {
				*b = b.At(c.now)
				b.Stop(chat.BatchCancelled, nil, c.now)
				ended = *b
				return nil
			})
			if err != nil {
				return 0, err
			}
			return c.answer(http.StatusOK, c.showBatch(ended))
		}, nil
	}
}

// RetryBatch makes a batch of what failed in another for a reason that may have passed.
func RetryBatch(d Deps) Endpoint {
	return Endpoint{
		Name: "retryBatch", Group: OfBatches, Methods: changing, Needs: []Port{Chats, Batches, Sending}, begin: retryBatch(d.batcher()),
		Params: []string{"batchId", "rate", "wait"}, Example: []string{"batchId=0"}, Idle: chat.BatchNotFound,
	}
}

func retryBatch(o batcher) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		id, err := c.batchID()
		if err != nil {
			return nil, err
		}
		b, before, err := c.newBatch(ctx, o)
		if err != nil || before != nil {
			return before, err
		}
		failed, err := o.batches.Batch(ctx, c.claimed, id)
		if err != nil {
			return nil, err
		}
		if failed = failed.At(c.now); failed.Open() {
			return nil, &refusal{chat.InvalidParameter,
				"Batch ini belum selesai: tunggu, atau batalkan dengan cancelBatch.",
				"The batch hasn't ended yet: wait, or cancel it with cancelBatch."}
		}
		b.RetryOf = failed.ID
		var operations []chat.Operation
		for n := range failed.Chunks() {
			all, results, err := o.batches.Operations(ctx, c.claimed, failed.ID, n)
			if err != nil {
				return nil, err
			}
			for i, operation := range all {
				if results[i].Of(failed).MayPass() {
					operations = append(operations, operation)
				}
			}
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			return o.submit(ctx, c, a, b, wish{operations: operations})
		}, nil
	}
}
