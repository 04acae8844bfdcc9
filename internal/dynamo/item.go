package dynamo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

type item = map[string]types.AttributeValue

var yes types.AttributeValue = &types.AttributeValueMemberBOOL{Value: true}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// blob is empty for nil, which the SDK would send as null, and DynamoDB refuse.
func blob(b []byte) types.AttributeValue {
	if b == nil {
		b = []byte{}
	}
	return &types.AttributeValueMemberB{Value: b}
}

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func key(partition, sort string) item {
	return item{attrPartition: text(partition), attrSort: text(sort)}
}

// textOf is "" for an attribute that isn't there or no string; so are the two below.
func textOf(it item, name string) string {
	if a, ok := it[name].(*types.AttributeValueMemberS); ok {
		return a.Value
	}
	return ""
}

func binaryOf(it item, name string) []byte {
	if a, ok := it[name].(*types.AttributeValueMemberB); ok {
		return a.Value
	}
	return nil
}

func numberOf(it item, name string) int64 {
	if a, ok := it[name].(*types.AttributeValueMemberN); ok {
		n, _ := strconv.ParseInt(a.Value, 10, 64) // DynamoDB's numbers are numbers; ours are whole
		return n
	}
	return 0
}

// newVersion is a random name for what one write makes of an item.
func newVersion() []byte {
	version := make([]byte, 8)
	rand.Read(version) // never fails
	return version
}

// was is the condition that an item is still as it was read: of this version, or absent where there was none.
func was(version []byte) (condition string, values item) {
	if version == nil {
		return "attribute_not_exists(" + attrPartition + ")", nil
	}
	return attrVersion + " = :was", item{":was": blob(version)}
}

// table is one table under a client.
type table struct {
	db   *dynamodb.Client
	name string
}

// get returns nil when there is no such item.
func (t table) get(ctx context.Context, partition, sort string, consistent bool) (item, error) {
	out, err := t.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: key(partition, sort), ConsistentRead: &consistent,
	})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

var errConflict = errors.New("the item was changed meanwhile")

// replace puts an item in place of the version that was read, nil for none. It returns errConflict when that isn't the
// stored one any more. A write whose answer got lost, so that it is sent again, is known by the item's new version, unless
// somebody else has replaced that already: then errConflict makes the change again, on top of itself.
func (t table) replace(ctx context.Context, it item, version []byte) error {
	it[attrVersion] = blob(newVersion())
	condition, values := was(version)
	_, err := t.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: it, ConditionExpression: &condition, ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return settled(err, it)
}

// settled tells from the outcome of a conditional write whether it is the item that is stored.
func settled(err error, it item) error {
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		return err
	}
	if bytes.Equal(binaryOf(refused.Item, attrVersion), binaryOf(it, attrVersion)) {
		return nil
	}
	return errConflict
}

// transact writes all or nothing; errConflict when a condition failed. The SDK gives each call a token, by which one
// whose answer got lost isn't carried out again.
func transact(ctx context.Context, db *dynamodb.Client, writes ...types.TransactWriteItem) error {
	_, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	if conditionFailed(err) {
		return errConflict
	}
	return err
}

func (t table) putting(it item, version []byte) types.TransactWriteItem {
	it[attrVersion] = blob(newVersion())
	condition, values := was(version)
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &t.name, Item: it, ConditionExpression: &condition, ExpressionAttributeValues: values,
	}}
}

func (t table) deleting(partition, sort string, version []byte) types.TransactWriteItem {
	condition, values := was(version)
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &t.name, Key: key(partition, sort), ConditionExpression: &condition, ExpressionAttributeValues: values,
	}}
}

func (t table) absent(partition, sort string) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &t.name, Key: key(partition, sort),
		ConditionExpression: aws.String("attribute_not_exists(" + attrPartition + ")"),
	}}
}

// conflicts bounds how often a change is tried on a newer state.
const conflicts = 12

// untilSettled repeats what ended in a conflict. Who loses all the time gets Unavailable.
func untilSettled(ctx context.Context, try func() error) error {
	for failures := range conflicts {
		if err := try(); !errors.Is(err, errConflict) {
			return err
		}
		if err := pause(ctx, backoff(failures-2)); err != nil {
			return err
		}
	}
	return &chat.Error{Code: chat.Unavailable, Message: "too many writers"}
}

// cursors say where a page ended; the letter tells the ports' cursors apart.
func makeCursor(letter byte, position string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(letter) + position))
}

// openCursor returns INVALID_CURSOR for what makeCursor didn't make with the letter. valid checks the position.
func openCursor(letter byte, cursor string, valid func(position string) bool) (position string, err error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < 2 || b[0] != letter || !valid(string(b[1:])) {
		return "", &chat.Error{Code: chat.InvalidCursor}
	}
	return string(b[1:]), nil
}
