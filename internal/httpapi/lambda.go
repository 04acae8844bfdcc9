package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"pesan/internal/chat"
)

// maxReturn is what an answer may weigh: a Lambda returns 6 MB at most, all included.
const maxReturn = 5_500_000

// Function is an endpoint as a Lambda behind an API Gateway HTTP API, for lambda.Start.
type Function struct {
	api      *API
	endpoint Endpoint
	limit    int
}

// Lambda makes a function of an endpoint.
func (a *API) Lambda(e Endpoint) *Function {
	limit := maxReturn
	if a.MaxAnswer > 0 {
		limit = min(limit, a.MaxAnswer)
	}
	return &Function{a, e, limit}
}

// event is what an endpoint needs of events.APIGatewayV2HTTPRequest, whose fields encoding/json takes 0.2 ms to look at, at
// every start.
type event struct {
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  struct {
		RequestID string `json:"requestId"`
		HTTP      struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// Invoke answers an event of payload format 2.0. It implements lambda.Handler, which spares the answer from being
// encoded by reflection.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var event event
	broken := json.Unmarshal(payload, &event)
	method := event.RequestContext.HTTP.Method
	id := event.RequestContext.RequestID
	if id == "" {
		id = f.api.requestID()
	}
	r := f.api.serve(ctx, &f.endpoint, &request{
		id:     id,
		source: event.RequestContext.HTTP.SourceIP,
		method: method,
		path:   event.RawPath,
		query:  event.RawQueryString,
		header: func(name string) string { return header(event.Headers, name) },
		body: func() ([]byte, error) {
			if broken != nil {
				return nil, &chat.Error{Code: chat.InvalidBody}
			}
			return eventBody(event, f.endpoint.Room())
		},
		compress: true,
	}, f.limit)
	defer r.free()
	if method == http.MethodHead || bodiless(r.status) {
		r.body, r.zipped = nil, false
	}
	return encodeEvent(r), nil
}

// header finds a header; API Gateway writes their names in lower case, others as they came.
func header(headers map[string]string, name string) string {
	if v, ok := headers[strings.ToLower(name)]; ok {
		return v
	}
	for have, v := range headers {
		if strings.EqualFold(have, name) {
			return v
		}
	}
	return ""
}

// eventBody is the body of an event. API Gateway hands forms over in base64, some stand-ins plain.
func eventBody(event event, room int) ([]byte, error) {
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		if base64.StdEncoding.DecodedLen(len(body)) > room+2 {
			return nil, &chat.Error{Code: chat.BodyTooLarge}
		}
		n, err := base64.StdEncoding.Decode(body, body)
		if err != nil {
			return nil, &chat.Error{Code: chat.InvalidBody}
		}
		body = body[:n]
	}
	if len(body) > room {
		return nil, &chat.Error{Code: chat.BodyTooLarge}
	}
	return body, nil
}

// encodeEvent writes what API Gateway makes the HTTP response of.
func encodeEvent(r *response) []byte {
	size := weight(r.body)
	if r.zipped {
		size = base64.StdEncoding.EncodedLen(len(r.body))
	}
	b := make([]byte, 0, size+1024)
	b = append(b, `{"statusCode":`...)
	b = strconv.AppendInt(b, int64(r.status), 10)
	b = append(b, `,"headers":{`...)
	for i, f := range r.header {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, []byte(f.name))
		b = append(b, ':')
		b = appendString(b, []byte(f.value))
	}
	b = append(b, `},"isBase64Encoded":`...)
	b = strconv.AppendBool(b, r.zipped)
	b = append(b, `,"body":`...)
	if r.zipped {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, r.body)
		b = append(b, '"')
	} else {
		b = appendString(b, r.body)
	}
	return append(b, '}')
}

// appendString writes valid UTF-8 as a JSON string.
func appendString(b, s []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		} else {
			b = append(b, '\\', c)
		}
		start = i + 1
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
