package whatsapp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

// shelf keeps files in memory.
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (s *shelf) PutMedia(_ context.Context, account string, m chat.Media, body io.ReadSeeker, size int64) error {
	b, err := io.ReadAll(body)
	if err != nil || int64(len(b)) != size {
		return errors.New("not the size")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[account+"/"+m.ID()] = b
	return nil
}

func (s *shelf) has(plain []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.files {
		if bytes.Equal(b, plain) {
			return true
		}
	}
	return false
}

func TestFetchMedia(t *testing.T) {
	kept := &shelf{files: make(map[string][]byte)}
	w := linkedWorld(t)
	w.devices.Media, w.devices.MaxMedia = kept, 1<<20
	budi := w.contact("6281200000002", "Budi")
	send := func(kind media.Kind, plain []byte, claims uint64) (f media.File, id string) {
		f, err := w.server.Media().Put(kind, plain)
		w.ok(err)
		m := &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
			URL: &f.URL, DirectPath: &f.DirectPath, MediaKey: f.MediaKey, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256,
			FileLength: &claims, Mimetype: proto.String("application/pdf"), FileName: proto.String("nota.pdf"),
		}}
		if kind == media.Image {
			m = &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
				URL: &f.URL, DirectPath: &f.DirectPath, MediaKey: f.MediaKey, FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256,
				FileLength: &claims, Mimetype: proto.String("image/jpeg"),
			}}}}
		}
		return f, w.from(budi, m, sim.SendOptions{})
	}
	fetch := func(id string) error {
		return w.device.Change(w.soon(), chat.Command{Kind: chat.MediaCommand, Chat: jid(budi), Message: id})
	}
	fetched := func(f media.File) bool {
		path, _, _ := strings.Cut(f.DirectPath, "?")
		return slices.ContainsFunc(w.server.Media().Requests(), func(r media.Request) bool { return r.Path == path })
	}

	picture, nota := []byte("gambar"), bytes.Repeat([]byte("nota "), 50_000)
	pictureFile, pictureID := send(media.Image, picture, uint64(len(picture)))
	notaFile, notaID := send(media.Document, nota, uint64(len(nota)))
	if fetched(pictureFile) || fetched(notaFile) {
		t.Error("files were fetched before anybody asked")
	}
	w.ok(fetch(pictureID))
	if !kept.has(picture) || kept.has(nota) {
		t.Error("the picture isn't kept, or more than it is")
	}

	// A file that WhatsApp has dropped is given again by the phone.
	if !w.server.Media().Remove(notaFile.DirectPath) {
		t.Fatal("there was no file")
	}
	w.ok(fetch(notaID))
	if !kept.has(nota) {
		t.Error("the file isn't kept")
	}

	// So it is with a picture that shows inside of an album.
	album := w.from(budi, &waE2E.Message{AlbumMessage: &waE2E.AlbumMessage{ExpectedImageCount: proto.Uint32(1)}}, sim.SendOptions{})
	part := []byte("gambar album")
	partFile, err := w.server.Media().Put(media.Image, part)
	w.ok(err)
	partID := w.from(budi, sim.PartOf(&waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		DirectPath: &partFile.DirectPath, MediaKey: partFile.MediaKey, FileSHA256: partFile.FileSHA256, FileEncSHA256: partFile.FileEncSHA256,
		FileLength: &partFile.FileLength, Mimetype: proto.String("image/jpeg"),
	}}, waE2E.MessageAssociation_MEDIA_ALBUM, keyFor(budi.PN(), album, true, budi.PN())), sim.SendOptions{})
	w.server.Media().Remove(partFile.DirectPath)
	w.ok(fetch(partID))
	if !kept.has(part) {
		t.Error("the album's picture isn't kept")
	}
	if err := fetch(album); chat.CodeOf(err) != chat.MediaNotFound {
		t.Errorf("an album has a file itself: %v", err)
	}

	// Without the phone's it is gone, for good.
	lostFile, lostID := send(media.Document, []byte("hilang"), 6)
	w.server.Media().Forget(lostFile.DirectPath)
	w.server.Media().Remove(lostFile.DirectPath)
	if err := fetch(lostID); chat.CodeOf(err) != chat.MediaNotFound {
		t.Errorf("a lost file: %v", err)
	}

	// Whatever its sender claims, no file is larger than files may be.
	big := bytes.Repeat([]byte("x"), 1<<20+1)
	for _, claims := range []uint64{uint64(len(big)), 10} {
		_, id := send(media.Document, big, claims)
		if err := fetch(id); chat.CodeOf(err) != chat.MediaTooLarge {
			t.Errorf("a file that claims %d bytes: %v", claims, err)
		}
	}
	if kept.has(big) {
		t.Error("it is kept")
	}
	for _, id := range []string{w.from(budi, sim.Text("teks"), sim.SendOptions{}), "NOBODY"} {
		if err := fetch(id); err == nil {
			t.Errorf("%s has a file", id)
		}
	}
}
