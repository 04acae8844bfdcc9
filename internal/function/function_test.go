package function

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

const account = "01KXQZ5T9W4Y8N2M6P3R7V1B0C"

// replicas answers DynamoDB's GetItem with an account: as it is to consistent reads, as it was to others; "" for none.
type replicas struct {
	now, before string
	reads       []bool // whether each read was consistent
}

func (r *replicas) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var read struct{ ConsistentRead bool }
	operation := request.Header.Get("X-Amz-Target")
	if err := json.NewDecoder(request.Body).Decode(&read); err != nil || !strings.HasSuffix(operation, ".GetItem") {
		http.Error(w, operation, http.StatusBadRequest)
		return
	}
	r.reads = append(r.reads, read.ConsistentRead)
	data := r.before
	if read.ConsistentRead {
		data = r.now
	}
	answer := []byte("{}")
	if data != "" {
		answer = fmt.Appendf(nil, `{"Item":{"pk":{"S":"account/%s"},"sk":{"S":"account"},"v":{"B":"AAAAAAAAAAA="},"d":{"B":%q}}}`,
			account, base64.StdEncoding.EncodeToString([]byte(data)))
	}
	w.Header().Set("X-Amz-Crc32", strconv.Itoa(int(crc32.ChecksumIEEE(answer))))
	w.Write(answer)
}

// keyed makes an account with a key.
func keyed(t *testing.T) (key, data string) {
	t.Helper()
	key, hash, err := chat.NewKey(account, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(chat.Account{ID: account, KeyHash: hash, CreatedAt: time.Now(), State: chat.Connected})
	if err != nil {
		t.Fatal(err)
	}
	return key, string(b)
}

// TestNewKey calls with keys while DynamoDB's replicas still show the account from before: a key that opens now always
// does, and no call costs more than one read more.
func TestNewKey(t *testing.T) {
	t.Parallel()
	key, data := keyed(t)
	oldKey, oldData := keyed(t)
	for _, test := range []struct {
		name, key, now, before string
		status, reads          int
	}{
		{"a key in use", key, data, data, 200, 1},
		{"a new key of an old device", key, data, oldData, 200, 2},
		{"a key of a new device", key, data, "", 200, 2},
		{"an old key, everywhere replaced", oldKey, data, data, 401, 2},
		{"an old key, for a moment", oldKey, data, oldData, 200, 1},
		{"a key of no device", key, "", "", 401, 2},
		{"no key", "pk_", data, data, 401, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := &replicas{now: test.now, before: test.before}
			server := httptest.NewServer(db)
			defer server.Close()
			status, answer := call(t, server.URL, test.key)
			if status != test.status || len(db.reads) != test.reads {
				t.Errorf("answered %d after the reads %v, want %d after %d: %s", status, db.reads, test.status, test.reads, answer)
			}
			for i, consistent := range db.reads {
				if consistent != (i > 0) {
					t.Errorf("consistent reads: %v", db.reads)
				}
			}
		})
	}
}

// call calls getState as API Gateway does.
func call(t *testing.T, url, key string) (status int, answer []byte) {
	t.Helper()
	variables := map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": url,
		"ACCOUNTS_TABLE": "Accounts", "REPORTS_TABLE": "Reports", // the calls are no changes and have no reports
	}
	lookup := func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	handler, err := wire(lookup, slog.New(slog.DiscardHandler), httpapi.GetState)
	if err != nil {
		t.Fatal(err)
	}
	event := fmt.Appendf(nil, `{"rawQueryString":"apiKey=%s","requestContext":{"http":{"method":"GET"}}}`, key)
	answer, err = handler.Invoke(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	var response struct{ StatusCode int }
	if err := json.NewDecoder(bytes.NewReader(answer)).Decode(&response); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// TestWrongEnvironment: one error names everything that is wrong.
func TestWrongEnvironment(t *testing.T) {
	t.Parallel()
	lookup := func(name string) (string, bool) { return map[string]string{"RATE_LIMIT": "many"}[name], true }
	_, err := wire(lookup, slog.New(slog.DiscardHandler), httpapi.GetChats)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "RATE_LIMIT", "CHATS_TABLE"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s isn't named: %v", name, err)
		}
	}
}
