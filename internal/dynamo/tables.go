// Package dynamo keeps everything but the keys of devices in DynamoDB, behind the ports of package chat.
//
// Its promises: nothing scans; whatever two may write is written under a condition, so that neither a lost answer nor a
// second writer can undo what was stored; what a command has changed, the next read shows; an account's data is found only
// in partitions that are named after it.
package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Names are the names of the tables. They are apart by who may touch them:
//
//	table     read by             written by          partition key      sort key
//	Accounts  all                 system, commands    "account/<id>"     "account": the account
//	          host, system        system              "accounts"         <id>: that there is such an account
//	Chats     readers             host                <account>          "c/<JID>": a chat that shows
//	                                                                     "h/<JID>": one that doesn't, or an alias
//	Messages  fetchMessageById    host                <account>/<JID>    "t/<time>/<order>/<id>": a message
//	                                                                     "i/<id>": where that is, or a stub
//	Commands  commands            commands, host      <account>          <id>
//	Reports   getReportApi        all                 <account>          <id>, a ULID
//	Work      host                host                "shard/<number>"   "lease"
//	                                                  "hosts"            <host>
//	                                                  "backlog/<account>" "count", "i/<id>", "p/<arrival>/<part>"
//
// All have the partition key pk and the sort key sk, both strings; Commands, Reports and Work expire by ttl.
type Names struct {
	Accounts, Chats, Messages, Commands, Reports, Work string
}

// NamesWith are the tables' usual names after a prefix.
func NamesWith(prefix string) Names {
	return Names{prefix + "accounts", prefix + "chats", prefix + "messages", prefix + "commands", prefix + "reports", prefix + "work"}
}

// The attributes of items.
const (
	attrPartition = "pk"  // S
	attrSort      = "sk"  // S
	attrData      = "d"   // B: a record, see encodeRecord; S: JSON
	attrVersion   = "v"   // B, see newVersion
	attrTTL       = "ttl" // N, seconds since 1970 when the item ends
)

// Tables are the definitions of all tables, for tests; the template says the same.
func (n Names) Tables() []*dynamodb.CreateTableInput {
	var tables []*dynamodb.CreateTableInput
	for _, name := range []string{n.Accounts, n.Chats, n.Messages, n.Commands, n.Reports, n.Work} {
		tables = append(tables, &dynamodb.CreateTableInput{
			TableName:   aws.String(name),
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
	return tables
}
