package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"pesan/internal/chat"
)

// request is a call as either transport hands it over.
type request struct {
	id       string
	method   string
	query    string // raw
	header   func(name string) string
	body     func() ([]byte, error) // at most maxBody bytes, or a chat.Error
	compress bool                   // whether that can gain anything
}

// call is one call under way.
type call struct {
	*API
	endpoint *Endpoint
	request  *request
	params   params
	now      time.Time
	max      int    // bytes that the answer may have
	out      []byte // the answer's body

	claimed  string        // the account that the key names, before it has opened
	number   chat.JID      // whose chats that account shows
	account  string        // the account whose key has opened, or that a system's call is about
	target   string        // as the report names it
	reported bool          // the report is somebody else's business
	retry    time.Duration // for Retry-After
}

// serve answers a call, whatever happens.
func (a *API) serve(ctx context.Context, e *Endpoint, r *request, limit int) *response {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	c := &call{API: a, endpoint: e, request: r, now: a.Now(), max: limit, out: a.buffers.get()}
	status, err := c.run(ctx)
	if err != nil {
		status = c.fail(ctx, err)
	}
	c.report(ctx, status, err)
	a.Logger.LogAttrs(ctx, slog.LevelDebug, "call", slog.String("request", r.id), slog.String("endpoint", e.Name),
		slog.String("account", c.account), slog.Int("status", status), slog.Duration("took", a.Now().Sub(c.now)))
	return c.encode(status)
}

// run makes the answer; a panic is an error like others.
func (c *call) run(ctx context.Context) (status int, err error) {
	defer recovered(&err)
	switch {
	case c.endpoint.Methods == nil:
	case c.request.method == http.MethodOptions:
		return http.StatusNoContent, nil
	case !slices.Contains(c.endpoint.Methods, c.request.method):
		return 0, &chat.Error{Code: chat.MethodNotAllowed}
	}
	if c.endpoint.Auth == Open {
		return c.open(ctx)
	}
	body, err := c.request.body()
	if err != nil {
		return 0, err
	}
	if c.params, err = decode(c.request.query, body, c.request.header("Content-Type"), append([]string{"apiKey", "secret"}, c.endpoint.Params...)); err != nil {
		return 0, err
	}
	if c.endpoint.Auth == BySecret {
		return c.openBySecret(ctx)
	}
	return c.openByKey(ctx)
}

// recovered makes an error of a panic; it is deferred. The text of a panic that isn't the runtime's own may hold what no
// log should.
func recovered(err *error) {
	switch v := recover().(type) {
	case nil:
	case runtime.Error:
		*err = fmt.Errorf("panic: %w\n%s", v, debug.Stack())
	default:
		*err = fmt.Errorf("panic: %T\n%s", v, debug.Stack())
	}
}

// begin runs the endpoint's first part.
func (c *call) begin(ctx context.Context) (f finish, err error) {
	defer recovered(&err)
	return c.endpoint.begin(ctx, c)
}

func (c *call) open(ctx context.Context) (int, error) {
	then, err := c.begin(ctx)
	if err != nil {
		return 0, err
	}
	return then(ctx, c, chat.Account{})
}

func (c *call) openBySecret(ctx context.Context) (int, error) {
	given := c.credential("secret")
	if given == "" {
		return 0, &chat.Error{Code: chat.MissingSecret}
	}
	failed := func(err error) { c.Logger.Error("read the system secret again", "request", c.request.id, "error", err) }
	if !c.secret.opens(ctx, given, c.now, failed) {
		return 0, &chat.Error{Code: chat.InvalidSecret}
	}
	return c.open(ctx)
}

