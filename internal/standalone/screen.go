package standalone

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"rsc.io/qr"

	"pesan/internal/chat"
	"pesan/internal/whatsapp"
)

// screen tells a person how the devices are doing. Nothing of it is a log.
type screen struct {
	words
	out   io.Writer
	tty   bool
	above int    // lines of a QR code that stands last on the terminal
	base  string // where Pesan answers
	known map[string]chat.Account
}

func newScreen(out io.Writer, locale string, tty bool) *screen {
	return &screen{words: wordsOf(locale), out: out, tty: tty, known: make(map[string]chat.Account)}
}

// say prints a line.
func (s *screen) say(format string, args ...any) {
	s.above = 0
	fmt.Fprintf(s.out, format+"\n", args...)
}

// show prints what is new of an account.
func (s *screen) show(a chat.Account) {
	a.Name = clean(a.Name)
	old := s.known[a.ID]
	s.known[a.ID] = a
	switch {
	case a.State == chat.ServiceScan && (a.QR != old.QR || a.PairingCode != old.PairingCode) && a.QR+a.PairingCode != "":
		s.code(a)
	case a.Passkey != nil:
		s.askPasskey(a, old)
	case a.State != old.State || a.Reason != old.Reason && a.State == chat.ServiceOff:
		s.state(a)
	}
	switch {
	case a.Sync != nil && (old.Sync == nil || old.Sync.Percent != a.Sync.Percent):
		s.say(s.syncing, a.Sync.Percent, a.Sync.Chats, a.Sync.Messages)
	case a.Sync == nil && old.Sync != nil && a.State == chat.Connected:
		s.say("%s", s.synced)
	}
}

// askPasskey says what a person has to do who has the account's passkey.
func (s *screen) askPasskey(a, old chat.Account) {
	switch {
	case a.Passkey.Code != "":
		s.say(s.compare, a.Name, a.Passkey.Code)
	case old.Passkey == nil:
		s.say(s.passkey, a.Name, a.Passkey.Expires.Local().Format(time.TimeOnly), s.base)
	}
}

func (s *screen) state(a chat.Account) {
	switch a.State {
	case chat.Pairing:
		if a.Reason == whatsapp.StorageFailing {
			s.say(s.failing, a.Name)
			return
		}
		s.say(s.connecting, a.Name)
	case chat.Connected:
		s.say(s.connected, a.Name, masked(a.JID))
	case chat.ServiceOff:
		if a.Reason != "" {
			s.say(s.off, a.Name, cmp.Or(s.reasons[a.Reason], a.Reason))
		}
	}
}

// remind says which devices still haven't reached WhatsApp.
func (s *screen) remind() {
	for _, a := range s.known {
		if a.State == chat.Pairing {
			s.say(s.unreached, a.Name)
		}
	}
}

// code draws the QR code, over the one before if nothing was printed since.
func (s *screen) code(a chat.Account) {
	var b strings.Builder
	if a.QR != "" {
		fmt.Fprintf(&b, "\n%s\n\n", s.scan)
		drawCode(&b, a.QR, s.tty)
	}
	if a.PairingCode != "" {
		fmt.Fprintf(&b, "\n"+s.pairingCode+"\n", a.PairingCode)
	}
	fmt.Fprintf(&b, "\n%s\n", s.refreshes)
	if s.tty && s.above > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.above)
	}
	fmt.Fprint(s.out, b.String())
	s.above = strings.Count(b.String(), "\n")
}

// drawCode draws a QR code with half blocks, two modules to a character, and the light frame that scanners need. Colours
// make it light on dark on every terminal.
func drawCode(b *strings.Builder, text string, colours bool) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		fmt.Fprintln(b, text) // too long for a QR code, which WhatsApp's never are
		return
	}
	const frame = 2
	begin, end := "", ""
	if colours {
		begin, end = "\x1b[97;40m", "\x1b[0m"
	}
	for y := -frame; y < code.Size+frame; y += 2 {
		b.WriteString(begin)
		for x := -frame; x < code.Size+frame; x++ {
			b.WriteString(blocks[code.Black(x, y)][code.Black(x, y+1)])
		}
		b.WriteString(end + "\n")
	}
}

// blocks are the characters for dark (true) and light halves, above and below.
var blocks = map[bool]map[bool]string{
	true:  {true: " ", false: "▄"},
	false: {true: "▀", false: "█"},
}

// clean drops what a terminal wouldn't show but obey: control characters, and marks that turn the direction of text.
func clean(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf) {
			return -1
		}
		return r
	}, name)
}

// masked shows the end of a number.
func masked(jid chat.JID) string {
	user := jid.User()
	return "…" + user[max(0, len(user)-4):]
}
