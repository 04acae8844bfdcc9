package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"pesan/internal/chat"
)

// A view is stored in one text column, since SQLite takes longer to hand over a column than Go to cut a string: a line
// of numbers, and then the strings, whose lengths are the last of the numbers.

// packed makes the text of numbers and strings.
func packed(numbers []int64, texts ...string) string {
	b := make([]byte, 0, 128+len(texts[len(texts)-1]))
	for _, n := range numbers {
		b = append(strconv.AppendInt(b, n, 10), ' ')
	}
	for _, s := range texts {
		b = append(strconv.AppendInt(b, int64(len(s)), 10), ' ')
	}
	b = append(b, '\n')
	for _, s := range texts {
		b = append(b, s...)
	}
	return string(b)
}

// unpack is the inverse of packed; it returns what s holds behind it.
func unpack(s string, numbers []*int64, texts ...*string) (rest string, err error) {
	head, rest, ok := strings.Cut(s, "\n")
	for _, n := range numbers {
		*n, head, ok = nextNumber(head, ok)
	}
	for _, text := range texts {
		var size int64
		size, head, ok = nextNumber(head, ok)
		if ok = ok && size >= 0 && size <= int64(len(rest)); ok {
			*text, rest = rest[:size], rest[size:]
		}
	}
	if !ok || head != "" {
		return "", broken(s)
	}
	return rest, nil
}

// alone makes an error of what stands behind a view that should be alone.
func alone(s, rest string, err error) error {
	if err == nil && rest != "" {
		err = broken(s)
	}
	return err
}

func broken(s string) error { return fmt.Errorf("a stored view is broken: %.20q", s) }

// nextNumber cuts a number and the space behind it off. Numbers are what packed has written, so that it needn't look for
// those that are too long.
func nextNumber(s string, before bool) (n int64, rest string, ok bool) {
	sign := int64(1)
	i := 0
	if strings.HasPrefix(s, "-") {
		sign, i = -1, 1
	}
	start := i
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = n*10 + int64(s[i]-'0')
	}
	if !before || i == start || i == len(s) || s[i] != ' ' {
		return 0, "", false
	}
	return sign * n, s[i+1:], true
}

const (
	showsFlag = 1 << iota
	pinnedFlag
	archivedFlag
	unreadFlag
	starredFlag
	listedFlag
	headsFlag
)

func flag(set bool, f int64) int64 {
	if set {
		return f
	}
	return 0
}

func packView(v *chat.View) string {
	flags := flag(v.Shows, showsFlag) | flag(v.Pinned, pinnedFlag) | flag(v.Archived, archivedFlag) | flag(v.Unread, unreadFlag)
	return packed([]int64{flags, v.Activity, v.Time, v.MuteEnd, v.Last.Time, v.Last.Order, v.Last.Expires},
		string(v.JID), v.Last.ID, string(v.Last.Document), string(v.Document))
}

func unpackView(s string, v *chat.View) error {
	rest, err := cutView(s, v)
	return alone(s, rest, err)
}

// cutView unpacks the first of several views and returns the others.
func cutView(s string, v *chat.View) (rest string, err error) {
	var flags int64
	rest, err = unpack(s, []*int64{&flags, &v.Activity, &v.Time, &v.MuteEnd, &v.Last.Time, &v.Last.Order, &v.Last.Expires},
		(*string)(&v.JID), &v.Last.ID, (*string)(&v.Last.Document), (*string)(&v.Document))
	v.Shows, v.Pinned, v.Archived, v.Unread = flags&showsFlag != 0, flags&pinnedFlag != 0, flags&archivedFlag != 0, flags&unreadFlag != 0
	return rest, err
}

func packMessage(v *chat.MessageView) string {
	flags := flag(v.Starred, starredFlag) | flag(v.Listed, listedFlag) | flag(v.Heads, headsFlag)
	return packed([]int64{flags, v.Time, v.Order, v.Expires}, v.ID, string(v.Document))
}

func unpackMessage(s string, v *chat.MessageView) error {
	var flags int64
	rest, err := unpack(s, []*int64{&flags, &v.Time, &v.Order, &v.Expires}, &v.ID, (*string)(&v.Document))
	v.Starred, v.Listed, v.Heads = flags&starredFlag != 0, flags&listedFlag != 0, flags&headsFlag != 0
	return alone(s, rest, err)
}
