package mcp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"pesan/internal/sleep"
)

type chatIn struct {
	Chat string `json:"chat" jsonschema:"field chat of list_chats, or a phone number"`
}

type muteIn struct {
	chatIn
	Seconds int64 `json:"seconds,omitempty" jsonschema:"for how long, such as 28800 for eight hours; until unmuted without it"`
}

type readIn struct {
	chatIn
	Quiet bool `json:"noReceipts,omitempty" jsonschema:"true: those who wrote aren't told; else they see that it was read, which can't be taken back"`
}

// changed is what came of a change.
type changed struct {
	Chat   string `json:"chat"`
	Status string `json:"status" jsonschema:"done, or pending while WhatsApp hasn't answered: list_chats shows it then"`
}

const (
	isDone    = "done"
	isPending = "pending"
)

// change calls an endpoint that changes one chat.
func (s *Server) change(ctx context.Context, endpoint string, p url.Values, once string) (changed, error) {
	var a struct {
		Query struct{ To string } `json:"query"`
	}
	status, err := s.call(ctx, endpoint, p, once, &a)
	if err != nil {
		return changed{}, err
	}
	c := changed{jid(a.Query.To), isDone}
	if status == http.StatusAccepted {
		c.Status = isPending
	}
	return c, nil
}

func (s *Server) muteChat(ctx context.Context, _ *sdk.CallToolRequest, in muteIn) (*sdk.CallToolResult, changed, error) {
	p := url.Values{"phone": {in.Chat}}
	if in.Seconds != 0 {
		p.Set("second", strconv.FormatInt(in.Seconds, 10))
	}
	c, err := s.change(ctx, "muteChat", p, "")
	return nil, c, err
}

func (s *Server) markRead(ctx context.Context, _ *sdk.CallToolRequest, in readIn) (*sdk.CallToolResult, changed, error) {
	p := url.Values{"phone": {in.Chat}}
	if in.Quiet {
		p.Set("receipts", "false")
	}
	c, err := s.change(ctx, "readChat", p, "")
	return nil, c, err
}

// simple is a change that takes the chat alone.
func (s *Server) simple(endpoint string) sdk.ToolHandlerFor[chatIn, changed] {
	return func(ctx context.Context, _ *sdk.CallToolRequest, in chatIn) (*sdk.CallToolResult, changed, error) {
		c, err := s.change(ctx, endpoint, url.Values{"phone": {in.Chat}}, "")
		return nil, c, err
	}
}

type clearIn struct {
	chatIn
	Starred string `json:"starred,omitempty" jsonschema:"keep, as without it, or delete: whether starred messages go too"`
	Token   string `json:"confirmationToken,omitempty" jsonschema:"of the answer before, once the person has agreed"`
}

// goes is what a clear would take.
type goes struct {
	Chat     string `json:"chat"`
	Name     string `json:"name,omitempty"`
	Messages int    `json:"messages" jsonschema:"how many messages that Pesan knows"`
	More     bool   `json:"more,omitempty" jsonschema:"there are older ones besides"`
	Oldest   string `json:"oldest,omitempty" jsonschema:"time of the oldest of these"`
	Newest   string `json:"newest,omitempty" jsonschema:"time of the newest"`
	Starred  int    `json:"starredStay,omitempty" jsonschema:"how many starred messages stay"`
}

type clearOut struct {
	Status string `json:"status" jsonschema:"done, pending, declined, or needs_confirmation: then nothing was done yet"`
	Chat   string `json:"chat"`
	WillGo *goes  `json:"willGo,omitempty"`
	Token  string `json:"confirmationToken,omitempty" jsonschema:"for the second call, within five minutes"`
}

// counted is how many messages of a chat are counted before it is cleared.
const counted = 1000

func (s *Server) clearChat(ctx context.Context, r *sdk.CallToolRequest, in clearIn) (*sdk.CallToolResult, clearOut, error) {
	if in.Token == "" && r.Params.InputResponses == nil { // nobody is asked for what can't be
		if err := s.mayClear(ctx, in.Chat); err != nil {
			return nil, clearOut{}, err
		}
	}
	g, newest, err := s.willGo(ctx, in)
	if err != nil {
		return nil, clearOut{}, err
	}
	args := in
	args.Token = ""
	d := doom{tool: "clear_chat", args: args, state: []any{g.Chat, g.Messages, g.Starred, g.Oldest, newest}}
	v, err := s.consent(ctx, r, d, in.Token, clearQuestion(callerOf(ctx).language, g, in.Starred == "delete"))
	out := clearOut{Chat: g.Chat, WillGo: &g}
	switch {
	case err != nil:
		return nil, clearOut{}, err
	case v.ask != nil:
		return v.ask, clearOut{}, nil
	case v.refuse:
		out.Status = declined
		return nil, out, nil
	case v.token != "":
		out.Status, out.Token = asking, v.token
		return nil, out, nil
	}
	p := url.Values{"phone": {in.Chat}}
	set(p, "starred", in.Starred)
	c, err := s.change(ctx, "clearMessageById", p, v.once)
	out.Status = c.Status
	return nil, out, err
}

