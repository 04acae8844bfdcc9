// Package s3 keeps the files of messages in a bucket, whose lifecycle deletes them after a day, and links to them by signed
// addresses.
//
// Who puts files may do nothing else, and who links to them may only read: so neither can list a bucket.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pesan/internal/chat"
)

// linkAge is how long a link can be used.
const linkAge = 15 * time.Minute

// Store keeps files in a bucket.
type Store struct {
	client *s3.Client
	bucket string
}

var (
	_ chat.MediaStore  = (*Store)(nil)
	_ chat.MediaLinker = (*Store)(nil)
)

// New keeps files in a bucket.
func New(client *s3.Client, bucket string) *Store { return &Store{client, bucket} }

// Tuned is for clients: a stand-in for S3 has its buckets in the path.
func Tuned(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil }

func key(account string, m chat.Media) string { return account + "/" + m.ID() }

// disposition has a browser save the file, under a name that its sender doesn't choose alone.
func disposition(m chat.Media) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": m.SafeName()})
}

// PutMedia implements chat.MediaStore.
func (s *Store) PutMedia(ctx context.Context, account string, m chat.Media, body io.ReadSeeker, size int64) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(key(account, m)), Body: body, ContentLength: &size,
		ContentType: aws.String(m.SafeType()), ContentDisposition: aws.String(disposition(m)),
	})
	if err != nil {
		return fmt.Errorf("put file: %w", err)
	}
	return nil
}

// MediaLink implements chat.MediaLinker. Without the right to list, S3 answers 403 for what isn't there.
func (s *Store) MediaLink(ctx context.Context, account string, m chat.Media, now time.Time) (chat.MediaLink, error) {
	name := aws.String(key(account, m))
	head, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: name})
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) && (answer.HTTPStatusCode() == http.StatusNotFound ||
		answer.HTTPStatusCode() == http.StatusForbidden) {
		return chat.MediaLink{}, &chat.Error{Code: chat.MediaNotFound}
	}
	if err != nil {
		return chat.MediaLink{}, fmt.Errorf("find file: %w", err)
	}
	if now.Sub(aws.ToTime(head.LastModified)) > chat.MediaAge { // the lifecycle deletes late
		return chat.MediaLink{}, &chat.Error{Code: chat.MediaNotFound}
	}
	signed, err := s3.NewPresignClient(s.client).PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: name,
		ResponseContentType: aws.String(m.SafeType()), ResponseContentDisposition: aws.String(disposition(m)),
	}, s3.WithPresignExpires(linkAge))
	if err != nil {
		return chat.MediaLink{}, fmt.Errorf("sign link: %w", err)
	}
	return chat.MediaLink{URL: signed.URL, Size: aws.ToInt64(head.ContentLength), Ends: now.Add(linkAge)}, nil
}
