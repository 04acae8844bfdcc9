// The Lambda of getChatById: it shows one chat.
package main

import "pesan/internal/function"

func main() { function.Main("getChatById") }