// mayClear tells whether the key may clear chats, and the chat be cleared.
func (s *Server) mayClear(ctx context.Context, chat string) error {
	p := url.Values{}
	about(p, "clear", []string{chat})
	a, err := s.rehearse(ctx, p, 1)
	if err == nil && a.Results.InvalidCount > 0 {
		err = &apiError{message: a.Results.Invalid[0].Message}
	}
	return err
}

// willGo looks at what a clear would take.
func (s *Server) willGo(ctx context.Context, in clearIn) (g goes, newest string, err error) {
	var c struct {
		Results chatDocument `json:"results"`
	}
	if _, err := s.call(ctx, "getChatById", url.Values{"phone": {in.Chat}}, "", &c); err != nil {
		return g, "", err
	}
	var a struct {
		told
		Query   struct{ To string } `json:"query"`
		Results []document          `json:"results"`
	}
	if _, err := s.call(ctx, "fetchMessageById", url.Values{"phone": {in.Chat}, "limit": {strconv.Itoa(counted)}}, "",
		&a); err != nil {
		return g, "", err
	}
	g = goes{Chat: jid(a.Query.To), Name: short(c.Results.Name, maxName), More: a.Cursor != ""}
	for i := range a.Results {
		m := &a.Results[i]
		if m.Starred && in.Starred != "delete" {
			g.Starred++
			continue
		}
		if g.Messages++; g.Messages == 1 {
			g.Oldest = m.Time.seconds()
		}
		g.Newest, newest = m.Time.seconds(), m.ID
	}
	return g, newest, nil
}

// batchIn is what a batch is to do.
type batchIn struct {
	Op string `json:"op" jsonschema:"what is to be done with each chat"`
	filters
	All     bool     `json:"all,omitempty" jsonschema:"true: every chat, where no filter is given"`
	Except  []string `json:"except,omitempty" jsonschema:"chats to leave out"`
	Chats   []string `json:"chats,omitempty" jsonschema:"these chats, in place of filters; at most 1000"`
	Seconds int64    `json:"seconds,omitempty" jsonschema:"of mute: for how long; of disappear: after how long, 0, 86400, 604800 or 7776000"`
	Starred string   `json:"starred,omitempty" jsonschema:"of clear: keep or delete"`
	Quiet   bool     `json:"noReceipts,omitempty" jsonschema:"of read: tell nobody"`
}

// ops are what batches do.
var ops = []any{"mute", "unmute", "pin", "unpin", "archive", "unarchive", "read", "unread", "disappear", "clear", "deleteChat"}

// destroys tells whether an operation takes something that doesn't come back.
func destroys(op string) bool {
	switch op {
	case "mute", "unmute", "pin", "unpin", "archive", "unarchive", "read", "unread":
		return false
	}
	return true
}

// maxChats is how many chats a batch may name, or destroy something of.
const maxChats = 1000

// params are the parameters of createBatch.
func (in batchIn) params() (url.Values, error) {
	p := in.filters.params()
	if len(in.Chats) > maxChats || len(in.Except) > maxChats {
		return nil, fmt.Errorf("a batch may name at most %d chats: select them by filters, or make several batches", maxChats)
	}
	p.Set("op", in.Op)
	if in.All {
		p.Set("all", "true")
	}
	if in.Except != nil {
		p.Set("except", asJSON(in.Except))
	}
	switch {
	case in.Op == "mute" && in.Seconds != 0:
		p.Set("second", strconv.FormatInt(in.Seconds, 10))
	case in.Op == "disappear":
		p.Set("seconds", strconv.FormatInt(in.Seconds, 10))
	}
	set(p, "starred", in.Starred)
	if in.Quiet {
		p.Set("receipts", "false")
	}
	if in.Chats != nil {
		about(p, in.Op, in.Chats)
	}
	return p, nil
}

