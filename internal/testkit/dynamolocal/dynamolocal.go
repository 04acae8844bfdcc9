// Package dynamolocal gives tests a DynamoDB of their own: the server that DYNAMODB_ENDPOINT names, else a DynamoDB Local that
// lives as long as the test binary. With CI=true a missing server is a failure; without it, it skips the tests that need one.
package dynamolocal

import (
	"context"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/testkit/localserver"
)

var program = localserver.Program{
	Name:     "DynamoDB Local",
	Variable: "DYNAMODB_ENDPOINT",
	Script:   "dynamodb-local",
	Arguments: func(jars string, port int) []string {
		return []string{"-Djava.library.path=" + jars, "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
			"-inMemory", "-sharedDb", "-disableTelemetry", "-port", strconv.Itoa(port)}
	},
}

// Main is the body of a package's TestMain: it starts a server if none is given, runs the tests, ends the server and gives the
// exit code.
func Main(m *testing.M) int { return program.Run(m.Run) }

// Start starts a server for a program that isn't a test, which ends it with Stop. The options of Java override those for tests.
func Start(java ...string) (*localserver.Server, error) { return program.Start(java...) }

// Client returns a client of the server, for any region and credentials, or skips the test (fails it in CI) when there is none.
func Client(t testing.TB, options ...func(*dynamodb.Options)) *dynamodb.Client {
	t.Helper()
	return dynamodb.New(dynamodb.Options{
		Region:       "local",
		BaseEndpoint: aws.String(program.URL(t)),
		Credentials:  credentials.NewStaticCredentialsProvider("local", "local", ""),
	}, options...)
}

// CreateTable makes the table and deletes it when the test ends. It waits as long as the server takes: asked again, it would
// answer that the table exists.
func CreateTable(t testing.TB, table *dynamodb.CreateTableInput) {
	t.Helper()
	db := Client(t)
	if _, err := db.CreateTable(t.Context(), table); err != nil {
		t.Fatalf("create table %s: %v", *table.TableName, err)
	}
	t.Cleanup(func() {
		if _, err := db.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: table.TableName}); err != nil {
			t.Errorf("delete table %s: %v", *table.TableName, err)
		}
	})
}
