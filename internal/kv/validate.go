package kv

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Validate is for adapters: it tells why steps can't be written by any of them. It returns ErrTooLarge for what is too large,
// and another error for a fault of ours.
func Validate(steps []Step) error {
	for _, s := range steps {
		if s.All && len(s.Ops) > MaxTogether {
			return fmt.Errorf("kv: %d operations together, at most %d may be", len(s.Ops), MaxTogether)
		}
		bytes := 0
		for i := range s.Ops {
			if err := s.Ops[i].validate(); err != nil {
				return err
			}
			bytes += len(s.Ops[i].Item.Data)
		}
		if s.All && bytes > MaxTogetherData {
			return fmt.Errorf("%d bytes together: %w", bytes, ErrTooLarge)
		}
		if key, twice := s.namesTwice(); twice {
			return fmt.Errorf("kv: a step has two operations on %s", key)
		}
	}
	return nil
}

func (s Step) namesTwice() (Key, bool) {
	if len(s.Ops) < 2 {
		return Key{}, false
	}
	seen := make(map[Key]bool, len(s.Ops))
	for i := range s.Ops {
		key := s.Ops[i].Item.Key
		if seen[key] {
			return key, true
		}
		seen[key] = true
	}
	return Key{}, false
}

func (o *Op) validate() error {
	it := &o.Item
	if err := it.Key.Validate(); err != nil {
		return err
	}
	switch {
	case it.Token < 0 || it.Expires < 0:
		return fmt.Errorf("kv: %s has the token %d and expires at %d", it.Key, it.Token, it.Expires)
	case o.Condition.kind < ConditionAlways || o.Condition.kind > ConditionUnchanged:
		return fmt.Errorf("kv: unknown condition %d on %s", o.Condition.kind, it.Key)
	}
	switch o.Kind {
	case OpDelete, OpCheck:
		return nil
	case OpPut:
		return it.validate()
	}
	return fmt.Errorf("kv: unknown operation %d on %s", o.Kind, it.Key)
}

// maxFields bounds the fields of an item and the letters of their names.
const maxFields = 32

func (it *Item) validate() error {
	if it.Version == (Version{}) {
		return fmt.Errorf("kv: put of %s without a version", it.Key)
	}
	if len(it.Data) > MaxData {
		return fmt.Errorf("%s has %d bytes: %w", it.Key, len(it.Data), ErrTooLarge)
	}
	if len(it.Fields) > maxFields {
		return fmt.Errorf("%s has %d fields: %w", it.Key, len(it.Fields), ErrTooLarge)
	}
	for name := range it.Fields {
		if !fieldName(name) {
			return fmt.Errorf("kv: %s has a field %q; a name has 1 to %d letters", it.Key, name, maxFields)
		}
	}
	return nil
}

func fieldName(name string) bool {
	for i := range len(name) {
		if c := name[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return name != "" && len(name) <= maxFields
}

// Validate is for adapters: it tells why nothing can stand under a key.
func (k Key) Validate() error {
	if err := k.Collection.validate(); err != nil {
		return err
	}
	if !keyPart(k.Partition) || !keyPart(k.Sort) {
		return fmt.Errorf("kv: invalid key %s", k)
	}
	return nil
}

func (c Collection) validate() error {
	if !slices.Contains(collections, c) {
		return fmt.Errorf("kv: unknown collection %q", c)
	}
	return nil
}

func keyPart(s string) bool { return s != "" && len(s) <= MaxKey && utf8.ValidString(s) }

// Validate is for adapters: it tells why a query can't be asked.
func (q Query) Validate() error {
	if err := q.Collection.validate(); err != nil {
		return err
	}
	if !keyPart(q.Partition) || !utf8.ValidString(q.From) || !utf8.ValidString(q.To) {
		return fmt.Errorf("kv: invalid query %s %q from %q to %q", q.Collection, q.Partition, q.From, q.To)
	}
	return nil
}
