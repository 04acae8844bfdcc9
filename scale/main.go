// Scale computes what a stack costs and bears: from template.yaml and samconfig.toml, from the budgets that tests hold, from
// AWS's prices and limits, and from what `make bench` measures. docs/aws.md and docs/scale.md are made of it.
//
//	go run ./scale        # prints the tables
//	go run ./scale -write # writes them into the documents
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	writes := flag.Bool("write", false, "write the tables into the documents")
	flag.Parse()
	s, err := readStacks(".")
	if err == nil && *writes {
		err = write(".", s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
	if *writes {
		return
	}
	blocks := s.blocks()
	for _, name := range []string{"assumptions", "limits", "first", "fitted", "single", "idle", "bill", "millions",
		"before", "free"} {
		fmt.Println(blocks[name])
	}
}
