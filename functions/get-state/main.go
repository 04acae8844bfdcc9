// The Lambda of getState: it shows where the link of a device stands.
package main

import "pesan/internal/function"

func main() { function.Main("getState") }
