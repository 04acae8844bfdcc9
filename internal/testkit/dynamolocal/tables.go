package dynamolocal

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/kv"
)

// TablesWith names a table for each collection, behind a prefix.
func TablesWith(prefix string) map[kv.Collection]string {
	tables := map[kv.Collection]string{}
	for _, c := range kv.Collections() {
		tables[c] = prefix + string(c)
	}
	return tables
}

// CreateTables makes a table for each collection, and deletes them when the test ends.
func CreateTables(t testing.TB, prefix string) map[kv.Collection]string {
	t.Helper()
	tables := TablesWith(prefix)
	for _, table := range Definitions(tables) {
		CreateTable(t, table)
	}
	return tables
}

// Definitions are the tables as kv/dynamodb needs them; the template says the same, and protects them.
func Definitions(tables map[kv.Collection]string) []*dynamodb.CreateTableInput {
	var definitions []*dynamodb.CreateTableInput
	for _, c := range kv.Collections() {
		if tables[c] == "" {
			continue
		}
		definitions = append(definitions, &dynamodb.CreateTableInput{
			TableName:   aws.String(tables[c]),
			BillingMode: types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{
				{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
				{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
			},
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
				{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
			},
		})
	}
	return definitions
}
