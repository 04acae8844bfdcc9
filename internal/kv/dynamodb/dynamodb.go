// Package dynamodb is kv.Store on DynamoDB: a table for each collection, an attribute for each field.
//
// Its promises beside the port's: nothing scans; what has a condition or a token is one conditional request, what has
// neither goes in batches; a write whose answer got lost is made once in effect; what is throttled or fails is tried again
// for some ten seconds before it is kv.ErrUnavailable.
package dynamodb

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/kv"
)

// Store implements kv.Store.
type Store struct {
	db     *dynamodb.Client
	tables Tables
	now    func() time.Time
}

var _ kv.Store = (*Store)(nil)

// New works on the tables by a client that was made with Tuned. It takes no table for a collection that isn't used.
func New(db *dynamodb.Client, tables Tables, now func() time.Time) *Store {
	return &Store{db, tables, now}
}

// Tables are the names of the tables. They are apart by who may touch them.
type Tables map[kv.Collection]string

func (s *Store) table(c kv.Collection) (string, error) {
	if name := s.tables[c]; name != "" {
		return name, nil
	}
	return "", fmt.Errorf("no table for the collection %q", c)
}

// The attributes of an item, beside its fields.
const (
	attrPartition = "pk"         // S, partition key
	attrSort      = "sk"         // S, sort key
	attrData      = "d"          // B
	attrVersion   = "v"          // B
	attrToken     = "e"          // N, an epoch
	attrExpires   = TTLAttribute // N, seconds since 1970
)

// TTLAttribute names the attribute that the tables' time to live is on.
const TTLAttribute = "ttl"

// fieldAttribute names the attribute of a field: as the field, whose name is letters only, unless an attribute above is called
// so.
func fieldAttribute(field string) string {
	switch field {
	case attrPartition, attrSort, attrData, attrVersion, attrToken, attrExpires:
		return "_" + field
	}
	return field
}
