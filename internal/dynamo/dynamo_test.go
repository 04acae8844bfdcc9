package dynamo

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"pesan/internal/chat"
	"pesan/internal/porttest"
	"pesan/internal/testkit/dynamolocal"
)

func TestMain(m *testing.M) {
	// A check takes some hundred calls; -rapid.checks asks for more of them.
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	os.Exit(dynamolocal.Main(m))
}

var stacks atomic.Int64

// newTables makes a set of tables for one test.
func newTables(t testing.TB) Names {
	names := NamesWith(fmt.Sprintf("t%d-%d-", os.Getpid(), stacks.Add(1)))
	for _, table := range names.Tables() {
		dynamolocal.CreateTable(t, table)
	}
	return names
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

// contracts runs the suites of all ports.
func contracts(t *testing.T, db *dynamodb.Client, names Names) {
	t.Run("Accounts", func(t *testing.T) {
		porttest.Accounts(t, func(*testing.T) chat.Accounts { return NewAccounts(db, names.Accounts) })
	})
	t.Run("Commands", func(t *testing.T) {
		porttest.Commands(t, func(*testing.T) chat.Commands { return NewCommands(db, names.Commands, at(noon)) })
	})
	t.Run("Reports", func(t *testing.T) {
		porttest.Reports(t, func(*testing.T) chat.Reports { return NewReports(db, names.Reports, at(noon)) })
	})
	t.Run("Leases", func(t *testing.T) {
		porttest.Leases(t, func(*testing.T) chat.Leases { return NewLeases(db, names.Work) })
	})
	t.Run("Backlog", func(t *testing.T) {
		porttest.Backlog(t, func(*testing.T) chat.Backlog { return NewBacklog(db, names.Work) })
	})
	t.Run("ChatStore", func(t *testing.T) {
		porttest.ChatStore(t, func(*testing.T) chat.ChatStore { return NewChats(db, names.Chats, names.Messages) })
	})
}

func TestContracts(t *testing.T) {
	t.Parallel()
	db := dynamolocal.Client(t, Tuned)
	contracts(t, db, newTables(t))
}

func TestProjection(t *testing.T) {
	t.Parallel()
	db := dynamolocal.Client(t, Tuned)
	names := newTables(t)
	porttest.Projection(t, func(*testing.T) chat.ChatStore { return NewChats(db, names.Chats, names.Messages) })
}
