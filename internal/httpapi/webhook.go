package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// Hooks are what the endpoints of webhooks need of the store.
type Hooks interface {
	chat.HookSettings
	chat.HookSecrets
	chat.DeadEvents
}

// hookAnswer is how a webhook is shown. Its secret is, when it is set.
type hookAnswer struct {
	Message    string           `json:"message,omitempty"`
	URL        string           `json:"url"`
	Events     []chat.EventKind `json:"events"`
	Secret     string           `json:"secret,omitempty"`
	State      string           `json:"state,omitempty"`
	Reason     string           `json:"reason,omitempty"`
	CreatedAt  *string          `json:"createdAt"`
	Failures   int              `json:"failures,omitempty"`
	Failing    *string          `json:"failingSince,omitempty"`
	Next       *string          `json:"nextAttemptAt,omitempty"`
	Off        *string          `json:"offAt,omitempty"`
	Deliveries []attemptAnswer  `json:"deliveries,omitempty"` // the newest first
}

// attemptAnswer is an attempt at an event.
type attemptAnswer struct {
	ID        string         `json:"id"`
	Type      chat.EventKind `json:"type"`
	Time      *string        `json:"time"`
	Delivered bool           `json:"delivered"`
	Status    int            `json:"status,omitempty"`
	Error     string         `json:"error,omitempty"`
	Millis    int64          `json:"ms"`
	Answer    string         `json:"answer,omitempty"`
}

func showAttempt(a chat.HookAttempt) attemptAnswer {
	return attemptAnswer{a.ID, a.Kind, moment(a.At), a.Delivered(), a.Status, a.Error, a.Millis, ""}
}

func showHook(h chat.Hook, health chat.HookHealth) hookAnswer {
	answer := hookAnswer{
		URL: h.URL, Events: h.Events, State: "ON", Reason: health.Reason, CreatedAt: moment(h.CreatedAt), Failures: health.Failures,
	}
	if len(answer.Events) == 0 {
		answer.Events = chat.EventKinds()
	}
	switch {
	case !health.Off.IsZero():
		answer.State, answer.Off, answer.Failing = "OFF", moment(health.Off), moment(health.Failing)
	case health.Failures > 0:
		answer.State, answer.Failing, answer.Next = "FAILING", moment(health.Failing), moment(health.Next)
	}
	for _, a := range slices.Backward(health.Last) {
		answer.Deliveries = append(answer.Deliveries, showAttempt(a))
	}
	return answer
}

// SetWebhook sets where the account's events are sent, and turns an endpoint on again that was switched off.
func SetWebhook(d Deps) Endpoint {
	return Endpoint{
		Name: "setWebhook", Group: OfWebhooks, Methods: changing, admin: true, Needs: []Port{Webhooks, Feeds, Caller},
		begin:  setWebhook(d.Hooks, d.Feed, d.Caller),
		Params: []string{"url", "events", "secret"}, Example: []string{"url={receiver}", "events=message,message_ack,chat"},
	}
}

func setWebhook(hooks Hooks, feed chat.Feed, caller chat.HookCaller) begin {
	return func(_ context.Context, c *call) (finish, error) {
		h := chat.Hook{URL: c.params.get("url"), CreatedAt: c.now}
		err := c.hookURL(h.URL, caller)
		if err != nil {
			return nil, err
		}
		if h.Events, err = c.hookEvents(); err != nil {
			return nil, err
		}
		secret := c.params.get("secret")
		if secret != "" && !chat.ValidHookSecret(secret) {
			return nil, wrong(chat.InvalidParameter, "secret", "whsec_ diikuti 24 sampai 64 byte dalam base64, atau kosong",
				"whsec_ and 24 to 64 bytes in base64, or empty")
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			// What was there before the webhook, or while it was off, isn't sent; with another URL it just goes on.
			old, health, err := hooks.Hook(ctx, a.ID)
			if none := chat.CodeOf(err) == chat.WebhookNotFound; none || err == nil && !health.Off.IsZero() {
				end, err := feed.End(ctx, a.ID)
				if err != nil {
					return 0, err
				}
				h.Since = end.Seq
				if none && secret == "" {
					if secret, err = chat.NewHookSecret(c.Random); err != nil {
						return 0, err
					}
				}
			} else if err != nil {
				return 0, err
			} else {
				h.Since = old.Since
			}
			if err := hooks.SetHook(ctx, a.ID, h, secret); err != nil {
				return 0, err
			}
			if u, err := url.Parse(h.URL); err == nil {
				c.target = u.Hostname()
			}
			shown := showHook(h, chat.HookHealth{})
			shown.Message, shown.Secret = "Webhook successfully set", secret
			return c.answer(http.StatusOK, shown)
		}, nil
	}
}

