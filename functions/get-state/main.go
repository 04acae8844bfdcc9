// The Lambda of getState: it shows where the link of a device stands.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetState) }
