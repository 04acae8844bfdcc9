// The Lambda of listDeadLetters: it lists the events that couldn't be delivered.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ListDeadLetters) }
