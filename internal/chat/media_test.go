package chat

import (
	"strings"
	"testing"
)

const hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

func TestMediaOf(t *testing.T) {
	file := `{"directPath":"/v/x","fileSha256":"` + hash + `","fileLength":"12","mimetype":"image/jpeg","mediaKey":"AQ=="}`
	for document, kind := range map[string]string{
		`{"message":{"imageMessage":` + file + `}}`:                                                                    "imageMessage",
		`{"message":{"documentWithCaptionMessage":{"message":{"documentMessage":` + file + `}}}}`:                      "documentMessage",
		`{"message":{"ephemeralMessage":{"message":{"viewOnceMessageV2":{"message":{"videoMessage":` + file + `}}}}}}`: "videoMessage",
	} {
		m, ok := mediaOf(JSON(document), "")
		if !ok || m.Kind != kind || m.Size != 12 || m.DirectPath != "/v/x" || len(m.SHA256) != 32 || len(m.Key) != 1 {
			t.Errorf("%s: %+v", document, m)
		}
	}
	album := JSON(`{"id":"A","message":{"albumMessage":{}},"associatedMessages":[{"id":"B","message":{}},{"id":"C","message":{"imageMessage":` + file + `}}]}`)
	for id, want := range map[string]bool{"A": false, "B": false, "C": true, "D": false, "": false} {
		if m, ok := mediaOf(album, id); ok != want || ok && m.DirectPath != "/v/x" {
			t.Errorf("%s of an album: %+v", id, m)
		}
	}
	for _, document := range []string{
		"", "[]", `{"message":null}`, `{"message":{"conversation":"x"}}`, `{"message":{"imageMessage":{}}}`,
		`{"message":{"extendedTextMessage":{"contextInfo":{"quotedMessage":{"imageMessage":` + file + `}}}}}`,
		`{"message":{"imageMessage":{"directPath":"/v","fileSha256":"AQ=="}}}`,
		`{"message":` + strings.Repeat(`{"a":{"message":`, 50) + "{}" + strings.Repeat("}}", 50) + "}",
	} {
		if m, ok := mediaOf(JSON(document), ""); ok {
			t.Errorf("%s: %+v", document, m)
		}
	}
}

func TestFilesAreServedSafely(t *testing.T) {
	for claimed, want := range map[string]string{
		"image/jpeg": "image/jpeg", "Audio/OGG; codecs=opus": "audio/ogg", "text/html": "application/octet-stream",
		"image/svg+xml": "application/octet-stream", "": "application/octet-stream", "image/jpeg\r\nX: y": "application/octet-stream",
	} {
		if got := (Media{Type: claimed}).SafeType(); got != want {
			t.Errorf("%q is served as %q", claimed, got)
		}
	}
	sum := make([]byte, 32)
	for claimed, want := range map[string]string{
		"nota.pdf": "nota.pdf", "../../etc/passwd": "_.._etc_passwd", "a\r\nb": "a__b", "": "0000000000000000.bin", "...": "0000000000000000.bin",
		"x\u202egpj.exe": "x_gpj.exe", `"; filename=x`: "__ filename=x", "Résumé 履歴.pdf": "Résumé 履歴.pdf",
	} {
		if got := (Media{Kind: "documentMessage", Name: claimed, SHA256: sum}).SafeName(); got != want {
			t.Errorf("%q is called %q, want %q", claimed, got, want)
		}
	}
	if got := (Media{Name: strings.Repeat("é", 500) + ".pdf"}).SafeName(); len(got) > maxFileName || !strings.HasSuffix(got, "é.pdf") {
		t.Errorf("a long name becomes %q", got)
	}
}
