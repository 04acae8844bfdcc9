// Package secret reads the system secret, for the functions of the system's endpoints.
package secret

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"pesan/internal/function"
)

const patience = 8 * time.Second // Lambda gives a function ten seconds to start

// Wire reads the secret that SECRET_PARAMETER names, a SecureString of SSM, at start and when it may have changed.
func Wire(w *function.Wiring) {
	name := w.Required("SECRET_PARAMETER", "the name of the system secret's parameter in SSM")
	if w.Err() != nil {
		return
	}
	client := ssm.NewFromConfig(w.AWS)
	w.ReadSecret = func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		out, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Parameter.Value), nil
	}
	var err error
	if w.Secret, err = w.ReadSecret(context.Background()); err != nil {
		w.Reject("SECRET_PARAMETER", fmt.Sprintf("can't be read: %v", err))
	}
}
