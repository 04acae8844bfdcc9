package dynamodb

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"pesan/internal/kv"
)

// page asks for a page of a query.
//
// The SDK makes maps of maps of an answer, which takes most of the time of a call that lists a thousand chats. Here its items are
// read in one pass, in a third of the time that gjson takes; what isn't of the expected form is left to the SDK.
func (s *Store) page(ctx context.Context, q kv.Query, in *dynamodb.QueryInput) (items []kv.Item, last attributes, err error) {
	p := page{collection: q.Collection, partition: q.Partition}
	out, err := s.db.Query(ctx, in, func(o *dynamodb.Options) { o.APIOptions = append(slices.Clip(o.APIOptions), p.attach) })
	if err != nil {
		return nil, nil, err
	}
	for _, a := range out.Items {
		it := itemOf(q.Collection, a)
		it.Partition = q.Partition
		p.items = append(p.items, it)
	}
	return p.items, out.LastEvaluatedKey, nil
}

// page takes the items out of the answer to a query before the SDK reads the rest of it.
type page struct {
	collection kv.Collection
	partition  string
	items      []kv.Item
}

func (p *page) attach(s *middleware.Stack) error {
	return s.Deserialize.Insert(p, "OperationDeserializer", middleware.After) // so that it reads what that would
}

// ID implements middleware.DeserializeMiddleware.
func (p *page) ID() string { return "page" }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (p *page) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	p.items = nil // of a try before
	out, metadata, err := next.HandleDeserialize(ctx, in)
	resp, ok := out.RawResponse.(*smithyhttp.Response)
	if err != nil || !ok || resp.StatusCode != http.StatusOK {
		return out, metadata, err
	}
	buffer := bytes.NewBuffer(make([]byte, 0, max(resp.ContentLength, 0)+bytes.MinRead))
	if _, err := buffer.ReadFrom(resp.Body); err != nil {
		return out, metadata, &smithy.DeserializationError{Err: err}
	}
	body, ok := p.cut(buffer.Bytes())
	if !ok {
		p.items, body = nil, buffer.Bytes()
	}
	resp.Body = struct {
		io.Reader
		io.Closer // compares the checksum
	}{bytes.NewReader(body), resp.Body}
	return out, metadata, nil
}

var itemsStart = []byte(`"Items":[`)

// cut reads the items of an answer and returns the answer without them. It fails on spaces and what else isn't expected.
func (p *page) cut(body []byte) (rest []byte, ok bool) {
	start := bytes.Index(body, itemsStart)
	if start < 1 || body[start-1] == '\\' {
		return nil, false
	}
	rest = append(body[:start:start], `"Items":[]`...)
	if !json.Valid(append(rest, '}')) { // they lie deeper
		return nil, false
	}
	s := scanner{rest: body[start+len(itemsStart):], names: map[string]string{}}
	s.arena = make([]byte, 0, base64.StdEncoding.DecodedLen(len(s.rest)))
	for !s.take(`]`) {
		it := kv.Item{Key: kv.Key{Collection: p.collection, Partition: p.partition}}
		if len(p.items) > 0 && !s.take(`,`) || !s.item(&it) {
			return nil, false
		}
		p.items = append(p.items, it)
	}
	return append(rest, s.rest...), true
}

type scanner struct {
	rest  []byte
	arena []byte            // holds all data, so that it is allocated once
	names map[string]string // of attributes, likewise
}

func (s *scanner) take(token string) bool {
	if !bytes.HasPrefix(s.rest, []byte(token)) {
		return false
	}
	s.rest = s.rest[len(token):]
	return true
}

// text reads a string that has begun, up to behind its quotation mark.
func (s *scanner) text() (value []byte, ok bool) {
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		return nil, false
	}
	if bytes.IndexByte(s.rest[:end], '\\') >= 0 {
		return s.escaped()
	}
	value, s.rest = s.rest[:end], s.rest[end+1:]
	return value, true
}

func (s *scanner) escaped() ([]byte, bool) {
	d := json.NewDecoder(io.MultiReader(strings.NewReader(`"`), bytes.NewReader(s.rest)))
	var value string
	if d.Decode(&value) != nil {
		return nil, false
	}
	s.rest = s.rest[d.InputOffset()-1:]
	return []byte(value), true
}

// item reads {"name":{"S":"…"},…}, where S may be N or B.
func (s *scanner) item(it *kv.Item) bool {
	for separator := `{"`; s.take(separator); separator = `,"` {
		b, ok := s.text()
		if !ok || !s.take(`:{"`) || len(s.rest) == 0 {
			return false
		}
		name, known := s.names[string(b)]
		if !known {
			name = string(b)
			s.names[name] = name
		}
		kind := s.rest[0]
		s.rest = s.rest[1:]
		if !s.take(`":"`) || !s.value(it, name, kind) || !s.take(`}`) {
			return false
		}
	}
	return s.take(`}`)
}

func (s *scanner) value(it *kv.Item, name string, kind byte) bool {
	value, ok := s.text()
	if !ok {
		return false
	}
	var err error
	switch kind {
	case 'S':
		if name != attrPartition { // it is known
			setText(it, name, string(value))
		}
	case 'N':
		var n int64
		n, err = strconv.ParseInt(string(value), 10, 64)
		setNumber(it, name, n)
	case 'B':
		before := len(s.arena)
		s.arena, err = base64.StdEncoding.AppendDecode(s.arena, value)
		setBinary(it, name, s.arena[before:len(s.arena):len(s.arena)])
	default:
		return false
	}
	return err == nil
}
