// The Lambda of listKeys: it lists the account's keys.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ListKeys) }
