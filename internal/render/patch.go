package render

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"pesan/internal/chat"
)

// fields is a JSON object whose values stay as they are written.
type fields map[string]json.RawMessage

func fieldsOf(j []byte) fields {
	f := fields{}
	_ = json.Unmarshal(j, &f) // what is no object has no fields
	return f
}

func (f fields) json() json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(f) // it was JSON
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// take puts the named fields of o in the place of those of f: what o lacks goes.
func (f fields) take(o fields, names ...string) {
	for _, name := range names {
		if v, ok := o[name]; ok {
			f[name] = v
		} else {
			delete(f, name)
		}
	}
}

// What an edit of a text leaves: the rest is the text itself and its preview.
var styleOfText = []string{"contextInfo", "textArgb", "backgroundArgb", "font", "viewOnce", "endCardTiles"}

// What an edit changes in the context of a message; the message that it answers stays.
var (
	editedContext  = []string{"mentionedJid", "groupMentions", "nonJidMentions"}
	editedCaption  = append(slices.Clone(editedContext), "isSpoiler")
	eventCancelled = "isCanceled"
)

// patched is a message with an edit, and its type then. The edit changes what its kind carries, within all wrappers.
func patched(message chat.JSON, kind string, edit *chat.Edit) (chat.JSON, string) {
	if edit.Kind == chat.WholeEdit || message == "" || message == "{}" {
		return edit.Message, edit.Type
	}
	_, change := content(fieldsOf([]byte(edit.Message)), edit.Type)
	whole := fieldsOf([]byte(message))
	becomes := kind
	descend(whole, kind, func(in fields) {
		value := in[kind]
		switch edit.Kind {
		case chat.TextEdit:
			if kind == "conversation" || kind == "extendedTextMessage" {
				becomes = patchText(in, kind, change, edit)
				return
			}
			in[kind] = patchCaption(fieldsOf(value), fields{"caption": quoted(edit.Body), "contextInfo": change["contextInfo"]})
		case chat.CaptionEdit:
			in[kind] = patchCaption(fieldsOf(value), change)
		case chat.EventEdit:
			in[kind] = patchEvent(fieldsOf(value), change)
		case chat.PollEdit:
			poll := fieldsOf(value)
			poll.take(change, "name")
			in[kind] = poll.json()
		}
	})
	return chat.JSON(whole.json()), becomes
}

func quoted(s string) json.RawMessage { return json.RawMessage(quote(s)) }

func patchText(in fields, kind string, change fields, edit *chat.Edit) string {
	text := fieldsOf(in[kind])
	if kind == "conversation" {
		text = fields{}
	}
	if len(text) == 0 && edit.Type == "conversation" {
		in[kind] = quoted(edit.Body)
		return kind
	}
	next := fields{}
	next.take(text, styleOfText...)
	for name, v := range change {
		if !slices.Contains(styleOfText, name) {
			next[name] = v
		}
	}
	next["text"] = quoted(edit.Body)
	patchContext(next, change["contextInfo"], editedContext)
	delete(in, kind)
	in["extendedTextMessage"] = next.json()
	return "extendedTextMessage"
}

func patchCaption(media, change fields) json.RawMessage {
	media.take(change, "caption")
	patchContext(media, change["contextInfo"], editedCaption)
	return media.json()
}

func patchEvent(event, change fields) json.RawMessage {
	next := fields{}
	for name, v := range change {
		next[name] = v
	}
	next.take(event, "contextInfo")
	if string(event[eventCancelled]) == "true" {
		next[eventCancelled] = event[eventCancelled]
	}
	patchContext(next, change["contextInfo"], editedContext)
	return next.json()
}

// patchContext changes the mentions.
func patchContext(in fields, change json.RawMessage, names []string) {
	context := fieldsOf(in["contextInfo"])
	context.take(fieldsOf(change), names...)
	if len(context) == 0 {
		delete(in, "contextInfo")
		return
	}
	in["contextInfo"] = context.json()
}

// content is the field of a message that holds its content, within all wrappers; nil where it is a plain text.
func content(in fields, kind string) (holder, value fields) {
	descend(in, kind, func(h fields) {
		holder = h
		if v := h[kind]; len(v) > 0 && v[0] == '{' {
			value = fieldsOf(v)
		}
	})
	return holder, value
}

// maxDepth is how many wrappers may stand inside each other.
const maxDepth = 100

// descend finds the field named kind within wrappers, lets do change what holds it, and puts all together again.
func descend(in fields, kind string, do func(fields)) bool { return descendTo(in, kind, do, maxDepth) }

func descendTo(in fields, kind string, do func(fields), depth int) bool {
	if _, here := in[kind]; here {
		do(in)
		return true
	}
	for name, v := range in {
		if depth == 0 || !strings.HasPrefix(string(v), "{") {
			continue
		}
		wrapper := fieldsOf(v)
		message, wraps := wrapper["message"]
		if !wraps || name == "messageContextInfo" {
			continue
		}
		inner := fieldsOf(message)
		if descendTo(inner, kind, do, depth-1) {
			wrapper["message"] = inner.json()
			in[name] = wrapper.json()
			return true
		}
	}
	return false
}
