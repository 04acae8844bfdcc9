package mcp

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// whole is a number as the API writes numbers: bare, in quotes, or in two halves.
type whole int64

func (n *whole) UnmarshalJSON(b []byte) error {
	var halves struct {
		Low  uint32 `json:"low"`
		High uint32 `json:"high"`
	}
	if json.Unmarshal(b, &halves) == nil {
		*n = whole(uint64(halves.High)<<32 | uint64(halves.Low)&0xffffffff)
		return nil
	}
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	if err == nil {
		*n = whole(v)
	}
	return nil // what can't be read isn't shown
}

func (n whole) seconds() string {
	if n <= 0 {
		return ""
	}
	return time.Unix(int64(n), 0).UTC().Format(time.RFC3339)
}

// document is a message as the API shows it: of a conversation, or the last line of a chat.
type document struct {
	ID     string `json:"id"`
	Body   string `json:"body"`
	FromMe bool   `json:"fromMe"`
	Sender string `json:"sender"`
	Type   string `json:"type"`
	Key    struct {
		ID          string `json:"id"`
		FromMe      bool   `json:"fromMe"`
		Participant string `json:"participant"`
		RemoteJID   string `json:"remoteJid"`
	} `json:"key"`
	Message    map[string]json.RawMessage `json:"message"`
	Time       whole                      `json:"messageTimestamp"`
	PushName   string                     `json:"pushName"`
	Stub       string                     `json:"messageStubType"`
	Parameters []string                   `json:"messageStubParameters"`
	Starred    bool                       `json:"starred"`
	Quoted     json.RawMessage            `json:"quotedMsg"`
	Status     string                     `json:"status"`
	Reactions  []struct {
		Text string `json:"text"`
	} `json:"reactions"`
	Poll []struct {
		Name   string   `json:"name"`
		Voters []string `json:"voters"`
	} `json:"pollResults"`
}

// content is what messages of WhatsApp's have in common, each kind some of it.
type content struct {
	Text        string `json:"text"`
	Caption     string `json:"caption"`
	Name        string `json:"name"`
	Selected    string `json:"selectedDisplayText"`
	DisplayName string `json:"displayName"`
	Title       string `json:"title"`
	ContentText string `json:"contentText"`
	Description string `json:"description"`
	FileName    string `json:"fileName"`
	Address     string `json:"address"`
	GroupName   string `json:"groupName"`
	Template    struct {
		Title string `json:"hydratedTitleText"`
		Text  string `json:"hydratedContentText"`
	} `json:"hydratedTemplate"`
	MIME    string `json:"mimetype"`
	Size    whole  `json:"fileLength"`
	Seconds whole  `json:"seconds"`
	Voice   bool   `json:"ptt"`
}

func (c *content) text() string {
	for _, s := range []string{
		c.Text, c.Caption, c.Name, c.Template.Title, c.Template.Text, c.Selected, c.DisplayName, c.Title, c.ContentText, c.Description, c.FileName,
		c.Address, c.GroupName,
	} {
		if s != "" {
			return s
		}
	}
	return ""
}

// beside are what stands beside the content of a message.
var beside = []string{"messageContextInfo", "senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage"}

// deepest is how many messages may be wrapped around one.
const deepest = 20

// unwrap finds the content of a message within all that is wrapped around it.
func unwrap(message map[string]json.RawMessage) (kind string, c content) {
	for range deepest {
		kind = ""
		for _, name := range slices.Sorted(maps.Keys(message)) {
			if !slices.Contains(beside, name) {
				kind = name
				break
			}
		}
		if kind == "" {
			return "", content{}
		}
		var inner struct {
			Message map[string]json.RawMessage `json:"message"`
			Edited  map[string]json.RawMessage `json:"editedMessage"`
		}
		_ = json.Unmarshal(message[kind], &inner) // of another form is the content itself
		switch {
		case inner.Message != nil && kind != "commentMessage":
			message = inner.Message
		case inner.Edited != nil && kind == "protocolMessage":
			message = inner.Edited
		default:
			if json.Unmarshal(message[kind], &c.Text) != nil { // a text alone
				_ = json.Unmarshal(message[kind], &c) // fields of another form are left out
			}
			return kind, c
		}
	}
	return "", content{}
}

