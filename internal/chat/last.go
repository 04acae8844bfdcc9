package chat

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"
)

// Line is what may show as a chat's newest line: a message, or what somebody added to one.
type Line struct {
	ID       string `json:"id"` // of the message
	Kind     Added  `json:"k,omitempty"`
	By       string `json:"by,omitempty"` // whose addition it is: the sender's JID, or the comment's id
	Time     int64  `json:"t"`
	Order    int64  `json:"o,omitempty"`
	Expires  int64  `json:"x,omitempty"`
	Document JSON   `json:"-"`

	message *Message // to be rendered
}

// Added says what was added to a message.
type Added string

// What is added to a message. The zero Added is the message itself.
const (
	AddedReaction Added = "r"
	AddedVote     Added = "v"
	AddedComment  Added = "c"
)

// same tells whether two lines stand for the same thing, whatever it says.
func (l *Line) same(o *Line) bool { return l.ID == o.ID && l.Kind == o.Kind && l.By == o.By }

func (l *Line) compare(o *Line) int {
	return cmp.Or(cmp.Compare(l.Time, o.Time), cmp.Compare(l.Order, o.Order), cmp.Compare(l.ID, o.ID),
		cmp.Compare(l.Kind, o.Kind), cmp.Compare(l.By, o.By))
}

// outlasts tells whether l still shows when o has expired.
func (l *Line) outlasts(o *Line) bool {
	return o.Expires != 0 && (l.Expires == 0 || l.Expires > o.Expires)
}

// Last is a chat's newest line, and those behind it that show when it has expired: each is older than the one before and
// ends later. So a reader finds the line of any moment, without a write.
type Last struct {
	Line
	Older []Line `json:"l,omitempty"`
}

// lines are all lines, newest first.
func (l *Last) lines() []Line {
	if l.ID == "" {
		return nil
	}
	return append([]Line{l.Line}, l.Older...)
}

// Render writes the documents of the lines that have changed by render, and packs all into the first line's, which is
// what a store keeps and Chat.Last gets back.
func (l *Last) Render(render func(Line, *Message) JSON) {
	lines := l.unpacked()
	for i := range lines {
		if lines[i].message != nil {
			lines[i].Document, lines[i].message = render(lines[i], lines[i].message), nil
		}
	}
	l.set(lines)
	l.Document = pack(lines)
}

// set makes lines, which have documents or messages of their own, those of l.
func (l *Last) set(lines []Line) {
	if len(lines) == 0 {
		*l = Last{}
		return
	}
	*l = Last{Line: lines[0], Older: slices.Clone(lines[1:])}
	if len(l.Older) == 0 {
		l.Older = nil
	}
}

// pack writes one document for lines: that of a single one that stays, else an array with the end, the length and the
// document of each.
func pack(lines []Line) JSON {
	if len(lines) == 1 && lines[0].Expires == 0 {
		return lines[0].Document
	}
	var b []byte
	for i := range lines {
		b = strconv.AppendInt(append(b, "[,"[min(i, 1)]), lines[i].Expires, 10)
		b = strconv.AppendInt(append(b, ','), int64(len(lines[i].Document)), 10)
		b = append(append(b, ','), lines[i].Document...)
	}
	if len(b) > 0 {
		b = append(b, ']')
	}
	return JSON(b)
}

// cutLine takes the first line off a packed document.
func cutLine(packed JSON) (expires int64, document, rest JSON, err error) {
	var numbers [2]int64
	rest = packed
	for i := range numbers {
		if rest == "" || rest[0] != '[' && rest[0] != ',' {
			return 0, "", "", errLines
		}
		rest = rest[1:]
		end := 0
		for end < len(rest) && rest[end] != ',' {
			end++
		}
		if numbers[i], err = strconv.ParseInt(string(rest[:end]), 10, 64); err != nil {
			return 0, "", "", errLines
		}
		rest = rest[end:]
	}
	size := numbers[1]
	if len(rest) == 0 || size < 0 || size >= int64(len(rest)) {
		return 0, "", "", errLines
	}
	return numbers[0], rest[1 : 1+size], rest[1+size:], nil
}

var errLines = errors.New("a chat's lines are broken")

