package dynamodb

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

	"pesan/internal/kv"
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

// transient tells what DynamoDB says of its own state apart from what the SDK knows of all services.
func transient(err error) aws.Ternary {
	var conflict *types.TransactionConflictException
	var cancelled *types.TransactionCanceledException
	switch {
	case errors.As(err, &conflict):
		return aws.TrueTernary
	case errors.As(err, &cancelled):
		passing := aws.UnknownTernary
		for _, reason := range cancelled.CancellationReasons {
			switch aws.ToString(reason.Code) {
			case "ConditionalCheckFailed":
				return aws.FalseTernary
			case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
				passing = aws.TrueTernary
			}
		}
		return passing
	}
	return aws.UnknownTernary
}

var retryables = append(retry.IsErrorRetryables{retry.IsErrorRetryableFunc(transient)}, retry.DefaultRetryables...)

// failed says what was being done. A fault that may pass becomes kv.ErrUnavailable.
func failed(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case retryables.IsErrorRetryable(err) == aws.TrueTernary:
		return fmt.Errorf("%s: %w: %w", doing, kv.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// patience is how often a batch that makes no progress is sent again.
const patience = 20

// stall waits before what was left of a batch is sent again.
func stall(ctx context.Context, failures int) error {
	if failures >= patience {
		return fmt.Errorf("%w: throttled", kv.ErrUnavailable)
	}
	timer := time.NewTimer(backoff(failures))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
