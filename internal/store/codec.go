package store

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"pesan/internal/kv"
)

// Compression is how the records of chats and messages are written. Its value is a record's first byte, and stands for the
// dictionary too.
type Compression byte

// The ways to write records; all are read everywhere.
const (
	// S2 is for files: it takes a tenth of the time.
	S2 Compression = 1
	// Zstd is for DynamoDB, which is paid for by size.
	Zstd Compression = 2
)

// aliasRecord is the first byte of what stands at an alias; the canonical JID follows.
const aliasRecord = 0

// dictionary is zstd's, and S2's too: it holds whole records of made-up people, which those of all people resemble. See
// TestDictionary.
//
//go:embed dictionary
var dictionary []byte

const maxRecord = 16 << 20 // bytes of a record's texts

// itemWindow is how far back zstd looks for what it has seen. An encoder keeps as much memory, and there is one for each
// processor; no item of DynamoDB is longer than 400 KB.
const itemWindow = 1 << 20

var (
	s2Dictionary = sync.OnceValue(func() *s2.Dict { return s2.MakeDict(dictionary, nil) })

	zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(itemWindow),
			zstd.WithEncoderCRC(false), zstd.WithEncoderDict(dictionary))
		if err != nil {
			panic(err) // a fault of the options or of the dictionary
		}
		return e
	})
	zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(4), zstd.WithDecoderMaxMemory(maxRecord),
			zstd.WithDecoderDicts(dictionary))
		if err != nil {
			panic(err)
		}
		return d
	})
)

var errCorrupt = errors.New("a stored record is broken")

// encode makes a record of texts: its first byte, and compressed how many there are, their lengths, and they themselves,
// folded.
func (c Compression) encode(texts ...string) []byte {
	size := binary.MaxVarintLen32
	for _, text := range texts {
		size += binary.MaxVarintLen32 + len(text)
	}
	content := binary.AppendUvarint(make([]byte, 0, size), uint64(len(texts)))
	for _, text := range texts {
		content = binary.AppendUvarint(content, uint64(len(text)))
	}
	for _, text := range texts {
		content = fold(content, text)
	}
	switch c {
	case S2:
		record := make([]byte, 1+s2.MaxEncodedLen(len(content)))
		record[0] = byte(S2)
		return slices.Clone(record[:1+len(s2Dictionary().Encode(record[1:], content))])
	case Zstd:
		return zstdEncoder().EncodeAll(content, []byte{byte(Zstd)})
	}
	panic(fmt.Sprintf("unknown compression %d", c))
}

// decoder takes records apart; one that is used again reuses its memory.
type decoder struct{ folded, buffer []byte }

// decode returns the first of a record's texts, which hold until the next call. They stand side by side.
func (d *decoder) decode(record []byte, texts ...*[]byte) (err error) {
	if len(record) == 0 {
		return errCorrupt
	}
	switch Compression(record[0]) {
	case S2:
		d.folded, err = s2Dictionary().Decode(d.folded[:0], record[1:])
	case Zstd:
		d.folded, err = zstdDecoder().DecodeAll(record[1:], d.folded[:0])
	default:
		err = fmt.Errorf("unknown compression %d", record[0])
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	count, lengths, ok := cutUvarint(d.folded)
	if !ok || count < uint64(len(texts)) || count > uint64(len(lengths)) {
		return errCorrupt
	}
	rest, wanted := lengths, uint64(0)
	for i := range count {
		var size uint64
		if size, rest, ok = cutUvarint(rest); !ok || size > maxRecord {
			return errCorrupt
		}
		if i < uint64(len(texts)) {
			wanted += size
		}
	}
	if d.buffer, err = unfold(d.buffer, rest, int(wanted)); err != nil {
		return err
	}
	rest = d.buffer
	for _, text := range texts {
		var size uint64
		if size, lengths, _ = cutUvarint(lengths); size > uint64(len(rest)) {
			return errCorrupt
		}
		*text, rest = rest[:size], rest[size:]
	}
	return nil
}

// jsonOf is what an item says in JSON; zero for none.
func jsonOf[V any](it *kv.Item) (v V, err error) {
	if it == nil {
		return v, nil
	}
	return fromJSON[V](it.Data)
}

// allOf is what those of the items say that are there yet.
func allOf[V any](items []*kv.Item) ([]V, error) {
	all := make([]V, 0, len(items))
	for _, it := range items {
		if it == nil {
			continue // deleted meanwhile
		}
		v, err := jsonOf[V](it)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// packedOf is what an item says in JSON that pack has made a record of; zero for none.
func packedOf[V any](it *kv.Item) (v V, err error) {
	if it == nil {
		return v, nil
	}
	var text []byte
	if err := new(decoder).decode(it.Data, &text); err != nil {
		return v, fmt.Errorf("decode %T: %w", v, err)
	}
	return fromJSON[V](text)
}

func (s *Store) pack(v any) ([]byte, error) {
	text, err := marshal(v)
	return s.compression.encode(string(text)), err
}

func fromJSON[V any](text []byte) (v V, err error) {
	if err := json.Unmarshal(text, &v); err != nil {
		return *new(V), fmt.Errorf("decode %T: %w: %w", v, errCorrupt, err)
	}
	return v, nil
}

func cutUvarint(b []byte) (n uint64, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 {
		return 0, nil, false
	}
	return n, b[width:], true
}
