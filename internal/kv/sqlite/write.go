package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"pesan/internal/kv"
)

// Write implements kv.Store. All steps share one transaction; one that is refused leaves those before in it, as the port has it.
func (s *Store) Write(ctx context.Context, steps ...kv.Step) error {
	if err := kv.Validate(steps); err != nil {
		return err
	}
	if !slices.ContainsFunc(steps, func(s kv.Step) bool { return len(s.Ops) > 0 }) {
		return nil
	}
	now := s.seconds()
	return s.writer.do(ctx, func(w *writer) error {
		for _, step := range steps {
			if err := w.step(step, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *writer) step(step kv.Step, now int64) error {
	if !step.All || len(step.Ops) == 1 {
		return w.ops(step.Ops, now)
	}
	if _, err := w.conn.exec("SAVEPOINT together"); err != nil {
		return err
	}
	added := len(w.added)
	refusal := w.ops(step.Ops, now)
	if refusal != nil {
		if !refused(refusal) {
			return refusal
		}
		if _, err := w.conn.exec("ROLLBACK TO together"); err != nil {
			return err
		}
		w.forget(added)
	}
	if _, err := w.conn.exec("RELEASE together"); err != nil {
		return err
	}
	return refusal
}

func (w *writer) ops(ops []kv.Op, now int64) error {
	for i := range ops {
		if err := w.op(&ops[i], now); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) op(op *kv.Op, now int64) error {
	it := &op.Item
	number, err := w.number(partition{it.Collection, it.Partition}, op.Kind == kv.OpPut)
	if err != nil {
		return err
	}
	changed := int64(0)
	switch op.Kind {
	case kv.OpPut:
		changed, err = w.put(op, number, now)
	case kv.OpDelete:
		changed, err = w.delete(op, number, now)
	case kv.OpCheck:
	}
	if err != nil || changed > 0 {
		return err
	}
	return w.judge(op, number, now)
}

// What the statements say of the stored item: it has expired; the token isn't less than its; it is of one of two versions.
const (
	expired   = "(expires > 0 AND expires <= ?)"
	unfenced  = "(? = 0 OR token <= ? OR " + expired + ")"
	isVersion = "substr(value, 5, 8) IN (?, ?)" // at versionAt

	at     = " WHERE part = ? AND sort = ? AND "
	insert = "INSERT INTO items (part, sort, token, expires, value) VALUES (?, ?, ?, ?, ?)" +
		" ON CONFLICT DO UPDATE SET token = excluded.token, expires = excluded.expires, value = excluded.value WHERE "
	update = "UPDATE items SET token = ?, expires = ?, value = ?" + at

	putAlways    = insert + unfenced
	putAbsent    = insert + expired + " OR substr(items.value, 5, 8) = substr(excluded.value, 5, 8)"
	putPresent   = update + "NOT " + expired + " AND " + unfenced
	putUnchanged = putPresent + " AND " + isVersion

	deleteAlways    = "DELETE FROM items" + at + unfenced
	deletePresent   = deleteAlways + " AND NOT " + expired
	deleteUnchanged = deletePresent + " AND " + isVersion
)

// put returns 0 where the condition isn't true.
func (w *writer) put(op *kv.Op, number, now int64) (int64, error) {
	it := &op.Item
	w.value = appendValue(w.value[:0], it)
	inserted := []driver.Value{number, it.Sort, it.Token, it.Expires, w.value}
	updated := []driver.Value{it.Token, it.Expires, w.value, number, it.Sort, now, it.Token, it.Token, now}
	switch op.Condition.Kind() {
	case kv.ConditionAlways:
		return w.conn.exec(putAlways, append(inserted, it.Token, it.Token, now)...)
	case kv.ConditionAbsent:
		return w.conn.exec(putAbsent, append(inserted, now)...)
	case kv.ConditionPresent:
		return w.conn.exec(putPresent, updated...)
	case kv.ConditionUnchanged:
		read := op.Condition.Version()
		return w.conn.exec(putUnchanged, append(updated, read[:], it.Version[:])...)
	}
	return 0, fmt.Errorf("unknown condition of %s", it.Key) // kv.Validate lets none through
}

// delete returns 0 where nothing was deleted, for whatever reason.
func (w *writer) delete(op *kv.Op, number, now int64) (int64, error) {
	it := &op.Item
	args := []driver.Value{number, it.Sort, it.Token, it.Token, now}
	switch op.Condition.Kind() {
	case kv.ConditionAlways:
		return w.conn.exec(deleteAlways, args...)
	case kv.ConditionAbsent:
		return 0, nil // if it is true, there is nothing to delete
	case kv.ConditionPresent:
		return w.conn.exec(deletePresent, append(args, now)...)
	case kv.ConditionUnchanged:
		read := op.Condition.Version()
		return w.conn.exec(deleteUnchanged, append(args, now, read[:], read[:])...)
	}
	return 0, fmt.Errorf("unknown condition of %s", it.Key)
}

// judge tells whether an operation that changed nothing is refused, and why.
func (w *writer) judge(op *kv.Op, number, now int64) error {
	stored, err := w.stored(number, op.Item.Sort, now)
	if err != nil {
		return err
	}
	holds := false
	switch read := op.Condition.Version(); op.Condition.Kind() {
	case kv.ConditionAlways:
		holds = true
	case kv.ConditionAbsent:
		holds = stored == nil
	case kv.ConditionPresent:
		holds = stored != nil
	case kv.ConditionUnchanged:
		holds = stored != nil && stored.Version == read
	}
	switch {
	case stored != nil && op.Item.Token != 0 && stored.Token > op.Item.Token:
		return fmt.Errorf("%s: %w", op.Item.Key, kv.ErrFenced)
	case !holds:
		return fmt.Errorf("%s: %w", op.Item.Key, kv.ErrConflict)
	case op.Kind == kv.OpPut:
		return fmt.Errorf("%s wasn't put although its condition holds", op.Item.Key)
	}
	return nil
}

// stored reads version and token of an item; nil: there is none.
func (w *writer) stored(number int64, sort string, now int64) (*kv.Item, error) {
	row, err := w.conn.row(fmt.Sprintf("SELECT substr(value, 1, %d) FROM items"+at+"NOT "+expired, headBytes), 1, number,
		sort, now)
	if err != nil || row == nil {
		return nil, err
	}
	it := &kv.Item{}
	head, _ := row[0].([]byte)
	_, err = decodeHead(head, it)
	return it, err
}
