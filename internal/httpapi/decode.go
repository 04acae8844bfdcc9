package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strconv"
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

type param struct {
	name, value string
	whole       string // of a JSON number that is whole: its digits, however it is written
	nested      bool   // value is an array or object of JSON, which few parameters take
}

// get is the first value that isn't empty, without space around it: an empty parameter counts as absent.
func (p params) get(name string) string {
	v, _ := p.find(name)
	return v
}

// number is as get, but for a number of JSON its digits: 50.0 and 5e1 are 50.
func (p params) number(name string) string {
	v, i := p.find(name)
	if i >= 0 && p[i].whole != "" {
		return p[i].whole
	}
	return v
}

// object is the JSON of a parameter that is an object, in a body of JSON or as a text.
func (p params) object(name string) string {
	for _, param := range p {
		if param.name == name && param.nested {
			return param.value
		}
	}
	return p.get(name)
}

func (p params) find(name string) (value string, i int) {
	for i, param := range p {
		if param.name == name && !param.nested {
			if v := strings.TrimSpace(param.value); v != "" {
				return v, i
			}
		}
	}
	return "", -1
}

// objects are the parameters that may be objects or lists of JSON.
var objects = []string{"credential", "operations", "except", "events"}

// decode reads the parameters from the body, whose form is told by how it begins rather than by its Content-Type, and from
// the query. Unknown ones are passed over. With an error it returns what could be read.
func decode(query string, body []byte, contentType string, known []string) (params, error) {
	p, bodyOK := decodeBody(body, contentType)
	q, queryOK := decodeForm(query)
	all := append(p, q...)
	switch {
	case !bodyOK:
		return all, &chat.Error{Code: chat.InvalidBody}
	case !queryOK:
		return all, &refusal{chat.InvalidParameter,
			"Query string harus UTF-8 dengan escape % yang benar dan paling banyak 100 parameter.",
			"The query string must be UTF-8 with correct % escapes and at most 100 parameters."}
	}
	for _, name := range known {
		switch {
		case p.contradicts(name), q.contradicts(name):
			return all, &refusal{chat.InvalidParameter,
				"Parameter " + name + " dikirim dua kali dengan nilai yang berbeda: kirim satu kali.",
				"The parameter " + name + " is given twice with different values: give it once."}
		case !slices.Contains(objects, name) && slices.ContainsFunc(all, func(p param) bool { return p.name == name && p.nested }):
			return all, &refusal{chat.InvalidParameter,
				"Parameter " + name + " harus berupa teks, angka, true atau false, bukan daftar atau objek.",
				"The parameter " + name + " must be a text, a number, true or false, not a list or an object."}
		}
	}
	return all, nil
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
		if boundary := boundaryOf(body, options["boundary"]); boundary != "" {
			return decodeMultipart(body, boundary)
		}
	}
	if !utf8.Valid(body) {
		p, _ := decodeForm(string(body))
		return p, false
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	var form string
	switch {
	case len(body) == 0:
		return nil, true
	case body[0] == '{':
		return decodeJSON(body)
	case strings.HasSuffix(mediaType, "json") && !bytes.Contains(body, []byte{'='}):
		return nil, false // neither an object nor a form
	case body[0] == '"' && json.Unmarshal(body, &form) == nil:
		return decodeForm(form)
	case enclosed(body):
		return decodeForm(string(body[1 : len(body)-1]))
	case strings.HasSuffix(mediaType, "json"):
		return nil, false
	}
	return decodeForm(string(body))
}

// enclosed tells whether a form stands in quotes as a whole, as the vendor's page shows it, and not only its first name and
// its last value.
func enclosed(body []byte) bool {
	quote, last := body[0], len(body)-1
	if quote != '"' && quote != '\'' || last == 0 || body[last] != quote {
		return false
	}
	name, _, _ := bytes.Cut(body, []byte{'='})
	name = bytes.TrimSpace(name)
	return len(name) < 2 || name[len(name)-1] != quote || name[1] == quote
}

// decodeForm reads a=1&b=2, with names and values in quotes or not.
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
			return p, false
		}
		p = append(p, param{name: unquote(name), value: unquote(value)})
	}
	return p, true
}

// unquote drops the quotes that renderings of the vendor's samples have: single or double, escaped or not, one in another.
func unquote(s string) string {
	for {
		s = strings.TrimSpace(s)
		escapes := len(s) - len(strings.TrimLeft(s, `\`))
		if escapes == len(s) || s[escapes] != '"' && s[escapes] != '\'' {
			return s
		}
		quote := s[:escapes+1]
		if len(s) < 2*len(quote) || !strings.HasSuffix(s, quote) {
			return s
		}
		s = s[len(quote) : len(s)-len(quote)]
	}
}

// decodeJSON reads an object. A number or a boolean is its text, null counts as absent.
func decodeJSON(body []byte) (params, bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if _, err := decoder.Token(); err != nil { // {
		return nil, false
	}
	var p params
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil || len(p) == maxParams {
			return p, false
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return p, false
		}
		p = append(p, jsonParam(name.(string), value)) // the decoder lets nothing else be a name
	}
	if _, err := decoder.Token(); err != nil { // }
		return p, false
	}
	_, err := decoder.Token()
	return p, errors.Is(err, io.EOF)
}

// jsonParam reads a valid value.
func jsonParam(name string, value json.RawMessage) param {
	p := param{name: name}
	switch value[0] {
	case '"':
		_ = json.Unmarshal(value, &p.value)
	case '{', '[':
		p.nested, p.value = true, string(value)
	case 'n':
	case 't', 'f':
		p.value = string(value)
	default:
		p.value = string(value)
		if f, err := strconv.ParseFloat(p.value, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			p.whole = strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return p
}

// boundaryOf finds what divides a multipart body: as its header says or, as some clients write a wrong header, as it begins.
// It returns "" for a body that isn't multipart.
func boundaryOf(body []byte, said string) string {
	if said != "" && bytes.Contains(body, []byte("--"+said)) {
		return said
	}
	line, _, _ := bytes.Cut(body, []byte("\n"))
	boundary, ok := strings.CutPrefix(strings.TrimRight(string(line), "\r "), "--")
	if !ok || len(boundary) > 70 {
		return ""
	}
	return boundary
}

// cleanHeaders replaces control characters in the headers of parts, where browsers put the names of fields as they are: MIME has
// no place for them, and an unknown name is passed over.
func cleanHeaders(body []byte, boundary string) []byte {
	clean := bytes.Clone(body)
	header := false
	for line := range bytes.Lines(clean) { // parts of clean
		switch {
		case bytes.HasPrefix(line, []byte("--"+boundary)):
			header = true
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			header = false
		case header:
			for i, c := range bytes.TrimRight(line, "\r\n") {
				if c < ' ' && c != '\t' || c == 0x7f {
					line[i] = '_'
				}
			}
		}
	}
	return clean
}

// decodeMultipart reads the fields of multipart/form-data; files are passed over.
func decodeMultipart(body []byte, boundary string) (params, bool) {
	var p params
	reader := multipart.NewReader(bytes.NewReader(cleanHeaders(body, boundary)), boundary)
	for range maxParams + 1 {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return p, true
		}
		if err != nil {
			return p, false
		}
		value, err := io.ReadAll(part) // no longer than the body
		if err != nil {
			return p, false
		}
		if part.FileName() != "" {
			continue
		}
		if !utf8.Valid(value) || !utf8.ValidString(part.FormName()) {
			return p, false
		}
		p = append(p, param{name: part.FormName(), value: string(value)})
	}
	return p, false
}