// unpacked are the lines, each with its own document. One whose document is lost has none.
func (l *Last) unpacked() []Line {
	lines := l.lines()
	if len(lines) == 0 || lines[0].message != nil || l.Document == "" || l.Document[0] == '{' {
		return lines
	}
	rest := l.Document
	for i := range lines {
		var err error
		if _, lines[i].Document, rest, err = cutLine(rest); err != nil {
			lines[i].Document = ""
			break
		}
	}
	return lines
}

// At is the document of the line that shows at a moment; "" when there is none.
func (l *Line) At(now time.Time) JSON {
	rest := l.Document
	if l.ID == "" || rest == "" {
		return ""
	}
	if rest[0] == '{' {
		if l.Expires == 0 || l.Expires > now.Unix() {
			return rest
		}
		return ""
	}
	for rest != "" && rest != "]" {
		expires, document, more, err := cutLine(rest)
		if err != nil {
			return ""
		}
		if expires == 0 || expires > now.Unix() {
			return document
		}
		rest = more
	}
	return ""
}

// until is when, in seconds since 1970, another line shows than at the moment, or none; 0: never.
func (l *Line) until(now time.Time) int64 {
	rest := l.Document
	if l.ID == "" || rest == "" {
		return 0
	}
	if rest[0] == '{' {
		return later(l.Expires, now.Unix())
	}
	for rest != "" && rest != "]" {
		expires, _, more, err := cutLine(rest)
		if err != nil {
			return 0
		}
		if expires == 0 || expires > now.Unix() {
			return expires
		}
		rest = more
	}
	return 0
}

// later is a moment that is still to come, else 0.
func later(at, now int64) int64 {
	if at > now {
		return at
	}
	return 0
}

// staircase sorts lines and drops those that never show: behind each, only what ends later may.
func staircase(lines []Line) []Line {
	slices.SortFunc(lines, func(a, b Line) int { return b.compare(&a) })
	kept := lines[:0]
	for i := range lines {
		if len(kept) == 0 || lines[i].outlasts(&kept[len(kept)-1]) {
			kept = append(kept, lines[i])
		}
	}
	return kept
}

// Beside is an addition to a message that may be the chat's line: by the account itself or to its message, or a comment.
type Beside struct {
	Line
	Of        int64 `json:"of"` // seconds since 1970 of the message
	Starred   bool  `json:"st,omitempty"`
	Unstarred int64 `json:"us,omitempty"` // see MessageView
}

// maxBeside is how many a chat remembers, in case the newest is taken back.
const maxBeside = 8

// lifted is when the chat was last lifted in the list by what was added to a message; 0: never.
func (c *Chat) lifted() int64 {
	if len(c.AddOns) == 0 {
		return 0
	}
	return c.AddOns[0].Time
}

// additions are what may be a line of what was added to a message that shows at a moment.
func (c *Chat) additions(m *Message, now time.Time) []Beside {
	if c.revokes(m) || !c.Lists(c.Place(m), now) {
		return nil
	}
	var all []Beside
	add := func(kind Added, by string, a AddOn) {
		line := Line{ID: m.ID, Kind: kind, By: by, Time: a.Time, Order: a.Order, Expires: m.expires(), message: m}
		all = append(all, Beside{line, m.Content.Time, m.Starred.Value, m.unstarred()})
	}
	for by, r := range m.Reactions {
		if r.Value.Text != "" && (r.Value.FromMe || m.Content.FromMe) {
			add(AddedReaction, string(by), r.Value.AddOn)
		}
	}
	for by, r := range m.Votes {
		if r.Value.Options != "" && (r.Value.FromMe || m.Content.FromMe) {
			add(AddedVote, string(by), r.Value.AddOn)
		}
	}
	for id, comment := range m.Comments {
		add(AddedComment, id, comment.AddOn)
	}
	return all
}

