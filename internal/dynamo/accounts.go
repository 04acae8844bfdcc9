package dynamo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"pesan/internal/chat"
)

// AccountReader is chat.AccountReader for half the price of Accounts: what was written in the last second may still look
// as before.
type AccountReader struct{ table table }

var _ chat.AccountReader = (*AccountReader)(nil)

// NewAccountReader reads from the table named Names.Accounts.
func NewAccountReader(db *dynamodb.Client, name string) *AccountReader {
	go accountOf(item{attrData: text("{}")}) // encoding/json has then seen the type when the first answer is there
	return &AccountReader{table{db, name}}
}

// Account implements chat.AccountReader.
func (r *AccountReader) Account(ctx context.Context, id string) (chat.Account, error) {
	return r.table.account(ctx, id, false)
}

// Accounts implements chat.Accounts. All reads are strongly consistent.
type Accounts struct{ table table }

var _ chat.Accounts = (*Accounts)(nil)

// NewAccounts works on the table named Names.Accounts.
func NewAccounts(db *dynamodb.Client, name string) *Accounts { return &Accounts{table{db, name}} }

const (
	accountSort = "account"
	directory   = "accounts" // the partition of the list of all; it is written only when an account comes or goes
)

func accountPartition(id string) string { return "account/" + id }

// Account implements chat.AccountReader.
func (s *Accounts) Account(ctx context.Context, id string) (chat.Account, error) {
	return s.table.account(ctx, id, true)
}

func (t table) account(ctx context.Context, id string, consistent bool) (chat.Account, error) {
	it, err := t.get(ctx, accountPartition(id), accountSort, consistent)
	if err != nil {
		return chat.Account{}, failed("get account", err)
	}
	return accountOf(it)
}

func accountOf(it item) (chat.Account, error) {
	var a chat.Account
	if it == nil {
		return a, &chat.Error{Code: chat.DeviceNotFound}
	}
	if err := json.Unmarshal([]byte(textOf(it, attrData)), &a); err != nil {
		return chat.Account{}, fmt.Errorf("decode account: %w", err)
	}
	return a, nil
}

func accountItem(a chat.Account) (item, error) {
	data, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode account: %w", err)
	}
	it := key(accountPartition(a.ID), accountSort)
	it[attrData] = text(string(data))
	return it, nil
}

// Accounts implements chat.Accounts.
func (s *Accounts) Accounts(ctx context.Context) ([]chat.Account, error) {
	var addresses []address
	for it, err := range s.table.all(ctx, query{partition: directory, projection: attrSort}) {
		if err != nil {
			return nil, failed("list accounts", err)
		}
		addresses = append(addresses, address{s.table.name, accountPartition(textOf(it, attrSort)), accountSort})
	}
	found, err := getMany(ctx, s.table.db, addresses)
	if err != nil {
		return nil, failed("get accounts", err)
	}
	accounts := make([]chat.Account, 0, len(found))
	for _, it := range found {
		a, err := accountOf(it)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, a)
	}
	slices.SortFunc(accounts, func(a, b chat.Account) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return accounts, nil
}

// CreateAccount implements chat.Accounts.
func (s *Accounts) CreateAccount(ctx context.Context, a chat.Account) error {
	it, err := accountItem(a)
	if err != nil {
		return err
	}
	listed := types.TransactWriteItem{Put: &types.Put{TableName: &s.table.name, Item: key(directory, a.ID)}}
	return failed("create account", transact(ctx, s.table.db, s.table.putting(it, nil), listed))
}

// UpdateAccount implements chat.Accounts.
func (s *Accounts) UpdateAccount(ctx context.Context, id string, change func(*chat.Account) error) error {
	var refused error
	err := untilSettled(ctx, func() error {
		old, err := s.table.get(ctx, accountPartition(id), accountSort, true)
		if err != nil {
			return err
		}
		a, err := accountOf(old)
		if err != nil {
			return err
		}
		if refused = change(&a); refused != nil {
			return nil
		}
		a.ID = id
		it, err := accountItem(a)
		if err != nil || textOf(it, attrData) == textOf(old, attrData) {
			return err
		}
		return s.table.replace(ctx, it, binaryOf(old, attrVersion))
	})
	if refused != nil {
		return refused
	}
	return failed("update account", err)
}

// DeleteAccount implements chat.Accounts.
func (s *Accounts) DeleteAccount(ctx context.Context, id string) error {
	gone := func(partition, sort string) types.TransactWriteItem {
		return types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(s.table.name), Key: key(partition, sort)}}
	}
	err := transact(ctx, s.table.db, gone(accountPartition(id), accountSort), gone(directory, id))
	return failed("delete account", err)
}
