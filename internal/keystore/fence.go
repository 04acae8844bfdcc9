package keystore

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// fence is one ownership of an account: it gives every write its stamp, and knows when the ownership is over. Opening an account counts
// its item's "o" up; a stamp is that count and the number of the write, so it is above all stamps of the owners before, and a request of
// ours that arrives after a later one is refused too.
type fence struct {
	c       *Container
	account string
	opened  int64
	lease   func() error // asked before every write, if set

	mu     sync.Mutex
	writes int64
	proved time.Time // when the ownership was seen last
	over   bool
	ended  chan struct{}
}

func newFence(c *Container, account string, opened int64) *fence {
	return &fence{c: c, account: account, opened: opened, proved: c.opts.Now(), ended: make(chan struct{})}
}

// alive is for reads: a known loss is an error.
func (f *fence) alive() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return ErrFenced
	}
	return nil
}

// stamp is for writes: it proves the ownership again if the last proof is old.
func (f *fence) stamp(ctx context.Context) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return 0, ErrFenced
	}
	if f.lease != nil {
		if err := f.lease(); err != nil {
			return 0, err
		}
	}
	if now := f.c.opts.Now(); now.Sub(f.proved) > f.c.opts.FenceInterval {
		out, err := call(ctx, f.c, "prove the ownership", func(ctx context.Context) (*dynamodb.GetItemOutput, error) {
			return f.c.db.GetItem(ctx, &dynamodb.GetItemInput{
				TableName: &f.c.table, Key: key(f.account, deviceSort), ConsistentRead: aws.Bool(true),
				ProjectionExpression: aws.String(attrOpened),
			}, noRetries)
		})
		if err != nil {
			return 0, err
		}
		if number(out.Item[attrOpened]) != f.opened {
			f.lose()
			return 0, ErrFenced
		}
		f.proved = now
	}
	f.writes++
	return f.opened<<32 | f.writes, nil
}

// lost records that a write was refused.
func (f *fence) lost() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lose()
	return ErrFenced
}

func (f *fence) lose() {
	if !f.over {
		f.over = true
		close(f.ended)
	}
}

// check is the condition of a transaction that this ownership holds.
func (f *fence) check() types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &f.c.table, Key: key(f.account, deviceSort),
		ConditionExpression:       aws.String(attrOpened + " = :o"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":o": numberValue(f.opened)},
	}}
}

func key(partition, sort string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		attrPartition: &types.AttributeValueMemberS{Value: partition}, attrSort: &types.AttributeValueMemberS{Value: sort},
	}
}

func numberValue(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// number is 0 for what is no number.
func number(v types.AttributeValue) int64 {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		i, _ := strconv.ParseInt(n.Value, 10, 64)
		return i
	}
	return 0
}
