package mcp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// apiError is an answer of the API's that isn't a success.
type apiError struct {
	status  int
	code    string // such as CHAT_NOT_FOUND
	message string
	retry   string // seconds, from Retry-After
}

// Error says what went wrong, and what to do.
func (e *apiError) Error() string {
	text := names.Replace(clean(e.message))
	if advice := advices[e.code]; advice != "" {
		text += " " + advice
	}
	if e.retry != "" {
		text += " Wait " + clean(e.retry) + " s before you try again."
	}
	return text
}

// names are those that the tools have for what the API names otherwise.
var names = strings.NewReplacer(
	"arameter phone ", "arameter chat ", "arameter second ", "arameter seconds ", "arameter receipts ", "arameter noReceipts ",
	"getChats", "list_chats", "createBatch", "start_batch", "fetchMessageById", "read_conversation",
)

// advices say what an assistant, or whom it works for, can do about a code.
var advices = map[string]string{
	"MISSING_API_KEY":      "Tell the person to set the API key of the account: PESAN_API_KEY of pesan mcp, or the header Authorization.",
	"INVALID_API_KEY":      "Tell the person to set an API key that is valid: PESAN_API_KEY of pesan mcp, or the header Authorization.",
	"INSUFFICIENT_SCOPE":   "Tell the person that this key may only read; who owns the account makes others with addKey.",
	"CHAT_NOT_FOUND":       "Look it up with list_chats, and give its field chat.",
	"INVALID_PHONE":        "Take the field chat of list_chats.",
	"INVALID_CURSOR":       "Begin again without cursor.",
	"INVALID_SINCE":        "Call whats_new without since to get a new one.",
	"SINCE_TOO_OLD":        "Read what is there now with list_chats.",
	"DEVICE_NOT_CONNECTED": "Reading goes on, of what was known before. Tell the person to open Pesan's page, which says why and links the phone again.",
	"BATCH_NOT_FOUND":      "Call get_batch without batchId for the newest one.",
	"PIN_LIMIT":            "Ask the person which chat to unpin.",
	"QUOTA_EXCEEDED":       "Tell the person; who runs the server can raise it.",
	"WHATSAPP_LIMITED":     "Don't repeat it at once.",
	"UNAVAILABLE":          "Nothing is known of whether it was done: look before you repeat it.",
	"INTERNAL":             "Tell the person; the server's log says more.",
}

// most is how many bytes an answer of the API may have.
const most = 16 << 20

// call calls an endpoint with the caller's key and decodes its answer. What is called under a name once is done once.
func (s *Server) call(ctx context.Context, endpoint string, params url.Values, once string, into any) (status int, err error) {
	who := callerOf(ctx)
	who.asked.Store(true)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, who.base+"/api/"+endpoint, strings.NewReader(params.Encode()))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+who.key)
	r.Header.Set("Accept-Language", who.language)
	if once != "" {
		r.Header.Set("Idempotency-Key", once)
	}
	response, err := s.API.RoundTrip(r)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		s.Logger.Warn("the API can't be reached", "endpoint", endpoint, "error", err)
		return 0, &apiError{code: "UNAVAILABLE", message: "Pesan can't be reached at " + who.base + "."}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err != nil || len(body) > most {
		return 0, &apiError{code: "UNAVAILABLE", message: "Pesan's answer broke off."}
	}
	if response.StatusCode >= 400 {
		e := &apiError{status: response.StatusCode, retry: response.Header.Get("Retry-After")}
		var told struct{ Error, Message string }
		_ = json.Unmarshal(body, &told) // of another server it is empty
		e.code, e.message = told.Error, cmp.Or(told.Message, fmt.Sprintf("%s answers %s.", who.base, response.Status))
		if e.status == http.StatusUnauthorized {
			who.refused.Store(e)
		}
		return e.status, e
	}
	if err := json.Unmarshal(body, into); err != nil {
		return 0, &apiError{message: who.base + " doesn't answer as Pesan does: set PESAN_URL to its address."}
	}
	return response.StatusCode, nil
}

// InProcess carries calls to a handler in the same process.
type InProcess struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (t InProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	var a answer
	t.ServeHTTP(&a, r)
	return &http.Response{
		StatusCode: a.code(), Status: fmt.Sprint(a.code(), " ", http.StatusText(a.code())), Header: a.Header(),
		Body: io.NopCloser(&a.body), Request: r,
	}, nil
}

// answer keeps what a handler answers.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

func (a *answer) WriteHeader(status int) { a.status = cmp.Or(a.status, status) }

func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) code() int { return cmp.Or(a.status, http.StatusOK) }
