package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

// Backlog implements chat.Backlog. An item of work that doesn't fit into one of DynamoDB's (400 KB) goes on in parts.
type Backlog struct{ table table }

var _ chat.Backlog = (*Backlog)(nil)

// NewBacklog works on the table named Names.Work.
func NewBacklog(db *dynamodb.Client, name string) *Backlog { return &Backlog{table{db, name}} }

const (
	workItem    = "i/"
	workPart    = "p/"
	workCount   = "count"
	attrCount   = "n"  // N: of arrivals; in an item, which arrival it was
	attrParts   = "m"  // N, of the parts after the first
	attrID      = "id" // S
	largestPart = 350 << 10
)

func backlogPartition(account string) string { return "backlog/" + account }

func partSort(arrival int64, part int) string {
	return fmt.Sprintf("%s%016x/%d", workPart, arrival, part)
}

// PutBacklog implements chat.Backlog. The parts come before the item that counts them.
func (s *Backlog) PutBacklog(ctx context.Context, account, id string, data []byte) error {
	partition, sort := backlogPartition(account), workItem+messageID(id)
	there, err := s.table.get(ctx, partition, sort, true)
	if err != nil || there != nil {
		return failed("put work", err)
	}
	arrival, err := s.arrival(ctx, partition)
	if err != nil {
		return failed("put work", err)
	}
	first, rest := data[:min(len(data), largestPart)], data[min(len(data), largestPart):]
	parts := 0
	for part := range slices.Chunk(rest, largestPart) {
		it := key(partition, partSort(arrival, parts))
		it[attrData] = blob(part)
		if _, err := s.table.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table.name, Item: it}); err != nil {
			return failed("put work", err)
		}
		parts++
	}
	it := key(partition, sort)
	it[attrID], it[attrData] = text(id), blob(first)
	it[attrCount], it[attrParts] = number(arrival), number(int64(parts))
	if err = s.table.replace(ctx, it, nil); errors.Is(err, errConflict) {
		err = s.deleteParts(ctx, partition, it) // somebody else has put it
	}
	return failed("put work", err)
}

// arrival counts.
func (s *Backlog) arrival(ctx context.Context, partition string) (int64, error) {
	out, err := s.table.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table.name, Key: key(partition, workCount),
		UpdateExpression:          aws.String("ADD " + attrCount + " :one"),
		ExpressionAttributeValues: item{":one": number(1)},
		ReturnValues:              types.ReturnValueAllNew,
	})
	if err != nil {
		return 0, err
	}
	return numberOf(out.Attributes, attrCount), nil
}

// ListBacklog implements chat.Backlog.
func (s *Backlog) ListBacklog(ctx context.Context, account string) ([]chat.BacklogItem, error) {
	partition := backlogPartition(account)
	var items []item
	for it, err := range s.table.all(ctx, query{partition: partition, condition: beginsWith, from: workItem}) {
		if err != nil {
			return nil, failed("list work", err)
		}
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(numberOf(a, attrCount), numberOf(b, attrCount)) })
	backlog := make([]chat.BacklogItem, 0, len(items))
	for _, it := range items {
		data, err := s.join(ctx, partition, it)
		if errors.Is(err, errDone) {
			continue
		}
		if err != nil {
			return nil, failed("get work", err)
		}
		backlog = append(backlog, chat.BacklogItem{ID: textOf(it, attrID), Data: data})
	}
	return backlog, nil
}

var errDone = errors.New("the work was done meanwhile")

func (s *Backlog) join(ctx context.Context, partition string, it item) ([]byte, error) {
	data := binaryOf(it, attrData)
	for part := range int(numberOf(it, attrParts)) {
		more, err := s.table.get(ctx, partition, partSort(numberOf(it, attrCount), part), true)
		if err != nil {
			return nil, err
		}
		if more == nil {
			return nil, errDone
		}
		data = append(data, binaryOf(more, attrData)...)
	}
	return data, nil
}

// DeleteBacklog implements chat.Backlog. The parts go after the item that counts them.
func (s *Backlog) DeleteBacklog(ctx context.Context, account, id string) error {
	partition := backlogPartition(account)
	out, err := s.table.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table.name, Key: key(partition, workItem+messageID(id)), ReturnValues: types.ReturnValueAllOld,
	})
	if err == nil {
		err = s.deleteParts(ctx, partition, out.Attributes)
	}
	return failed("delete work", err)
}

func (s *Backlog) deleteParts(ctx context.Context, partition string, it item) error {
	var keys []item
	for part := range int(numberOf(it, attrParts)) {
		keys = append(keys, key(partition, partSort(numberOf(it, attrCount), part)))
	}
	return s.table.deleteMany(ctx, keys)
}
