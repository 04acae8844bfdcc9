package httpapi

import (
	"cmp"
	"context"
	"errors"
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
	source   string // where it comes from, as an IP address
	method   string
	path     string
	query    string // raw
	header   func(name string) string
	body     func() ([]byte, error) // at most what the endpoint takes, or a chat.Error
	compress bool                   // whether that can gain anything
}

// call is one call under way.
type call struct {
	*API
	endpoint *Endpoint
	request  *request
	params   params
	next     string // cursor of what a table has no place for
	file     []byte // that came with them, or in their place
	now      time.Time
	max      int    // bytes that the answer may have
	out      []byte // the answer's body

	claimed string      // the account that the key names, before it has opened
	number  chat.JID    // whose chats that account shows
	key     chat.APIKey // that has opened
	used    chat.Usage  // beside the call itself

	contentType string        // of the answer; "": JSON
	account     string        // the account whose key has opened, or that a system's call is about
	target      string        // as the report names it
	reported    bool          // the report is somebody else's business
	retry       time.Duration // for Retry-After
	stay        *stay         // the room that the answer takes
	replayed    bool          // an earlier call under the same id is answered again
	etag        string        // of the answer; "": it has none
	location    string        // likewise, where it leads
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
	c.meter(status)
	a.Logger.LogAttrs(ctx, slog.LevelInfo, "call", slog.String("request", r.id), slog.String("endpoint", e.Name),
		slog.String("account", c.account), slog.String("key", c.key.ID), slog.Int("status", status),
		slog.Duration("took", a.Now().Sub(c.now)))
	response := c.encode(status)
	c.stay.keep(int64(len(response.body)))
	free := response.free
	response.free = func() { free(); c.stay.keep(0) }
	return response
}

// Meter counts what is used.
type Meter interface {
	// Count adds to what a key of an account has used.
	Count(account, key string, u chat.Usage)
}

// meter counts a call that a key has opened.
func (c *call) meter(status int) {
	if c.Meter == nil || c.key.ID == "" {
		return
	}
	c.used.Calls = 1
	if status >= http.StatusBadRequest {
		c.used.Failed = 1
	}
	c.Meter.Count(c.account, c.key.ID, c.used)
}

// run makes the answer; a panic is an error like others.
func (c *call) run(ctx context.Context) (status int, err error) {
	defer recovered(&err)
	named := len(c.endpoint.Methods) > 0 // else no path leads here
	switch {
	case named && c.request.method == http.MethodOptions:
		return http.StatusNoContent, nil
	case named && c.endpoint.Auth == Open && !slices.Contains(c.endpoint.Methods, c.request.method):
		return 0, &chat.Error{Code: chat.MethodNotAllowed}
	case c.endpoint.Auth == Open:
		return c.open(ctx)
	}
	body, refused := c.request.body()
	if c.endpoint.file {
		if chat.CodeOf(refused) == chat.BodyTooLarge {
			refused = tooMuch()
		}
		if refused == nil {
			body, c.file, refused = unpackBatch(body, c.request.header("Content-Type"),
				c.request.header("Content-Encoding"), c.endpoint.Room())
		}
	}
	known := c.endpoint.Params
	if credential := c.endpoint.Auth.Credential(); credential != "" {
		known = append([]string{credential}, known...)
	}
	params, undecoded := decode(c.request.query, body, c.request.header("Content-Type"), known)
	c.params = params
	switch {
	case !slices.Contains(c.endpoint.Methods, c.request.method):
		refused = &chat.Error{Code: chat.MethodNotAllowed}
	case refused == nil:
		refused = undecoded
	}
	if c.endpoint.Auth == BySecret {
		if refused != nil {
			return 0, refused
		}
		return c.openBySecret(ctx)
	}
	return c.openByKey(ctx, refused)
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
	if c.retry = c.guesses.wait(c.request.source, c.now); c.retry > 0 {
		return 0, &chat.Error{Code: chat.RateLimited}
	}
	failed := func(err error) { c.Logger.Error("read the system secret again", "request", c.request.id, "error", err) }
	if !c.secret.opens(ctx, given, c.now, failed) {
		c.guesses.wrong(c.request.source, c.now)
		c.Logger.LogAttrs(ctx, slog.LevelWarn, "wrong secret", slog.String("request", c.request.id),
			slog.String("endpoint", c.endpoint.Name), slog.String("source", c.request.source))
		return 0, &chat.Error{Code: chat.InvalidSecret}
	}
	c.guesses.right(c.request.source)
	return c.open(ctx)
}