// findLast keeps Last the newest line that shows, with those that show when it has expired.
func (t *Thread) findLast(now time.Time) error {
	c := &t.Chat
	before := c.Last.unpacked()
	c.AddOns = slices.DeleteFunc(slices.Clone(c.AddOns), func(b Beside) bool {
		return t.Messages[b.ID] != nil || b.Expires != 0 && b.Expires <= now.Unix() ||
			c.Hides(&MessageView{ID: b.ID, Time: b.Of, Starred: b.Starred, Unstarred: b.Unstarred})
	})
	var lines []Line
	for _, m := range t.Messages {
		if v := c.Place(m); v.Heads && c.Lists(v, now) {
			lines = append(lines, Line{ID: m.ID, Time: v.Time, Order: v.Order, Expires: v.Expires, message: m})
		}
		c.AddOns = append(c.AddOns, c.additions(m, now)...)
	}
	slices.SortFunc(c.AddOns, func(a, b Beside) int { return b.compare(&a.Line) })
	if c.AddOns = c.AddOns[:min(len(c.AddOns), maxBeside)]; len(c.AddOns) == 0 {
		c.AddOns = nil
	}
	vanished := false
	for _, line := range before {
		expired := line.Expires != 0 && line.Expires <= now.Unix()
		switch {
		// One can't know here whether it is starred or was, so it is looked for again where only that would keep it.
		case line.Kind == "" && t.Messages[line.ID] == nil && !expired && !c.Hides(&MessageView{ID: line.ID, Time: line.Time}):
			lines = append(lines, line)
		case line.Kind == "" && !slices.ContainsFunc(lines, func(l Line) bool {
			return l.same(&line) && !line.outlasts(&l) && l.compare(&line) >= 0 // one that moved back may have left others before it
		}):
			vanished = true
		case line.Kind != "" && !slices.ContainsFunc(c.AddOns, func(b Beside) bool { return b.same(&line) }):
			vanished = true
		}
	}
	if vanished || len(lines) == 0 && len(before) > 0 {
		found, err := t.searchLines(lines, now)
		if err != nil {
			return err
		}
		lines = found
	}
	for _, b := range c.AddOns {
		lines = append(lines, b.Line)
	}
	lines = staircase(lines)
	if err := t.fetchLines(lines, before); err != nil {
		return err
	}
	lines = slices.DeleteFunc(lines, func(l Line) bool { return l.message == nil && l.Document == "" })
	c.Last.set(lines[:min(len(lines), maxSteps)])
	for i := range c.AddOns {
		c.AddOns[i].message = nil
	}
	return nil
}

// maxSearch is how many messages are looked at to find one that ends later than those before it.
const maxSearch = 1000

// maxSteps bounds how many lines a chat holds; WhatsApp's timers are three.
const maxSteps = 8

// searchLines completes the messages' lines by those that aren't loaded.
func (t *Thread) searchLines(lines []Line, now time.Time) ([]Line, error) {
	found := make(map[string]bool)
	for lines = staircase(lines); len(lines) < maxSteps; lines = staircase(lines) {
		looked := 0
		m, err := t.Newest(func(v MessageView) bool {
			looked++
			line := Line{ID: v.ID, Time: v.Time, Order: v.Order, Expires: v.Expires}
			useless := slices.ContainsFunc(lines, func(l Line) bool { return l.compare(&line) >= 0 && !line.outlasts(&l) })
			return !found[v.ID] && v.Heads && t.Chat.Lists(v, now) && !useless || looked > maxSearch
		})
		if err != nil || m == nil || looked > maxSearch {
			return lines, err
		}
		v := t.Chat.Place(m)
		found[m.ID] = true
		lines = append(lines, Line{ID: m.ID, Time: v.Time, Order: v.Order, Expires: v.Expires, message: m})
		if v.Expires == 0 {
			break
		}
	}
	return lines, nil
}

// fetchLines gets the messages of lines that have neither a document nor a message.
func (t *Thread) fetchLines(lines, before []Line) error {
	for i := range lines {
		line := &lines[i]
		if line.message != nil || line.Document != "" {
			continue
		}
		if n := slices.IndexFunc(before, func(l Line) bool { return l.same(line) && l.Document != "" }); n >= 0 {
			line.Document = before[n].Document
			continue
		}
		m, err := t.Newest(func(v MessageView) bool { return v.ID == line.ID })
		if err != nil {
			return err
		}
		line.message = m
	}
	return nil
}
