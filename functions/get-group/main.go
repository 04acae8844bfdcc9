// The Lambda of getGroup: it shows a group with its members.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetGroup) }
