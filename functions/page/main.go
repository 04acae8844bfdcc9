// The Lambda of the web page and of what describes the API: it hands out files that are in it, and has no rights.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"pesan/internal/page"
)

func main() { lambda.Start(page.New()) }
