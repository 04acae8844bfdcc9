package translate

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// What a history sync may hold at most, so that a bad one can't take all memory.
const (
	maxHistory = 4 << 30   // bytes, unpacked
	maxField   = 512 << 20 // bytes of one field, such as a chat
	maxCommon  = 256 << 20 // bytes of all that is not in a chat
)

// The fields of HistorySync that are treated apart.
const (
	fieldConversations = 2
	fieldStories       = 3
)

// ErrUnreadable is the error of a history sync that isn't what it should be.
var ErrUnreadable = errors.New("unreadable history")

// ReadHistory reads a compressed history sync. With each it gives the chats one by one, and returns each's error as it is;
// without, it returns all but the chats and stories.
func ReadHistory(blob []byte, each func(*waHistorySync.Conversation) error) (*waHistorySync.HistorySync, error) {
	z, err := zlib.NewReader(bytes.NewReader(blob))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	h := &historyReader{in: bufio.NewReaderSize(io.LimitReader(z, maxHistory), 64<<10), each: each}
	for {
		more, err := h.field()
		if h.failed != nil {
			return nil, h.failed
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		if !more {
			break
		}
	}
	common := &waHistorySync.HistorySync{}
	if err := unmarshal(h.common, common); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return common, nil
}

var unmarshal = proto.UnmarshalOptions{AllowPartial: true}.Unmarshal

// historyReader goes through the fields of a HistorySync without holding it whole.
type historyReader struct {
	in     *bufio.Reader
	each   func(*waHistorySync.Conversation) error
	common []byte // the other fields, as they stand
	buffer []byte // of the chat at hand
	failed error  // of each
}

// field reads one field; it is false at the end.
func (h *historyReader) field() (more bool, err error) {
	tag, err := binary.ReadUvarint(h.in)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	number, kind := protowire.DecodeTag(tag)
	switch kind {
	case protowire.VarintType:
		var v uint64
		if v, err = binary.ReadUvarint(h.in); err == nil {
			h.keep(protowire.AppendVarint(protowire.AppendTag(nil, number, kind), v))
		}
	case protowire.Fixed32Type:
		err = h.fixed(number, kind, 4)
	case protowire.Fixed64Type:
		err = h.fixed(number, kind, 8)
	case protowire.BytesType:
		err = h.bytes(number)
	default:
		err = fmt.Errorf("field %d of wire type %d", number, kind)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && len(h.common) > maxCommon {
		err = errors.New("too long")
	}
	return true, err
}

func (h *historyReader) fixed(number protowire.Number, kind protowire.Type, size int) error {
	b := make([]byte, size)
	if _, err := io.ReadFull(h.in, b); err != nil {
		return err
	}
	h.keep(append(protowire.AppendTag(nil, number, kind), b...))
	return nil
}

// keep holds on to a field that is not a chat's.
func (h *historyReader) keep(field []byte) {
	if h.each == nil {
		h.common = append(h.common, field...)
	}
}

func (h *historyReader) bytes(number protowire.Number) error {
	size, err := binary.ReadUvarint(h.in)
	if err != nil {
		return err
	}
	if size > maxField {
		return fmt.Errorf("field %d has %d bytes", number, size)
	}
	if number == fieldStories || (number == fieldConversations) != (h.each != nil) {
		return h.skip(int(size))
	}
	into := bytes.NewBuffer(h.buffer[:0])
	if _, err := io.CopyN(into, h.in, int64(size)); err != nil { // grows as the data come, whatever size says
		return err
	}
	if h.each == nil {
		h.keep(protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), into.Bytes()))
		return nil
	}
	h.buffer = into.Bytes()
	conv := &waHistorySync.Conversation{}
	if err := unmarshal(h.buffer, conv); err != nil {
		return err
	}
	h.failed = h.each(conv)
	return nil
}

func (h *historyReader) skip(size int) error {
	_, err := h.in.Discard(size)
	return err
}