// hookURL checks the parameter url.
func (c *call) hookURL(text string, caller chat.HookCaller) error {
	if text == "" {
		return missing(chat.InvalidParameter, "url", "URL https yang menerima webhook", "the https URL that takes the events")
	}
	switch caller.CheckURL(text) {
	case "":
		return nil
	case chat.HookSchemeFault:
		return wrong(chat.InvalidParameter, "url", "URL https", "an https URL")
	case chat.HookUserFault:
		return wrong(chat.InvalidParameter, "url", "tanpa nama pengguna dan kata sandi", "without a user name and a password")
	case chat.HookPortFault:
		return wrong(chat.InvalidParameter, "url", "dengan port 443 atau 1024 ke atas", "on port 443, or 1024 and above")
	case chat.HookHostFault:
		return wrong(chat.InvalidParameter, "url", "host publik: bukan alamat lokal, privat atau khusus",
			"on a public host: no local, private or special address")
	default:
		return wrong(chat.InvalidParameter, "url", "URL https yang utuh, tanpa spasi dan #, paling panjang 2048 karakter",
			"a whole https URL, without spaces and #, 2048 characters at most")
	}
}

// hookEvents reads the parameter events: names with commas, or an array of JSON; nil for all.
func (c *call) hookEvents() ([]chat.EventKind, error) {
	text := c.params.object("events")
	var names []string
	listed := json.Unmarshal([]byte(text), &names) == nil // null is an empty name there
	if !listed {
		names = strings.Split(text, ",")
	}
	var kinds []chat.EventKind
	for _, name := range names {
		kind := chat.EventKind(strings.ToLower(strings.TrimSpace(name)))
		switch {
		case kind == "" && !listed || slices.Contains(kinds, kind):
		case kind == "all" && len(names) == 1:
		case slices.Contains(chat.EventKinds(), kind):
			kinds = append(kinds, kind)
		default:
			all := make([]string, 0, len(chat.EventKinds()))
			for _, k := range chat.EventKinds() {
				all = append(all, string(k))
			}
			list := strings.Join(all, ", ")
			return nil, wrong(chat.InvalidParameter, "events", "kosong untuk semua, atau beberapa dari "+list,
				"empty for all, or some of "+list)
		}
	}
	return kinds, nil
}

// GetWebhook shows where the events go, and how that goes; never the secret.
func GetWebhook(d Deps) Endpoint {
	return Endpoint{
		Name: "getWebhook", Group: OfWebhooks, Methods: reading, admin: true, Needs: []Port{Webhooks}, begin: getWebhook(d.Hooks),
	}
}

func getWebhook(hooks chat.HookReader) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		h, health, err := hooks.Hook(ctx, c.claimed)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, c *call, _ chat.Account) (int, error) {
			return c.answer(http.StatusOK, showHook(h, health))
		}, nil
	}
}

// DeleteWebhook ends the sending of events, and deletes those that couldn't be delivered.
func DeleteWebhook(d Deps) Endpoint {
	return Endpoint{
		Name: "deleteWebhook", Group: OfWebhooks, Methods: changing, admin: true, Needs: []Port{Webhooks}, begin: deleteWebhook(d.Hooks),
	}
}

func deleteWebhook(hooks chat.HookSettings) begin {
	return func(context.Context, *call) (finish, error) {
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			if err := hooks.DeleteHook(ctx, a.ID); err != nil {
				return 0, err
			}
			return c.answer(http.StatusOK, done{"Webhook successfully deleted"})
		}, nil
	}
}

// TestWebhook sends an event that tells nothing, and says what came back.
func TestWebhook(d Deps) Endpoint {
	return Endpoint{
		Name: "testWebhook", Group: OfWebhooks, Methods: changing, admin: true, Needs: []Port{Webhooks, Caller},
		begin: testWebhook(d.Hooks, d.Caller),
	}
}

