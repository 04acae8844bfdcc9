package dynamo

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
)

const (
	batchReads  = 100 // what DynamoDB takes at once
	batchWrites = 25
	parallel    = 16 // requests of one call
	largestPage = 1000
	patience    = 20 // tries of a batch that makes no progress
)

// address is the key of an item in some table.
type address struct{ table, partition, sort string }

// getMany reads items of any tables, strongly consistent. What isn't there is missing in the result.
func getMany(ctx context.Context, db *dynamodb.Client, addresses []address) (map[address]item, error) {
	batches := slices.Collect(slices.Chunk(addresses, batchReads))
	found := make([]map[address]item, len(batches))
	err := inParallel(ctx, len(batches), func(ctx context.Context, i int) (err error) {
		found[i], err = getBatch(ctx, db, batches[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make(map[address]item, len(addresses))
	for _, some := range found {
		for at, it := range some {
			all[at] = it
		}
	}
	return all, nil
}

func getBatch(ctx context.Context, db *dynamodb.Client, addresses []address) (map[address]item, error) {
	want := map[string]types.KeysAndAttributes{}
	for _, a := range addresses {
		keys := want[a.table]
		keys.ConsistentRead = aws.Bool(true)
		keys.Keys = append(keys.Keys, key(a.partition, a.sort))
		want[a.table] = keys
	}
	found := make(map[address]item, len(addresses))
	for failures := 0; len(want) > 0; failures++ {
		out, err := db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: want})
		if err != nil {
			return nil, err
		}
		for table, items := range out.Responses {
			for _, it := range items {
				found[address{table, textOf(it, attrPartition), textOf(it, attrSort)}] = it
			}
			if len(items) > 0 {
				failures = 0
			}
		}
		if want = out.UnprocessedKeys; len(want) > 0 {
			if err := stall(ctx, failures); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// deleteMany deletes items, whatever they are.
func (t table) deleteMany(ctx context.Context, keys []item) error {
	batches := slices.Collect(slices.Chunk(keys, batchWrites))
	return inParallel(ctx, len(batches), func(ctx context.Context, i int) error {
		requests := make([]types.WriteRequest, len(batches[i]))
		for j, k := range batches[i] {
			requests[j].DeleteRequest = &types.DeleteRequest{Key: k}
		}
		return t.writeBatch(ctx, requests)
	})
}

func (t table) writeBatch(ctx context.Context, requests []types.WriteRequest) error {
	for failures := 0; len(requests) > 0; failures++ {
		out, err := t.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{t.name: requests},
		})
		if err != nil {
			return err
		}
		left := out.UnprocessedItems[t.name]
		if len(left) < len(requests) {
			failures = 0
		}
		if requests = left; len(requests) > 0 {
			if err := stall(ctx, failures); err != nil {
				return err
			}
		}
	}
	return nil
}

// stall waits before what was left of a batch is sent again.
func stall(ctx context.Context, failures int) error {
	if failures >= patience {
		return &chat.Error{Code: chat.Unavailable, Message: "throttled"}
	}
	return pause(ctx, backoff(failures))
}

// inParallel calls work for 0 to n-1, some at a time, and returns the first error.
func inParallel(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	if n == 1 {
		return work(ctx, 0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range n {
		group.Go(func() error { return work(ctx, i) })
	}
	return group.Wait()
}

// query is what to read of a partition.
type query struct {
	partition        string
	condition        string // of the sort key, with from and to; "" for all
	from, to         string
	filter           string
	projection       string
	after            string // sort key before the first item
	limit            int    // items of a page; 0: what fits into 1 MB
	newest, eventual bool
}

func (t table) input(q query) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName:                 &t.name,
		KeyConditionExpression:    aws.String(attrPartition + " = :partition"),
		ExpressionAttributeValues: item{":partition": text(q.partition)},
		ConsistentRead:            aws.Bool(!q.eventual),
		ScanIndexForward:          aws.Bool(!q.newest),
	}
	if q.condition != "" {
		in.KeyConditionExpression = aws.String(*in.KeyConditionExpression + " AND " + q.condition)
		in.ExpressionAttributeValues[":from"] = text(q.from)
		if q.to != "" {
			in.ExpressionAttributeValues[":to"] = text(q.to)
		}
	}
	if q.filter != "" {
		in.FilterExpression = &q.filter
	}
	if q.projection != "" {
		in.ProjectionExpression = &q.projection
	}
	if q.after != "" {
		in.ExclusiveStartKey = key(q.partition, q.after)
	}
	if q.limit > 0 {
		in.Limit = aws.Int32(int32(q.limit))
	}
	return in
}

// The conditions of the sort key that a query may have.
const (
	beginsWith = "begins_with(" + attrSort + ", :from)"
	between    = attrSort + " BETWEEN :from AND :to"
)

// all gives the items of a query one by one, page after page, until an error.
func (t table) all(ctx context.Context, q query) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		in := t.input(q)
		for {
			out, err := t.db.Query(ctx, in)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range out.Items {
				if !yield(it, nil) {
					return
				}
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
				return
			}
			if in.Limit != nil {
				in.Limit = aws.Int32(min(2**in.Limit, largestPage)) // more than expected is wanted
			}
		}
	}
}

// deleteAll deletes the items of a query.
func (t table) deleteAll(ctx context.Context, q query) error {
	q.projection = attrPartition + ", " + attrSort
	var keys []item
	for it, err := range t.all(ctx, q) {
		if err != nil {
			return fmt.Errorf("list what to delete: %w", err)
		}
		if keys = append(keys, it); len(keys) == batchWrites*parallel {
			if err := t.deleteMany(ctx, keys); err != nil {
				return err
			}
			keys = keys[:0]
		}
	}
	return t.deleteMany(ctx, keys)
}
