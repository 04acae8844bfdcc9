package wajson

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Content is what a message says once its wrappers are taken off: the envelope of the user's own other devices,
// disappearing, view once, document with caption, edited, and so on. The zero Content is a message without content.
type Content struct {
	Message   *waE2E.Message // the message within the wrappers; nil only if the whole was
	Type      string         // the field that holds the content, such as extendedTextMessage; "" for none
	Ephemeral bool           // the message disappears after a time

	value protoreflect.Message // what the field holds if that is a message
}

// ContentOf takes the wrappers off m. A wrapper that holds nothing is itself the content.
func ContentOf(m *waE2E.Message) Content {
	c := Content{Message: m}
	if m == nil {
		return c
	}
	for range maxDepth {
		f := contentField(c.Message)
		if f == nil {
			c.Type, c.value = "", nil
			break
		}
		c.Type, c.value = f.name, nil
		if f.message {
			c.value = c.Message.ProtoReflect().Get(f.desc).Message()
		}
		c.Ephemeral = c.Ephemeral || c.Message.EphemeralMessage != nil
		inner := wrapped(c.value)
		if inner == nil {
			break
		}
		c.Message = inner
	}
	c.Ephemeral = c.Ephemeral || c.Context().GetExpiration() > 0
	return c
}

// Type is the name of the field that holds the content of m, without its wrappers; "" for none.
func Type(m *waE2E.Message) string { return ContentOf(m).Type }

// Body is the text of m that a person would read; see [Content.Body].
func Body(m *waE2E.Message) string { return ContentOf(m).Body() }

// IsMedia says whether the content is a file to download.
func (c Content) IsMedia() bool {
	switch c.Type {
	case "imageMessage", "videoMessage", "ptvMessage", "audioMessage", "documentMessage", "stickerMessage", "stickerPackMessage":
		return true
	default:
		return false
	}
}

// Context is what the content refers to: quoted message, mentions, forwarding. It is nil when there is none; its
// getters take nil.
func (c Content) Context() *waE2E.ContextInfo {
	if c.value == nil {
		return nil
	}
	fd := c.value.Descriptor().Fields().ByName("contextInfo")
	if fd == nil || !c.value.Has(fd) {
		return nil
	}
	info, _ := c.value.Get(fd).Message().Interface().(*waE2E.ContextInfo)
	return info
}

// Quoted returns the message that the content answers, nil for none.
func (c Content) Quoted() *waE2E.Message { return c.Context().GetQuotedMessage() }

// contentField returns the field of m that holds its content: the first by number that isn't carried along beside it.
func contentField(m *waE2E.Message) *field {
	var first *field
	for f := range present(m.ProtoReflect()) {
		switch f.name {
		case "senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage", "messageContextInfo":
			continue
		}
		if first == nil || f.desc.Number() < first.desc.Number() {
			first = f
		}
	}
	return first
}

// wrapped returns the message inside a wrapper, nil if m is no wrapper or an empty one.
func wrapped(m protoreflect.Message) *waE2E.Message {
	if m == nil {
		return nil
	}
	switch w := m.Interface().(type) {
	case *waE2E.FutureProofMessage:
		return w.GetMessage()
	case *waE2E.DeviceSentMessage:
		return w.GetMessage()
	default:
		return nil
	}
}
