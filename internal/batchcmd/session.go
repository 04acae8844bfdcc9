package batchcmd

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// session is one run of the command.
type session struct {
	*client
	env     Env
	options *options
}

const (
	shownLines = 20
	maxFile    = 4 << 20 // bytes that the server takes
)

func (s *session) say(format string, args ...any) {
	if !s.options.json {
		fmt.Fprintf(s.env.Out, format+"\n", args...)
	}
}

func (s *session) print(v any) error {
	e := json.NewEncoder(s.env.Out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// runFile makes a batch of a file's operations.
func (s *session) runFile(ctx context.Context, name string) (int, error) {
	in := io.Reader(s.env.In)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return 0, &errUsage{err.Error()}
		}
		defer f.Close()
		in = f
	}
	file, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return 0, &errUsage{fmt.Sprintf(s.words.cantRead, name, err)}
	}
	if len(file) > maxFile {
		return 0, &errUsage{fmt.Sprintf(s.words.tooLarge, name)}
	}
	params, err := s.options.operation("", s.env.Now())
	if err != nil {
		return 0, err
	}
	s.options.selection(params) // which the server refuses beside a file
	return s.create(ctx, "run", params, file)
}

// create makes a batch, or shows what it would do, and follows it to its end.
func (s *session) create(ctx context.Context, what string, params url.Values, file []byte) (int, error) {
	s.options.running(params)
	if file != nil {
		file = zip(file)
	}
	if s.options.dryRun {
		return s.rehearse(ctx, params, file)
	}
	var answer created
	if err := s.call(ctx, "createBatch", params, file, &answer); err != nil {
		return 0, err
	}
	return s.follow(ctx, answer.Results)
}

// follow shows what was accepted, and waits for its end.
func (s *session) follow(ctx context.Context, r results) (int, error) {
	s.sayLines(r)
	if r.BatchID == "" {
		s.say("%s", s.words.nothing)
		if s.options.json {
			return worst(OK, r), s.print(r)
		}
		return worst(OK, r), nil
	}
	s.say(s.words.begun, r.BatchID, s.words.grouped(r.Accepted))
	if s.options.detach {
		if s.options.json {
			return Left, s.print(r)
		}
		return Left, nil
	}
	status, err := s.watch(ctx, r.BatchID)
	return worst(status, r), err
}

// worst is the exit status where some lines were wrong too.
func worst(status int, r results) int {
	if status == OK && r.InvalidCount > 0 && slices.ContainsFunc(r.Invalid, func(i invalid) bool { return i.Line > 0 }) {
		return Partly
	}
	return status
}

func (s *session) sayLines(r results) {
	for i, l := range r.Invalid {
		if i == shownLines {
			s.say(s.words.more, s.words.grouped(r.InvalidCount-i))
			break
		}
		s.say(s.words.notDone, s.words.invalid(l))
	}
	for i, l := range r.Replaced {
		if i == shownLines {
			s.say(s.words.more, s.words.grouped(r.ReplacedCount-i))
			break
		}
		s.say(s.words.givesWay, l.Line, l.By, l.To)
	}
}

// rehearse shows what a batch would do.
func (s *session) rehearse(ctx context.Context, params url.Values, file []byte) (int, error) {
	params.Set("dryRun", "true")
	params.Set("limit", strconv.Itoa(shownLines))
	if s.options.json {
		params.Set("limit", "1000")
	}
	var all results
	for cursor := ""; ; {
		if cursor != "" {
			params.Set("cursor", cursor)
		}
		var answer created
		if err := s.call(ctx, "createBatch", params, file, &answer); err != nil {
			return 0, err
		}
		chats := append(all.Chats, answer.Results.Chats...)
		all = answer.Results
		all.Chats = chats
		if cursor = answer.Next; cursor == "" || !s.options.json {
			break
		}
	}
	if s.options.json {
		return worst(OK, all), s.print(all)
	}
	s.sayLines(all)
	var counts []string
	for op, n := range all.Counts {
		counts = append(counts, fmt.Sprintf("%s %s", op, s.words.grouped(n)))
	}
	slices.Sort(counts)
	s.say(s.words.would, s.words.grouped(all.Accepted), parenthesis(strings.Join(counts, ", ")))
	for _, c := range all.Chats {
		s.say("  %-10s %-32s %s", c.Op, c.To, c.Name)
	}
	if more := all.Accepted - len(all.Chats); more > 0 {
		s.say(s.words.moreJSON, s.words.grouped(more))
	}
	return worst(OK, all), nil
}

