package chat

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// Unread counts the messages that wait to be read, so that the same message twice, or a read that overtakes its message,
// can't spoil the count: it remembers which messages it counted.
type Unread struct {
	Count    int    `json:"n,omitempty"` // as a history sync told
	Mentions int    `json:"m,omitempty"`
	At       int64  `json:"t,omitempty"` // seconds: messages before it are in Count, or were read
	IDs      IDs    `json:"i,omitempty"` // of the messages at At that are, too; "": all
	Other    base   `json:"o,omitzero"`  // the same of a person's other address, where the history has both as chats
	Receipt  int64  `json:"r,omitempty"` // seconds: of the newest message here that a receipt of the account's own told as read
	Taken    taken  `json:"k,omitzero"`  // what of Count and Other.Count was read since; see Thread.takeRead
	Folded   fold   `json:"f,omitzero"`  // messages that came before those in Since
	Since    stamps `json:"s,omitzero"`  // the latest arrivals, in the order of their Message.News

	doubt bool // Folded has to be counted anew
}

// taken is how many messages don't count any more.
type taken struct {
	Count    int `json:"n,omitempty"`
	Mentions int `json:"m,omitempty"`
}

// fold counts messages of which only a number is kept. Which they are the messages themselves tell: those that came as
// news in the chat's link, up to Through, and still wait.
type fold struct {
	Count    int   `json:"n,omitempty"`
	Mentions int   `json:"m,omitempty"`
	Through  int64 `json:"o,omitempty"` // Message.News of the last that is counted here
	Newest   int64 `json:"t,omitempty"` // seconds since 1970; none of them is later
}

// join is what both may count; how many they are is in doubt.
func (f fold) join(o fold) fold {
	return fold{max(f.Count, o.Count), max(f.Mentions, o.Mentions), max(f.Through, o.Through), max(f.Newest, o.Newest)}
}

// IDs are ids of messages, which can be compared.
type IDs string

// JoinIDs makes IDs.
func JoinIDs(ids []string) IDs {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return IDs(strings.Join(slices.Compact(ids), " "))
}

// base is what a history sync told of one address.
type base struct {
	Count    int   `json:"n,omitempty"`
	Mentions int   `json:"m,omitempty"`
	At       int64 `json:"t,omitempty"`
	IDs      IDs   `json:"i,omitempty"`
}

func (b base) join(o base) base {
	later := cmp.Or(
		cmp.Compare(o.At, b.At), cmp.Compare(o.Count, b.Count), cmp.Compare(o.Mentions, b.Mentions), cmp.Compare(o.IDs, b.IDs),
	)
	if later > 0 {
		return o
	}
	return b
}

func (b base) reach() Range { return Range{b.At, strings.Fields(string(b.IDs))} }

// endsIn tells whether a range has all that was counted in it: of the last second, too, where it names messages.
func (b base) endsIn(through int64, covered func(time int64, id uint32) bool) bool {
	if through != b.At {
		return through > b.At
	}
	return !slices.ContainsFunc(strings.Fields(string(b.IDs)), func(id string) bool { return !covered(b.At, hashID(id)) })
}

func (u *Unread) main() base { return base{u.Count, u.Mentions, u.At, u.IDs} }

func (u *Unread) setMain(b base) { u.Count, u.Mentions, u.At, u.IDs = b.Count, b.Mentions, b.At, b.IDs }

// aside makes what was told of a chat that of its person's other address.
func (u *Unread) aside() {
	u.Other = u.Other.join(u.main())
	u.setMain(base{})
}

// counted are the messages that needn't be counted one by one.
func (u *Unread) counted() Range {
	r := u.main().reach()
	r.Join(u.Other.reach())
	return r
}

// maxStamps bounds the size of Since. Beyond it the older half moves into Folded.
const maxStamps = 128

// stamp stands for one unread message.
type stamp struct {
	news    int64 // Message.News
	time    int64 // seconds since 1970
	id      uint32
	mention bool
}

type stamps []stamp

func stampOf(m *Message) stamp {
	return stamp{m.News, m.Content.Time, hashID(m.ID), m.mentionsMe()}
}

func (s stamp) compare(o stamp) int {
	return cmp.Or(cmp.Compare(s.news, o.news), cmp.Compare(s.time, o.time), cmp.Compare(s.id, o.id))
}

