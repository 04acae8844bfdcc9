// Package media is WhatsApp's media service: files encrypted under a key that the service never sees, put and fetched over
// HTTP by a direct path and the hash of the encrypted file. It also builds the history that a phone sends to a new device,
// whose larger parts travel as such files.
//
// Store is the service and the shelf of whoever shares its process (the phone puts a file, the device downloads it); it is an
// http.Handler as strict as the real one: a wrong hash, kind, signature, token or an expired link is refused.
package media

// Kind says what a file is for. Its text is the info string from which the file's keys are derived.
type Kind string

const (
	Image         Kind = "WhatsApp Image Keys" // stickers too
	Video         Kind = "WhatsApp Video Keys"
	Audio         Kind = "WhatsApp Audio Keys"
	Document      Kind = "WhatsApp Document Keys"
	History       Kind = "WhatsApp History Keys"
	AppState      Kind = "WhatsApp App State Keys"
	StickerPack   Kind = "WhatsApp Sticker Pack Keys"
	LinkThumbnail Kind = "WhatsApp Link Thumbnail Keys"
)

// MMSType is the kind's name in addresses, as in /mms/image/…, or "" for an unknown kind.
func (k Kind) MMSType() string {
	switch k {
	case Image:
		return "image"
	case Video:
		return "video"
	case Audio:
		return "audio"
	case Document:
		return "document"
	case History:
		return "md-msg-hist"
	case AppState:
		return "md-app-state"
	case StickerPack:
		return "sticker-pack"
	case LinkThumbnail:
		return "thumbnail-link"
	}
	return ""
}

// KindOf is the kind whose MMSType is t.
func KindOf(t string) (Kind, bool) {
	for _, k := range [...]Kind{Image, Video, Audio, Document, History, AppState, StickerPack, LinkThumbnail} {
		if k.MMSType() == t {
			return k, true
		}
	}
	return "", false
}
