// Command client makes one call by a client that is generated from openapi.yaml. See scripts/openapi.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
)

func main() {
	if err := call(context.Background(), os.Getenv("PESAN_URL"), os.Getenv("PESAN_KEY"), os.Getenv("PESAN_PHONE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call(ctx context.Context, url, key, phone string) error {
	client, err := NewClientWithResponses(url, WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-Api-Key", key)
		return nil
	}))
	if err != nil {
		return err
	}
	answer, err := client.FetchMessageByIdWithResponse(ctx, FetchMessageByIdJSONRequestBody{Phone: phone})
	if err != nil {
		return err
	}
	if answer.JSON200 == nil {
		return fmt.Errorf("fetchMessageById answers %s: %s", answer.Status(), answer.Body)
	}
	all := answer.JSON200.Results
	if len(all) == 0 || all[0].ChatId != phone+"@s.whatsapp.net" {
		return fmt.Errorf("other messages: %s", answer.Body)
	}
	fmt.Printf("  %d messages of %s\n", len(all), all[0].ChatId)
	return nil
}