// add counts a message, once. One that came before what is folded is counted there.
func (u *Unread) add(s stamp) {
	if u.counted().stamped()(s.time, s.id) || s.news <= u.Folded.Through {
		return
	}
	i, found := slices.BinarySearchFunc(u.Since, s, stamp.compare)
	if u.Since = slices.Clone(u.Since); found {
		u.Since[i] = s
	} else {
		u.Since = slices.Insert(u.Since, i, s)
	}
}

// remove takes a message out of the count, and tells whether it was there.
func (u *Unread) remove(s stamp) bool {
	i, found := slices.BinarySearchFunc(u.Since, s, stamp.compare)
	if found {
		u.Since = slices.Delete(slices.Clone(u.Since), i, i+1)
	}
	return found
}

// fold keeps the newest half of too many stamps.
func (u *Unread) fold() {
	if len(u.Since) <= maxStamps {
		return
	}
	cut := len(u.Since) - maxStamps/2
	for cut < len(u.Since) && u.Since[cut].news == u.Since[cut-1].news {
		cut++
	}
	for _, s := range u.Since[:cut] {
		u.Folded.Count++
		if s.mention {
			u.Folded.Mentions++
		}
		u.Folded.Newest = max(u.Folded.Newest, s.time)
	}
	u.Folded.Through, u.Since = u.Since[cut-1].news, slices.Clone(u.Since[cut:])
}

// join adds what o counted.
func (u *Unread) join(o Unread) {
	u.Receipt = max(u.Receipt, o.Receipt)
	if len(o.Since) == 0 && o.main() == (base{}) && o.Other == (base{}) && o.Folded == (fold{}) {
		return
	}
	u.doubt = u.doubt || o.doubt || u.Folded != o.Folded && (len(o.Since) > 0 || o.Folded != (fold{}))
	u.setMain(u.main().join(o.main()))
	u.Other, u.Folded = u.Other.join(o.Other), u.Folded.join(o.Folded)
	both := slices.Concat(u.Since, o.Since)
	slices.SortStableFunc(both, func(a, b stamp) int { return cmp.Or(a.compare(b), -compareBool(a.mention, b.mention)) })
	both = slices.CompactFunc(both, func(a, b stamp) bool { return a.compare(b) == 0 })
	counted := u.counted().stamped()
	u.Since = slices.DeleteFunc(both, func(s stamp) bool { return counted(s.time, s.id) || s.news <= u.Folded.Through })
}

// drop forgets what a read, clear or delete covers.
func (u *Unread) drop(through int64, covered func(time int64, id uint32) bool) {
	if u.main().endsIn(through, covered) {
		u.Count, u.Mentions = 0, 0
	}
	if u.Other.endsIn(through, covered) {
		u.Other.Count, u.Other.Mentions = 0, 0
	}
	if slices.ContainsFunc(u.Since, func(s stamp) bool { return covered(s.time, s.id) }) {
		u.Since = slices.DeleteFunc(slices.Clone(u.Since), func(s stamp) bool { return covered(s.time, s.id) })
	}
}

// total is the number of unread messages, and how many of them mention the account.
func (u Unread) total() (messages, mentions int) {
	messages = u.Count + u.Other.Count - u.Taken.Count + u.Folded.Count + len(u.Since)
	mentions = u.Mentions + u.Other.Mentions - u.Taken.Mentions + u.Folded.Mentions
	for _, s := range u.Since {
		if s.mention {
			mentions++
		}
	}
	return messages, mentions
}

const hashSize = 4

// MarshalText packs the stamps in base64: for each, as varints, what its News is more than the one's before, and the
// seconds since the one before, doubled, and one more for a mention; then its id.
func (s stamps) MarshalText() ([]byte, error) {
	packed := make([]byte, 0, len(s)*(hashSize+5))
	var before stamp
	for _, st := range s {
		packed = binary.AppendUvarint(packed, uint64(st.news-before.news))
		delta := (st.time - before.time) << 1
		if st.mention {
			delta++
		}
		packed = binary.AppendVarint(packed, delta)
		packed = binary.BigEndian.AppendUint32(packed, st.id)
		before = st
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
	var st stamp
	for len(packed) > 0 {
		news, n := binary.Uvarint(packed)
		if n <= 0 {
			return errStamps
		}
		delta, size := binary.Varint(packed[n:])
		if size <= 0 || len(packed) < n+size+hashSize {
			return errStamps
		}
		packed = packed[n+size:]
		st = stamp{st.news + int64(news), st.time + delta>>1, binary.BigEndian.Uint32(packed), delta&1 == 1}
		*s = append(*s, st)
		packed = packed[hashSize:]
	}
	return nil
}

var errStamps = errors.New("unread stamps are cut off")
