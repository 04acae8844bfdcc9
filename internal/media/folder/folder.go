// Package folder keeps the files of messages in a folder, and hands them out over HTTP to who has a link.
//
// A link is signed, is for one file, and ends. A file is served as something that no browser runs, whatever its sender says that
// it is.
package folder

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"pesan/internal/chat"
)

// Prefix is where links lead.
const Prefix = "/media/"

// linkAge is how long a link can be used.
const linkAge = 15 * time.Minute

// Store keeps files in a folder of its own.
type Store struct {
	dir    string
	secret [32]byte // signs links; they end with the process
	now    func() time.Time
}

var (
	_ chat.MediaStore  = (*Store)(nil)
	_ chat.MediaLinker = (*Store)(nil)
)

// New keeps files in a folder, which is made when it is needed.
func New(dir string, now func() time.Time) *Store {
	s := &Store{dir: dir, now: now}
	_, _ = rand.Read(s.secret[:]) // never fails
	return s
}

var safe = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)

// path is where a file is; account and id are of forms that are no paths.
func (s *Store) path(account, id string) (string, error) {
	if !safe.MatchString(account) || !safe.MatchString(id) {
		return "", &chat.Error{Code: chat.MediaNotFound}
	}
	return filepath.Join(s.dir, account, id), nil
}

// PutMedia implements chat.MediaStore. A file is there whole or not at all.
func (s *Store) PutMedia(_ context.Context, account string, m chat.Media, body io.ReadSeeker, _ int64) error {
	path, err := s.path(account, m.ID())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".part-")
	if err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	defer os.Remove(file.Name()) // once it is renamed there is none
	_, err = io.Copy(file, body)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep file: %w", err)
	}
	return nil
}

// ticket is what a link says.
type ticket struct {
	Account, ID, Type, Name string
	Ends                    int64 // seconds since 1970
}

// MediaLink implements chat.MediaLinker.
func (s *Store) MediaLink(_ context.Context, account string, m chat.Media, now time.Time) (chat.MediaLink, error) {
	path, err := s.path(account, m.ID())
	if err != nil {
		return chat.MediaLink{}, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && s.old(info) {
		return chat.MediaLink{}, &chat.Error{Code: chat.MediaNotFound}
	}
	if err != nil {
		return chat.MediaLink{}, fmt.Errorf("find file: %w", err)
	}
	ends := now.Add(linkAge)
	says, err := json.Marshal(ticket{account, m.ID(), m.SafeType(), m.SafeName(), ends.Unix()})
	if err != nil {
		return chat.MediaLink{}, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	return chat.MediaLink{URL: Prefix + encode(says) + "." + encode(s.sign(says)), Size: info.Size(), Ends: ends}, nil
}

func (s *Store) sign(says []byte) []byte {
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write(says)
	return mac.Sum(nil)
}

func (s *Store) old(info fs.FileInfo) bool { return s.now().Sub(info.ModTime()) > chat.MediaAge }

// open is what a link says; ok is false for one that isn't ours or has ended.
func (s *Store) open(link string) (t ticket, ok bool) {
	says, signature, _ := strings.Cut(link, ".")
	text, err := base64.RawURLEncoding.DecodeString(says)
	given, err2 := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || err2 != nil || !hmac.Equal(given, s.sign(text)) || json.Unmarshal(text, &t) != nil {
		return t, false
	}
	return t, s.now().Unix() < t.Ends
}

// ServeHTTP hands a file out.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "private, no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	t, ok := s.open(strings.TrimPrefix(r.URL.Path, Prefix))
	path, err := s.path(t.Account, t.ID)
	if !ok || err != nil {
		http.Error(w, "the link has ended; ask getMedia for another", http.StatusForbidden)
		return
	}
	file, err := os.Open(path)
	if err != nil {
		http.Error(w, "the file is no longer kept; ask getMedia again", http.StatusNotFound)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		http.Error(w, "the file can't be read", http.StatusInternalServerError)
		return
	}
	header.Set("Content-Type", t.Type)
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": t.Name}))
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// Purge deletes the files that are older than MediaAge.
func (s *Store) Purge() error {
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && s.old(info) {
			err = os.Remove(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody has asked for a file yet
	}
	return err
}
