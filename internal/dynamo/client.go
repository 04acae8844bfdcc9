package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

const (
	attempts       = 10
	firstBackoff   = 25 * time.Millisecond
	lastBackoff    = 2 * time.Second
	attemptTimeout = 5 * time.Second
	connections    = 128
)

// Tuned makes a client try again what was throttled, failed or got no answer: ten times within some ten seconds, or until
// the context ends. There is no budget of tries shared by all calls, as the SDK has by default, since a partition that is
// throttled for a while would use it up for all others; and no adaptive rate for the same reason.
func Tuned(o *dynamodb.Options) {
	o.Retryer = newRetryer()
	if o.HTTPClient == nil {
		o.HTTPClient = awshttp.NewBuildableClient()
	}
	if client, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
		o.HTTPClient = client.WithTimeout(attemptTimeout).WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = connections
		})
	}
}

func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return backoff(attempt), nil
		})
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(transient)}, o.Retryables...)
	})
}

// backoff is how long to wait after so many failures, at random so that those who failed together don't meet again.
func backoff(failures int) time.Duration {
	return rand.N(min(firstBackoff<<min(max(failures, 0), 10), lastBackoff))
}

func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transient tells what DynamoDB says of its own state apart from what the SDK knows of all services.
func transient(err error) aws.Ternary {
	var conflict *types.TransactionConflictException
	var cancelled *types.TransactionCanceledException
	switch {
	case errors.As(err, &conflict):
		return aws.TrueTernary
	case errors.As(err, &cancelled):
		if conditionFailed(err) {
			return aws.FalseTernary
		}
		for _, reason := range cancelled.CancellationReasons {
			switch aws.ToString(reason.Code) {
			case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
				return aws.TrueTernary
			}
		}
	}
	return aws.UnknownTernary
}

// conditionFailed tells whether a write, or one of a transaction's, was refused by its condition.
func conditionFailed(err error) bool {
	var single *types.ConditionalCheckFailedException
	if errors.As(err, &single) {
		return true
	}
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for _, reason := range cancelled.CancellationReasons {
			if aws.ToString(reason.Code) == "ConditionalCheckFailed" {
				return true
			}
		}
	}
	return false
}

var retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(transient)}, retry.DefaultRetryables...)

// failed says what was being done. A fault that may pass becomes Unavailable.
func failed(doing string, err error) error {
	var known *chat.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, context.Canceled):
	case retry.IsErrorRetryables(retryables).IsErrorRetryable(err) == aws.TrueTernary:
		return fmt.Errorf("%s: %w: %w", doing, &chat.Error{Code: chat.Unavailable}, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
