package httpapi

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pesan/internal/chat"
)

func TestPrefersEnglish(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "*": false, "fr": false, "id": false, "in": false, "id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7": false,
		"en": true, "EN-us": true, "en-US,en;q=0.9,id;q=0.8": true, "fr,en;q=0.1": true, "en;q=0": false,
		"id;q=0.5, en;q=0.6": true, "id;q=0,en;q=0.1": true, "en,id": true, "id,en": false,
		"en;q=x,id;q=0.1": false, "en;q=2": false, "en;q=NaN": false, "english": false, "en ; level=1 ; q=0.3": true, ";;;,,,": false,
	} {
		if got := prefersEnglish(header); got != want {
			t.Errorf("prefersEnglish(%q) = %v", header, got)
		}
	}
}

func TestSentences(t *testing.T) {
	for code, f := range failures {
		for _, language := range []string{"id", "en"} {
			s := sentence(&chat.Error{Code: code, Message: "detail."}, language)
			if !strings.HasSuffix(s, ".") || strings.ContainsAny(s, "{}") || strings.Contains(s, "..") {
				t.Errorf("%s in %s: %q", code, language, s)
			}
			tells := slices.Contains([]chat.Code{chat.InvalidParameter, chat.WhatsAppRejected, chat.InsufficientScope, chat.QuotaExceeded}, code)
			if strings.Contains(s, "detail") != tells {
				t.Errorf("%s in %s: %q", code, language, s)
			}
		}
		if f.id == f.en || f.status < 400 || f.status > 599 {
			t.Errorf("%s: %+v", code, f)
		}
	}
	if s := sentence(&chat.Error{Code: chat.WhatsAppRejected, Message: "\xff"}, ""); !utf8.ValidString(s) {
		t.Errorf("invalid text %q", s)
	}
}

func TestStatus(t *testing.T) {
	for code, want := range map[chat.Code]int{
		"": 200, "NEW": 500, chat.InvalidPhone: 400, chat.MissingAPIKey: 401, chat.InvalidAPIKey: 401, chat.ChatNotFound: 404,
		chat.DeviceNotConnected: 409, chat.WhatsAppRejected: 502, chat.RateLimited: 429, chat.BodyTooLarge: 413,
		chat.MethodNotAllowed: 405, chat.UnknownEndpoint: 404, chat.Unavailable: 503, chat.Internal: 500,
	} {
		if got := Status(code); got != want {
			t.Errorf("Status(%q) = %d, want %d", code, got, want)
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "deflate, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "br": false, "*": false,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("acceptsGzip(%q) = %v", header, got)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("en-US,en;q=0.9,id;q=0.8")
	f.Add("gzip;q=1.0, *;q=0")
	f.Add(";=,;q=;q=1e309")
	f.Fuzz(func(t *testing.T, header string) {
		for choice := range strings.SplitSeq(header, ",") {
			if _, q := splitQuality(choice); !(q >= 0 && q <= 1) {
				t.Fatalf("quality %v of %q", q, choice)
			}
		}
		acceptsGzip(header)
		prefersEnglish(header)
	})
}
