package awsfault

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// through makes a call through a proxy that has one fault, always. It tells what the server got.
func through(t *testing.T, f Fault, operation, body, answer string) (status int, got, reply string, err error) {
	t.Helper()
	var arrived atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		arrived.Store(string(b))
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	p, err := New(server.URL, 1, map[Fault]float64{f: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	proxy := httptest.NewServer(p)
	defer proxy.Close()
	patience := time.Minute
	if f == Hung {
		patience = time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, proxy.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	resp, err := http.DefaultClient.Do(req)
	got, _ = arrived.Load().(string)
	if f != "" && p.Counts()[f] != 1 {
		t.Errorf("%s happened %d times", f, p.Counts()[f])
	}
	if err != nil {
		return 0, got, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, got, string(b), err
}

func TestFaults(t *testing.T) {
	for f, want := range map[Fault]struct {
		status int // 0: no answer
		done   bool
	}{
		"":         {200, true},
		Throttled:  {400, false},
		Failed:     {500, false},
		Refused:    {0, false},
		DoneFailed: {500, true},
		Lost:       {0, true},
		Hung:       {0, false},
		Partial:    {200, true}, // nothing to divide
	} {
		t.Run(string(f), func(t *testing.T) {
			operation, body := "PutItem", `{}`
			if f == Partial {
				operation, body = "BatchWriteItem", `{"RequestItems":{"t":[1,2,3,4,5,6,7,8]}}`
			}
			status, got, _, err := through(t, f, operation, body, `{}`)
			if status != want.status || (err != nil) != (want.status == 0) || (got != "") != want.done {
				t.Errorf("status %d, error %v, the server got %q", status, err, got)
			}
		})
	}
}

// TestPartial checks that each piece of a batch is either done or reported as undone.
func TestPartial(t *testing.T) {
	for _, one := range []struct{ operation, body, field, answer string }{
		{"BatchWriteItem", `{"RequestItems":{"t":[1,2,3,4,5,6,7],"u":[8]}}`, "UnprocessedItems", `{"UnprocessedItems":{}}`},
		{"BatchGetItem", `{"RequestItems":{"t":{"ConsistentRead":true,"Keys":[1,2,3,4,5,6,7]},"u":{"Keys":[8]}}}`, "UnprocessedKeys", `{"Responses":{}}`},
		{"BatchGetItem", `{"RequestItems":{"t":{"Keys":[1,2,3,4,5,6]},"u":{"Keys":[8]}}}`, "UnprocessedKeys", `{"UnprocessedKeys":{"t":{"Keys":[7]}}}`},
	} {
		_, got, reply, err := through(t, Partial, one.operation, one.body, one.answer)
		if err != nil {
			t.Fatal(err)
		}
		done, undone := pieces(t, got, "RequestItems"), pieces(t, reply, one.field)
		if len(done) == 0 || len(undone) == 0 || len(done)+len(undone) != 8 {
			t.Errorf("of %s the server got %s, the answer is %s", one.body, got, reply)
		}
	}
}

func pieces(t *testing.T, text, field string) (all []any) {
	t.Helper()
	var fields map[string]map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	for _, table := range fields[field] {
		if reads, ok := table.(map[string]any); ok {
			table = reads["Keys"]
		}
		all = append(all, table.([]any)...)
	}
	return all
}

func TestSpare(t *testing.T) {
	p, err := New("http://127.0.0.1", 1, map[Fault]float64{Lost: 1}, func(operation string, f Fault) bool { return operation == "Receive" && f == Lost })
	if err != nil {
		t.Fatal(err)
	}
	if f := p.draw("Receive"); f != "" {
		t.Errorf("a spared operation got %s", f)
	}
	if f := p.draw("Send"); f != Lost {
		t.Errorf("another got %q", f)
	}
}
