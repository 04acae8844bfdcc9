// The Lambda of fetchMessageById: it shows a conversation.
package main

import "pesan/internal/function"

func main() { function.Main("fetchMessageById") }
