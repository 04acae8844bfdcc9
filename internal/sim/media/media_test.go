package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/util/cbcutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
)

// service is a Store behind HTTP, with a client for which every https host is that store.
func service(t *testing.T, opts Options) (*Store, *http.Client) {
	t.Helper()
	s, err := NewStore(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return s, &http.Client{Transport: transport}
}

func link(f File, kind Kind) string {
	return "https://mmg.whatsapp.net" + f.DirectPath + "&hash=" + base64.URLEncoding.EncodeToString(f.FileEncSHA256) +
		"&mms-type=" + kind.MMSType() + "&__wa-mms="
}

// What the store keeps, whatsmeow downloads and decrypts; what it encrypts, the store decrypts.
func TestWhatsmeow(t *testing.T) {
	s, client := service(t, Options{})
	peer := whatsmeow.NewClient(store.NoopDevice, nil)
	peer.SetMediaHTTPClient(client)
	for _, kind := range []Kind{Image, Video, Audio, Document, History, AppState, StickerPack, LinkThumbnail} {
		for _, size := range []int{0, 1, 15, 16, 17, 100_000} {
			plain := bytes.Repeat([]byte{7}, size)
			f, err := s.Put(kind, plain)
			if err != nil {
				t.Fatal(err)
			}
			//lint:ignore SA1019 the only way to download without being connected
			got, err := peer.DangerousInternals().DownloadAndDecrypt(context.Background(), link(f, kind), f.MediaKey, whatsmeow.MediaType(kind), f.FileEncSHA256, f.FileSHA256)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s, %d bytes: got %d, %v", kind.MMSType(), size, len(got), err)
			}
			if got, err := s.Get(kind, f); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s, %d bytes: phone got %d, %v", kind.MMSType(), size, len(got), err)
			}
		}
	}
	key, plain := bytes.Repeat([]byte{1}, 32), []byte("hasil panen")
	k := hkdfutil.SHA256(key, nil, []byte(Image), 112)
	var file bytes.Buffer
	_, _, _, _, err := cbcutil.EncryptStream(k[16:48], k[:16], k[48:80], bytes.NewReader(plain), readWriteSeeker{&file})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decrypt(key, Image, file.Bytes()); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("whatsmeow's file: %q, %v", got, err)
	}
}

type readWriteSeeker struct{ *bytes.Buffer }

func (readWriteSeeker) Seek(int64, int) (int64, error) { return 0, errors.New("not needed") }

