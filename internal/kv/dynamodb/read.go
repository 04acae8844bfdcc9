package dynamodb

import (
	"context"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/kv"
)

const (
	batchReads  = 100 // what DynamoDB takes at once
	largestPage = 1000
)

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, k kv.Key, c kv.Consistency) (kv.Item, error) {
	if err := k.Validate(); err != nil {
		return kv.Item{}, err
	}
	table, err := s.table(k.Collection)
	if err != nil {
		return kv.Item{}, err
	}
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: keyOf(k), ConsistentRead: aws.Bool(c == kv.Strong)})
	if err != nil {
		return kv.Item{}, failed(ctx, "get an item", err)
	}
	if it := itemOf(k.Collection, out.Item); len(out.Item) > 0 && s.here(it) {
		return it, nil
	}
	return kv.Item{}, kv.ErrNotFound
}

// GetMany implements kv.Store.
func (s *Store) GetMany(ctx context.Context, keys []kv.Key) ([]*kv.Item, error) {
	at := map[kv.Key][]int{} // DynamoDB refuses a batch that names a key twice
	var distinct []kv.Key
	for i, k := range keys {
		if err := k.Validate(); err != nil {
			return nil, err
		}
		if at[k] == nil {
			distinct = append(distinct, k)
		}
		at[k] = append(at[k], i)
	}
	batches := slices.Collect(slices.Chunk(distinct, batchReads))
	found := make([]*kv.Item, len(keys))
	err := inParallel(len(batches), func(i int) error {
		return s.getBatch(ctx, batches[i], func(it kv.Item) { // every index has one writer
			for _, i := range at[it.Key] {
				found[i] = new(it)
			}
		})
	})
	return found, failed(ctx, "get items", err)
}

func (s *Store) getBatch(ctx context.Context, keys []kv.Key, each func(kv.Item)) error {
	collections := map[string]kv.Collection{}
	want := map[string]types.KeysAndAttributes{}
	for _, k := range keys {
		table, err := s.table(k.Collection)
		if err != nil {
			return err
		}
		collections[table] = k.Collection
		want[table] = types.KeysAndAttributes{ConsistentRead: aws.Bool(true), Keys: append(want[table].Keys, keyOf(k))}
	}
	for failures := 0; len(want) > 0; failures++ {
		out, err := s.db.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: want})
		if err != nil {
			return err
		}
		for table, items := range out.Responses {
			for _, a := range items {
				failures = -1
				if it := itemOf(collections[table], a); s.here(it) {
					each(it)
				}
			}
		}
		if want = out.UnprocessedKeys; len(want) > 0 {
			if err := stall(ctx, max(failures, 0)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Query implements kv.Store. A page holds what is expected, the ones behind it twice as much each, since more is wanted.
func (s *Store) Query(ctx context.Context, q kv.Query) iter.Seq2[kv.Item, error] {
	return func(yield func(kv.Item, error) bool) {
		in, err := s.queryInput(q)
		if err != nil {
			yield(kv.Item{}, err)
			return
		}
		for in != nil {
			items, last, err := s.page(ctx, q, in)
			if err != nil {
				yield(kv.Item{}, failed(ctx, "query items", err))
				return
			}
			for _, it := range items {
				// DynamoDB's bounds both belong to what is asked for.
				if (q.To == "" || it.Sort < q.To) && it.Sort >= q.From && s.here(it) && !yield(it, nil) {
					return
				}
			}
			if len(last) == 0 {
				return
			}
			in.ExclusiveStartKey = last
			if in.Limit != nil {
				in.Limit = aws.Int32(min(2**in.Limit, largestPage))
			}
		}
	}
}

// queryInput is nil where nothing can be found.
func (s *Store) queryInput(q kv.Query) (*dynamodb.QueryInput, error) {
	table, err := s.table(q.Collection)
	if err != nil {
		return nil, err
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if q.To != "" && q.From >= q.To {
		return nil, nil
	}
	condition := attrPartition + " = :partition"
	values := attributes{":partition": text(q.Partition)}
	from, to := q.From, q.To
	if len(from) > kv.MaxKey { // what DynamoDB can't be asked is left to the caller of this
		from = ""
	}
	if len(to) > kv.MaxKey {
		to = ""
	}
	switch {
	case from != "" && to != "":
		condition += " AND " + attrSort + " BETWEEN :from AND :to"
	case from != "":
		condition += " AND " + attrSort + " >= :from"
	case to != "":
		condition += " AND " + attrSort + " < :to"
	}
	if from != "" {
		values[":from"] = text(from)
	}
	if to != "" {
		values[":to"] = text(to)
	}
	in := &dynamodb.QueryInput{
		TableName: &table, KeyConditionExpression: &condition, ExpressionAttributeValues: values,
		ConsistentRead: aws.Bool(q.Consistency == kv.Strong), ScanIndexForward: aws.Bool(!q.Reverse),
	}
	if q.KeysOnly {
		in.ProjectionExpression = aws.String(attrSort + ", " + attrVersion + ", " + attrToken + ", #ttl")
		in.ExpressionAttributeNames = map[string]string{"#ttl": attrExpires} // a reserved word
	}
	if q.Expect > 0 {
		in.Limit = aws.Int32(int32(min(q.Expect, largestPage)))
	}
	return in, nil
}
