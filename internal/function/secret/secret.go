// Package secret reads the system secret, for the functions of the system's endpoints.
package secret

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"pesan/internal/function"
)

const patience = 8 * time.Second // Lambda gives a function ten seconds to start

// Wire reads the secret that SECRET_ARN names, at start: the functions that use it are called rarely.
func Wire(w *function.Wiring) {
	arn := w.Required("SECRET_ARN", "the ARN of the system secret")
	if w.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := secretsmanager.NewFromConfig(w.AWS).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		w.Reject("SECRET_ARN", fmt.Sprintf("can't be read: %v", err))
		return
	}
	w.Secret = aws.ToString(out.SecretString)
}