func parenthesis(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// get reads how a batch does.
func (s *session) get(ctx context.Context, id string, only string, limit int) (batch, error) {
	params := url.Values{"limit": {strconv.Itoa(limit)}}
	set(params, "batchId", id)
	set(params, "only", only)
	var answer struct{ Results batch }
	err := s.call(ctx, "getBatch", params, nil, &answer)
	return answer.Results, err
}

func (s *session) status(ctx context.Context, id string) (int, error) {
	b, err := s.get(ctx, id, "", 1)
	if err != nil {
		return 0, err
	}
	if s.options.detach && !b.ended() {
		b.Operations = nil
		if s.options.json {
			return Left, s.print(b)
		}
		s.say("%s", s.words.one(b, s.env.Now()))
		return Left, nil
	}
	s.say(s.words.begun, b.BatchID, s.words.grouped(b.Total))
	return s.watch(ctx, b.BatchID)
}

func (s *session) list(ctx context.Context) (int, error) {
	params := url.Values{}
	for {
		var answer struct {
			Results []batch
			Next    string `json:"nextCursor"`
		}
		if err := s.call(ctx, "listBatches", params, nil, &answer); err != nil {
			return 0, err
		}
		for _, b := range answer.Results {
			if s.options.json {
				if err := s.print(b); err != nil {
					return 0, err
				}
				continue
			}
			when := "-"
			if b.CreatedAt != nil {
				when = b.CreatedAt.In(s.env.Now().Location()).Format("2006-01-02 15:04")
			}
			s.say("%s  %s  %s", b.BatchID, when, s.words.one(b, s.env.Now()))
		}
		if answer.Next == "" {
			return OK, nil
		}
		params.Set("cursor", answer.Next)
	}
}

func (s *session) cancel(ctx context.Context, id string) (int, error) {
	b, err := s.cancelBatch(ctx, id)
	if err != nil {
		return 0, err
	}
	if s.options.json {
		return OK, s.print(b)
	}
	s.say("%s", s.words.one(b, s.env.Now()))
	return OK, nil
}

func (s *session) cancelBatch(ctx context.Context, id string) (batch, error) {
	var answer struct{ Results batch }
	err := s.call(ctx, "cancelBatch", url.Values{"batchId": {id}}, nil, &answer)
	return answer.Results, err
}

func (s *session) retry(ctx context.Context, id string) (int, error) {
	params := url.Values{"batchId": {id}}
	s.options.running(params)
	params.Del("onInvalid")
	var answer created
	if err := s.call(ctx, "retryBatch", params, nil, &answer); err != nil {
		return 0, err
	}
	return s.follow(ctx, answer.Results)
}

// watch shows a batch until it has ended, or the person goes.
func (s *session) watch(ctx context.Context, id string) (int, error) {
	s.watching = true
	show := newProgress(s)
	defer show.end()
	var answers <-chan string
	tick := time.NewTicker(cmp.Or(s.env.Poll, time.Second))
	defer tick.Stop()
	for {
		b, err := s.get(ctx, id, "", 1)
		if err != nil {
			return 0, err
		}
		if b.ended() {
			show.end()
			return s.conclude(ctx, b)
		}
		if answers == nil {
			show.show(b)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		case <-s.env.Interrupted:
			if answers != nil || !s.env.Terminal || s.options.json {
				return s.leave(id)
			}
			show.end()
			fmt.Fprint(s.env.Out, s.words.ask)
			answers = s.ask()
		case answer := <-answers:
			answers = nil
			switch strings.ToLower(strings.TrimSpace(answer)) {
			case "c", "cancel", "b", "batalkan":
				if _, err := s.cancelBatch(ctx, id); err != nil {
					return 0, err
				}
			case "l", "leave", "j", "biarkan", "eof":
				return s.leave(id)
			}
		}
	}
}

// ask reads a line; nobody there is "eof".
func (s *session) ask() <-chan string {
	answer := make(chan string, 1)
	go func() { // until there is a line, or the process ends
		text, err := bufio.NewReader(s.env.In).ReadString('\n')
		if err != nil && text == "" {
			text = "eof"
		}
		answer <- text
	}()
	return answer
}

func (s *session) leave(id string) (int, error) {
	fmt.Fprintf(s.env.Err, s.words.goesOn+"\n", id)
	return Left, nil
}

// conclude tells how a batch has ended.
func (s *session) conclude(ctx context.Context, b batch) (int, error) {
	status := OK
	switch {
	case b.State == "cancelled":
		status = Cancelled
	case b.State == "failed":
		status = Stopped
	case b.State != "done":
		return 0, fmt.Errorf(s.words.strangeness, b.State)
	case b.Counts.Failed > 0:
		status = Partly
	}
	b.Operations = nil
	if b.Counts.Failed > 0 {
		limit := shownLines
		if s.options.json {
			limit = 1000
		}
		failed, err := s.get(ctx, b.BatchID, "failed", limit)
		if err != nil {
			return 0, err
		}
		b.Operations = failed.Operations
	}
	if s.options.json {
		return status, s.print(b)
	}
	s.say("%s", s.words.one(b, s.env.Now()))
	for _, o := range b.Operations {
		where := ""
		if o.Line > 0 {
			where = fmt.Sprintf(s.words.line, o.Line)
		}
		s.say(s.words.failed, where, o.Op, o.To, o.Error)
	}
	if more := b.Counts.Failed - len(b.Operations); more > 0 && len(b.Operations) > 0 {
		s.say(s.words.more, s.words.grouped(more))
	}
	return status, nil
}