// about has a batch be of certain chats.
func about(p url.Values, op string, chats []string) {
	type operation struct {
		Op    string `json:"op"`
		Phone string `json:"phone"`
	}
	all := make([]operation, len(chats))
	for i, c := range chats {
		all[i] = operation{op, c}
	}
	p.Set("operations", asJSON(all))
	p.Del("op")
}

// planned is an answer of createBatch.
type planned struct {
	Results struct {
		BatchID      string `json:"batchId"`
		Accepted     int    `json:"accepted"`
		InvalidCount int    `json:"invalidCount"`
		Invalid      []struct {
			To      string `json:"to"`
			Message string `json:"message"`
		} `json:"invalid"`
		Chats []struct {
			To   string `json:"to"`
			Name string `json:"name"`
		} `json:"chats"`
	} `json:"results"`
	Cursor string `json:"nextCursor"`
}

type named struct {
	Chat string `json:"chat"`
	Name string `json:"name,omitempty"`
}

type unfit struct {
	Chat   string `json:"chat,omitempty"`
	Reason string `json:"reason"`
}

// batchPlan is what a batch would do.
type batchPlan struct {
	Op       string  `json:"op"`
	Accepted int     `json:"accepted" jsonschema:"how many chats it is about"`
	Chats    []named `json:"chats" jsonschema:"the first of them"`
	Invalid  []unfit `json:"invalid,omitempty" jsonschema:"the first of what can't be done"`
	Wrong    int     `json:"invalidCount,omitempty" jsonschema:"how many can't be done"`
}

// listed is how many chats a plan names.
const listed = 50

func (p *planned) plan(op string) batchPlan {
	out := batchPlan{Op: op, Accepted: p.Results.Accepted, Chats: []named{}, Wrong: p.Results.InvalidCount, Invalid: p.unfit()}
	for i, c := range p.Results.Chats {
		if i == listed {
			break
		}
		out.Chats = append(out.Chats, named{jid(c.To), short(c.Name, maxName)})
	}
	return out
}

func (p *planned) unfit() (all []unfit) {
	for i, l := range p.Results.Invalid {
		if i == listed {
			break
		}
		all = append(all, unfit{jid(l.To), short(l.Message, 4*maxName)})
	}
	return all
}

// rehearse asks what a batch would do.
func (s *Server) rehearse(ctx context.Context, p url.Values, limit int) (a planned, err error) {
	p.Set("dryRun", "true")
	p.Set("onInvalid", "skip")
	p.Set("limit", strconv.Itoa(limit))
	_, err = s.call(ctx, "createBatch", p, "", &a)
	return a, err
}

func (s *Server) previewBatch(ctx context.Context, _ *sdk.CallToolRequest, in batchIn) (*sdk.CallToolResult, batchPlan, error) {
	p, err := in.params()
	if err != nil {
		return nil, batchPlan{}, err
	}
	a, err := s.rehearse(ctx, p, listed)
	if err != nil {
		return nil, batchPlan{}, err
	}
	return nil, a.plan(in.Op), nil
}

type startIn struct {
	batchIn
	Token string `json:"confirmationToken,omitempty" jsonschema:"of the answer before, once the person has agreed"`
}

type startOut struct {
	Status   string     `json:"status" jsonschema:"started, nothing_to_do, declined, or needs_confirmation: then nothing was done yet"`
	BatchID  string     `json:"batchId,omitempty" jsonschema:"for get_batch"`
	Accepted int        `json:"accepted,omitempty" jsonschema:"how many chats it is about"`
	Invalid  []unfit    `json:"invalid,omitempty" jsonschema:"the first of what can't be done"`
	WillGo   *batchPlan `json:"willGo,omitempty"`
	Token    string     `json:"confirmationToken,omitempty" jsonschema:"for the second call, within five minutes"`
}

func (s *Server) startBatch(ctx context.Context, r *sdk.CallToolRequest, in startIn) (*sdk.CallToolResult, startOut, error) {
	p, err := in.params()
	if err != nil {
		return nil, startOut{}, err
	}
	p.Set("onInvalid", "skip")
	once := ""
	if destroys(in.Op) {
		v, out, err := s.batchConsent(ctx, r, in, p)
		if err != nil || v.once == "" {
			return v.ask, out, err
		}
		once = v.once
	}
	var a planned
	if _, err := s.call(ctx, "createBatch", p, once, &a); err != nil {
		return nil, startOut{}, err
	}
	out := startOut{Status: "started", BatchID: short(a.Results.BatchID, maxName), Accepted: a.Results.Accepted,
		Invalid: a.unfit()}
	if out.BatchID == "" {
		out.Status = "nothing_to_do"
	}
	return nil, out, nil
}

