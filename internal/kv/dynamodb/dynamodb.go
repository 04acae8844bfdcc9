// Package dynamodb is kv.Store on DynamoDB: a table for each collection, an attribute for each field.
//
// Its promises beside the port's: nothing scans; what has a condition or a token is one conditional request, what has
// neither goes in batches; a write whose answer got lost is made once in effect; what is throttled or fails is tried again
// for some ten seconds before it is kv.ErrUnavailable.
package dynamodb

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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

// TablesWith are the usual names after a prefix.
func TablesWith(prefix string) Tables {
	tables := Tables{}
	for _, c := range kv.Collections() {
		tables[c] = prefix + string(c)
	}
	return tables
}

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

// Definitions are the tables' definitions, for tests; the template says the same, and protects them.
func (t Tables) Definitions() []*dynamodb.CreateTableInput {
	var definitions []*dynamodb.CreateTableInput
	for _, c := range kv.Collections() {
		if t[c] == "" {
			continue
		}
		definitions = append(definitions, &dynamodb.CreateTableInput{
			TableName:   aws.String(t[c]),
			BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{
				{AttributeName: aws.String(attrPartition), AttributeType: types.ScalarAttributeTypeS},
				{AttributeName: aws.String(attrSort), AttributeType: types.ScalarAttributeTypeS},
			},
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String(attrPartition), KeyType: types.KeyTypeHash},
				{AttributeName: aws.String(attrSort), KeyType: types.KeyTypeRange},
			},
		})
	}
	return definitions
}

// fieldAttribute names the attribute of a field: as the field, whose name is letters only, unless an attribute above is called
// so.
func fieldAttribute(field string) string {
	switch field {
	case attrPartition, attrSort, attrData, attrVersion, attrToken, attrExpires:
		return "_" + field
	}
	return field
}
