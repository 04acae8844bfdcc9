package mcp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Where something is to be destroyed, a person is asked: by the client where it can, else through the assistant, which gets a
// token and hands it back. A token is good for one thing: this tool with these arguments, under this key, while what would go is
// what was named, for five minutes. It is signed with the API key, so nothing is kept, and whoever could forge it needs none.

// doom is what a call would destroy.
type doom struct {
	tool  string
	args  any // what is to be done, but for the token
	state any // what would go, as it is now
}

// way is how the person is asked.
type way string

const (
	byClient way = "client"
	byToken  way = "token"
)

const (
	tokenTime  = 5 * time.Minute
	stateBytes = 12
	macBytes   = 20
	tokenBytes = 8 + stateBytes + macBytes
)

func (d doom) digest() []byte {
	b, err := json.Marshal(d.state)
	if err != nil {
		panic(err) // the states always encode
	}
	sum := sha256.Sum256(b)
	return sum[:stateBytes]
}

// sign is the signature of the time and the state that head has.
func (d doom) sign(key string, by way, head []byte) []byte {
	args, err := json.Marshal(d.args)
	if err != nil {
		panic(err) // the arguments came as JSON
	}
	secret := sha256.Sum256([]byte("pesan mcp confirmation\x00" + key))
	mac := hmac.New(sha256.New, secret[:])
	for _, part := range [][]byte{[]byte(by), []byte(d.tool), args, head} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write(part)
	}
	return mac.Sum(nil)[:macBytes]
}

func (d doom) token(key string, by way, now time.Time) string {
	head := append(binary.BigEndian.AppendUint64(nil, uint64(now.Add(tokenTime).Unix())), d.digest()...)
	return base64.RawURLEncoding.EncodeToString(append(head, d.sign(key, by, head)...))
}

var (
	errOtherToken = errors.New("nothing was done: this confirmationToken is of another call. Call again without it, and ask the person again")
	errLateToken  = errors.New("nothing was done: this confirmationToken is older than five minutes. Call again without it, and ask the person again")
	errChanged    = errors.New("nothing was done: what would go has changed since the person was asked. Call again, and ask the person again")
)

// check holds a token against the call. What it opens is done under the signature, since a token can be written in several ways.
func (d doom) check(token, key string, by way, now time.Time) (once string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != tokenBytes {
		return "", errOtherToken
	}
	head, mac := b[:8+stateBytes], b[8+stateBytes:]
	until := time.Unix(int64(binary.BigEndian.Uint64(head)), 0)
	switch {
	case !hmac.Equal(mac, d.sign(key, by, head)):
		return "", errOtherToken
	case now.After(until):
		return "", errLateToken
	case !hmac.Equal(head[8:], d.digest()):
		return "", errChanged
	}
	return "mcp-" + hex.EncodeToString(mac), nil
}

// verdict is what came of asking.
type verdict struct {
	once   string              // agreed: what it is done under, once
	ask    *sdk.CallToolResult // the client is to ask
	token  string              // the assistant is to ask
	refuse bool                // the person doesn't want it
}

// The statuses of a call that destroys.
const (
	asking   = "needs_confirmation"
	declined = "declined"
)

// answerID names the question in what the client answers.
const answerID = "confirm"

// consent finds whether the person has agreed to what a call would destroy.
func (s *Server) consent(ctx context.Context, r *sdk.CallToolRequest, d doom, token, question string) (verdict, error) {
	key := callerOf(ctx).key
	by := byToken
	if r.Params.InputResponses != nil {
		by, token = byClient, r.Params.RequestState
	}
	switch {
	case by == byClient:
		answered, ok := r.Params.InputResponses[answerID].(*sdk.ElicitResult)
		if !ok || answered.Action != "accept" {
			return verdict{refuse: true}, nil
		}
		fallthrough
	case token != "":
		once, err := d.check(token, key, by, s.Now())
		return verdict{once: once}, err
	case asks(r):
		return verdict{ask: &sdk.CallToolResult{
			RequestState: d.token(key, byClient, s.Now()),
			InputRequests: sdk.InputRequestMap{answerID: &sdk.ElicitParams{
				Mode: "form", Message: question,
				RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}},
			}},
		}}, nil
	}
	return verdict{token: d.token(key, byToken, s.Now())}, nil
}

// asks tells whether the client can ask a person.
func asks(r *sdk.CallToolRequest) bool {
	c := r.ClientCapabilities()
	return c != nil && c.Elicitation != nil && (c.Elicitation.Form != nil || c.Elicitation.URL == nil)
}