// batchConsent asks for a batch that destroys. What is done then is about just the chats that the person was told of, whatever
// the filters select by then.
func (s *Server) batchConsent(ctx context.Context, r *sdk.CallToolRequest, in startIn, p url.Values) (verdict, startOut, error) {
	a, err := s.rehearse(ctx, p, maxChats)
	if err != nil {
		return verdict{}, startOut{}, err
	}
	if a.Results.Accepted > maxChats {
		return verdict{}, startOut{}, fmt.Errorf("nothing was done: it is about %d chats, and a batch of %s may be about %d at most. Select fewer", a.Results.Accepted, in.Op, maxChats)
	}
	plan := a.plan(in.Op)
	if plan.Accepted == 0 {
		return verdict{}, startOut{Status: "nothing_to_do", Invalid: plan.Invalid}, nil
	}
	chats := make([]string, len(a.Results.Chats))
	for i, c := range a.Results.Chats {
		chats[i] = c.To
	}
	args := in
	args.Token = ""
	d := doom{tool: "start_batch", args: args, state: chats}
	v, err := s.consent(ctx, r, d, in.Token, batchQuestion(callerOf(ctx).language, plan, in))
	out := startOut{WillGo: &plan}
	switch {
	case err != nil:
		return v, startOut{}, err
	case v.ask != nil:
		return v, startOut{}, nil
	case v.refuse:
		out.Status = declined
	case v.token != "":
		out.Status, out.Token = asking, v.token
	}
	for _, name := range []string{"type", "name", "label", "unread", "archived", "muted", "pinned", "idleDays", "all",
		"except", "dryRun", "limit"} {
		p.Del(name)
	}
	about(p, in.Op, chats)
	return v, out, nil
}

type batchOf struct {
	ID   string `json:"batchId,omitempty" jsonschema:"of start_batch; the newest without it"`
	Wait int    `json:"waitSeconds,omitempty" jsonschema:"wait up to so many seconds for its end, at most 20"`
}

type batchState struct {
	BatchID   string  `json:"batchId"`
	State     string  `json:"state" jsonschema:"queued, running, done, cancelled or failed"`
	Reason    string  `json:"reason,omitempty"`
	Total     int     `json:"total"`
	Pending   int     `json:"pending"`
	Done      int     `json:"done"`
	Failed    int     `json:"failed"`
	Cancelled int     `json:"cancelled,omitempty"`
	Overtaken int     `json:"overtaken,omitempty"`
	Ends      string  `json:"estimatedEnd,omitempty"`
	Failures  []unfit `json:"failures,omitempty" jsonschema:"the first of what failed"`
}

// batch is how a batch does, as the API tells.
type batch struct {
	Results struct {
		BatchID string `json:"batchId"`
		State   string `json:"state"`
		Message string `json:"message"`
		Total   int    `json:"total"`
		Counts  struct {
			Pending, Done, Failed, Cancelled, Overtaken int
		} `json:"counts"`
		EstimatedEnd *string `json:"estimatedEnd"`
		Operations   []struct {
			To    string `json:"to"`
			Error string `json:"error"`
		} `json:"operations"`
	} `json:"results"`
}

func (b *batch) shown() batchState {
	r := &b.Results
	s := batchState{
		BatchID: short(r.BatchID, maxName), State: short(r.State, maxName), Reason: short(r.Message, 4*maxName), Total: r.Total,
		Pending: r.Counts.Pending, Done: r.Counts.Done,
		Failed: r.Counts.Failed, Cancelled: r.Counts.Cancelled, Overtaken: r.Counts.Overtaken,
	}
	if r.EstimatedEnd != nil {
		s.Ends = short(*r.EstimatedEnd, maxName)
	}
	return s
}

func (s *batchState) ended() bool { return s.State != "queued" && s.State != "running" }

