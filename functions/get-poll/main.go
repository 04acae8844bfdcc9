// The Lambda of getPoll: it shows how a poll stands.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetPoll) }
