package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

// Leases implements chat.Leases. The item of a shard stays after a release, for its epoch.
type Leases struct{ table table }

var _ chat.Leases = (*Leases)(nil)

// NewLeases works on the table named Names.Work.
func NewLeases(db *dynamodb.Client, name string) *Leases { return &Leases{table{db, name}} }

const (
	leaseSort   = "lease"
	hosts       = "hosts" // the partition of those that share the shards
	attrHost    = "h"     // S
	attrEpoch   = "e"     // N
	attrExpires = "x"     // N, ms since 1970; 0 after a release
)

func shardPartition(shard int) string { return fmt.Sprintf("shard/%d", shard) }

// AcquireLease implements chat.Leases.
func (s *Leases) AcquireLease(ctx context.Context, shard int, host string, now time.Time, ttl time.Duration) (chat.Lease, error) {
	l := chat.Lease{Shard: shard, Host: host, Expires: now.Add(ttl)}
	version := item{attrVersion: blob(newVersion())}
	out, err := s.table.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table.name, Key: key(shardPartition(shard), leaseSort),
		UpdateExpression: aws.String("SET " + attrHost + " = :host, " + attrExpires + " = :expires, " + attrVersion + " = :version" +
			" ADD " + attrEpoch + " :one"),
		ConditionExpression: aws.String("attribute_not_exists(" + attrExpires + ") OR " + attrExpires + " <= :now"),
		ExpressionAttributeValues: item{
			":host": text(host), ":expires": number(l.Expires.UnixMilli()), ":version": version[attrVersion],
			":one": number(1), ":now": number(now.UnixMilli()),
		},
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	var taken *types.ConditionalCheckFailedException
	switch {
	case errors.As(err, &taken) && settled(taken, version) == nil:
		l.Epoch = numberOf(taken.Item, attrEpoch) // taken by us: the first answer got lost
	case errors.As(err, &taken):
		return chat.Lease{}, &chat.Error{Code: chat.LeaseHeld}
	case err != nil:
		return chat.Lease{}, failed("acquire lease", err)
	default:
		l.Epoch = numberOf(out.Attributes, attrEpoch)
	}
	return l, nil
}

// RenewLease implements chat.Leases.
func (s *Leases) RenewLease(ctx context.Context, l chat.Lease, now time.Time, ttl time.Duration) (chat.Lease, error) {
	l.Expires = now.Add(ttl)
	err := s.setExpiry(ctx, l, l.Expires.UnixMilli())
	if conditionFailed(err) {
		return chat.Lease{}, &chat.Error{Code: chat.LeaseHeld}
	}
	if err != nil {
		return chat.Lease{}, failed("renew lease", err)
	}
	return l, nil
}

// ReleaseLease implements chat.Leases.
func (s *Leases) ReleaseLease(ctx context.Context, l chat.Lease) error {
	err := s.setExpiry(ctx, l, 0)
	if conditionFailed(err) {
		return nil
	}
	return failed("release lease", err)
}

// setExpiry works on the lease if it is the newest.
func (s *Leases) setExpiry(ctx context.Context, l chat.Lease, expires int64) error {
	_, err := s.table.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table.name, Key: key(shardPartition(l.Shard), leaseSort),
		UpdateExpression:    aws.String("SET " + attrExpires + " = :expires"),
		ConditionExpression: aws.String(attrHost + " = :host AND " + attrEpoch + " = :epoch"),
		ExpressionAttributeValues: item{
			":expires": number(expires), ":host": text(l.Host), ":epoch": number(l.Epoch),
		},
	})
	return err
}

// AnnounceHost implements chat.Leases.
func (s *Leases) AnnounceHost(ctx context.Context, host string, now time.Time, ttl time.Duration) error {
	it := key(hosts, host)
	if ttl <= 0 {
		_, err := s.table.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &s.table.name, Key: it})
		return failed("withdraw host", err)
	}
	expires := now.Add(ttl)
	it[attrExpires] = number(expires.UnixMilli())
	it[attrTTL] = number(expires.Add(time.Hour).Unix()) // readers go by the other; this only tidies up
	_, err := s.table.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table.name, Item: it})
	return failed("announce host", err)
}

// Hosts implements chat.Leases.
func (s *Leases) Hosts(ctx context.Context, now time.Time) ([]string, error) {
	var announced []string // in the order of the sort key
	for it, err := range s.table.all(ctx, query{partition: hosts}) {
		if err != nil {
			return nil, failed("list hosts", err)
		}
		if numberOf(it, attrExpires) > now.UnixMilli() {
			announced = append(announced, textOf(it, attrSort))
		}
	}
	return announced, nil
}
