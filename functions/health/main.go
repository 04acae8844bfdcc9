// The Lambda of /healthz and /readyz: whether functions run, whether the store answers, and when a host was heard last.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.Health) }
