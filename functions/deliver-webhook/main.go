// The Lambda that sends events to webhooks.
package main

import (
	"pesan/internal/function/deliver"
)

func main() { deliver.Main() }
