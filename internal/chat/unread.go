package chat

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
)

// Unread counts the messages that wait to be read, so that the same message twice, or a read that overtakes its message,
// can't spoil the count: it remembers which messages it counted.
type Unread struct {
	Count    int    `json:"n,omitempty"` // as a history sync told
	Mentions int    `json:"m,omitempty"`
	At       int64  `json:"t,omitempty"` // seconds: messages at or before it are in Count, or were read
	Other    base   `json:"o,omitzero"`  // the same of a person's other address, where the history has both as chats
	Since    stamps `json:"s,omitzero"`  // messages after both
}

// base is what a history sync told of one address.
type base struct {
	Count    int   `json:"n,omitempty"`
	Mentions int   `json:"m,omitempty"`
	At       int64 `json:"t,omitempty"`
}

func (b base) join(o base) base {
	if cmp.Or(cmp.Compare(o.At, b.At), cmp.Compare(o.Count, b.Count), cmp.Compare(o.Mentions, b.Mentions)) > 0 {
		return o
	}
	return b
}

func (u *Unread) main() base { return base{u.Count, u.Mentions, u.At} }

func (u *Unread) setMain(b base) { u.Count, u.Mentions, u.At = b.Count, b.Mentions, b.At }

// aside makes what was told of a chat that of its person's other address.
func (u *Unread) aside() {
	u.Other = u.Other.join(u.main())
	u.setMain(base{})
}

// counted is the time up to which messages needn't be counted.
func (u *Unread) counted() int64 { return max(u.At, u.Other.At) }

// maxStamps bounds the size of Since. Beyond it the older half moves into Count, and from then on a message that comes
// later than the newest of them but is older isn't counted.
const maxStamps = 256

// stamp stands for one unread message.
type stamp struct {
	time    int64 // seconds since 1970
	id      uint32
	mention bool
}

type stamps []stamp

func stampOf(m *Message) stamp {
	return stamp{m.Content.Time, hashID(m.ID), m.mentionsMe()}
}

func (s stamp) compare(o stamp) int {
	return cmp.Or(cmp.Compare(s.time, o.time), cmp.Compare(s.id, o.id))
}

// add counts a message, once.
func (u *Unread) add(s stamp) {
	if s.time <= u.counted() {
		return
	}
	i, found := slices.BinarySearchFunc(u.Since, s, stamp.compare)
	if u.Since = slices.Clone(u.Since); found {
		u.Since[i] = s
	} else {
		u.Since = slices.Insert(u.Since, i, s)
	}
	u.fold()
}

// remove takes a message out of the count.
func (u *Unread) remove(s stamp) {
	if i, found := slices.BinarySearchFunc(u.Since, s, stamp.compare); found {
		u.Since = slices.Delete(slices.Clone(u.Since), i, i+1)
	}
}

func (u *Unread) fold() {
	if len(u.Since) <= maxStamps {
		return
	}
	// Messages of one second stay together.
	cut := maxStamps / 2
	for cut < len(u.Since) && u.Since[cut].time == u.Since[cut-1].time {
		cut++
	}
	for _, s := range u.Since[:cut] {
		u.Count++
		if s.mention {
			u.Mentions++
		}
	}
	u.At, u.Since = u.Since[cut-1].time, slices.Clone(u.Since[cut:])
}

// join adds what o counted.
func (u *Unread) join(o Unread) {
	if len(o.Since) == 0 && o.main() == (base{}) && o.Other == (base{}) {
		return
	}
	u.setMain(u.main().join(o.main()))
	u.Other = u.Other.join(o.Other)
	both := slices.Concat(u.Since, o.Since)
	slices.SortStableFunc(both, func(a, b stamp) int { return cmp.Or(a.compare(b), -compareBool(a.mention, b.mention)) })
	both = slices.CompactFunc(both, func(a, b stamp) bool { return a.compare(b) == 0 })
	u.Since = slices.DeleteFunc(both, func(s stamp) bool { return s.time <= u.counted() })
	u.fold()
}

// settle drops what a read, clear or delete covers.
func (u *Unread) settle(through int64, covered func(time int64, id uint32) bool) {
	if through >= u.At {
		u.Count, u.Mentions = 0, 0
	}
	if through >= u.Other.At {
		u.Other.Count, u.Other.Mentions = 0, 0
	}
	if slices.ContainsFunc(u.Since, func(s stamp) bool { return covered(s.time, s.id) }) {
		u.Since = slices.DeleteFunc(slices.Clone(u.Since), func(s stamp) bool { return covered(s.time, s.id) })
	}
}

// total is the number of unread messages, and how many of them mention the account.
func (u Unread) total() (messages, mentions int) {
	messages, mentions = u.Count+u.Other.Count+len(u.Since), u.Mentions+u.Other.Mentions
	for _, s := range u.Since {
		if s.mention {
			mentions++
		}
	}
	return messages, mentions
}

const hashSize = 4

// MarshalText packs the stamps in base64: for each, as a varint, the seconds since the one before, doubled, and one more
// for a mention; then its id.
func (s stamps) MarshalText() ([]byte, error) {
	packed := make([]byte, 0, len(s)*(hashSize+3))
	before := int64(0)
	for _, st := range s {
		delta := uint64(st.time-before) << 1
		if st.mention {
			delta++
		}
		packed = binary.AppendUvarint(packed, delta)
		packed = binary.BigEndian.AppendUint32(packed, st.id)
		before = st.time
	}
	return base64.StdEncoding.AppendEncode(nil, packed), nil
}

// UnmarshalText is the inverse of MarshalText.
func (s *stamps) UnmarshalText(b []byte) error {
	packed, err := base64.StdEncoding.AppendDecode(nil, b)
	if err != nil {
		return err
	}
	*s = nil
	before := int64(0)
	for len(packed) > 0 {
		delta, size := binary.Uvarint(packed)
		if size <= 0 || len(packed) < size+hashSize {
			return errors.New("unread stamps are cut off")
		}
		before += int64(delta >> 1)
		*s = append(*s, stamp{before, binary.BigEndian.Uint32(packed[size:]), delta&1 == 1})
		packed = packed[size+hashSize:]
	}
	return nil
}
