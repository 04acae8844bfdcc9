package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"

	"pesan/internal/chat"
)

// What a call may bring along. Nothing of the contract comes near it.
const (
	maxBody   = 64 << 10 // bytes
	maxParams = 100      // in the body, and in the query
)

// params are a call's parameters, those of the body first.
type params []param

type param struct{ name, value string }

// get is the first value that isn't empty, without space around it: an empty parameter counts as absent.
func (p params) get(name string) string {
	for _, param := range p {
		if param.name == name {
			if v := strings.TrimSpace(param.value); v != "" {
				return v
			}
		}
	}
	return ""
}

// decode reads the parameters from the body, whose form is told by its first byte rather than by its Content-Type, and
// from the query. Unknown ones are passed over.
func decode(query string, body []byte, contentType string, known []string) (params, error) {
	p, ok := decodeBody(body, contentType)
	if !ok {
		return nil, &chat.Error{Code: chat.InvalidBody}
	}
	q, ok := decodeForm(query)
	if !ok {
		return nil, &chat.Error{Code: chat.InvalidParameter, Message: "query=UTF-8"}
	}
	for _, name := range known {
		if p.contradicts(name) || q.contradicts(name) {
			return nil, &chat.Error{Code: chat.InvalidParameter, Message: "1 × " + name}
		}
	}
	return append(p, q...), nil
}

// contradicts tells whether a parameter is given two values: nobody can tell which one is meant.
func (p params) contradicts(name string) bool {
	found := -1
	for i, param := range p {
		switch {
		case param.name != name:
		case found < 0:
			found = i
		case param.value != p[found].value:
			return true
		}
	}
	return false
}

func decodeBody(body []byte, contentType string) (params, bool) {
	mediaType, options, _ := mime.ParseMediaType(contentType)
	if mediaType == "multipart/form-data" {
		return decodeMultipart(body, options["boundary"])
	}
	if !utf8.Valid(body) {
		return nil, false
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return nil, true
	case body[0] == '{':
		return decodeJSON(body)
	case len(body) >= 2 && body[0] == '"' && body[len(body)-1] == '"':
		// A form as the vendor's page shows it, which is a JSON string too.
		var form string
		if json.Unmarshal(body, &form) != nil {
			form = string(body[1 : len(body)-1])
		}
		return decodeForm(form)
	case strings.HasSuffix(mediaType, "json"):
		return nil, false
	}
	return decodeForm(string(body))
}

// decodeForm reads a=1&b=2. Single quotes around a value are dropped, as the vendor's page shows values.
func decodeForm(form string) (params, bool) {
	var p params
	for pair := range strings.SplitSeq(form, "&") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil || !utf8.ValidString(name) || !utf8.ValidString(value) || len(p) == maxParams {
			return nil, false
		}
		value = strings.TrimSpace(value)
		if len(value) >= 2 && value[0] == '\'' && value[len(value)-1] == '\'' {
			value = value[1 : len(value)-1]
		}
		p = append(p, param{strings.TrimSpace(name), value})
	}
	return p, true
}

// decodeJSON reads an object of strings, numbers and booleans; null counts as absent.
func decodeJSON(body []byte) (params, bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil { // {
		return nil, false
	}
	var p params
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		value, err := decoder.Token()
		if err != nil || len(p) == maxParams {
			return nil, false
		}
		read := param{name: name.(string)} // the decoder lets nothing else be a name
		switch v := value.(type) {
		case string:
			read.value = v
		case json.Number:
			read.value = v.String()
		case bool:
			read.value = "false"
			if v {
				read.value = "true"
			}
		case nil:
		default:
			return nil, false
		}
		p = append(p, read)
	}
	if _, err := decoder.Token(); err != nil { // }
		return nil, false
	}
	_, err := decoder.Token()
	return p, errors.Is(err, io.EOF)
}

// decodeMultipart reads the fields of multipart/form-data; files are passed over.
func decodeMultipart(body []byte, boundary string) (params, bool) {
	if boundary == "" {
		return nil, false
	}
	var p params
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParams + 1 {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return p, true
		}
		if err != nil {
			return nil, false
		}
		value, err := io.ReadAll(part) // no longer than the body
		if err != nil {
			return nil, false
		}
		if part.FileName() != "" {
			continue
		}
		if !utf8.Valid(value) || !utf8.ValidString(part.FormName()) {
			return nil, false
		}
		p = append(p, param{part.FormName(), string(value)})
	}
	return nil, false
}
