package dynamo

import (
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/testkit/dynamolocal"
)

// TestExpired: DynamoDB deletes late, so what has expired is still stored.
func TestExpired(t *testing.T) {
	t.Parallel()
	db := dynamolocal.Client(t, Tuned)
	names := newTables(t)
	ctx, now := t.Context(), noon
	clock := func() time.Time { return now }
	commands, reports := NewCommands(db, names.Commands, clock), NewReports(db, names.Reports, clock)
	c := chat.Command{Version: chat.CommandVersion, ID: "1", Account: account, Kind: chat.LogoutCommand, RequestedAt: noon}
	r := chat.Report{ID: "01KXQZ5T9W4Y8N2M6P3R7V1B0D", Account: account, At: noon, Status: 200}
	if _, _, err := commands.PutCommand(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := reports.AddReport(ctx, r); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		age  time.Duration
		kept bool
	}{{chat.ReportAge - time.Second, true}, {chat.ReportAge, false}, {chat.ReportAge + time.Hour, false}} {
		now = noon.Add(one.age)
		if _, err := commands.Command(ctx, account, "1"); (err == nil) != one.kept || !one.kept && chat.CodeOf(err) != chat.CommandNotFound {
			t.Errorf("a command at the age of %v: %v", one.age, err)
		}
		if listed, _, err := reports.ListReports(ctx, account, chat.Page{Limit: 10}); err != nil || (len(listed) == 1) != one.kept {
			t.Errorf("a report at the age of %v: %v, %v", one.age, listed, err)
		}
	}
	c.Kind = chat.DisconnectCommand
	stored, created, err := commands.PutCommand(ctx, c)
	if err != nil || !created || stored.Kind != c.Kind {
		t.Errorf("a command in the place of one that has expired: %+v, %v, %v", stored, created, err)
	}
	if stored, err = commands.Command(ctx, account, "1"); err != nil || stored.Kind != c.Kind {
		t.Errorf("it is stored as %+v, %v", stored, err)
	}
}

// TestAccountReader: it is cheaper than Accounts, and finds the same.
func TestAccountReader(t *testing.T) {
	t.Parallel()
	db, names, meter := metered(t)
	reader := NewAccountReader(db, names.Accounts)
	if _, err := reader.Account(t.Context(), account); chat.CodeOf(err) != chat.DeviceNotFound {
		t.Errorf("no account: %v", err)
	}
	a := chat.Account{ID: account, Name: "Toko", KeyHash: make([]byte, 32), CreatedAt: noon, State: chat.Connected, AsOf: noon}
	if err := NewAccounts(db, names.Accounts).CreateAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	meter.Take()
	if got, err := reader.Account(t.Context(), account); err != nil || got.Name != a.Name || !got.CreatedAt.Equal(a.CreatedAt) {
		t.Errorf("the account is %+v, %v", got, err)
	}
	budget(t, meter, "an account", 0.5, 0, 1)
}
