package render

import (
	"testing"

	"pesan/internal/chat"
)

// TestPatched edits messages of every kind: what the kind carries changes, and nothing else.
func TestPatched(t *testing.T) {
	for name, test := range map[string]struct {
		message, kind string
		edit          chat.Edit
		want, becomes string
	}{
		"a text": {`{"conversation":"a"}`, "conversation",
			chat.Edit{Kind: chat.TextEdit, Type: "conversation", Body: "<b>", Message: `{"conversation":"<b>"}`},
			`{"conversation":"<b>"}`, "conversation"},
		"a text that gets a preview": {`{"conversation":"a","messageContextInfo":{"messageSecret":"AQ=="}}`, "conversation",
			chat.Edit{Kind: chat.TextEdit, Type: "extendedTextMessage", Body: "x.id", Message: `{"extendedTextMessage":{"matchedText":"x.id","text":"x.id"}}`},
			`{"extendedTextMessage":{"matchedText":"x.id","text":"x.id"},"messageContextInfo":{"messageSecret":"AQ=="}}`, "extendedTextMessage"},
		"a text that loses its preview and mentions": {
			`{"extendedTextMessage":{"backgroundArgb":5,"contextInfo":{"groupMentions":[{}],"mentionedJid":["1@lid"],"nonJidMentions":1,"stanzaId":"Q"},"font":"SYSTEM","matchedText":"x","text":"x","title":"X"}}`,
			"extendedTextMessage",
			chat.Edit{Kind: chat.TextEdit, Type: "extendedTextMessage", Body: "y", Message: `{"extendedTextMessage":{"backgroundArgb":9,"contextInfo":{"mentionedJid":["2@lid"],"stanzaId":"other"},"text":"y"}}`},
			`{"extendedTextMessage":{"backgroundArgb":5,"contextInfo":{"mentionedJid":["2@lid"],"stanzaId":"Q"},"font":"SYSTEM","text":"y"}}`,
			"extendedTextMessage"},
		"a caption": {
			`{"documentWithCaptionMessage":{"message":{"documentMessage":{"caption":"a","contextInfo":{"isSpoiler":true,"mentionedJid":["1@lid"]},"fileName":"a.pdf","url":"u"}}}}`,
			"documentMessage",
			chat.Edit{Kind: chat.CaptionEdit, Type: "documentMessage", Body: "b", Message: `{"documentMessage":{"caption":"b","fileName":"forged.exe","url":"v"}}`},
			`{"documentWithCaptionMessage":{"message":{"documentMessage":{"caption":"b","fileName":"a.pdf","url":"u"}}}}`, "documentMessage"},
		"a caption that goes": {`{"imageMessage":{"caption":"a","url":"u"}}`, "imageMessage",
			chat.Edit{Kind: chat.CaptionEdit, Type: "imageMessage", Message: `{"imageMessage":{}}`}, `{"imageMessage":{"url":"u"}}`, "imageMessage"},
		"a caption by a text": {`{"ephemeralMessage":{"message":{"imageMessage":{"url":"u"}}}}`, "imageMessage",
			chat.Edit{Kind: chat.TextEdit, Type: "conversation", Body: "b", Message: `{"conversation":"b"}`},
			`{"ephemeralMessage":{"message":{"imageMessage":{"caption":"b","url":"u"}}}}`, "imageMessage"},
		"an event": {
			`{"eventMessage":{"contextInfo":{"stanzaId":"Q"},"description":"d","isCanceled":true,"name":"a","startTime":"1"}}`, "eventMessage",
			chat.Edit{Kind: chat.EventEdit, Type: "eventMessage", Body: "b", Message: `{"eventMessage":{"name":"b","startTime":"2"}}`},
			`{"eventMessage":{"contextInfo":{"stanzaId":"Q"},"isCanceled":true,"name":"b","startTime":"2"}}`, "eventMessage"},
		"a poll": {`{"pollCreationMessageV3":{"name":"a","options":[{"optionName":"x"}]}}`, "pollCreationMessageV3",
			chat.Edit{Kind: chat.PollEdit, Type: "pollCreationMessageV3", Body: "b", Message: `{"pollCreationMessageV3":{"name":"b","options":[]}}`},
			`{"pollCreationMessageV3":{"name":"b","options":[{"optionName":"x"}]}}`, "pollCreationMessageV3"},
		"a post": {`{"conversation":"a"}`, "conversation",
			chat.Edit{Kind: chat.WholeEdit, Type: "imageMessage", Message: `{"imageMessage":{"url":"u"}}`}, `{"imageMessage":{"url":"u"}}`, "imageMessage"},
		"what isn't there": {`{"conversation":"a"}`, "imageMessage",
			chat.Edit{Kind: chat.CaptionEdit, Type: "imageMessage", Body: "b", Message: `{"imageMessage":{"caption":"b"}}`}, `{"conversation":"a"}`, "imageMessage"},
	} {
		got, becomes := patched(chat.JSON(test.message), test.kind, &test.edit)
		if string(got) != test.want || becomes != test.becomes {
			t.Errorf("%s becomes %s %s\nwant %s %s", name, becomes, got, test.becomes, test.want)
		}
	}
}
