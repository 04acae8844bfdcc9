// The Lambda of getReportApi: it shows the API log.
package main

import (
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() { function.Main(httpapi.GetReportAPI) }
