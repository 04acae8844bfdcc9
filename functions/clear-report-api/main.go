// The Lambda of clearReportApi: it empties the API log.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.ClearReportAPI) }
