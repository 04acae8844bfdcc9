// Package e2e tests Pesan as its clients see it: over HTTP, with a simulated WhatsApp behind it. What it runs against is
// a System; its own tests start the standalone program.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls a Pesan.
type Client struct {
	URL    string // such as http://127.0.0.1:8080
	Key    string // API key
	Secret string // of the system
	HTTP   *http.Client
}

// Answer is what a call was answered. Fields that an endpoint doesn't give are empty.
type Answer struct {
	Code       int             `json:"code"`
	Error      string          `json:"error"`
	Message    string          `json:"message"`
	Query      Query           `json:"query"`
	Results    json.RawMessage `json:"results"`
	Data       json.RawMessage `json:"data"`
	NextCursor string          `json:"nextCursor"`
	NextSince  string          `json:"nextSince"`
	State      string          `json:"state"`

	Status  int    `json:"-"` // of HTTP
	Request string `json:"-"` // the call's id
	Body    []byte `json:"-"`
}

// Query echoes what a call was about.
type Query struct {
	To      string `json:"to"`
	Seconds string `json:"seconds"`
}

// Chat is what the tests look at of a chat.
type Chat struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Muted       bool   `json:"muted"`
	MuteEndTime int64  `json:"muteEndTime"`
	Unread      int    `json:"unreadCount"`
	Archived    bool   `json:"archived"`
	Messages    []struct {
		Message struct {
			Key Key `json:"key"`
		} `json:"message"`
	} `json:"messages"`
}

// Message is what the tests look at of a message.
type Message struct {
	ID     string `json:"id"`
	Body   string `json:"body"`
	FromMe bool   `json:"fromMe"`
	Time   string `json:"t"`
	Key    Key    `json:"key"`
	Type   string `json:"type"`
}

// Key names a message.
type Key struct {
	ID        string `json:"id"`
	RemoteJID string `json:"remoteJid"`
	FromMe    bool   `json:"fromMe"`
}

// State is where the link of a device stands.
type State struct {
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Number   string `json:"number"`
	PushName string `json:"pushName"`
	Sync     *struct {
		Percent int `json:"percent"`
	} `json:"sync"`
}

// Report is an entry of the API log.
type Report struct {
	ID        string `json:"id"`
	RequestID string `json:"requestId"`
	Endpoint  string `json:"endpoint"`
	Target    string `json:"target"`
	Code      int    `json:"code"`
	Error     string `json:"error"`
	CommandID string `json:"commandId"`
	Command   string `json:"command"`
}

// Call posts a form; params are names and values in turn. A parameter Idempotency-Key goes as header. The error says that
// there was no answer, or none in JSON.
func (c *Client) Call(ctx context.Context, endpoint string, params ...string) (Answer, error) {
	form, id := url.Values{}, ""
	if c.Key != "" {
		form.Set("apiKey", c.Key)
	}
	for i := 0; i+1 < len(params); i += 2 {
		if params[i] == "Idempotency-Key" {
			id = params[i+1]
			continue
		}
		form.Set(params[i], params[i+1])
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/api/"+endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		request.Header.Set("Idempotency-Key", id)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("read answer of %s: %w", endpoint, err)
	}
	answer := Answer{Status: response.StatusCode, Request: response.Header.Get("X-Request-Id"), Body: body}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("answer of %s, %s: %w", endpoint, response.Status, err)
	}
	return answer, nil
}

// Get calls an endpoint that must answer 200 and reads its results into v.
func (c *Client) Get(ctx context.Context, v any, endpoint string, params ...string) (Answer, error) {
	answer, err := c.Call(ctx, endpoint, params...)
	if err != nil {
		return answer, err
	}
	if answer.Status != http.StatusOK {
		return answer, fmt.Errorf("%s answers %d %s %s", endpoint, answer.Status, answer.Error, answer.Message)
	}
	if err := json.Unmarshal(answer.Results, v); err != nil {
		return answer, fmt.Errorf("results of %s: %w", endpoint, err)
	}
	return answer, nil
}

// Chats reads all chats.
func (c *Client) Chats(ctx context.Context, params ...string) (chats []Chat, err error) {
	_, err = c.Get(ctx, &chats, "getChats", params...)
	return chats, err
}

// Chat reads one chat.
func (c *Client) Chat(ctx context.Context, phone string) (chat Chat, err error) {
	_, err = c.Get(ctx, &chat, "getChatById", "phone", phone)
	return chat, err
}

// Messages reads a whole conversation, oldest first.
func (c *Client) Messages(ctx context.Context, phone string) ([]Message, error) {
	var all []Message
	cursor := ""
	for {
		params := []string{"phone", phone, "limit", "1000"}
		if cursor != "" {
			params = append(params, "cursor", cursor)
		}
		var page []Message
		answer, err := c.Get(ctx, &page, "fetchMessageById", params...)
		if err != nil {
			return nil, err
		}
		all = append(page, all...)
		if cursor = answer.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// Reports reads the whole API log, newest first.
func (c *Client) Reports(ctx context.Context) ([]Report, error) {
	var all []Report
	cursor := ""
	for {
		params := []string{"limit", "1000"}
		if cursor != "" {
			params = append(params, "cursor", cursor)
		}
		var page []Report
		answer, err := c.Get(ctx, &page, "getReportApi", params...)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if cursor = answer.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// State reads where the link stands.
func (c *Client) State(ctx context.Context) (state State, err error) {
	_, err = c.Get(ctx, &state, "getState")
	return state, err
}

// Until asks again and again until ok is true, or ctx ends; an error counts as not yet.
func Until(ctx context.Context, what string, ok func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if done && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last error: %v", what, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func unmarshal(data json.RawMessage, v any) error {
	if len(data) == 0 {
		return fmt.Errorf("there is none")
	}
	return json.Unmarshal(data, v)
}
