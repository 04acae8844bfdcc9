package sqlite

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"pesan/internal/kv"
)

// A value is an item but for its key: version (8 bytes), token, expiry, number of fields (varints), each field (length of
// its name, name, varint), data. headBytes is how long version, token and expiry are at most.
const headBytes = 8 + 2*binary.MaxVarintLen64

func appendValue(b []byte, it *kv.Item) []byte {
	b = append(b, it.Version[:]...)
	b = binary.AppendUvarint(b, uint64(it.Token))
	b = binary.AppendUvarint(b, uint64(it.Expires))
	fields := 0
	for _, n := range it.Fields {
		if n != 0 {
			fields++
		}
	}
	b = binary.AppendUvarint(b, uint64(fields))
	if fields > 0 {
		for _, name := range slices.Sorted(maps.Keys(it.Fields)) {
			if n := it.Fields[name]; n != 0 {
				b = append(append(b, byte(len(name))), name...)
				b = binary.AppendVarint(b, n)
			}
		}
	}
	return append(b, it.Data...)
}

var errValue = errors.New("a value has been cut short")

// decodeHead reads version, token and expiry, and returns the rest.
func decodeHead(b []byte, it *kv.Item) ([]byte, error) {
	if len(b) < len(it.Version) {
		return nil, errValue
	}
	b = b[copy(it.Version[:], b):]
	for _, into := range []*int64{&it.Token, &it.Expires} {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errValue
		}
		*into, b = int64(n), b[size:]
	}
	return b, nil
}

// decodeValue reads a value; Data is part of b.
func decodeValue(b []byte, it *kv.Item) error {
	b, err := decodeHead(b, it)
	if err != nil {
		return err
	}
	fields, size := binary.Uvarint(b)
	if size <= 0 {
		return errValue
	}
	b = b[size:]
	if fields > 0 {
		it.Fields = make(map[string]int64, min(fields, 32))
	}
	for range fields {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return errValue
		}
		name := string(b[1 : 1+b[0]])
		b = b[1+len(name):]
		n, size := binary.Varint(b)
		if size <= 0 {
			return errValue
		}
		it.Fields[name], b = n, b[size:]
	}
	if len(b) > 0 {
		it.Data = b[:len(b):len(b)]
	}
	return nil
}
