// The Lambda of clearReportApi: it empties the API log.
package main

import "pesan/internal/function"

func main() { function.Main("clearReportApi") }
