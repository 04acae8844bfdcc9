package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// commandMargin is how much longer than a report a command is kept: the report's outcome is the command's.
const commandMargin = time.Hour

func commandKey(account, id string) kv.Key {
	return kv.Key{Collection: kv.Commands, Partition: account, Sort: id}
}

// Command implements chat.CommandReader.
func (s *Store) Command(ctx context.Context, account, id string) (chat.CommandRecord, error) {
	r, it, err := s.command(ctx, account, id, kv.Strong)
	if err == nil && s.owns() && r.State == chat.CommandPending {
		s.read.put(readKey{it.Key, s.token}, it)
	}
	return r, failed("get command", err)
}

// EventualCommands finds commands for half the price on DynamoDB, as they were a moment ago: for who asks again until one has
// ended.
func (s *Store) EventualCommands() chat.CommandReader { return eventualCommands{s} }

type eventualCommands struct{ store *Store }

func (r eventualCommands) Command(ctx context.Context, account, id string) (chat.CommandRecord, error) {
	c, _, err := r.store.command(ctx, account, id, kv.Eventual)
	return c, failed("get command", err)
}

func (s *Store) command(ctx context.Context, account, id string, c kv.Consistency) (r chat.CommandRecord, it kv.Item, err error) {
	if it, err = s.kv.Get(ctx, commandKey(account, id), c); err != nil {
		return r, it, absent(err)
	}
	r, err = commandOf(&it)
	return r, it, err
}

func absent(err error) error {
	if errors.Is(err, kv.ErrNotFound) {
		return &chat.Error{Code: chat.CommandNotFound}
	}
	return err
}

// storedCommand is what a record's item holds: with it the command's entry in the log, unless that stands by itself.
type storedCommand struct {
	chat.CommandRecord
	Entry *commandEntry `json:"entry,omitempty"`
}

// commandEntry is what of an entry isn't the command's. Short names leave room for long targets in one unit of DynamoDB's writes.
type commandEntry struct {
	Endpoint string   `json:"e"`
	Key      string   `json:"k,omitempty"`
	Number   chat.JID `json:"n,omitempty"`
	Target   string   `json:"t,omitempty"`
	Status   int      `json:"s,omitempty"`
}

// report is the entry as it is now.
func (c *storedCommand) report() chat.Report {
	r := chat.Report{
		ID: c.ID, Account: c.Account, At: c.RequestedAt, Request: c.Request,
		Endpoint: c.Entry.Endpoint, Key: c.Entry.Key, Number: c.Entry.Number, Target: c.Entry.Target, Status: c.Entry.Status,
		CommandID: c.ID, Command: c.State, EndedAt: c.EndedAt,
	}
	if c.Failure != nil {
		r.Error = c.Failure.Code
	}
	return r
}

func storedCommandOf(it *kv.Item) (c storedCommand, err error) {
	if err := json.Unmarshal(it.Data, &c); err != nil {
		return storedCommand{}, fmt.Errorf("decode command: %w", err)
	}
	return c, nil
}

func commandOf(it *kv.Item) (chat.CommandRecord, error) {
	c, err := storedCommandOf(it)
	return c.CommandRecord, err
}

// PutCommand implements chat.Commands.
func (s *Store) PutCommand(ctx context.Context, c chat.Command) (stored chat.CommandRecord, created bool, err error) {
	return s.putCommand(ctx, c, nil)
}

// PutReported implements chat.Commands.
func (s *Store) PutReported(
	ctx context.Context, c chat.Command, e chat.Report,
) (stored chat.CommandRecord, created bool, err error) {
	return s.putCommand(ctx, c, &commandEntry{e.Endpoint, e.Key, e.Number, e.Target, e.Status})
}

func (s *Store) putCommand(
	ctx context.Context, c chat.Command, e *commandEntry,
) (stored chat.CommandRecord, created bool, err error) {
	stored = chat.CommandRecord{Command: c, State: chat.CommandPending}
	data, err := marshal(storedCommand{stored, e})
	if err != nil {
		return chat.CommandRecord{}, false, failed("put command", err)
	}
	put := kv.Put(kv.Item{
		Key: commandKey(c.Account, c.ID), Data: data, Expires: s.now().Add(chat.ReportAge + commandMargin).Unix(),
	}, kv.Absent())
	err = retryOnConflict(ctx, func() error {
		err := s.kv.Write(ctx, kv.Each(put))
		if err == nil {
			created = true
		}
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
		if stored, _, err = s.command(ctx, c.Account, c.ID, kv.Strong); chat.CodeOf(err) == chat.CommandNotFound {
			return kv.ErrConflict // it has gone meanwhile
		}
		return err
	})
	if err != nil {
		return chat.CommandRecord{}, false, failed("put command", err)
	}
	return stored, created, nil
}

// EndCommand implements chat.Commands.
func (s *Store) EndCommand(ctx context.Context, account, id string, o chat.Outcome) (r chat.CommandRecord, err error) {
	if s.owns() && account != chat.SystemAccount {
		if err := s.mend(ctx, account); err != nil {
			return r, failed("end command", err)
		}
	}
	err = retryOnConflict(ctx, func() error {
		it, read := s.read.take(readKey{commandKey(account, id), s.token})
		if !read {
			if it, err = s.kv.Get(ctx, commandKey(account, id), kv.Strong); err != nil {
				return absent(err)
			}
		}
		stored, err := storedCommandOf(&it)
		if r = stored.CommandRecord; err != nil || r.State != chat.CommandPending {
			return err
		}
		r.State, r.Failure, r.Attempts, r.EndedAt = o.State(), o.Failure, o.Attempts, o.At
		stored.CommandRecord = r
		data, err := marshal(stored)
		if err != nil {
			return err
		}
		put := kv.Each(kv.Put(kv.Item{Key: it.Key, Data: data, Expires: it.Expires}, kv.Unchanged(it.Version)))
		if !s.owns() || account == chat.SystemAccount {
			return s.kv.Write(ctx, put)
		}
		told := chat.FeedOutcome{ID: r.ID, Kind: r.Kind, Chat: r.Chat, State: r.State}
		if r.Failure != nil {
			told.Error = r.Failure.Code
		}
		return s.tell(ctx, account, &chat.FeedEntry{Kind: chat.FeedCommand, Command: &told}, put)
	})
	if account != chat.SystemAccount {
		err = s.mended(ctx, account, err)
	}
	if err != nil {
		return chat.CommandRecord{}, failed("end command", err)
	}
	return r, nil
}

// DeleteCommands implements chat.Commands.
func (s *Store) DeleteCommands(ctx context.Context, account string) error {
	err := s.deleteAll(ctx, kv.Query{Collection: kv.Commands, Partition: "batches/" + account})
	if err == nil {
		err = s.deleteAll(ctx, kv.Query{Collection: kv.Commands, Partition: account})
	}
	return failed("delete commands", err)
}
