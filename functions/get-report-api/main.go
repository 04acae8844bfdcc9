// The Lambda of getReportApi: it shows the API log.
package main

import "pesan/internal/function"

func main() { function.Main("getReportApi") }
