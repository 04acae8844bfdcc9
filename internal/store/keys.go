package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// Chats that don't show stand apart, so that listing the others doesn't pay for them. A chat that comes into being stands
// where it will when the change is complete. An alias stands with the hidden ones.
const (
	shown  = "c/"
	hidden = "h/"
	labels = "l/labels" // of the account; with its chats, since they go together
)

// A message stands in the order of its conversation. Its claim tells by its id where that is, so that two writers never put
// one message at two places. A placeholder keeps what came ahead of its message; it has no place, and stands at the claim.
const (
	timeline = "t/"
	byID     = "i/"
)

func chatKey(account string, jid chat.JID, shows bool) kv.Key {
	prefix := hidden
	if shows {
		prefix = shown
	}
	return kv.Key{Collection: kv.Chats, Partition: account, Sort: prefix + string(jid)}
}

func conversation(account string, jid chat.JID) string { return account + "/" + string(jid) }

func messageKey(account string, jid chat.JID, place string) kv.Key {
	return kv.Key{Collection: kv.Messages, Partition: conversation(account, jid), Sort: place}
}

func claimKey(account string, jid chat.JID, id string) kv.Key {
	return messageKey(account, jid, byID+keyID(id))
}

// place is the sort key of a message in its conversation.
func place(time, order int64, id string) string {
	return timeline + sortable(time) + "/" + sortable(order) + "/" + keyID(id)
}

// placeIn takes a message's sort key apart; the id may be hashed.
func placeIn(sort string) (time, order int64, id string, ok bool) {
	rest, ok := strings.CutPrefix(sort, timeline)
	first, rest, cut := strings.Cut(rest, "/")
	second, id, cutAgain := strings.Cut(rest, "/")
	time, isTime := unsortable(first)
	order, isOrder := unsortable(second)
	return time, order, id, ok && cut && cutAgain && isTime && isOrder && id != "" && utf8.ValidString(id)
}

// sortable prints a number so that texts sort as numbers do: the count of its digits goes before them as a letter.
func sortable(n int64) string {
	if n < 0 {
		return fmt.Sprintf("-%016x", uint64(n))
	}
	digits := strconv.FormatInt(n, 10)
	return string(rune('a'+len(digits))) + digits
}

func unsortable(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	if s[0] == '-' {
		n, err := strconv.ParseUint(s[1:], 16, 64)
		return int64(n), err == nil && sortable(int64(n)) == s
	}
	n, err := strconv.ParseInt(s[1:], 10, 64)
	return n, err == nil && sortable(n) == s
}

// maxKeyID is the length up to which an id stands in a key as it is.
const maxKeyID = 128

const hashMark = "#"

// keyID is the id in a key. The sender chooses ids; one that a key can't hold is hashed.
func keyID(id string) string {
	if id != "" && len(id) <= maxKeyID && utf8.ValidString(id) && !isHashed(id) && !strings.Contains(id, blockMark) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hashMark + hex.EncodeToString(sum[:])
}

func isHashed(id string) bool { return strings.HasPrefix(id, hashMark) }

// AccountOf tells what an item or a partition is about, as far as its key says it: an account, and a chat of it.
func AccountOf(k kv.Key) (account string, jid chat.JID) {
	switch k.Collection {
	case kv.Messages:
		first, second, _ := strings.Cut(k.Partition, "/")
		return first, chat.JID(second)
	case kv.Chats:
		for _, prefix := range []string{shown, hidden} {
			if rest, ok := strings.CutPrefix(k.Sort, prefix); ok {
				owner, _, _ := ofBlock(rest)
				return k.Partition, chat.JID(owner)
			}
		}
	case kv.Accounts:
		if k.Sort != accountSort { // it is listed
			return k.Sort, ""
		}
	}
	for part := range strings.SplitSeq(k.Partition, "/") {
		if _, err := ulid.ParseStrict(part); err == nil {
			return part, ""
		}
	}
	return "", ""
}
