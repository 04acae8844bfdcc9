package chat

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Media is a file of a message, as the message describes it.
type Media struct {
	Kind                   string // name of the content's field in WhatsApp's Message
	DirectPath             string
	Type, Name             string // as its sender says; see SafeType and SafeName
	Key, SHA256, EncSHA256 []byte
	Size                   int64 // bytes, as its sender says
}

// mediaKinds are the contents that are files, with the ends of the names that they get where they have none.
var mediaKinds = map[string]string{
	"imageMessage": ".jpg", "videoMessage": ".mp4", "ptvMessage": ".mp4", "audioMessage": ".ogg", "documentMessage": ".bin", "stickerMessage": ".webp",
}

// maxWrapped bounds how deep a file is looked for in messages that hold others.
const maxWrapped = 5

// FindMedia finds the file of a message, also of one that shows inside of another, as the pictures of an album do; ok is false where it
// has none. The conversation is that of the message that is listed.
func FindMedia(
	ctx context.Context, r MessageReader, account string, jid JID, id string, now time.Time,
) (found Conversation, m Media, ok bool, err error) {
	found, err = r.Message(ctx, account, jid, id, now)
	if CodeOf(err) == MessageNotFound {
		found, err = r.Around(ctx, account, jid, id, now)
	}
	if err == nil {
		m, ok = mediaOf(found.Messages[0].Document, id)
	}
	return found, m, ok, err
}

// mediaOf is the file that a message's document describes of the message itself, or of a part of it.
func mediaOf(document JSON, id string) (m Media, ok bool) {
	type content struct {
		ID      string                     `json:"id"`
		Message map[string]json.RawMessage `json:"message"`
	}
	var d struct {
		content
		Parts []content `json:"associatedMessages"`
	}
	if json.Unmarshal([]byte(document), &d) != nil {
		return m, false
	}
	for _, c := range append(d.Parts, d.content) {
		if c.ID == id {
			return mediaIn(c.Message, 0)
		}
	}
	return m, false
}

func mediaIn(message map[string]json.RawMessage, depth int) (Media, bool) {
	for kind, content := range message {
		var c struct {
			DirectPath, Mimetype, FileName      string
			MediaKey, FileSHA256, FileEncSHA256 []byte
			FileLength                          json.RawMessage
			Message                             map[string]json.RawMessage
		}
		if depth > maxWrapped || json.Unmarshal(content, &c) != nil {
			continue
		}
		if _, known := mediaKinds[kind]; known && c.DirectPath != "" && len(c.FileSHA256) == 32 {
			size, _ := strconv.ParseInt(strings.Trim(string(c.FileLength), `"`), 10, 64) // without it the download says
			return Media{kind, c.DirectPath, c.Mimetype, c.FileName, c.MediaKey, c.FileSHA256, c.FileEncSHA256, size}, true
		}
		if m, ok := mediaIn(c.Message, depth+1); ok {
			return m, true
		}
	}
	return Media{}, false
}

// ID tells the file from all others.
func (m Media) ID() string { return hex.EncodeToString(m.SHA256) }

// safeTypes are those that a browser shows without running anything.
var safeTypes = map[string]bool{
	"image/jpeg": true, "image/png": true, "image/webp": true, "image/gif": true, "video/mp4": true, "video/3gpp": true,
	"audio/ogg": true, "audio/mpeg": true, "audio/mp4": true, "audio/aac": true, "audio/amr": true, "application/pdf": true,
}

// SafeType is the type that the file is served as: whatever a stranger claims, nothing that a browser would run.
func (m Media) SafeType() string {
	base, _, _ := strings.Cut(strings.ToLower(m.Type), ";")
	if base = strings.TrimSpace(base); safeTypes[base] {
		return base
	}
	return "application/octet-stream"
}

const maxFileName = 120 // bytes

// SafeName is a name that is no path and has nothing that a header or a file system takes for something else.
func (m Media) SafeName() string {
	name := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), strings.ContainsRune(`/\:*?"<>|;%`, r):
			return '_'
		}
		return r
	}, strings.ToValidUTF8(m.Name, "_"))
	if name = strings.Trim(name, ". "); name == "" {
		return m.ID()[:16] + mediaKinds[m.Kind]
	}
	for len(name) > maxFileName { // the end says what it is
		_, width := utf8.DecodeRuneInString(name)
		name = name[width:]
	}
	return name
}

// MediaAge is how long a file is kept once somebody has asked for it.
const MediaAge = 24 * time.Hour

// MediaStore keeps files for MediaAge.
type MediaStore interface {
	// PutMedia keeps a file of an account, of size bytes.
	PutMedia(ctx context.Context, account string, m Media, body io.ReadSeeker, size int64) error
}

// MediaLinker tells where files can be had.
type MediaLinker interface {
	// MediaLink is where the file can be had, for a while. MEDIA_NOT_FOUND where it isn't kept.
	MediaLink(ctx context.Context, account string, m Media, now time.Time) (MediaLink, error)
}

// MediaLink is where a file can be had by whoever knows it.
type MediaLink struct {
	URL  string
	Size int64
	Ends time.Time
}
