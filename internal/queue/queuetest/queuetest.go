// Package queuetest holds the contract of the command queue as a suite of tests. What is opened may be shared among tests and
// hold other commands, since every test works on accounts of its own.
package queuetest

import (
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/testkit/check"
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

var ok, wantCode, wantSame, together = check.OK, check.Code, check.Same, check.Together