// openByKey checks the key, and beside it lets the endpoint read, so that both take one round trip. Where the account is at
// hand, or after a wrong key for it, the key is checked first: whoever guesses keys costs one small read a guess. A call
// that is refused anyway is checked only to know whose report it belongs into.
func (c *call) openByKey(ctx context.Context, refused error) (int, error) {
	given := c.credential("apiKey")
	key, err := chat.ParseKey(given)
	switch {
	case given == "":
		err = &chat.Error{Code: chat.MissingAPIKey}
		fallthrough
	case err != nil:
		return 0, cmp.Or(refused, err)
	}
	known, wait := c.limiter.take(given, c.now)
	if wait > 0 {
		c.account, c.retry = key.AccountID, wait
		c.reported = !c.limiter.report(given, c.now)
		return 0, &chat.Error{Code: chat.RateLimited}
	}
	c.claimed = key.AccountID
	if c.Near || refused != nil || c.suspects.has(key.AccountID, c.now) {
		a, opened, err := c.unlock(ctx, key)
		if err != nil {
			return 0, cmp.Or(refused, err)
		}
		if err := cmp.Or(refused, c.enter(a, opened, given, known)); err != nil {
			return 0, err
		}
		if err := c.owned(a); err != nil {
			return 0, err
		}
		if c.Near && c.endpoint.large {
			if c.stay, err = c.room.enter(ctx, a.ID); err != nil {
				c.retry = time.Second
				c.reported = !c.limiter.report(given, c.now)
				return 0, err
			}
		}
		then, err := c.begin(ctx)
		if err != nil {
			return 0, err
		}
		return then(ctx, c, a)
	}
	type result struct {
		account chat.Account
		key     chat.APIKey
		err     error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unlocked := make(chan result, 1)
	go func() {
		a, opened, err := c.unlock(ctx, key)
		if err != nil {
			cancel()
		}
		unlocked <- result{a, opened, err}
	}()
	then, err := c.begin(ctx)
	r := <-unlocked
	if r.err != nil {
		return 0, r.err
	}
	if err := cmp.Or(c.enter(r.account, r.key, given, known), c.owned(r.account)); err != nil {
		return 0, err
	}
	if !c.endpoint.Group.apart() && c.now.Sub(r.account.EmptiedAt).Abs() < emptiedLately {
		c.out, c.target = c.out[:0], "" // what was read beside the account may be from before
		then, err = c.begin(ctx)
	}
	if err != nil {
		return 0, err
	}
	return then(ctx, c, r.account)
}

// emptiedLately is longer than any call takes, with room for clocks that differ.
const emptiedLately = 5 * time.Minute

// owned returns an error while chats are stored of another number than the account's.
func (c *call) owned(a chat.Account) error {
	if c.endpoint.Group.apart() || !a.Foreign() {
		return nil
	}
	c.out, c.target = c.out[:0], ""
	return &chat.Error{Code: chat.Unavailable, Message: "chats of another number are being deleted"}
}

// enter notes that the key has opened, and returns an error where it may not do this.
func (c *call) enter(a chat.Account, opened chat.APIKey, key string, known bool) error {
	c.account, c.number, c.key = a.ID, a.Number(), opened
	if over := c.limiter.admit(key, known, opened.Limits.PerSecond, c.now); over > 0 {
		c.retry, c.reported = over, !c.limiter.report(key, c.now)
		return &chat.Error{Code: chat.RateLimited}
	}
	if month := chat.MonthOf(c.now); opened.Limits.Spent == month && opened.Limits.PerMonth > 0 {
		until := chat.NextMonth(c.now)
		c.out, c.target, c.retry = c.out[:0], "", until.Sub(c.now)
		c.reported = !c.limiter.report(key, c.now)
		return &chat.Error{Code: chat.QuotaExceeded,
			Message: fmt.Sprintf("%d, %s", opened.Limits.PerMonth, until.Format(time.DateOnly))}
	}
	if needed := c.endpoint.Scope(); !opened.Scope.Allows(needed) {
		c.out, c.target = c.out[:0], ""
		return &chat.Error{Code: chat.InsufficientScope, Message: string(needed)}
	}
	return nil
}

// unlock reads the key's account and checks the key. One that Accounts doesn't open may be so new that only Latest shows it.
// After a wrong key only Latest is asked.
func (c *call) unlock(ctx context.Context, key chat.Key) (a chat.Account, opened chat.APIKey, err error) {
	defer recovered(&err)
	suspect := c.suspects.has(key.AccountID, c.now)
	if suspect {
		a, opened, err = unlock(ctx, c.Latest, key, c.now)
	} else {
		a, opened, err = unlock(ctx, c.Accounts, key, c.now)
	}
	if chat.CodeOf(err) == chat.InvalidAPIKey && !c.Near && !suspect {
		a, opened, err = unlock(ctx, c.Latest, key, c.now)
	}
	if chat.CodeOf(err) == chat.InvalidAPIKey {
		c.suspects.add(key.AccountID, c.now)
	}
	return a, opened, err
}

// unlock reads the key's account. One that isn't there looks like a wrong key.
func unlock(ctx context.Context, accounts chat.AccountReader, key chat.Key, now time.Time) (chat.Account, chat.APIKey, error) {
	a, err := accounts.Account(ctx, key.AccountID)
	opened, ok := key.Find(a, now)
	if chat.CodeOf(err) == chat.DeviceNotFound || err == nil && !ok {
		return chat.Account{}, opened, &chat.Error{Code: chat.InvalidAPIKey}
	}
	return a, opened, err
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
	if c.endpoint.Reads() && errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return // the client has gone, as a page does that shows something else by now
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
	c.fillIn(&r)
	if err == nil {
		err = c.Reports.AddReport(ctx, r)
	}
	if err != nil {
		c.Logger.LogAttrs(ctx, slog.LevelWarn, "add report", slog.String("request", c.request.id),
			slog.String("account", c.account), slog.Any("error", err))
	}
}

// fillIn completes an entry of the API log by what the call knows.
func (c *call) fillIn(r *chat.Report) {
	r.Account, r.At, r.Request, r.Endpoint, r.Number, r.Target = c.account, c.now, c.request.id, c.endpoint.Name, c.number, c.target
	if c.key.ID != chat.MainKey {
		r.Key = c.key.Name
	}
}
