package wajson

import (
	"slices"
	"strconv"

	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Field is one key of an object with its value as JSON.
type Field struct {
	Name string
	JSON []byte
}

// Conversation returns the fields of a chat in the order of their names, without those named in omit, printed as
// JSON.stringify prints a shallow copy of Baileys' Conversation: bytes are a Buffer, 64-bit integers a Long,
// enums numbers, lists always present, other fields only when set; messages within follow the rule of [Message].
// It returns nil for nil. All values share one buffer.
func Conversation(c *waHistorySync.Conversation, omit ...string) []Field {
	if c == nil {
		return nil
	}
	var (
		m     = c.ProtoReflect()
		shape = shapeOf(m)
		out   = make([]Field, 0, len(shape.fields)/2)
		buf   = make([]byte, 0, 1024)
	)
	for i := range shape.fields {
		f := &shape.fields[i]
		if !m.Has(f.desc) && !f.desc.IsList() || slices.Contains(omit, f.name) {
			continue
		}
		start := len(buf)
		buf = f.appendShallow(buf, m.Get(f.desc))
		out = append(out, Field{Name: f.name, JSON: buf[start:len(buf):len(buf)]})
	}
	return out
}

// appendShallow appends a field's value by the rule of what stands directly in a chat.
func (f *field) appendShallow(dst []byte, v protoreflect.Value) []byte {
	if f.desc.IsList() || f.desc.IsMap() {
		return f.append(dst, v, maxDepth-1) // none but of messages
	}
	switch f.kind {
	case protoreflect.BytesKind:
		return AppendBuffer(dst, v.Bytes())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return AppendLong(dst, v.Uint())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return AppendSignedLong(dst, v.Int())
	case protoreflect.EnumKind:
		return strconv.AppendInt(dst, int64(v.Enum()), 10)
	default:
		return f.appendSingle(dst, v, maxDepth-1)
	}
}
