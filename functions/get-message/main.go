// The Lambda of getMessage: it shows one message.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetMessage) }
