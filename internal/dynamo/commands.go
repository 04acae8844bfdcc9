package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

// Commands implements chat.Commands.
type Commands struct {
	table table
	now   func() time.Time
}

var _ chat.Commands = (*Commands)(nil)

// NewCommands works on the table named Names.Commands. A record is kept for chat.ReportAge from when it is put.
func NewCommands(db *dynamodb.Client, name string, now func() time.Time) *Commands {
	return &Commands{table{db, name}, now}
}

const attrOutcome = "o" // S: JSON of an outcome; absent while the command is pending

type outcome struct {
	Failure  *chat.Error `json:"failure,omitempty"`
	Attempts int         `json:"attempts"`
	At       time.Time   `json:"at"`
}

// Command implements chat.CommandReader.
func (s *Commands) Command(ctx context.Context, account, id string) (chat.CommandRecord, error) {
	it, err := s.table.get(ctx, account, id, true)
	if err != nil {
		return chat.CommandRecord{}, failed("get command", err)
	}
	if it == nil || numberOf(it, attrTTL) <= s.now().Unix() {
		return chat.CommandRecord{}, &chat.Error{Code: chat.CommandNotFound}
	}
	return recordOf(it)
}

func recordOf(it item) (chat.CommandRecord, error) {
	r := chat.CommandRecord{State: chat.CommandPending}
	if err := json.Unmarshal([]byte(textOf(it, attrData)), &r.Command); err != nil {
		return r, fmt.Errorf("decode command: %w", err)
	}
	if ended := textOf(it, attrOutcome); ended != "" {
		var o outcome
		if err := json.Unmarshal([]byte(ended), &o); err != nil {
			return r, fmt.Errorf("decode outcome: %w", err)
		}
		r.State = chat.Outcome{Failure: o.Failure}.State()
		r.Failure, r.Attempts, r.EndedAt = o.Failure, o.Attempts, o.At
	}
	return r, nil
}

// PutCommand implements chat.Commands.
func (s *Commands) PutCommand(ctx context.Context, c chat.Command) (chat.CommandRecord, bool, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return chat.CommandRecord{}, false, fmt.Errorf("encode command: %w", err)
	}
	it := key(c.Account, c.ID)
	it[attrData] = text(string(data))
	it[attrVersion] = blob(newVersion())
	it[attrTTL] = number(s.now().Add(chat.ReportAge).Unix())
	_, err = s.table.db.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table.name, Item: it,
		ConditionExpression:       aws.String("attribute_not_exists(" + attrPartition + ") OR #ttl <= :now"),
		ExpressionAttributeNames:  map[string]string{"#ttl": attrTTL}, // a reserved word
		ExpressionAttributeValues: item{":now": number(s.now().Unix())},

		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var there *types.ConditionalCheckFailedException
	if errors.As(err, &there) && there.Item != nil {
		// The record may be ours: the answer to a first try got lost.
		r, err := recordOf(there.Item)
		return r, settled(there, it) == nil, err
	}
	if err != nil {
		return chat.CommandRecord{}, false, failed("put command", err)
	}
	return chat.CommandRecord{Command: c, State: chat.CommandPending}, true, nil
}

// EndCommand implements chat.Commands.
func (s *Commands) EndCommand(ctx context.Context, account, id string, o chat.Outcome) (chat.CommandRecord, error) {
	ended, err := json.Marshal(outcome{o.Failure, o.Attempts, o.At})
	if err != nil {
		return chat.CommandRecord{}, fmt.Errorf("encode outcome: %w", err)
	}
	out, err := s.table.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table.name, Key: key(account, id),
		UpdateExpression:          aws.String("SET " + attrOutcome + " = :outcome"),
		ConditionExpression:       aws.String("attribute_exists(" + attrPartition + ") AND attribute_not_exists(" + attrOutcome + ")"),
		ExpressionAttributeValues: item{":outcome": text(string(ended))},

		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var refused *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &refused) && refused.Item == nil:
		return chat.CommandRecord{}, &chat.Error{Code: chat.CommandNotFound}
	case errors.As(err, &refused):
		return recordOf(refused.Item)
	case err != nil:
		return chat.CommandRecord{}, failed("end command", err)
	}
	return recordOf(out.Attributes)
}

// DeleteCommands implements chat.Commands.
func (s *Commands) DeleteCommands(ctx context.Context, account string) error {
	return failed("delete commands", s.table.deleteAll(ctx, query{partition: account}))
}