var version = regexp.MustCompile(`V\d+$`)

// kindName is what kind of message it is, in a word.
func kindName(kind string, c *content) string {
	name := strings.TrimSuffix(version.ReplaceAllString(kind, ""), "Message")
	switch {
	case name == "" || name == "conversation" || name == "extendedText":
		return "text"
	case name == "pollCreation":
		return "poll"
	case name == "pollUpdate":
		return "vote"
	case name == "ptv":
		return "video"
	case name == "callLogMesssage":
		return "call"
	case name == "audio" && c.Voice:
		return "voice"
	}
	return short(name, maxName)
}

// line is a message as an assistant gets it.
type line struct {
	ID        string   `json:"id"`
	Time      string   `json:"time,omitempty" jsonschema:"RFC 3339, UTC"`
	FromMe    bool     `json:"fromMe"`
	From      string   `json:"from,omitempty" jsonschema:"address of who wrote it"`
	Name      string   `json:"name,omitempty" jsonschema:"what that person calls themselves"`
	Kind      string   `json:"kind" jsonschema:"text, image, video, voice, document, poll, notice, deleted or another"`
	Text      string   `json:"text,omitempty" jsonschema:"what it says, or a caption or file name; written by other people"`
	Cut       int      `json:"cut,omitempty" jsonschema:"how many characters of the text aren't shown"`
	Quotes    string   `json:"quotes,omitempty" jsonschema:"what it answers"`
	File      *file    `json:"file,omitempty"`
	Reactions []string `json:"reactions,omitempty"`
	Poll      []option `json:"poll,omitempty"`
	Starred   bool     `json:"starred,omitempty"`
	Status    string   `json:"status,omitempty" jsonschema:"of a message from me: how far it has come"`
}

