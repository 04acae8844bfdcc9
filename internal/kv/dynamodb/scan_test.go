package dynamodb

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"pesan/internal/kv"
)

// captured keeps the last answer that a client got.
type captured struct {
	dynamodb.HTTPClient
	body []byte
}

func (c *captured) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.HTTPClient.Do(r)
	if err == nil {
		c.body, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(c.body))
	}
	return resp, err
}

// TestScan checks that DynamoDB's answers have the form that is read in one pass, and that the SDK, which compares their
// checksum, has nothing to complain of.
func TestScan(t *testing.T) {
	t.Parallel()
	var c captured
	s := newStore(t, func(o *dynamodb.Options) {
		c.HTTPClient = o.HTTPClient
		o.HTTPClient = &c
		o.Logger = logging.LoggerFunc(func(_ logging.Classification, format string, v ...any) { t.Errorf(format, v...) })
	})
	sorts := []string{"a", "\"", `\`, `\"`, "\x00\n", `"Items":[`, "é\u2028<", "\U0010FFFF"}
	for _, sort := range sorts {
		it := kv.Item{Key: at(sort), Data: []byte(sort), Fields: map[string]int64{"n": -5}, Token: 3, Expires: 1 << 40}
		if err := s.Write(t.Context(), kv.Each(kv.Put(it, kv.Always()))); err != nil {
			t.Fatal(err)
		}
	}
	for _, keysOnly := range []bool{false, true} {
		items := all(t, s, kv.Query{Collection: kv.Chats, Partition: "p", KeysOnly: keysOnly})
		var p page
		if _, ok := p.cut(c.body); !ok || len(p.items) != len(sorts) || len(items) != len(sorts) {
			t.Errorf("%d items, %d in one pass of %s", len(items), len(p.items), c.body)
		}
	}
}

// TestScanRefuses: what has another form, or is broken, is left to the SDK, and the items with it.
func TestScanRefuses(t *testing.T) {
	for _, body := range []string{
		``, `{}`, `{"Items":[`, `{"Items":[{`, `{"Items": []}`, `{"Items":[ ]}`, `{"Items":[null]}`,
		`{"Items":[{"sk":{"S":"a"}} ]}`, `{"Items":[{"sk":{"S":"a"}},]}`, `{"Items":[{"sk":{"S":"a"},}]}`,
		`{"Items":[{"sk":{"S":"a"`, `{"Items":[{"sk":{"S":"a\`, `{"Items":[{"sk":{"S":"a\x"}}]}`,
		`{"Items":[{"n":{"N":"1.5"}}]}`, `{"Items":[{"d":{"B":"?"}}]}`, `{"Items":[{"d":{"M":{}}}]}`, `{"Items":[{"d":{"NULL":true}}]}`,
		`{"Items":[{"d":{}}]}`, `{"Items":[{"sk":{"S":"a"}"d":{"B":""}}]}`, `{"Items":[{"SS":{"SS":["a"]}}]}`,
		`{"Other":{"Items":[]}}`, `{"Other":"\"Items":[]}`,
	} {
		var p page
		if rest, ok := p.cut([]byte(body)); ok {
			t.Errorf("%s was read, the rest is %s", body, rest)
		}
	}
	var p page
	rest, ok := p.cut([]byte(`{"Count":1,"Items":[{"sk":{"S":"a\u00e9\""}}],"LastEvaluatedKey":{"sk":{"S":"a"}}}`))
	if !ok || string(rest) != `{"Count":1,"Items":[],"LastEvaluatedKey":{"sk":{"S":"a"}}}` || p.items[0].Sort != "aé\"" {
		t.Errorf("read %+v, the rest is %s, %v", p.items, rest, ok)
	}
}

func BenchmarkScan(b *testing.B) {
	var body bytes.Buffer
	body.WriteString(`{"Count":1000,"Items":[`)
	for i := range 1000 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"activity":{"N":"17800%05d"},"unread":{"N":"3"},"sk":{"S":"c/62812%05d@s.whatsapp.net"},`, i, i)
		data := base64.StdEncoding.EncodeToString(make([]byte, 430))
		fmt.Fprintf(&body, `"pk":{"S":"01KXQZ5T9W4Y8N2M6P3R7V1B0C"},"d":{"B":"%s"},"v":{"B":"AAAAAAAAAAA="}}`, data)
	}
	body.WriteString(`],"ScannedCount":1000}`)
	for b.Loop() {
		var p page
		p.cut(body.Bytes())
		if len(p.items) != 1000 {
			b.Fatal()
		}
	}
}
