package dynamo

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A record holds documents and state of a chat or a message in one attribute, so small that a thousand chats can be read
// with strong consistency, and so that decoding it costs a few microseconds. Its bytes are
//
//	1                  the format, which stands for the dictionary too
//	length, head       what readers filter by
//	number of texts, length of each when packed
//	a zstd frame       the packed texts, then the bytes that packing kept apart
//
// where lengths and numbers are uvarints.
//
// A record that is decoded again reuses its memory.
type record struct {
	content []byte
	packed  [][]byte
	raws    [][]byte
	buffer  []byte
}

const format = 1

// encodeRecord compresses texts behind a head.
func encodeRecord(head []byte, texts ...string) []byte {
	b := binary.AppendUvarint([]byte{format}, uint64(len(head)))
	b = append(b, head...)
	b = binary.AppendUvarint(b, uint64(len(texts)))
	var p packer
	var content []byte
	for _, s := range texts {
		before := len(content)
		content = p.pack(content, s)
		b = binary.AppendUvarint(b, uint64(len(content)-before))
	}
	return encoder().EncodeAll(p.appendRaws(content), b)
}

// headOf is the head of a record, found without decoding the rest.
func headOf(b []byte) (head, rest []byte, err error) {
	if len(b) == 0 || b[0] != format {
		return nil, nil, fmt.Errorf("%w: unknown format", errCorrupt)
	}
	n, b, err := cutUvarint(b[1:])
	if err != nil || n > uint64(len(b)) {
		return nil, nil, errCorrupt
	}
	return b[:n], b[n:], nil
}

// decode takes a record apart.
func (r *record) decode(b []byte) error {
	_, b, err := headOf(b)
	if err != nil {
		return err
	}
	count, b, err := cutUvarint(b)
	if err != nil || count > uint64(len(b)) {
		return errCorrupt
	}
	lengths := b
	for range count {
		if _, b, err = cutUvarint(b); err != nil {
			return err
		}
	}
	if r.content, err = decoder().DecodeAll(b, r.content[:0]); err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	content := r.content
	r.packed = r.packed[:0]
	for range count {
		var n uint64
		if n, lengths, _ = cutUvarint(lengths); n > uint64(len(content)) {
			return errCorrupt
		}
		r.packed, content = append(r.packed, content[:n]), content[n:]
	}
	r.raws, err = cutRaws(r.raws[:0], content)
	return err
}

// texts fills in the first texts of the record.
func (r *record) texts(into ...*string) (err error) {
	if len(into) > len(r.packed) {
		return errCorrupt
	}
	r.buffer = r.buffer[:0]
	var ends [4]int
	for i := range into {
		if r.buffer, err = unpack(r.buffer, r.packed[i], r.raws); err != nil {
			return err
		}
		ends[i] = len(r.buffer)
	}
	all, start := string(r.buffer), 0
	for i, text := range into {
		*text, start = all[start:ends[i]], ends[i]
	}
	return nil
}

func cutUvarint(b []byte) (uint64, []byte, error) {
	n, width := binary.Uvarint(b)
	if width <= 0 {
		return 0, b, errCorrupt
	}
	return n, b[width:], nil
}

// dictionary holds typical texts, one a line, whose pieces need not be stored again. It belongs to the format: what is
// stored can't be read with another, so a better one needs a new number.
//
//go:embed dictionary.txt
var dictionary string

const dictionaryID = format

var packedDictionary = sync.OnceValue(func() []byte {
	var b []byte
	for line := range strings.Lines(dictionary) {
		b = new(packer).pack(b, strings.TrimSuffix(line, "\n"))
	}
	return b
})

// Literals aren't compressed further: for records as small as these it saves a hundredth, and half of the time to decode one
// would go into the tables for it.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderDictRaw(dictionaryID, packedDictionary()), zstd.WithEncoderCRC(false),
		zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithNoEntropyCompression(true), zstd.WithSingleSegment(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

// maxContent bounds the memory that a record may take: an item has at most 400 KB.
const maxContent = 16 << 20

var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(dictionaryID, packedDictionary()), zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderMaxMemory(maxContent))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})
