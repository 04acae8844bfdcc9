package dynamo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
)

// Reports implements chat.Reports.
type Reports struct {
	table table
	now   func() time.Time
}

var _ chat.Reports = (*Reports)(nil)

// NewReports works on the table named Names.Reports. An entry is kept for chat.ReportAge from when it is added.
func NewReports(db *dynamodb.Client, name string, now func() time.Time) *Reports {
	return &Reports{table{db, name}, now}
}

const attrPending = "p" // BOOL: the entry's command hasn't ended

// ending is what the end of its command adds to an entry.
type ending struct {
	Status  int               `json:"status"`
	Error   chat.Code         `json:"error"`
	Command chat.CommandState `json:"command"`
	EndedAt time.Time         `json:"endedAt"`
}

// AddReport implements chat.Reports. An entry that is there is replaced by the same: entries are added once.
func (s *Reports) AddReport(ctx context.Context, r chat.Report) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	it := key(r.Account, r.ID)
	it[attrData] = text(string(data))
	it[attrTTL] = number(s.now().Add(chat.ReportAge).Unix())
	if !r.Finished() {
		it[attrPending] = yes
	}
	if err := s.table.replace(ctx, it, nil); err != nil && err != errConflict {
		return failed("add report", err)
	}
	return nil
}

// EndReport implements chat.Reports.
func (s *Reports) EndReport(ctx context.Context, account, id string, state chat.CommandState, status int, code chat.Code, at time.Time) error {
	ended, err := json.Marshal(ending{status, code, state, at})
	if err != nil {
		return fmt.Errorf("encode end of report: %w", err)
	}
	_, err = s.table.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table.name, Key: key(account, id),
		UpdateExpression:          aws.String("SET " + attrOutcome + " = :ending REMOVE " + attrPending),
		ConditionExpression:       aws.String("attribute_exists(" + attrPartition + ")"),
		ExpressionAttributeValues: item{":ending": text(string(ended))},
	})
	if conditionFailed(err) {
		return nil // it was cleared
	}
	return failed("end report", err)
}

// ListReports implements chat.Reports.
func (s *Reports) ListReports(ctx context.Context, account string, p chat.Page) (reports []chat.Report, next string, err error) {
	after, err := openCursor('r', p.Cursor, validReport)
	if err != nil {
		return nil, "", err
	}
	now := s.now().Unix()
	for it, err := range s.table.all(ctx, query{partition: account, after: after, newest: true, limit: p.Limit + 1}) {
		if err != nil {
			return nil, "", failed("list reports", err)
		}
		if numberOf(it, attrTTL) <= now {
			continue
		}
		if len(reports) == p.Limit {
			return reports, makeCursor('r', reports[p.Limit-1].ID), nil
		}
		r, err := reportOf(it)
		if err != nil {
			return nil, "", err
		}
		reports = append(reports, r)
	}
	return reports, "", nil
}

// validReport checks the form of an id, so that a made-up cursor is refused rather than read from somewhere.
func validReport(id string) bool {
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(id) == 26 // a ULID
}

func reportOf(it item) (chat.Report, error) {
	var r chat.Report
	if err := json.Unmarshal([]byte(textOf(it, attrData)), &r); err != nil {
		return r, fmt.Errorf("decode report: %w", err)
	}
	if ended := textOf(it, attrOutcome); ended != "" {
		var e ending
		if err := json.Unmarshal([]byte(ended), &e); err != nil {
			return r, fmt.Errorf("decode end of report: %w", err)
		}
		r.Status, r.Error, r.Command, r.EndedAt = e.Status, e.Error, e.Command, e.EndedAt
	}
	return r, nil
}

// ClearReports implements chat.Reports.
func (s *Reports) ClearReports(ctx context.Context, account string, all bool, now time.Time) error {
	queries := []query{{partition: account}}
	if !all {
		var lost ulid.ULID // what is before it is so old
		if err := lost.SetTime(ulid.Timestamp(now.Add(-chat.CommandAge))); err != nil {
			return fmt.Errorf("clear reports: %w", err)
		}
		queries = []query{
			{partition: account, filter: "attribute_not_exists(" + attrPending + ")"},
			{partition: account, condition: between, from: "0", to: lost.String()},
		}
	}
	for _, q := range queries {
		if err := s.table.deleteAll(ctx, q); err != nil {
			return failed("clear reports", err)
		}
	}
	return nil
}
