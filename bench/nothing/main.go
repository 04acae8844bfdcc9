// The Lambda that does nothing: how fast a function can start at all.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() { lambda.Start(nothing{}) }

type nothing struct{}

// Invoke implements lambda.Handler, as Pesan's functions do.
func (nothing) Invoke(context.Context, []byte) ([]byte, error) {
	return []byte(`{"statusCode":200,"headers":{},"isBase64Encoded":false,"body":"{}"}`), nil
}
