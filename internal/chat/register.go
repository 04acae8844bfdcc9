package chat

import (
	"encoding/json"
	"maps"
	"slices"
)

// JSON is a piece of JSON text, ready to stand in an answer. It is a string so that values can be compared.
type JSON string

// MarshalJSON gives the text itself; an empty JSON is null.
func (j JSON) MarshalJSON() ([]byte, error) {
	if j == "" {
		return []byte("null"), nil
	}
	return []byte(j), nil
}

// UnmarshalJSON takes the text as it stands.
func (j *JSON) UnmarshalJSON(b []byte) error {
	*j = JSON(b)
	if *j == "null" {
		*j = ""
	}
	return nil
}

// Baseline is the time of what is known without a time of its own, such as the state in a history sync: any dated
// change is later.
const Baseline = 1

// Register holds the latest of the values set. The zero Register holds none.
type Register[T comparable] struct {
	Value T     `json:"v"`
	At    int64 `json:"t"` // ms since 1970 when it was set; 0: never
}

// Set tells whether the register holds a value.
func (r Register[T]) Set() bool { return r.At != 0 }

// Join keeps the later value. Of two values with the same time the order of joins must not matter: the zero value, which
// is a mute, a name or a reaction that isn't, gives way, and else the one with the greater JSON text stays.
func (r *Register[T]) Join(o Register[T]) {
	var zero T
	switch {
	case o.At < r.At, o.At == r.At && (o.Value == r.Value || o.Value == zero):
	case o.At > r.At, r.Value == zero, text(o.Value) > text(r.Value):
		*r = o
	}
}

func text(v any) string {
	b, _ := json.Marshal(v) // the registers' types always marshal
	return string(b)
}

// joinRegisters joins two maps of registers, key by key.
func joinRegisters[K comparable, T comparable](into *map[K]Register[T], from map[K]Register[T]) {
	joinEach(into, from, (*Register[T]).Join)
}

func joinEach[K comparable, T comparable](into *map[K]Register[T], from map[K]Register[T], join func(*Register[T], Register[T])) {
	if len(from) > 0 && *into == nil {
		*into = make(map[K]Register[T], len(from))
	}
	for k, o := range from {
		r := (*into)[k]
		join(&r, o)
		(*into)[k] = r
	}
}

// joinSet adds from to a set.
func joinSet[K comparable](into *map[K]bool, from map[K]bool) {
	if len(from) > 0 && *into == nil {
		*into = make(map[K]bool, len(from))
	}
	maps.Copy(*into, from)
}

// Range covers the messages of a chat up to a moment: those before Through, and at Through those named by IDs, or all
// where IDs is empty. WhatsApp's times have seconds only; the ids keep a message that comes later in the same second
// apart. The zero Range covers nothing.
type Range struct {
	Through int64    `json:"t"`             // seconds since 1970
	IDs     []string `json:"ids,omitempty"` // sorted
}

// RangeOf covers everything before the time and the ids at it.
func RangeOf(through int64, ids ...string) Range {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return Range{Through: through, IDs: slices.Compact(ids)}
}

// Covers tells whether a message lies in the range.
func (r Range) Covers(time int64, id string) bool {
	if r.Through == 0 || time > r.Through {
		return false
	}
	if time < r.Through || len(r.IDs) == 0 {
		return true
	}
	_, found := slices.BinarySearch(r.IDs, id)
	return found
}

// Join makes r cover what either covers, as far as one moment can say it: the later range, or both at the same moment.
func (r *Range) Join(o Range) {
	switch {
	case o.Through > r.Through:
		*r = o
	case o.Through == r.Through && o.Through != 0:
		if len(o.IDs) == 0 || len(r.IDs) == 0 {
			r.IDs = nil
			return
		}
		*r = RangeOf(r.Through, append(slices.Clone(r.IDs), o.IDs...)...)
	}
}

// stamped is Covers for stamps, which have hashes of ids.
func (r Range) stamped() func(time int64, id uint32) bool {
	hashes := make(map[uint32]bool, len(r.IDs))
	for _, id := range r.IDs {
		hashes[hashID(id)] = true
	}
	return func(time int64, id uint32) bool {
		return r.Through != 0 && (time < r.Through || time == r.Through && (len(r.IDs) == 0 || hashes[id]))
	}
}
