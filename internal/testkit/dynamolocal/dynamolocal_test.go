package dynamolocal_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/testkit/dynamolocal"
)

func TestMain(m *testing.M) { os.Exit(dynamolocal.Main(m)) }

func TestWriteAndRead(t *testing.T) {
	var meter dynamolocal.Meter
	db := dynamolocal.Client(t, meter.Attach)
	dynamolocal.CreateTable(t, &dynamodb.CreateTableInput{
		TableName:            aws.String("write-and-read"),
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
	})
	item := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "a"}}
	meter.Take()
	if _, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("write-and-read"), Item: item}); err != nil {
		t.Fatal(err)
	}
	got, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("write-and-read"), Key: item})
	if err != nil {
		t.Fatal(err)
	}
	if got.Item["pk"] == nil {
		t.Error("the item isn't there")
	}
	if got, want := meter.Take(), (dynamolocal.Usage{Read: 0.5, Write: 1, Requests: 2}); got != want {
		t.Errorf("used %+v, want %+v", got, want)
	}
}
