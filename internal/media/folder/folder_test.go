package folder

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
)

const account = "01JNGKX0T0AAAAAAAAAAAAAAAA"

func nota(text string) chat.Media {
	sum := sha256.Sum256([]byte(text))
	return chat.Media{Kind: "documentMessage", Type: "application/pdf", Name: "nota.pdf", SHA256: sum[:]}
}

func get(s *Store, method, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, url, nil))
	return w
}

func TestLinks(t *testing.T) {
	now := time.Now()
	s := New(filepath.Join(t.TempDir(), "media"), func() time.Time { return now })
	m := nota("isi nota")
	if _, err := s.MediaLink(t.Context(), account, m, now); chat.CodeOf(err) != chat.MediaNotFound {
		t.Fatalf("a file that isn't there: %v", err)
	}
	if err := s.Purge(); err != nil {
		t.Errorf("purge before there is a folder: %v", err)
	}
	for range 2 {
		if err := s.PutMedia(t.Context(), account, m, strings.NewReader("isi nota"), 8); err != nil {
			t.Fatal(err)
		}
	}
	link, err := s.MediaLink(t.Context(), account, m, now)
	if err != nil || link.Size != 8 || !link.Ends.Equal(now.Add(linkAge)) {
		t.Fatalf("%+v, %v", link, err)
	}
	if _, err := s.MediaLink(t.Context(), "01JNGKX0T0BBBBBBBBBBBBBBBB", m, now); chat.CodeOf(err) != chat.MediaNotFound {
		t.Errorf("another account has the file: %v", err)
	}
	w := get(s, http.MethodGet, link.URL)
	if w.Code != 200 || w.Body.String() != "isi nota" || w.Header().Get("Content-Type") != "application/pdf" ||
		w.Header().Get("Content-Disposition") != "attachment; filename=nota.pdf" || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
	}
	if w := get(s, http.MethodPost, link.URL); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
	other := New(s.dir, s.now) // another process, with another key
	forged, _ := other.MediaLink(t.Context(), account, m, now)
	cut := strings.LastIndex(link.URL, ".")
	for _, bad := range []string{forged.URL, link.URL[:cut], link.URL[:cut+1], link.URL[:len(link.URL)-1], Prefix, Prefix + "../../etc/passwd", link.URL + "x", Prefix + "." + link.URL[cut+1:]} {
		if w := get(s, http.MethodGet, bad); w.Code != 403 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	now = now.Add(linkAge)
	if w := get(s, http.MethodGet, link.URL); w.Code != 403 {
		t.Errorf("a link that has ended: %d", w.Code)
	}
	now = now.Add(chat.MediaAge)
	if _, err := s.MediaLink(t.Context(), account, m, now); chat.CodeOf(err) != chat.MediaNotFound {
		t.Errorf("a file that is too old: %v", err)
	}
	if err := s.Purge(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, account)); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

func TestNoPathLeadsOut(t *testing.T) {
	s := New(t.TempDir(), time.Now)
	for _, name := range []string{"", "..", "../x", "a/b", "a\\b", ".part", strings.Repeat("a", 65), "a\x00b"} {
		if err := s.PutMedia(t.Context(), name, nota("x"), strings.NewReader("x"), 1); chat.CodeOf(err) != chat.MediaNotFound {
			t.Errorf("%q: %v", name, err)
		}
	}
}
