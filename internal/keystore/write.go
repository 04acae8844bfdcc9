package keystore

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// write is one item's new value under a condition.
type write struct {
	table     *string
	item      map[string]types.AttributeValue
	condition string
	values    map[string]types.AttributeValue
}

// deletedAge is how long a deleted item leaves its stamp behind. AWS takes no request whose signature is older than 15 minutes.
const deletedAge = time.Hour

// newWrite makes a write that later writes and later owners refuse, deletions too. Sent twice it is refused neither time.
func (p *partition) newWrite(sort string, value []byte, expires time.Time, stamp int64) *write {
	w := &write{
		table: &p.c.table, item: key(p.pk, sort),
		condition: "attribute_not_exists(" + attrStamp + ") OR " + attrStamp + " <= :f",
		values:    map[string]types.AttributeValue{":f": numberValue(stamp)},
	}
	w.item[attrStamp] = numberValue(stamp)
	if value != nil {
		w.item[attrValue] = &types.AttributeValueMemberB{Value: value}
	} else {
		expires = p.c.opts.Now().Add(deletedAge)
	}
	if !expires.IsZero() {
		w.item[attrTTL] = numberValue(expires.Unix())
	}
	return w
}

func (w *write) alone(ctx context.Context, db *dynamodb.Client) (any, error) {
	return db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: w.table, Item: w.item, ConditionExpression: &w.condition, ExpressionAttributeValues: w.values,
	}, noRetries)
}

func (w *write) inTransaction() types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: w.table, Item: w.item, ConditionExpression: &w.condition, ExpressionAttributeValues: w.values,
	}}
}
