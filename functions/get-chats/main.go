// The Lambda of getChats: it lists the account's chats.
package main

import "pesan/internal/function"

func main() { function.Main("getChats") }
