// The Lambda of getMedia: it says where the file of a message can be had.
package main

import (
	"pesan/internal/function"
	"pesan/internal/function/commander"
	"pesan/internal/function/media"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetMedia, commander.Wire, media.Wire) }
