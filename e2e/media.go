package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"pesan/internal/sim"
)

// files has files fetched that somebody has sent: one that WhatsApp has, one that it has dropped and the phone has, and one that
// nobody has.
func files(ctx context.Context, t T, s *System) {
	if s.NoFiles {
		return
	}
	send := func(plain []byte) (path, id string) {
		message, path, err := s.WhatsApp.Document(plain, "text/html", "nota.html")
		must(t, err)
		id, err = s.Friends[0].Send(ctx, s.Phone, message, sim.SendOptions{Time: time.Now().Add(8 * time.Second)})
		must(t, err)
		must(t, s.Device.WaitAcked(ctx, id))
		return path, id
	}
	kept, here := bytes.Repeat([]byte("<script>nota</script>"), 10_000), []byte("di ponsel")
	_, keptID := send(kept)
	dropped, hereID := send(here)
	lost, lostID := send([]byte("hilang"))
	s.WhatsApp.Media().Remove(dropped)
	s.WhatsApp.Media().Forget(lost)
	s.WhatsApp.Media().Remove(lost)
	for id, want := range map[string][]byte{keptID: kept, hereID: here} {
		var found struct {
			URL  string
			Size int
		}
		phone := s.Friends[0].PN().User
		must(t, Until(ctx, "a file", func() (bool, error) { // 202 while it is fetched
			_, err := s.Get(ctx, &found, "getMedia", "phone", phone, "id", id)
			return found.URL != "", err
		}))
		if found.Size != len(want) {
			t.Errorf("getMedia says %+v of %d bytes", found, len(want))
		}
		base, err := url.Parse(s.URL + "/")
		must(t, err)
		link, err := base.Parse(found.URL)
		must(t, err)
		query := url.Values{"apiKey": {s.Key}, "phone": {phone}, "id": {id}, "redirect": {"true"}}
		for _, from := range []string{link.String(), s.URL + "/api/getMedia?" + query.Encode()} {
			must(t, s.loads(ctx, from, want))
		}
	}
	answer, err := s.Call(ctx, "getMedia", "phone", s.Friends[0].PN().User, "id", lostID)
	must(t, err)
	if answer.Status != http.StatusNotFound || answer.Error != "MEDIA_NOT_FOUND" {
		t.Errorf("getMedia of a file that nobody has answers %s", answer.Body)
	}
}

// loads gets a file, whole and in part, as something that no browser runs.
func (s *System) loads(ctx context.Context, from string, want []byte) error {
	for _, part := range []string{"", "bytes=2-5"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
		if err != nil {
			return err
		}
		status := http.StatusOK
		want := want
		if part != "" {
			request.Header.Set("Range", part)
			status, want = http.StatusPartialContent, want[2:6]
		}
		response, err := s.HTTP.Do(request)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != status || !bytes.Equal(body, want) {
			return fmt.Errorf("the file is answered %s, %d bytes of %d, %v: %.300q", response.Status, len(body), len(want),
				err, body)
		}
		how, names, err := mime.ParseMediaType(response.Header.Get("Content-Disposition"))
		if err != nil || how != "attachment" || names["filename"] != "nota.html" ||
			response.Header.Get("Content-Type") != "application/octet-stream" {
			return fmt.Errorf("the file has the headers %v", response.Header)
		}
	}
	return nil
}
