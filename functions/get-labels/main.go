// The Lambda of getLabels: it lists the account's labels.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetLabels) }