func TestCrypt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		file, err := Encrypt(key, Video, plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decrypt(key, Video, file); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%v, %v", got, err)
		}
		bad := bytes.Clone(file)
		bad[rapid.IntRange(0, len(bad)-1).Draw(t, "place")] ^= 1
		if _, err := Decrypt(key, Video, bad); !errors.Is(err, ErrMAC) {
			t.Fatalf("changed file: %v", err)
		}
		if _, err := Decrypt(key, Image, file); !errors.Is(err, ErrMAC) {
			t.Fatalf("other kind: %v", err)
		}
		if _, err := Decrypt(key, Video, file[:len(file)-1]); !errors.Is(err, ErrPadding) {
			t.Fatalf("cut file: %v", err)
		}
	})
	if _, err := Encrypt(make([]byte, 31), Image, nil); !errors.Is(err, ErrKey) {
		t.Errorf("short key: %v", err)
	}
	if _, err := Encrypt(make([]byte, 32), "WhatsApp", nil); !errors.Is(err, ErrKey) {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestDownloadIsStrict(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	s, client := service(t, Options{Now: func() time.Time { return now }})
	f, err := s.Put(Image, []byte("foto"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Put(Image, []byte("foto lain"))
	if err != nil {
		t.Fatal(err)
	}
	good := link(f, Image)
	path, query, _ := strings.Cut(f.DirectPath, "?")
	_, otherQuery, _ := strings.Cut(other.DirectPath, "?")
	for name, c := range map[string]struct {
		status int
		url    string
	}{
		"good":              {200, good},
		"other file's hash": {403, link(File{DirectPath: f.DirectPath, FileEncSHA256: other.FileEncSHA256}, Image)},
		"no hash":           {403, "https://x" + f.DirectPath + "&mms-type=image"},
		"other kind":        {400, link(f, Video)},
		"other signature":   {403, strings.Replace(good, query, otherQuery, 1)},
		"other expiry":      {403, strings.Replace(good, "oe=", "oe=f", 1)},
		"no query":          {403, "https://x" + path},
		"& for ?":           {404, strings.Replace(good, "?", "&", 1)},
		"unknown path":      {404, strings.Replace(good, "/v/", "/w/", 1)},
		"bad query":         {400, good + "&%zz"},
	} {
		if status, _ := do(t, client, http.MethodGet, c.url, nil); status != c.status {
			t.Errorf("%s: %d, not %d", name, status, c.status)
		}
	}
	if status, _ := do(t, client, http.MethodPatch, good, nil); status != 405 {
		t.Errorf("PATCH: %d", status)
	}
	r, _ := http.NewRequest(http.MethodGet, good, nil)
	if resp, err := client.Do(r); err != nil || resp.StatusCode != 403 {
		t.Errorf("without origin: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	for _, r := range s.Requests() {
		if (r.Status == 200) != (r.Reason == "") {
			t.Errorf("%d for reason %q", r.Status, r.Reason)
		}
	}
	now = now.Add(15 * 24 * time.Hour)
	if status, _ := do(t, client, http.MethodGet, good, nil); status != 403 {
		t.Errorf("expired: %d", status)
	}
	now = now.Add(-24 * time.Hour * 15)
	if !s.Remove(f.DirectPath) || s.Remove(f.DirectPath) {
		t.Error("not removed once")
	}
	if status, _ := do(t, client, http.MethodGet, good, nil); status != 410 {
		t.Errorf("removed: %d", status)
	}
	if _, err := s.Get(Image, f); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

// An upload can be downloaded by what its answer says; the phone gets it too. A deletion ends both.
func TestUploadAndDelete(t *testing.T) {
	s, client := service(t, Options{})
	auth, _ := s.Conn().Attrs["auth"].(string)
	key := bytes.Repeat([]byte{3}, 32)
	file, err := Encrypt(key, Document, []byte("kuitansi"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	token := base64.URLEncoding.EncodeToString(sum[:])
	at := func(kind, token, auth, more string) string {
		return "https://x/mms/" + kind + "/" + token + "?" + url.Values{"auth": {auth}, "token": {token}}.Encode() + more
	}
	short := base64.URLEncoding.EncodeToString(sum[:31])
	for name, c := range map[string]struct {
		status int
		url    string
		body   []byte
	}{
		"no auth":      {401, at("document", token, "", ""), file},
		"forged auth":  {401, at("document", token, "f"+auth, ""), file},
		"unknown type": {404, at("archive", token, auth, ""), file},
		"another path": {404, strings.Replace(at("document", token, auth, ""), "/mms/", "/mms/mms/", 1), file},
		"another body": {400, at("document", token, auth, ""), file[1:]},
		"short token":  {400, at("document", short, auth, ""), file},
		"other token":  {400, "https://x/mms/document/" + token + "?auth=" + auth + "&token=x", file},
	} {
		if status, _ := do(t, client, http.MethodPost, c.url, c.body); status != c.status {
			t.Errorf("%s: %d, not %d", name, status, c.status)
		}
	}
	status, body := do(t, client, http.MethodPost, at("document", token, auth, ""), file)
	var answer struct{ URL, Handle, DirectPath string }
	if err := json.Unmarshal(bytes.Replace(body, []byte("direct_path"), []byte("directpath"), 1), &answer); status != 200 || err != nil {
		t.Fatalf("upload: %d, %v", status, err)
	}
	plain := sha256.Sum256([]byte("kuitansi"))
	f := File{DirectPath: answer.DirectPath, MediaKey: key, FileEncSHA256: sum[:], FileSHA256: plain[:]}
	if got, err := s.Get(Document, f); err != nil || string(got) != "kuitansi" {
		t.Errorf("phone got %q, %v", got, err)
	}
	if status, got := do(t, client, http.MethodGet, link(f, Document), nil); status != 200 || !bytes.Equal(got, file) {
		t.Errorf("device got %d", status)
	}
	path, _, _ := strings.Cut(f.DirectPath, "?")
	named := "&d_md=" + base64.RawURLEncoding.EncodeToString([]byte(path))
	wrong := sha256.Sum256(nil)
	for _, c := range []struct {
		status int
		url    string
	}{
		{400, at("document", token, auth, "&d_md=***")},
		{404, at("document", token, auth, "")},
		{404, at("image", token, auth, named)},
		{403, at("document", base64.URLEncoding.EncodeToString(wrong[:]), auth, named)},
		{200, at("document", token, auth, named)},
	} {
		if status, _ := do(t, client, http.MethodDelete, c.url, nil); status != c.status {
			t.Errorf("delete: %d, not %d", status, c.status)
		}
	}
	if status, _ := do(t, client, http.MethodGet, link(f, Document), nil); status != 410 {
		t.Errorf("deleted: %d", status)
	}
}

func TestFaults(t *testing.T) {
	var seen []Request
	s, client := service(t, Options{OnRequest: func(r Request) { seen = append(seen, r) }})
	f, err := s.Put(Image, []byte("foto"))
	if err != nil {
		t.Fatal(err)
	}
	s.Inject(Fault{Method: http.MethodPost, Status: 500})
	s.Inject(Fault{Status: 503, Times: 2})
	s.Inject(Fault{Status: 0})
	for _, want := range []int{503, 503, 0, 200} {
		if status, _ := do(t, client, http.MethodGet, link(f, Image), nil); status != want {
			t.Errorf("%d, not %d", status, want)
		}
	}
	if len(seen) != 4 || seen[0].Reason != "injected" || seen[3].Reason != "" {
		t.Errorf("seen %+v", seen)
	}
}

// do returns the status and body, or 0 when the answer breaks off.
func do(t *testing.T, client *http.Client, method, url string, body []byte) (int, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "https://web.whatsapp.com")
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, b
}
