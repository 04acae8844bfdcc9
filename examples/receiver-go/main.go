// Receiver prints the events that Pesan sends to it: PORT=9000 SECRET=whsec_… go run ./examples/receiver-go
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	signature, err := standardwebhooks.NewWebhook(os.Getenv("SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	seen := map[string]bool{} // a real receiver keeps the ids where they outlast it
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || signature.Verify(body, r.Header) != nil {
			http.Error(w, "not from Pesan", http.StatusUnauthorized)
			return
		}
		if id := r.Header.Get("webhook-id"); !seen[id] {
			seen[id] = true // Pesan sends an account's events one after the other; lock for several accounts
			fmt.Printf("%s\n", body)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
