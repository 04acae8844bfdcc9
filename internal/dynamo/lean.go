package dynamo

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// scanRecords gives sort key and record of each item of a query, page after page.
//
// The SDK makes maps of maps of an answer, which takes most of the time of a call that lists a thousand chats. Here an
// answer is read in one pass; one that isn't of the expected form is left to the SDK.
func (t table) scanRecords(ctx context.Context, q query, each func(sort string, data []byte) error) error {
	q.projection = attrSort + ", " + attrData
	in := t.input(q)
	for {
		var lean lean
		out, err := t.db.Query(ctx, in, func(o *dynamodb.Options) { o.APIOptions = append(slices.Clip(o.APIOptions), lean.attach) })
		if err != nil {
			return err
		}
		for _, it := range out.Items {
			lean.records = append(lean.records, leanRecord{textOf(it, attrSort), binaryOf(it, attrData)})
		}
		for _, r := range lean.records {
			if err := each(r.sort, r.data); err != nil {
				return err
			}
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

type leanRecord struct {
	sort string
	data []byte
}

// lean takes the items out of the answer to a query before the SDK reads the rest of it.
type lean struct{ records []leanRecord }

func (l *lean) attach(s *middleware.Stack) error {
	return s.Deserialize.Insert(l, "OperationDeserializer", middleware.After) // so that it reads what that would
}

// ID implements middleware.DeserializeMiddleware.
func (l *lean) ID() string { return "lean" }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (l *lean) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	l.records = nil // of a try before
	out, metadata, err := next.HandleDeserialize(ctx, in)
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || resp.StatusCode != http.StatusOK {
		return out, metadata, err
	}
	buffer := bytes.NewBuffer(make([]byte, 0, max(resp.ContentLength, 0)+bytes.MinRead))
	if _, err := buffer.ReadFrom(resp.Body); err != nil {
		return out, metadata, &smithy.DeserializationError{Err: err}
	}
	body := buffer.Bytes()
	if records, rest, ok := cutItems(body); ok {
		l.records, body = records, rest
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(body), resp.Body}
	return out, metadata, nil
}

var itemsStart = []byte(`"Items":[`)

// cutItems reads the items of an answer, which have attrSort and attrData and nothing else, and returns the answer
// without them. It fails on any other form, escapes, spaces and broken UTF-8 included.
func cutItems(body []byte) (records []leanRecord, rest []byte, ok bool) {
	start := bytes.Index(body, itemsStart)
	if start < 1 || body[start-1] == '\\' {
		return nil, nil, false
	}
	rest = append(body[:start:start], `"Items":[]`...)
	if !json.Valid(append(rest, '}')) { // they lie deeper
		return nil, nil, false
	}
	s := scanner{rest: body[start+len(itemsStart):]}
	s.arena = make([]byte, 0, base64.StdEncoding.DecodedLen(len(s.rest)))
	for !s.take(`]`) {
		if len(records) > 0 && !s.take(`,`) {
			return nil, nil, false
		}
		r, ok := s.record()
		if !ok {
			return nil, nil, false
		}
		records = append(records, r)
	}
	return records, append(rest, s.rest...), true
}

type scanner struct {
	rest  []byte
	arena []byte // holds all data, so that it is allocated once
}

func (s *scanner) take(token string) bool {
	if len(s.rest) < len(token) || string(s.rest[:len(token)]) != token {
		return false
	}
	s.rest = s.rest[len(token):]
	return true
}

// plain reads up to a quotation mark.
func (s *scanner) plain() ([]byte, bool) {
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 || bytes.IndexByte(s.rest[:end], '\\') >= 0 {
		return nil, false
	}
	value := s.rest[:end]
	s.rest = s.rest[end+1:]
	return value, true
}

// record reads {"sk":{"S":"…"},"d":{"B":"…"}}, in either order.
func (s *scanner) record() (r leanRecord, ok bool) {
	for i, separator := range []string{`{`, `,`} {
		if !s.take(separator) {
			return r, false
		}
		switch {
		case s.take(`"` + attrSort + `":{"S":"`):
			sort, ok := s.plain()
			if !ok || !utf8.Valid(sort) {
				return r, false
			}
			r.sort = string(sort)
		case s.take(`"` + attrData + `":{"B":"`):
			data, ok := s.plain()
			if !ok {
				return r, false
			}
			before := len(s.arena)
			var err error
			if s.arena, err = base64.StdEncoding.AppendDecode(s.arena, data); err != nil {
				return r, false
			}
			r.data = s.arena[before:len(s.arena):len(s.arena)]
		default:
			return r, false
		}
		if !s.take(`}`) || i == 1 && !s.take(`}`) {
			return r, false
		}
	}
	return r, r.sort != "" && r.data != nil
}
