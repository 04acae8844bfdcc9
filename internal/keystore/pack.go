package keystore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
)

// Many small things are packed into one item: it is read and written as cheaply as one of them, up to 1 KB (4 KB to read).

// pack is a map in the bytes of an item: keys and values in turn, each after its length as a uvarint, in the order of the keys.
type pack struct {
	entries map[string][]byte
}

func unpack(b []byte) (pack, error) {
	p := pack{entries: map[string][]byte{}}
	for len(b) > 0 {
		key, rest, ok := cutField(b)
		if !ok {
			return pack{}, errCorrupt
		}
		value, rest, ok := cutField(rest)
		if !ok {
			return pack{}, errCorrupt
		}
		p.entries[string(key)], b = value, rest
	}
	return p, nil
}

// bytes is nil for an empty pack.
func (p pack) bytes() []byte {
	keys := make([]string, 0, len(p.entries))
	for k := range p.entries {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b []byte
	for _, k := range keys {
		b = appendField(appendField(b, []byte(k)), p.entries[k])
	}
	return b
}

// inPack finds a key without unpacking.
func inPack(b []byte, key string) ([]byte, error) {
	for len(b) > 0 {
		k, rest, ok := cutField(b)
		if !ok {
			return nil, errCorrupt
		}
		value, rest, ok := cutField(rest)
		if !ok {
			return nil, errCorrupt
		}
		if bytes.Equal(k, []byte(key)) {
			return value, nil
		}
		b = rest
	}
	return nil, nil
}

func appendField(b, field []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(field))), field...)
}

func cutField(b []byte) (field, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 || n > uint64(len(b)-width) {
		return nil, nil, false
	}
	b = b[width:]
	return b[:n:n], b[n:], true
}

// buckets is a map spread over up to 256 packed items by the hash of the key. A value is never empty.
type buckets struct {
	p      *partition
	prefix string
	// keep, if set, tells which values count; others are as if they weren't there, and go at the next write.
	keep func(value []byte) bool
}

func (m buckets) sort(key string) string {
	h := fnv.New32a()
	h.Write([]byte(key))
	return fmt.Sprintf("%s%02x", m.prefix, byte(h.Sum32()))
}

func (m buckets) counts(value []byte) bool { return value != nil && (m.keep == nil || m.keep(value)) }

// get returns nil for a key that isn't there.
func (m buckets) get(ctx context.Context, key string) ([]byte, error) {
	b, err := m.p.get(ctx, m.sort(key))
	if err != nil {
		return nil, err
	}
	v, err := inPack(b, key)
	if !m.counts(v) {
		return nil, err
	}
	return v, err
}

// getMany returns the keys that are there.
func (m buckets) getMany(ctx context.Context, keys []string) (map[string][]byte, error) {
	sorts := make([]string, len(keys))
	for i, k := range keys {
		sorts[i] = m.sort(k)
	}
	items, err := m.p.getMany(ctx, sorts)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]byte, len(keys))
	for i, k := range keys {
		v, err := inPack(items[sorts[i]], k)
		if err != nil {
			return nil, err
		}
		if m.counts(v) {
			found[k] = v
		}
	}
	return found, nil
}

func (m buckets) all(ctx context.Context) (map[string][]byte, error) {
	items, err := m.p.list(ctx, m.prefix)
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, it := range items {
		p, err := unpack(it.value)
		if err != nil {
			return nil, err
		}
		for k, v := range p.entries {
			if m.counts(v) {
				all[k] = v
			}
		}
	}
	return all, nil
}

// update replaces the values of keys, each item once. change gets nil for a key that isn't there and returns nil for one that shall not be.
func (m buckets) update(ctx context.Context, keys []string, change func(key string, old []byte) []byte) error {
	byItem := map[string][]string{}
	for _, k := range keys {
		s := m.sort(k)
		byItem[s] = append(byItem[s], k)
	}
	sorts := make([]string, 0, len(byItem))
	for s := range byItem {
		sorts = append(sorts, s)
	}
	slices.Sort(sorts)
	return inParallel(ctx, len(sorts), func(ctx context.Context, i int) error {
		return m.p.update(ctx, sorts[i], func(old []byte) ([]byte, error) {
			p, err := unpack(old)
			if err != nil {
				return nil, err
			}
			for k, v := range p.entries {
				if !m.counts(v) {
					delete(p.entries, k)
				}
			}
			for _, k := range byItem[sorts[i]] {
				if v := change(k, p.entries[k]); v != nil {
					p.entries[k] = v
				} else {
					delete(p.entries, k)
				}
			}
			return p.bytes(), nil
		})
	})
}