// openByKey fetches the account beside what the call reads, so that both take one round trip.
func (c *call) openByKey(ctx context.Context) (int, error) {
	given := c.credential("apiKey")
	if given == "" {
		return 0, &chat.Error{Code: chat.MissingAPIKey}
	}
	key, err := chat.ParseKey(given)
	if err != nil {
		return 0, err
	}
	known, wait := c.limiter.take(given, c.now)
	if wait > 0 {
		c.retry = wait
		return 0, &chat.Error{Code: chat.RateLimited}
	}
	c.claimed = key.AccountID
	ctx, cancel := context.WithCancel(ctx)
	opened := c.fetchAccount(ctx, cancel, key)
	defer cancel()
	then, failed := c.begin(ctx)
	account, err := opened()
	if err != nil {
		return 0, err
	}
	if !known {
		c.limiter.admit(given, c.now)
	}
	c.account, c.number = account.ID, account.Number()
	if c.endpoint.Group != OfDevice {
		switch {
		case account.Foreign():
			c.out, c.target = c.out[:0], ""
			return 0, &chat.Error{Code: chat.Unavailable, Message: "chats of another number are being deleted"}
		case c.now.Sub(account.EmptiedAt).Abs() < emptiedLately:
			c.out, c.target = c.out[:0], "" // what was read beside the account may be from before
			then, failed = c.begin(ctx)
		}
	}
	if failed != nil {
		return 0, failed
	}
	return then(ctx, c, account)
}

// emptiedLately is longer than any call takes, with room for clocks that differ.
const emptiedLately = 5 * time.Minute

// fetchAccount starts to fetch the key's account; the function it returns waits for it. cancel is called when the key
// doesn't open.
func (c *call) fetchAccount(ctx context.Context, cancel func(), key chat.Key) func() (chat.Account, error) {
	type result struct {
		account chat.Account
		err     error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if r.err != nil {
				cancel()
			}
			done <- r
		}()
		defer recovered(&r.err)
		r.account, r.err = unlock(ctx, c.Accounts, key)
		if chat.CodeOf(r.err) == chat.InvalidAPIKey { // or so new that Accounts doesn't show it yet
			r.account, r.err = unlock(ctx, c.Latest, key)
		}
	}()
	return func() (chat.Account, error) {
		r := <-done
		return r.account, r.err
	}
}

// unlock reads the key's account. One that isn't there looks like a wrong key.
func unlock(ctx context.Context, accounts chat.AccountReader, key chat.Key) (chat.Account, error) {
	a, err := accounts.Account(ctx, key.AccountID)
	if chat.CodeOf(err) == chat.DeviceNotFound || err == nil && !key.Opens(a) {
		return chat.Account{}, &chat.Error{Code: chat.InvalidAPIKey}
	}
	return a, err
}

// credential is the key or secret: a parameter, or else a header.
func (c *call) credential(param string) string {
	if v := c.params.get(param); v != "" {
		return v
	}
	if v := strings.TrimSpace(c.request.header("X-Api-Key")); v != "" {
		return v
	}
	scheme, v, _ := strings.Cut(strings.TrimSpace(c.request.header("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(v)
}

// reportTimeout bounds what is written after the call itself.
const reportTimeout = 3 * time.Second

// report adds the call to the API log: what changed something, and what failed. A call without an account has no log.
func (c *call) report(ctx context.Context, status int, err error) {
	if c.account == "" || c.reported || err == nil && (c.endpoint.silent || c.endpoint.Reads()) {
		return
	}
	r := chat.Report{Status: status}
	if err != nil {
		r.Error = known(err).Code
	}
	c.addReport(ctx, r)
}

// addReport fills in what the call knows. The call goes on without its report when it can't be stored.
func (c *call) addReport(ctx context.Context, r chat.Report) {
	c.reported = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
	defer cancel()
	var err error
	if r.ID == "" {
		r.ID, err = c.newID(c.now)
	}
	r.Account, r.At, r.Endpoint, r.Number, r.Target = c.account, c.now, c.endpoint.Name, c.number, c.target
	if err == nil {
		err = c.Reports.AddReport(ctx, r)
	}
	if err != nil {
		c.Logger.LogAttrs(ctx, slog.LevelWarn, "add report", slog.String("request", c.request.id),
			slog.String("account", c.account), slog.Any("error", err))
	}
}
