package wajson

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// renamedFields are the fields whose published name the rule can't give: WhatsApp renamed one after it was
// published, and published the other with its acronym in capitals.
var renamedFields = map[protoreflect.FullName]string{
	"WAWebProtobufsE2E.MessageHistoryMetadata.oldestMessageTimestampInWindow": "oldestMessageTimestamp",
	"WAWebProtobufsE2E.ExtendedTextMessage.faviconMmsMetadata":                "faviconMMSMetadata",
}

// renamedValues are the enum values that WhatsApp renamed after they were published. A value's full name has
// its enum's parent in it, not the enum.
var renamedValues = map[protoreflect.FullName]string{
	"WAWebProtobufsE2E.UNKNOWN_POLL_CONTENT_TYPE":                     "UNKNOWN",
	"WAWebProtobufsE2E.UNKNOWN_KEEP_TYPE":                             "UNKNOWN",
	"WAWebProtobufsAICommon.BotModeSelectionMetadata.DEFAULT_MODE":    "UNKNOWN_MODE",
	"WAWebProtobufsAICommon.BotModeSelectionMetadata.THINK_HARD_MODE": "REASONING_MODE",
}

// fieldName is the name of fd in WhatsApp's own .proto as Baileys publishes it.
func fieldName(fd protoreflect.FieldDescriptor) string {
	if name, ok := renamedFields[fd.FullName()]; ok {
		return name
	}
	return camelCase(string(fd.Name()))
}

// valueName is the published name of an enum's value.
func valueName(vd protoreflect.EnumValueDescriptor) string {
	if name, ok := renamedValues[vd.FullName()]; ok {
		return name
	}
	return string(vd.Name())
}

// camelCase writes the acronyms of a name as words: remoteJID is remoteJid, JPEGThumbnail jpegThumbnail,
// fileSHA256 fileSha256, imageURLs imageUrls. A run of capitals is one word, but its last letter begins the
// next word when a small letter follows.
func camelCase(name string) string {
	b := []byte(strings.Replace(name, "CDNURL", "CdnURL", 1)) // the one place with two acronyms in a row
	for i := 0; i < len(b); {
		if !isUpper(b, i) {
			i++
			continue
		}
		end := i + 1
		for isUpper(b, end) {
			end++
		}
		word := end
		if isLower(b, end) && !isPlural(b, end) {
			word--
		}
		for j := i + 1; j < word; j++ {
			b[j] += 'a' - 'A'
		}
		i = end
	}
	if isUpper(b, 0) {
		b[0] += 'a' - 'A'
	}
	return string(b)
}

func isUpper(b []byte, i int) bool { return i < len(b) && 'A' <= b[i] && b[i] <= 'Z' }
func isLower(b []byte, i int) bool { return i < len(b) && 'a' <= b[i] && b[i] <= 'z' }

// isPlural says whether b[i] is the s at the end of an acronym, as in URLs.
func isPlural(b []byte, i int) bool {
	return b[i] == 's' && (i+1 == len(b) || isUpper(b, i+1)) && i >= 2 && isUpper(b, i-2)
}
