// Package media wires the links to files, for the function that gives them out.
package media

import (
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"pesan/internal/function"
	"pesan/internal/media/s3"
)

// Wire links to the files in the bucket that MEDIA_BUCKET names.
func Wire(w *function.Wiring) {
	if bucket := w.Required("MEDIA_BUCKET", "the name of the bucket with the files of messages"); bucket != "" {
		w.Deps.Media = s3.New(awss3.NewFromConfig(w.AWS, s3.Tuned), bucket)
	}
}
