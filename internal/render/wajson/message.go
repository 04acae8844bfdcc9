// Package wajson prints WhatsApp's protobuf messages as JSON the way Baileys, the usual JavaScript client, does,
// and says what a message holds: its type, its text, whom it mentions, what it quotes.
//
// A message is printed as protobufjs' toJSON prints it: 64-bit integers are decimal strings, enums are names,
// bytes are standard base64, what is absent or an empty list is left out. What stands directly in a chat is
// printed as JSON.stringify prints a shallow copy of it: see [Conversation]. Field names are those of
// WhatsApp's own .proto as Baileys publishes it. Keys are in alphabetical order.
package wajson

import (
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth is how many messages may stand inside each other, the outermost counted; it is protobufjs' limit too.
// What lies deeper is left out as if absent, so that a hostile message can't exhaust the stack.
const maxDepth = 100

// Message returns m as JSON; a nil message is null. It can't fail.
func Message(m proto.Message) []byte {
	return AppendMessage(nil, m)
}

// AppendMessage appends m to dst as JSON.
func AppendMessage(dst []byte, m proto.Message) []byte {
	if m == nil {
		return append(dst, "null"...)
	}
	return appendMessage(dst, m.ProtoReflect(), maxDepth)
}

// appendMessage appends m, which may hold depth-1 levels of further messages.
func appendMessage(dst []byte, m protoreflect.Message, depth int) []byte {
	if !m.IsValid() {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	empty := len(dst)
	for f := range present(m) {
		if f.message && depth == 1 {
			continue
		}
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(dst, f.key...)
		dst = f.append(dst, m.Get(f.desc), depth-1)
	}
	return append(dst, '}')
}

// present yields the fields of m that are set, in the order of their names.
func present(m protoreflect.Message) iter.Seq[*field] {
	return func(yield func(*field) bool) {
		s := shapeOf(m)
		var fast reflect.Value
		if v := reflect.ValueOf(m.Interface()); v.Type() == s.goType {
			fast = v.Elem()
		}
		for i := range s.fields {
			f := &s.fields[i]
			if fast.IsValid() && f.index >= 0 && fast.Field(f.index).IsNil() {
				continue
			}
			if m.Has(f.desc) && !yield(f) {
				return
			}
		}
	}
}

// shape is what has to be known of a message type to print it.
type shape struct {
	fields []field      // in the order of their names
	goType reflect.Type // the type to which the fields' indexes belong
}

// field is what has to be known of a field to print it.
type field struct {
	desc    protoreflect.FieldDescriptor
	name    string
	key     string // the name as JSON, with its colon
	kind    protoreflect.Kind
	message bool                               // messages stand in it, alone, in a list or in a map
	values  map[protoreflect.EnumNumber]string // of an enum: the names as JSON

	// index is that of the pointer, slice or map in the generated struct that is nil when the field isn't set; -1
	// for none. It is asked first: most fields of a message aren't set, and protoreflect's Has is slow for fields
	// that hold messages.
	index int
}

// shapes caches the shape of each message type by descriptor. An entry never changes.
var shapes sync.Map

func shapeOf(m protoreflect.Message) *shape {
	d := m.Descriptor()
	if s, ok := shapes.Load(d); ok {
		return s.(*shape)
	}
	s := &shape{fields: make([]field, d.Fields().Len()), goType: reflect.TypeOf(m.Interface())}
	indexes := structIndexes(s.goType)
	for i := range s.fields {
		s.fields[i] = newField(d.Fields().Get(i), indexes)
	}
	slices.SortFunc(s.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	first, _ := shapes.LoadOrStore(d, s)
	return first.(*shape)
}

// structIndexes finds the exported pointers, slices and maps of a generated message's struct by their numbers, which
// stand in the tags: protobuf:"bytes,1,opt,name=conversation".
func structIndexes(t reflect.Type) map[protoreflect.FieldNumber]int {
	indexes := map[protoreflect.FieldNumber]int{}
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return indexes
	}
	for i := range t.Elem().NumField() {
		sf := t.Elem().Field(i)
		tag := strings.Split(sf.Tag.Get("protobuf"), ",")
		if !sf.IsExported() || len(tag) < 2 {
			continue
		}
		switch sf.Type.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			if number, err := strconv.ParseInt(tag[1], 10, 32); err == nil {
				indexes[protoreflect.FieldNumber(number)] = i
			}
		}
	}
	return indexes
}

func newField(fd protoreflect.FieldDescriptor, indexes map[protoreflect.FieldNumber]int) field {
	f := field{desc: fd, name: fieldName(fd), kind: fd.Kind(), message: fd.Message() != nil, index: -1}
	if index, ok := indexes[fd.Number()]; ok {
		f.index = index
	}
	if fd.IsMap() {
		f.kind = fd.MapValue().Kind()
		f.message = fd.MapValue().Message() != nil
		fd = fd.MapValue()
	}
	f.key = string(append(AppendString(nil, f.name), ':'))
	if fd.Enum() != nil {
		f.values = make(map[protoreflect.EnumNumber]string, fd.Enum().Values().Len())
		for i := range fd.Enum().Values().Len() {
			v := fd.Enum().Values().Get(i)
			f.values[v.Number()] = string(AppendString(nil, valueName(v)))
		}
	}
	return f
}

// append appends the field's value, which may hold depth levels of messages.
func (f *field) append(dst []byte, v protoreflect.Value, depth int) []byte {
	switch {
	case f.desc.IsList():
		return f.appendList(dst, v.List(), depth)
	case f.desc.IsMap():
		return f.appendMap(dst, v.Map(), depth)
	default:
		return f.appendSingle(dst, v, depth)
	}
}

func (f *field) appendList(dst []byte, list protoreflect.List, depth int) []byte {
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = f.appendSingle(dst, list.Get(i), depth)
	}
	return append(dst, ']')
}

func (f *field) appendMap(dst []byte, m protoreflect.Map, depth int) []byte {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	for k := range m.Range {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, k.String()), ':')
		dst = f.appendSingle(dst, m.Get(k), depth)
	}
	return append(dst, '}')
}

func (f *field) appendSingle(dst []byte, v protoreflect.Value, depth int) []byte {
	switch f.kind {
	case protoreflect.StringKind:
		return AppendString(dst, v.String())
	case protoreflect.BytesKind:
		return appendBase64(dst, v.Bytes())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return appendMessage(dst, v.Message(), depth)
	case protoreflect.EnumKind:
		if name, ok := f.values[v.Enum()]; ok {
			return append(dst, name...)
		}
		return strconv.AppendInt(dst, int64(v.Enum()), 10) // a value newer than the descriptor
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v.Bool())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return appendNumber(dst, v.Float())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return strconv.AppendUint(dst, v.Uint(), 10)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return append(strconv.AppendUint(append(dst, '"'), v.Uint(), 10), '"')
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return append(strconv.AppendInt(append(dst, '"'), v.Int(), 10), '"')
	default: // the signed 32-bit kinds
		return strconv.AppendInt(dst, v.Int(), 10)
	}
}