func (s *Server) getBatch(ctx context.Context, r *sdk.CallToolRequest, in batchOf) (*sdk.CallToolResult, batchState, error) {
	p := url.Values{"only": {"failed"}, "limit": {strconv.Itoa(listed)}}
	set(p, "batchId", in.ID)
	until := s.Now().Add(seconds(min(max(in.Wait, 0), longest)))
	for {
		var b batch
		if _, err := s.call(ctx, "getBatch", p, "", &b); err != nil {
			return nil, batchState{}, err
		}
		out := b.shown()
		for _, o := range b.Results.Operations {
			out.Failures = append(out.Failures, unfit{jid(o.To), short(o.Error, maxName)})
		}
		if out.ended() || !s.Now().Before(until) {
			return nil, out, nil
		}
		p.Set("batchId", b.Results.BatchID)
		if token := r.Params.GetProgressToken(); token != nil {
			_ = r.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{ // who can't get it has the answer
				ProgressToken: token, Progress: float64(out.Total - out.Pending), Total: float64(out.Total),
			})
		}
		if err := sleep.For(ctx, seconds(1)); err != nil {
			return nil, batchState{}, err
		}
	}
}

type cancelIn struct {
	ID string `json:"batchId"`
}

func (s *Server) cancelBatch(ctx context.Context, _ *sdk.CallToolRequest, in cancelIn) (*sdk.CallToolResult, batchState, error) {
	var b batch
	if _, err := s.call(ctx, "cancelBatch", url.Values{"batchId": {in.ID}}, "", &b); err != nil {
		return nil, batchState{}, err
	}
	return nil, b.shown(), nil
}

// The questions stand in the language that the person's client asks for.

func indonesian(language string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(language)), "id")
}

// minute is a time as a person reads it.
func minute(at string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return at
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

func clearQuestion(language string, g goes, starred bool) string {
	name, number := first(g.Name, g.Chat), strings.TrimSuffix(g.Chat, "@s.whatsapp.net")
	count := strconv.Itoa(g.Messages)
	if indonesian(language) {
		if g.More {
			count = "lebih dari " + count
		}
		q := fmt.Sprintf("Hapus semua pesan di chat “%s” (%s)? Pesan yang dikenal: %s", name, number, count)
		if g.Messages > 0 {
			q += fmt.Sprintf(", %s sampai %s", minute(g.Oldest), minute(g.Newest))
		}
		q += "."
		if starred {
			q += " Pesan berbintang ikut terhapus."
		} else {
			q += " Pesan berbintang tetap ada."
		}
		return q + " Pesan juga terhapus di ponsel dan semua perangkat tertaut, dan tidak dapat dikembalikan."
	}
	if g.More {
		count = "more than " + count
	}
	q := fmt.Sprintf("Delete all messages of the chat “%s” (%s)? Known are %s", name, number, count)
	if g.Messages > 0 {
		q += fmt.Sprintf(", from %s to %s", minute(g.Oldest), minute(g.Newest))
	}
	q += "."
	if starred {
		q += " Starred ones go too."
	} else {
		q += " Starred ones stay."
	}
	return q + " They go on the phone and on all linked devices, and don't come back."
}

func batchQuestion(language string, plan batchPlan, in startIn) string {
	var names []string
	for i, c := range plan.Chats {
		if i == 10 {
			names = append(names, "…")
			break
		}
		names = append(names, "“"+first(c.Name, c.Chat)+"”")
	}
	list := strings.Join(names, ", ")
	if indonesian(language) {
		what := map[string]string{"clear": "Hapus semua pesan di", "deleteChat": "Hapus"}[in.Op]
		if in.Op == "disappear" {
			what = fmt.Sprintf("Buat pesan baru menghilang setelah %d detik (0: tidak pernah) di", in.Seconds)
		}
		q := fmt.Sprintf("%s %d chat: %s?", what, plan.Accepted, list)
		if in.Op == "clear" && in.Starred == "delete" {
			q += " Pesan berbintang ikut terhapus."
		}
		return q + " Ini juga berlaku di ponsel dan semua perangkat tertaut, dan tidak dapat dikembalikan."
	}
	what := map[string]string{"clear": "Delete all messages of", "deleteChat": "Delete"}[in.Op]
	if in.Op == "disappear" {
		what = fmt.Sprintf("Let new messages disappear after %d seconds (0: never) in", in.Seconds)
	}
	count := fmt.Sprint(plan.Accepted, " chats")
	if plan.Accepted == 1 {
		count = "1 chat"
	}
	q := fmt.Sprintf("%s %s: %s?", what, count, list)
	if in.Op == "clear" && in.Starred == "delete" {
		q += " Starred messages go too."
	}
	return q + " This holds on the phone and on all linked devices too, and what goes doesn't come back."
}
