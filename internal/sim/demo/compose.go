package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim/media"
)

// chat is one chat and what was said in it, oldest first.
type chat struct {
	jid     types.JID
	subject string    // of a group or newsletter
	group   *Group    // nil when it is none
	people  []*Person // who talks besides the owner
	byLID   bool
	themes  []string

	expiration uint32 // seconds; 0 unless messages disappear
	wrapped    bool   // as old clients send such messages
	muteEnd    int64  // ms; 0 unless muted
	pinned     time.Time
	archived   bool
	marked     bool // as unread
	unread     int
	said       []*said
}

// address is how a person is addressed in the chat.
func (c *chat) address(p *Person) types.JID {
	if c.byLID {
		return p.LID
	}
	return p.PN
}

// said is one message, or something done to one.
type said struct {
	id      string
	by      *Person // nil is the owner
	at      time.Time
	content *waE2E.Message

	emoji   string // a reaction to about
	edits   bool   // content is the new one of about
	revokes bool   // about is deleted for everyone
	missed  bool   // a missed call, which has no content
	about   *said
}

// writer makes messages of scenes.
type writer struct {
	rng   *rand.Rand
	owner *Person
	// put stores a file; without it messages name files that are no longer there, as old messages do.
	put func(media.Kind, []byte) (media.File, error)
}

// play turns a scene into messages of a chat, the last of them sent at end.
func (w *writer) play(c *chat, s scene, end time.Time) ([]*said, error) {
	cast := make([]*Person, 10)
	for i, n := range w.rng.Perm(len(c.people)) {
		if i+1 < len(cast) {
			cast[i+1] = c.people[n]
		}
	}
	for i := 1; i < len(cast) && len(c.people) > 0; i++ { // in a small group somebody has two parts
		if cast[i] == nil {
			cast[i] = cast[1+(i-1)%len(c.people)]
		}
	}
	t := take{writer: w, chat: c, cast: cast, known: map[string]string{}}
	for _, l := range s {
		if err := t.perform(l); err != nil {
			return nil, err
		}
	}
	at := end
	for i := len(t.done) - 1; i >= 0; i-- {
		m := t.done[i]
		m.at = at.Truncate(time.Second)
		at = at.Add(-between(w.rng, 4*time.Second, 4*time.Minute))
	}
	for _, m := range t.done {
		if m.edits {
			m.content.ProtocolMessage.TimestampMS = new(m.at.UnixMilli())
		}
	}
	return t.done, nil
}

// take is one performance of a scene.
type take struct {
	*writer
	chat  *chat
	cast  []*Person // by number; nobody at 0
	known map[string]string
	done  []*said
}

// perform adds what a line says.
func (t *take) perform(l line) error {
	var by *Person
	if l.by > 0 {
		by = t.cast[l.by]
	}
	text := fill(t.rng, l.text, t.known)
	last := t.last(func(m *said) bool { return m.content != nil && !m.edits })
	switch l.kind {
	case reaction:
		if last != nil {
			t.done = append(t.done, &said{id: t.id(nil), by: t.reactor(last), about: last, emoji: text})
		}
	case "hapus":
		m := t.say(by, t.text(by, "Maaf salah kirim", t.context()))
		t.done = append(t.done, &said{id: t.id(by), by: by, about: m, revokes: true})
	case "ubah":
		now, before, _ := strings.Cut(text, " | ")
		m := t.say(by, t.text(by, before, t.context()))
		t.done = append(t.done, &said{id: t.id(by), by: by, about: m, edits: true, content: &waE2E.Message{
			ProtocolMessage: &waE2E.ProtocolMessage{
				Key: t.key(m), Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: t.text(by, now, t.context()),
			},
		}})
	case "panggilan":
		t.done = append(t.done, &said{id: t.id(by), by: by, missed: true})
	default:
		content, err := t.content(by, l.kind, text)
		if err != nil {
			return fmt.Errorf("%s %q: %w", l.kind, text, err)
		}
		t.say(by, content)
	}
	return nil
}

// say adds a message, with what the chat adds to every one.
func (t *take) say(by *Person, content *waE2E.Message) *said {
	if t.chat.wrapped {
		content = &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: content}}
	}
	m := &said{id: t.id(by), by: by, content: content}
	t.done = append(t.done, m)
	return m
}

// last is the newest message for which match is true, of this scene or before.
func (t *take) last(match func(*said) bool) *said {
	for _, list := range [][]*said{t.done, t.chat.said} {
		for i := len(list) - 1; i >= 0; i-- {
			if match(list[i]) {
				return list[i]
			}
		}
	}
	return nil
}

// reactor is somebody else than the one who said m.
func (t *take) reactor(m *said) *Person {
	if m.by != nil && (t.chat.group == nil || t.rng.IntN(3) == 0) || len(t.chat.people) == 0 {
		return nil
	}
	for {
		if p := pick(t.rng, t.chat.people); p != m.by || len(t.chat.people) == 1 {
			return p
		}
	}
}

// key names a message in the chat.
func (t *take) key(m *said) *waCommon.MessageKey {
	k := &waCommon.MessageKey{RemoteJID: new(t.chat.jid.String()), FromMe: new(m.by == nil), ID: &m.id}
	if t.chat.group != nil && m.by != nil {
		k.Participant = new(t.chat.address(m.by).String())
	}
	return k
}

// id is a message id as Android (32 digits) and iPhone (3A and 18 digits) make them.
func (t *take) id(by *Person) string {
	const hex = "0123456789ABCDEF"
	prefix, n := "", 32
	if by != nil && by.lower {
		prefix, n = "3A", 18
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = hex[t.rng.IntN(16)]
	}
	return prefix + string(b)
}

// style writes a text as a person does.
func (t *take) style(by *Person, text string) string {
	if by == nil || by.Business {
		return text
	}
	if by.lower {
		text = strings.ToLower(text)
	}
	if by.long && strings.HasSuffix(text, "ya") {
		text += "aa"
	}
	return text
}
