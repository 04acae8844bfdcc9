// Package function wires an endpoint as a Lambda: it reads the environment, makes the clients once at start, and serves.
// What only some functions need, and so only they link, stands in the packages beneath.
package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"pesan/internal/dynamo"
	"pesan/internal/env"
	"pesan/internal/httpapi"
)

// Wiring is what an endpoint is made of. What is missing in the environment is kept, and Serve reports all of it at once.
type Wiring struct {
	*env.Reader
	AWS      aws.Config
	DynamoDB *dynamodb.Client
	Secret   string // opens the system's endpoints; empty unless the endpoint sets it
}

// Serve makes an endpoint and serves it until Lambda ends the process. It returns only errors, at start.
func Serve(endpoint func(*Wiring) (httpapi.Endpoint, error)) error {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	w := newWiring(os.LookupEnv)
	var c httpapi.Config
	c.CountryCode = w.Digits("COUNTRY_CODE", "62", 3)
	c.Rate = float64(w.Int("RATE_LIMIT", 50, 0, 1_000_000))
	c.Logger = logger
	if table := w.String("REPORTS_TABLE", ""); table != "" {
		c.Reports = dynamo.NewReports(w.DynamoDB, table, time.Now)
	}
	if table := w.String("ACCOUNTS_TABLE", ""); table != "" {
		c.Accounts = dynamo.NewAccountReader(w.DynamoDB, table)
	}
	e, err := endpoint(w)
	if err = errors.Join(w.Err(), err); err != nil {
		return fmt.Errorf("the function can't start:\n%w", err)
	}
	c.Secret = w.Secret
	lambda.Start(httpapi.New(c).Lambda(e))
	return nil
}

// newWiring takes what Lambda puts into the environment of every function. The credentials there last as long as the
// process does, so none of the SDK's ways to find some is linked.
func newWiring(lookup func(string) (string, bool)) *Wiring {
	r := env.New(lookup)
	credentials := aws.Credentials{
		AccessKeyID:     r.Required("AWS_ACCESS_KEY_ID", "set by Lambda"),
		SecretAccessKey: r.Required("AWS_SECRET_ACCESS_KEY", "set by Lambda"),
		SessionToken:    r.String("AWS_SESSION_TOKEN", ""),
	}
	w := &Wiring{Reader: r, AWS: aws.Config{
		Region: r.Required("AWS_REGION", "set by Lambda"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return credentials, nil
		}),
		Logger: logging.Nop{}, // what matters comes as an error
	}}
	if endpoint := r.String("AWS_ENDPOINT_URL", ""); endpoint != "" {
		w.AWS.BaseEndpoint = aws.String(endpoint)
	}
	w.DynamoDB = dynamodb.NewFromConfig(w.AWS, dynamo.Tuned)
	return w
}

// Table is the name of a table, from a variable such as CHATS_TABLE.
func (w *Wiring) Table(variable string) string {
	return w.Required(variable, "the name of a DynamoDB table")
}

// Queues are the URLs of the shards' queues, in the order of the shards.
func (w *Wiring) Queues() []string {
	return strings.Split(w.Required("QUEUE_URLS", "the URLs of the shards' queues, separated by commas"), ",")
}

// Shards is the number of shards.
func (w *Wiring) Shards() int { return w.Int("SHARDS", 1, 1, 1000) }