type file struct {
	Name    string `json:"name,omitempty"`
	Type    string `json:"type,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
	Seconds int64  `json:"seconds,omitempty"`
}

type option struct {
	Name  string `json:"name"`
	Votes int    `json:"votes"`
}

// What a line shows of what there may be any number of.
const (
	maxReactions = 20
	maxOptions   = 12
	maxQuoted    = 200 // characters
	maxLast      = 300 // of its newest message, of a chat
)

// shown makes a line.
func (d *document) shown() line {
	kind, c := unwrap(d.Message)
	l := line{
		ID: short(first(d.ID, d.Key.ID), maxName), Time: d.Time.seconds(), FromMe: d.FromMe || d.Key.FromMe,
		From: short(first(d.Sender, d.Key.Participant, d.Key.RemoteJID), maxName), Name: short(d.PushName, maxName),
		Kind:    kindName(first(kind, d.Type), &c),
		Starred: d.Starred, Status: strings.ToLower(short(d.Status, maxName)),
	}
	if l.FromMe {
		l.From, l.Name = "", ""
	} else {
		l.Status = ""
	}
	said := first(d.Body, c.text())
	switch {
	case d.Stub == "REVOKE":
		l.Kind, said = "deleted", ""
	case d.Stub != "":
		l.Kind, said = "notice", strings.ToLower(strings.ReplaceAll(d.Stub, "_", " "))
		if len(d.Parameters) > 0 {
			said += ": " + strings.Join(d.Parameters, ", ")
		}
	}
	l.Text, l.Cut = cut(said, maxText)
	var quoted map[string]json.RawMessage
	if json.Unmarshal(d.Quoted, &quoted) == nil && quoted != nil {
		_, q := unwrap(quoted)
		l.Quotes = short(q.text(), maxQuoted)
	}
	if c.MIME != "" {
		l.File = &file{short(c.FileName, maxName), short(c.MIME, maxName), int64(c.Size), int64(c.Seconds)}
	}
	for i, r := range d.Reactions {
		if i == maxReactions {
			l.Reactions = append(l.Reactions, fmt.Sprintf("and %d more", len(d.Reactions)-i))
			break
		}
		l.Reactions = append(l.Reactions, short(r.Text, leastText))
	}
	for i, o := range d.Poll {
		if i == maxOptions {
			break
		}
		l.Poll = append(l.Poll, option{short(o.Name, maxName), len(o.Voters)})
	}
	return l
}

// within is the line with texts of at most so many characters.
func (l line) within(text int) line {
	if all, more := cut(strings.TrimSuffix(l.Text, mark), text); more > 0 {
		l.Text, l.Cut = all, l.Cut+more
	}
	if l.File != nil {
		f := *l.File
		f.Name, f.Type = short(f.Name, text), short(f.Type, text)
		l.File = &f
	}
	l.Name, l.Quotes, l.Poll = short(l.Name, text), short(l.Quotes, text), slices.Clone(l.Poll)
	for i := range l.Poll {
		l.Poll[i].Name = short(l.Poll[i].Name, text)
	}
	if text <= leastText { // then many messages are as large as they can be
		l.File, l.Poll, l.Reactions = nil, nil, nil
	}
	return l
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// chatDocument is a chat as the API shows it.
type chatDocument struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Time     whole  `json:"conversationTimestamp"`
	Messages []struct {
		Message document `json:"message"`
	} `json:"messages"`
	Muted    bool  `json:"muted"`
	MuteEnd  int64 `json:"muteEndTime"` // in ms; -1 for ever
	Archived bool  `json:"archived"`
	Pinned   whole `json:"pinned"`
	Unread   int   `json:"unreadCount"`
	Marked   bool  `json:"markedAsUnread"`
}

// chatLine is a chat as an assistant gets it.
type chatLine struct {
	Chat         string `json:"chat" jsonschema:"its id, which the other tools take"`
	Name         string `json:"name,omitempty" jsonschema:"of the contact, as they or the owner wrote it, or of the group"`
	Kind         string `json:"kind" jsonschema:"private, group, newsletter or broadcast"`
	LastActivity string `json:"lastActivity,omitempty" jsonschema:"RFC 3339, UTC"`
	Unread       int    `json:"unread" jsonschema:"how many messages aren't read"`
	MarkedUnread bool   `json:"markedUnread,omitempty"`
	Muted        bool   `json:"muted"`
	MutedUntil   string `json:"mutedUntil,omitempty" jsonschema:"RFC 3339, UTC; muted without it is until unmuted"`
	Pinned       bool   `json:"pinned"`
	Archived     bool   `json:"archived"`
	Last         *line  `json:"last,omitempty" jsonschema:"the newest message"`
}

func (d *chatDocument) shown() chatLine {
	l := chatLine{
		Chat: short(d.ID, maxName), Name: short(d.Name, maxName), Kind: kindOf(d.ID), LastActivity: d.Time.seconds(),
		Unread: d.Unread, MarkedUnread: d.Marked,
		Muted: d.Muted, Pinned: d.Pinned != 0, Archived: d.Archived,
	}
	if d.Muted && d.MuteEnd > 0 {
		l.MutedUntil = whole(d.MuteEnd / 1000).seconds()
	}
	if len(d.Messages) > 0 {
		last := d.Messages[0].Message.shown().within(maxLast)
		last.Quotes, last.Reactions, last.Poll = "", nil, nil
		l.Last = &last
	}
	return l
}

// within is the line with texts of at most so many characters.
func (l chatLine) within(text int) chatLine {
	l.Name = short(l.Name, text)
	if l.Last != nil {
		last := l.Last.within(text)
		l.Last = &last
	}
	return l
}

// jid is the id of a chat that the API names by its number.
func jid(to string) string {
	if to = short(to, maxName); to != "" && !strings.Contains(to, "@") {
		return to + "@s.whatsapp.net"
	}
	return to
}

func kindOf(jid string) string {
	_, server, _ := strings.Cut(jid, "@")
	switch server {
	case "g.us":
		return "group"
	case "newsletter", "broadcast":
		return server
	}
	return "private"
}
