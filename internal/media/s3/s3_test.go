package s3

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"pesan/internal/chat"
)

// TestRequests holds what is asked of S3: a stand-in is the rehearsal's part.
func TestRequests(t *testing.T) {
	sum := sha256.Sum256([]byte("nota"))
	m := chat.Media{Kind: "documentMessage", Type: "text/html", Name: "nota \"1\".html", SHA256: sum[:]}
	var stored http.Header
	var body string
	modified := time.Now().UTC()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
			t.Errorf("%s isn't signed", r.Method)
		}
		switch {
		case r.URL.Path != "/files/account/"+m.ID():
			w.WriteHeader(http.StatusForbidden) // as S3 answers who may not list
		case r.Method == http.MethodPut:
			b, _ := io.ReadAll(r.Body)
			body, stored = string(b), r.Header
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", "4")
			w.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
	}))
	defer server.Close()
	client := awss3.New(awss3.Options{
		Region: "ap-southeast-3", BaseEndpoint: aws.String(server.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "token"}, nil
		}),
	}, Tuned)
	s := New(client, "files")
	if err := s.PutMedia(t.Context(), "account", m, strings.NewReader("nota"), 4); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(body, "nota") || stored.Get("Content-Type") != "application/octet-stream" ||
		stored.Get("Content-Disposition") != "attachment; filename=\"nota _1_.html\"" {
		t.Errorf("stored %q as %v", body, stored)
	}
	link, err := s.MediaLink(t.Context(), "account", m, time.Now())
	if err != nil || link.Size != 4 {
		t.Fatalf("%+v, %v", link, err)
	}
	u, err := url.Parse(link.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Path != "/files/account/"+m.ID() || q.Get("X-Amz-Expires") != "900" || q.Get("response-content-type") != "application/octet-stream" ||
		!strings.HasPrefix(q.Get("response-content-disposition"), "attachment") || q.Get("X-Amz-Signature") == "" {
		t.Errorf("the link is %s", link.URL)
	}
	if _, err := s.MediaLink(t.Context(), "other", m, time.Now()); chat.CodeOf(err) != chat.MediaNotFound {
		t.Errorf("a file that isn't there: %v", err)
	}
	modified = modified.Add(-chat.MediaAge - time.Minute)
	if _, err := s.MediaLink(t.Context(), "account", m, time.Now()); chat.CodeOf(err) != chat.MediaNotFound {
		t.Errorf("a file that the lifecycle is about to delete: %v", err)
	}
}