func testWebhook(hooks Hooks, caller chat.HookCaller) begin {
	return func(context.Context, *call) (finish, error) {
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			h, _, err := hooks.Hook(ctx, a.ID)
			if err != nil {
				return 0, err
			}
			secret, err := hooks.HookSecret(ctx, a.ID)
			if err != nil {
				return 0, err
			}
			id, err := c.newID(c.now)
			if err != nil {
				return 0, err
			}
			e := render.TestEvent("test-"+id, a.ID, c.now)
			back := caller.Send(ctx, h.URL, secret, e)
			shown := showAttempt(back.HookAttempt)
			shown.Answer = back.Answer
			return c.answer(http.StatusOK, shown)
		}, nil
	}
}

// deadAnswer is an event that couldn't be delivered.
type deadAnswer struct {
	ID       string         `json:"id"`
	Type     chat.EventKind `json:"type"`
	Time     *string        `json:"time"`
	FailedAt *string        `json:"failedAt"`
	Status   int            `json:"status,omitempty"` // of the last attempt
	Error    string         `json:"error,omitempty"`  // likewise; absent where none was made, since the endpoint was off
}

// ListDeadLetters shows the events that couldn't be delivered, the oldest first.
func ListDeadLetters(d Deps) Endpoint {
	return Endpoint{
		Name: "listDeadLetters", Group: OfWebhooks, Methods: reading, admin: true, Needs: []Port{Webhooks}, begin: listDeadLetters(d.Hooks),
		Params: []string{"limit", "cursor"}, large: true,
	}
}

func listDeadLetters(dead chat.DeadEvents) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		page, err := c.page(defaultLimit)
		if err != nil {
			return nil, err
		}
		events, next, err := dead.DeadEvents(ctx, c.claimed, page)
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, c *call, _ chat.Account) (int, error) {
			shown := make([]deadAnswer, 0, len(events))
			for _, e := range events {
				shown = append(shown, deadAnswer{e.ID, e.Kind, moment(e.At), moment(e.Failed), e.Last.Status, e.Last.Error})
			}
			return c.answerPage(shown, next)
		}, nil
	}
}

// RedeliverWebhook sends events again that couldn't be delivered: one, or the oldest ones until one fails.
func RedeliverWebhook(d Deps) Endpoint {
	return Endpoint{
		Name: "redeliverWebhook", Group: OfWebhooks, Methods: changing, admin: true, Needs: []Port{Webhooks, Caller},
		begin:  redeliverWebhook(d.Hooks, d.Caller),
		Params: []string{"id", "limit"},
	}
}

// redeliverTime is how long a call begins attempts: the last one may take ten seconds more.
const redeliverTime = 12 * time.Second

func redeliverWebhook(hooks Hooks, caller chat.HookCaller) begin {
	return func(_ context.Context, c *call) (finish, error) {
		id := c.params.get("id")
		page, err := c.page(defaultLimit)
		if err != nil {
			return nil, err
		}
		page.Cursor = ""
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			h, _, err := hooks.Hook(ctx, a.ID)
			if err != nil {
				return 0, err
			}
			secret, err := hooks.HookSecret(ctx, a.ID)
			if err != nil {
				return 0, err
			}
			var events []chat.DeadEvent
			next := ""
			if id == "" {
				events, next, err = hooks.DeadEvents(ctx, a.ID, page)
			} else {
				c.target = id
				events = make([]chat.DeadEvent, 1)
				events[0], err = hooks.DeadEvent(ctx, a.ID, id)
			}
			if err != nil {
				return 0, err
			}
			results := struct {
				Delivered  int             `json:"delivered"`
				Left       bool            `json:"left"` // there are more
				Deliveries []attemptAnswer `json:"deliveries"`
			}{Left: next != "", Deliveries: []attemptAnswer{}}
			for i, e := range events {
				if i > 0 && c.Now().Sub(c.now) > redeliverTime {
					results.Left = true
					break
				}
				back := caller.Send(ctx, h.URL, secret, e.Event)
				results.Deliveries = append(results.Deliveries, showAttempt(back.HookAttempt))
				if !back.Delivered() {
					results.Left = true
					break
				}
				results.Delivered++
				if err := hooks.DeleteDeadEvent(ctx, a.ID, e.ID); err != nil {
					return 0, err
				}
			}
			return c.answer(http.StatusOK, results)
		}, nil
	}
}
