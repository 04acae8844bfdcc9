package sqlite

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"unsafe"

	"pesan/internal/kv"
)

// A value is an item but for its key: the checksum of key and value (4 bytes), version (8 bytes), token, expiry, number of fields
// (varints), each field (length of its name, name, varint), data. headBytes is how long checksum, version, token and expiry are
// at most; the version begins at versionAt, counted from 1 as SQL does.
const (
	sumBytes  = 4
	versionAt = sumBytes + 1
	headBytes = sumBytes + 8 + 2*binary.MaxVarintLen64
)

// checksum tells an item that a disk has changed, or put elsewhere, from the one that was written.
func checksum(k kv.Key, body []byte) uint32 {
	sum := addText(0, string(k.Collection))
	for _, part := range [...]string{k.Partition, k.Sort} {
		sum = addText(addText(sum, "\x00"), part)
	}
	return crc32.Update(sum, castagnoli, body)
}

// addText adds a text without a copy of it: the checksum only reads.
func addText(sum uint32, text string) uint32 {
	return crc32.Update(sum, castagnoli, unsafe.Slice(unsafe.StringData(text), len(text)))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendValue appends to an empty b.
func appendValue(b []byte, it *kv.Item) []byte {
	b = append(b, 0, 0, 0, 0)
	b = append(b, it.Version[:]...)
	b = binary.AppendUvarint(b, uint64(it.Token))
	b = binary.AppendUvarint(b, uint64(it.Expires))
	names := make([]string, 0, 16)
	for name, n := range it.Fields {
		if n != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, name := range names {
		b = append(append(b, byte(len(name))), name...)
		b = binary.AppendVarint(b, it.Fields[name])
	}
	b = append(b, it.Data...)
	binary.BigEndian.PutUint32(b, checksum(it.Key, b[sumBytes:]))
	return b
}

var errValue = fmt.Errorf("an item isn't as it was written: %w", ErrDamaged)

// decodeHead reads version, token and expiry, which may be all of the value that there is, and returns the rest.
func decodeHead(b []byte, it *kv.Item) ([]byte, error) {
	if len(b) < sumBytes+len(it.Version) {
		return nil, errValue
	}
	b = b[sumBytes:]
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

// decodeValue reads the value of an item whose key is there; Data is part of b.
func decodeValue(b []byte, it *kv.Item) error {
	if len(b) < sumBytes || binary.BigEndian.Uint32(b) != checksum(it.Key, b[sumBytes:]) {
		return errValue
	}
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
