package keystore_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// wire stands between the store and DynamoDB.
type wire struct {
	mu   sync.Mutex
	each func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)
}

// attach is an option of the client.
func (w *wire) attach(o *dynamodb.Options) { o.HTTPClient = w }

func (w *wire) set(each func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.each = each
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	each := w.each
	w.mu.Unlock()
	send := func() (*http.Response, error) { return http.DefaultClient.Do(r) }
	if each == nil {
		return send()
	}
	return each(r, send)
}

// operation is the API's name of a request.
func operation(r *http.Request) string {
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return name
}

func isWrite(r *http.Request) bool {
	switch operation(r) {
	case "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem":
		return true
	}
	return false
}

// refused is an answer of DynamoDB.
func refused(r *http.Request, status int, exception string) *http.Response {
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#` + exception + `","message":"refused"}`
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

var errLost = errors.New("the connection broke")

// shaky makes every fourth request fail in one of the ways in which DynamoDB does.
func shaky(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
	switch rand.IntN(16) {
	case 0:
		return refused(r, http.StatusBadRequest, "ProvisionedThroughputExceededException"), nil
	case 1:
		return refused(r, http.StatusInternalServerError, "InternalServerError"), nil
	case 2:
		return nil, errLost
	case 3: // it was done, but nobody hears of it
		if resp, err := send(); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		return nil, errLost
	default:
		return send()
	}
}

// replay is a request that can be sent again.
type replay struct {
	header http.Header
	url    string
	body   []byte
}

func record(r *http.Request) (replay, error) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return replay{r.Header.Clone(), r.URL.String(), body}, err
}

// send returns the answer's status and body.
func (p replay) send() (int, string, error) {
	r, err := http.NewRequest(http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil {
		return 0, "", err
	}
	r.Header = p.header
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}
