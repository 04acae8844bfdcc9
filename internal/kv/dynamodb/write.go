package dynamodb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"pesan/internal/kv"
)

const (
	batchWrites = 25 // what DynamoDB takes at once
	parallel    = 16 // requests of one call
)

// Write implements kv.Store.
func (s *Store) Write(ctx context.Context, steps ...kv.Step) error {
	if err := kv.Validate(steps); err != nil {
		return err
	}
	for _, step := range steps {
		write := s.each
		if step.All && len(step.Ops) > 1 {
			write = s.together
		}
		if err := write(ctx, step.Ops); err != nil {
			return failed(ctx, "write items", err)
		}
	}
	return nil
}

// each makes the operations that have a condition or a token by a request of their own, the rest in batches.
func (s *Store) each(ctx context.Context, ops []kv.Op) error {
	var alone, free []kv.Op
	for _, op := range ops {
		if plain(op) {
			free = append(free, op)
		} else {
			alone = append(alone, op)
		}
	}
	batches := slices.Collect(slices.Chunk(free, batchWrites))
	return inParallel(len(alone)+len(batches), func(i int) error {
		if i < len(alone) {
			return s.one(ctx, alone[i])
		}
		if batch := batches[i-len(alone)]; len(batch) > 1 {
			return s.batch(ctx, batch)
		}
		return s.one(ctx, batches[i-len(alone)][0])
	})
}

// plain tells whether an operation is made whatever is stored.
func plain(op kv.Op) bool {
	return op.Kind != kv.OpCheck && op.Item.Token == 0 && op.Condition.Kind() == kv.ConditionAlways
}

func (s *Store) one(ctx context.Context, op kv.Op) error {
	table, err := s.table(op.Item.Collection)
	if err != nil {
		return err
	}
	e := s.expressionOf(op)
	const old = types.ReturnValuesOnConditionCheckFailureAllOld
	switch op.Kind {
	case kv.OpPut:
		_, err = s.db.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &table, Item: attributesOf(op.Item), ConditionExpression: e.condition,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValuesOnConditionCheckFailure: old,
		})
	case kv.OpDelete:
		_, err = s.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &table, Key: keyOf(op.Item.Key), ConditionExpression: e.condition,
			ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValuesOnConditionCheckFailure: old,
		})
	default:
		return s.together(ctx, []kv.Op{op})
	}
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		return err
	}
	return s.refused(op, refused.Item)
}

// refused tells why an operation's condition failed on what is stored.
func (s *Store) refused(op kv.Op, stored attributes) error {
	if it := itemOf(op.Item.Collection, stored); op.Item.Token != 0 && it.Token > op.Item.Token && s.here(it) {
		return kv.ErrFenced
	}
	return kv.ErrConflict
}

// together makes a transaction. The SDK gives each a token, by which one whose answer got lost isn't carried out again.
func (s *Store) together(ctx context.Context, ops []kv.Op) error {
	writes := make([]types.TransactWriteItem, len(ops))
	for i, op := range ops {
		table, err := s.table(op.Item.Collection)
		if err != nil {
			return err
		}
		e := s.expressionOf(op)
		const old = types.ReturnValuesOnConditionCheckFailureAllOld
		switch op.Kind {
		case kv.OpPut:
			writes[i].Put = &types.Put{
				TableName: &table, Item: attributesOf(op.Item), ConditionExpression: e.condition,
				ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValuesOnConditionCheckFailure: old,
			}
		case kv.OpDelete:
			writes[i].Delete = &types.Delete{
				TableName: &table, Key: keyOf(op.Item.Key), ConditionExpression: e.condition,
				ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValuesOnConditionCheckFailure: old,
			}
		case kv.OpCheck:
			if e.condition == nil {
				e.condition = aws.String("attribute_exists(" + attrPartition + ") OR attribute_not_exists(" + attrPartition + ")")
			}
			writes[i].ConditionCheck = &types.ConditionCheck{
				TableName: &table, Key: keyOf(op.Item.Key), ConditionExpression: e.condition,
				ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnValuesOnConditionCheckFailure: old,
			}
		}
	}
	_, err := s.db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) != len(ops) {
		return err
	}
	for i, reason := range cancelled.CancellationReasons {
		if aws.ToString(reason.Code) == "ConditionalCheckFailed" && !errors.Is(err, kv.ErrFenced) {
			err = s.refused(ops[i], reason.Item)
		}
	}
	return err
}

func (s *Store) batch(ctx context.Context, ops []kv.Op) error {
	left := map[string][]types.WriteRequest{}
	for _, op := range ops {
		table, err := s.table(op.Item.Collection)
		if err != nil {
			return err
		}
		var w types.WriteRequest
		if op.Kind == kv.OpPut {
			w.PutRequest = &types.PutRequest{Item: attributesOf(op.Item)}
		} else {
			w.DeleteRequest = &types.DeleteRequest{Key: keyOf(op.Item.Key)}
		}
		left[table] = append(left[table], w)
	}
	for failures, before := 0, len(ops); ; failures++ {
		out, err := s.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: left})
		if err != nil {
			return err
		}
		left = out.UnprocessedItems
		n := 0
		for _, requests := range left {
			n += len(requests)
		}
		if n == 0 {
			return nil
		}
		if n < before {
			failures, before = 0, n
		}
		if err := stall(ctx, failures); err != nil {
			return err
		}
	}
}

// expression is an operation's condition with what it names.
type expression struct {
	condition *string
	names     map[string]string
	values    attributes
}

const (
	notExpired = "(attribute_not_exists(#ttl) OR #ttl > :now)"
	expired    = "#ttl <= :now" // false where there is no such attribute
)

// expressionOf is empty for an operation that is made whatever is stored. A put's is true of itself, too: it has been made
// before, then, and its answer got lost.
func (s *Store) expressionOf(op kv.Op) expression {
	if op.Item.Token == 0 && op.Condition.Kind() == kv.ConditionAlways {
		return expression{}
	}
	values := attributes{":now": number(s.now().Unix())}
	var terms []string
	switch op.Condition.Kind() {
	case kv.ConditionAlways:
	case kv.ConditionAbsent:
		terms = append(terms, "(attribute_not_exists("+attrPartition+") OR "+expired+")")
	case kv.ConditionPresent:
		terms = append(terms, "attribute_exists("+attrPartition+")", notExpired)
	case kv.ConditionUnchanged:
		version := op.Condition.Version()
		values[":was"] = binary(version[:])
		terms = append(terms, attrVersion+" = :was", notExpired)
	}
	if op.Item.Token != 0 {
		values[":token"] = number(op.Item.Token)
		terms = append(terms, "(attribute_not_exists("+attrToken+") OR "+attrToken+" <= :token OR "+expired+")")
	}
	condition := strings.Join(terms, " AND ")
	if op.Kind == kv.OpPut {
		values[":own"] = binary(op.Item.Version[:])
		condition += " OR " + attrVersion + " = :own AND " + notExpired
	}
	return expression{&condition, map[string]string{"#ttl": attrExpires}, values}
}

// inParallel calls work for 0 to n-1, some at a time. It returns the first error, after which it begins no more.
func inParallel(n int, work func(i int) error) error {
	if n == 1 {
		return work(0)
	}
	var group errgroup.Group
	var failed atomic.Bool
	group.SetLimit(parallel)
	for i := range n {
		group.Go(func() error {
			if failed.Load() {
				return nil
			}
			err := work(i)
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return group.Wait()
}
