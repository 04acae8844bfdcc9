// Package queuetest holds the contract of the command queue as a suite of tests. What is opened may be shared among tests and
// hold other commands, since every test works on accounts of its own.
package queuetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"pesan/internal/chat"
)

// noon is the moment at which the tests take place.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newAccount() string { return ulid.Make().String() }

func muteCommand(account, id string) chat.Command {
	return chat.Command{
		Version: chat.CommandVersion, ID: id, Account: account, Kind: chat.MuteCommand,
		Chat: "6281234567890@s.whatsapp.net", Seconds: 3600, Report: "01ARZ3NDEKTSV4RRFFQ69G5FAV", RequestedAt: noon,
	}
}

func wantCode(t *testing.T, what string, err error, want chat.Code) {
	t.Helper()
	if chat.CodeOf(err) != want {
		t.Fatalf("%s: error %v, want code %q", what, err, want)
	}
}

func ok(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// wantSame compares the JSON of two values.
func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := text(got), text(want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%#v (%v)", v, err)
	}
	return string(b)
}

// together runs n calls at the same time and returns the first error.
func together(n int, call func(i int) error) error {
	var group errgroup.Group
	for i := range n {
		group.Go(func() error { return call(i) })
	}
	return group.Wait()
}
