package keystore

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	attemptTimeout = 5 * time.Second // an attempt without an answer
	firstBackoff   = 25 * time.Millisecond
	lastBackoff    = 2 * time.Second
)

// call runs a DynamoDB call until it succeeds, is refused for good, or patience or ctx ends. A failed condition is returned as it is,
// everything else as a refusal.
func call[Out any](ctx context.Context, c *Container, doing string, attempt func(context.Context) (Out, error)) (Out, error) {
	patience, cancel := context.WithTimeout(ctx, c.opts.Patience)
	defer cancel()
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		out, err := once(patience, attempt)
		if err == nil || conditionFailed(err) {
			return out, err
		}
		if ctx.Err() != nil || patience.Err() != nil || !retryable(err) {
			return out, &refusal{doing: doing, cause: err}
		}
		wait := time.NewTimer(rand.N(backoff))
		select {
		case <-wait.C:
		case <-patience.Done():
			wait.Stop()
			return out, &refusal{doing: doing, cause: err}
		}
	}
}

func once[Out any](ctx context.Context, attempt func(context.Context) (Out, error)) (Out, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return attempt(ctx)
}

// noRetries leaves trying again to call, which has no budget of tries shared by all devices.
func noRetries(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }

var sdkRetryables = retry.IsErrorRetryables(retry.DefaultRetryables)

func retryable(err error) bool {
	var conflict *types.TransactionConflictException
	var inProgress *types.TransactionInProgressException
	var cancelled *types.TransactionCanceledException
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &conflict), errors.As(err, &inProgress):
		return true
	case errors.As(err, &cancelled):
		for _, r := range cancelled.CancellationReasons {
			if aws.ToString(r.Code) == "ValidationError" {
				return false
			}
		}
		return true
	default:
		return sdkRetryables.IsErrorRetryable(err) == aws.TrueTernary
	}
}

// conditionFailed tells whether a write, or one of a transaction's, was refused by its condition.
func conditionFailed(err error) bool {
	var single *types.ConditionalCheckFailedException
	if errors.As(err, &single) {
		return true
	}
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return false
	}
	for _, r := range cancelled.CancellationReasons {
		if aws.ToString(r.Code) == "ConditionalCheckFailed" {
			return true
		}
	}
	return false
}
