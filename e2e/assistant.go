package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// bearer adds the key to each request.
type bearer struct {
	key string
	http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	return b.RoundTripper.RoundTrip(r)
}

// Assist connects an assistant to /mcp with a key.
func (c *Client) Assist(ctx context.Context, key string, options *mcp.ClientOptions) (*mcp.ClientSession, error) {
	transport := c.HTTP.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, options)
	return client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: c.URL + "/mcp", HTTPClient: &http.Client{Transport: bearer{key, transport}}, DisableStandaloneSSE: true,
		MaxRetries: -1,
	}, nil)
}

// Tool calls a tool that must succeed, and reads its answer into v.
func Tool(ctx context.Context, s *mcp.ClientSession, v any, name string, arguments map[string]any) error {
	result, err := s.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: arguments})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case result.IsError:
		return fmt.Errorf("%s: %w", name, result.GetError())
	}
	b, err := json.Marshal(result.StructuredContent)
	return errors.Join(err, json.Unmarshal(b, v))
}

// assistant checks that an assistant finds a chat, mutes it and unmutes it, and that a stranger gets nowhere.
func assistant(ctx context.Context, t T, s *System) {
	if s.NoAssistants {
		return
	}
	if _, err := s.Assist(ctx, "pk_nonsense", nil); err == nil {
		t.Errorf("a stranger is let in")
	}
	session, err := s.Assist(ctx, s.Key, nil)
	must(t, err)
	defer session.Close()
	tools, err := session.ListTools(ctx, nil)
	must(t, err)
	if len(tools.Tools) < 10 {
		t.Errorf("%d tools", len(tools.Tools))
	}
	friend := s.Friends[2]
	var found struct {
		Chats []struct {
			Chat, Name string
			Muted      bool
		}
	}
	must(t, Tool(ctx, session, &found, "list_chats", map[string]any{"name": friend.PushName()}))
	if len(found.Chats) != 1 || found.Chats[0].Chat != friend.PN().String() || found.Chats[0].Muted {
		t.Fatalf("list_chats finds %+v", found.Chats)
	}
	for _, want := range []bool{true, false} {
		name := map[bool]string{true: "mute_chat", false: "unmute_chat"}[want]
		var done struct{ Status string }
		must(t, Tool(ctx, session, &done, name, map[string]any{"chat": found.Chats[0].Chat}))
		chat, err := s.Chat(ctx, found.Chats[0].Chat)
		must(t, err)
		if _, muted := Muted(s.Phone, friend.PN()); done.Status != "done" || muted != want || chat.Muted != want {
			t.Errorf("%s is %s; the phone has mute %v, the chat %v", name, done.Status, muted, chat.Muted)
		}
	}
}
