package devicestore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// write is one item's new value, or its deletion, under a condition.
type write struct {
	table     *string
	key, item map[string]types.AttributeValue // item is nil for a deletion
	condition string
	values    map[string]types.AttributeValue
}

// newWrite makes a write that later writes and later owners refuse. Sent twice it is refused neither time.
func (p *partition) newWrite(sort string, value []byte, expires time.Time, stamp int64) *write {
	w := &write{
		table: &p.c.table, key: key(p.pk, sort),
		condition: "attribute_not_exists(" + attrStamp + ") OR " + attrStamp + " <= :f",
		values:    map[string]types.AttributeValue{":f": numberValue(stamp)},
	}
	if value != nil {
		w.item = key(p.pk, sort)
		w.item[attrStamp] = numberValue(stamp)
		w.item[attrValue] = &types.AttributeValueMemberB{Value: value}
		if !expires.IsZero() {
			w.item[attrTTL] = numberValue(expires.Unix())
		}
	}
	return w
}

func (w *write) alone(ctx context.Context, db *dynamodb.Client) (any, error) {
	if w.item == nil {
		return db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: w.table, Key: w.key, ConditionExpression: &w.condition, ExpressionAttributeValues: w.values,
		}, noRetries)
	}
	return db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: w.table, Item: w.item, ConditionExpression: &w.condition, ExpressionAttributeValues: w.values,
	}, noRetries)
}

func (w *write) inTransaction() types.TransactWriteItem {
	if w.item == nil {
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: w.table, Key: w.key, ConditionExpression: aws.String(w.condition), ExpressionAttributeValues: w.values,
		}}
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: w.table, Item: w.item, ConditionExpression: aws.String(w.condition), ExpressionAttributeValues: w.values,
	}}
}
