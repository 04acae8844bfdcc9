// The Lambda of getReportApi: it shows the API log.
package main

import (
	"fmt"
	"os"
	"time"

	"pesan/internal/dynamo"
	"pesan/internal/function"
	"pesan/internal/httpapi"
)

func main() {
	if err := function.Serve(endpoint); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func endpoint(w *function.Wiring) (httpapi.Endpoint, error) {
	return httpapi.GetReportAPI(dynamo.NewReports(w.DynamoDB, w.Table("REPORTS_TABLE"), time.Now)), nil
}
