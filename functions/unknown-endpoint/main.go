// The Lambda of every path that has no endpoint.
package main

import "pesan/internal/function"

func main() { function.Main("") }
