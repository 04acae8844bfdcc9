// Package batchcmd is pesan batch: it makes batches on a server of Pesan, wherever that is, and shows how they do. It knows the
// HTTP API alone.
package batchcmd

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// The exit statuses.
const (
	OK        = 0 // everything asked for was done
	Failed    = 1 // the server couldn't be reached, or gave no answer
	Usage     = 2 // wrong arguments, or the server refused what was asked for
	Partly    = 3 // the batch has ended; some of its operations failed or were wrong
	Cancelled = 4
	Stopped   = 5 // the batch was stopped before its end, such as by a logout
	Left      = 6 // the batch goes on without this program
)

// Env is what surrounds the command.
type Env struct {
	In          *os.File
	Out, Err    io.Writer
	Terminal    bool // In and Out are a person's
	Lookup      func(string) (string, bool)
	Interrupted <-chan os.Signal
	Now         func() time.Time
	Poll        time.Duration // between two looks at a batch; 1 s
}

const usage = `Changes many chats by one call.

  pesan batch OP [which chats] [how]   one operation on all chats that are selected
  pesan batch run FILE                 the operations of a CSV, JSON Lines or JSON file; - is the standard input
  pesan batch status [ID]              shows a batch, and waits for its end; the newest without ID
  pesan batch list
  pesan batch cancel ID
  pesan batch retry ID                 tries again what failed for a reason that may have passed

  OP is mute, unmute, pin, unpin, archive, unarchive, read, unread, disappear, clear or deleteChat.

  pesan batch mute --type group --until 07:00 --dry-run
  pesan batch clear --idle-days 90 --except 08123456789
  pesan batch run changes.csv

Flags:
`

const environment = `
Environment:
  PESAN_URL      where the server is (http://127.0.0.1:8080)
  PESAN_API_KEY  the account's key

Exit status: 0 all done; 1 the server can't be reached; 2 wrong arguments, or refused; 3 some operations failed or were wrong;
4 cancelled; 5 stopped before its end; 6 goes on without this program.
`

// refused is an answer of the server's that isn't a success.
type refused struct {
	status  int
	message string
}

func (r *refused) Error() string { return r.message }

// errUsage says that the arguments are wrong.
type errUsage struct{ message string }

func (e *errUsage) Error() string { return e.message }

// options are the flags.
type options struct {
	words                           *words
	url, key                        string
	json, dryRun, detach, wait      bool
	rate                            int
	onInvalid                       string
	until                           string
	duration                        time.Duration
	second, seconds                 int64
	starred                         string
	noReceipts                      bool
	kind, name, label, except       string
	idleDays                        int
	unread, archived, muted, pinned string
	all                             bool
}

func (o *options) flags(e Env) *flag.FlagSet {
	lookup := func(name, otherwise string) string {
		if v, ok := e.Lookup(name); ok && v != "" {
			return v
		}
		return otherwise
	}
	f := flag.NewFlagSet("pesan batch", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.url, "url", lookup("PESAN_URL", "http://127.0.0.1:8080"), "where the server is")
	f.StringVar(&o.key, "key", lookup("PESAN_API_KEY", ""),
		"the account's `API key`; better in PESAN_API_KEY, which others don't see")
	f.BoolVar(&o.json, "json", false, "print JSON, and no progress")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, and do nothing")
	f.BoolVar(&o.detach, "detach", false, "don't wait for the end")
	f.BoolVar(&o.wait, "wait", false, "begin when the device connects, for up to a day")
	f.IntVar(&o.rate, "rate", 0, "operations a second at most")
	f.StringVar(&o.onInvalid, "on-invalid", "", "`reject` a file with wrong lines, as without this flag, or skip these")
	f.StringVar(&o.kind, "type", "", "only `private`, group, newsletter or broadcast")
	f.StringVar(&o.unread, "unread", "", "only chats with unread messages (`true`), or without (false)")
	f.StringVar(&o.archived, "archived", "", "only archived chats, or others")
	f.StringVar(&o.muted, "muted", "", "only muted chats, or others")
	f.StringVar(&o.pinned, "pinned", "", "only pinned chats, or others")
	f.IntVar(&o.idleDays, "idle-days", 0, "only chats in which nothing has happened for as many `days`")
	f.StringVar(&o.name, "name", "", "only chats whose name has this `part`")
	f.StringVar(&o.label, "label", "", "only chats with the label of this `id`")
	f.StringVar(&o.except, "except", "", "`phones` to leave out, with commas between them")
	f.BoolVar(&o.all, "all", false, "every chat")
	f.StringVar(&o.until, "until", "", "of mute: until this `time` of the day, such as 07:00")
	f.DurationVar(&o.duration, "for", 0, "of mute: for as long, such as 9h")
	f.Int64Var(&o.second, "second", 0, "of mute: for as many seconds")
	f.Int64Var(&o.seconds, "seconds", -1, "of disappear: 0, 86400, 604800 or 7776000")
	f.StringVar(&o.starred, "starred", "", "of clear: `keep` or delete starred messages")
	f.BoolVar(&o.noReceipts, "no-receipts", false, "of read: tell nobody")
	return f
}

// Run runs the command and returns the exit status.
func Run(ctx context.Context, args []string, e Env) int {
	o := options{words: wordsOf(e.Lookup)}
	flags := o.flags(e)
	help := func(to io.Writer) {
		fmt.Fprint(to, usage)
		flags.SetOutput(to)
		flags.PrintDefaults()
		fmt.Fprint(to, environment)
	}
	words, err := split(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp), err == nil && len(words) > 0 && words[0] == "help":
		help(e.Out)
		return OK
	case err == nil && len(words) == 0:
		help(e.Err)
		return Usage
	}
	status := OK
	if err == nil {
		status, err = o.run(ctx, words, e)
	}
	if err == nil {
		return status
	}
	fmt.Fprintf(e.Err, "pesan batch: %v\n", err)
	var wrong *errUsage
	var no *refused
	switch {
	case errors.As(err, &wrong), errors.As(err, &no) && no.status < 500 && no.status != 429:
		return Usage
	}
	return Failed
}

// split takes the words out of the arguments, between which flags may stand.
func split(f *flag.FlagSet, args []string) (words []string, err error) {
	for len(args) > 0 {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, &errUsage{err.Error()}
		}
		if args = f.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	return words, nil
}

func (o *options) run(ctx context.Context, words []string, e Env) (int, error) {
	base, err := url.Parse(o.url)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return 0, &errUsage{fmt.Sprintf(o.words.noURL, o.url)}
	}
	if o.key == "" {
		return 0, &errUsage{o.words.noKey}
	}
	c := &client{base: strings.TrimSuffix(base.String(), "/"), key: o.key, words: o.words,
		pause: cmp.Or(e.Poll, time.Second), interrupted: e.Interrupted}
	s := &session{client: c, env: e, options: o}
	verb, rest := words[0], words[1:]
	argument := func(what string, needed bool) (string, error) {
		switch {
		case len(rest) > 1, len(rest) == 1 && what == "":
			return "", &errUsage{fmt.Sprintf(o.words.tooMuch, rest[len(rest)-1])}
		case len(rest) == 1:
			return rest[0], nil
		case needed:
			return "", &errUsage{fmt.Sprintf(o.words.needs, verb, what)}
		}
		return "", nil
	}
	switch verb {
	case "run":
		name, err := argument(o.words.file, true)
		if err != nil {
			return 0, err
		}
		return s.runFile(ctx, name)
	case "status":
		id, err := argument(o.words.batchID, false)
		if err != nil {
			return 0, err
		}
		return s.status(ctx, id)
	case "list":
		if _, err := argument("", false); err != nil {
			return 0, err
		}
		return s.list(ctx)
	case "cancel":
		id, err := argument(o.words.batchID, true)
		if err != nil {
			return 0, err
		}
		return s.cancel(ctx, id)
	case "retry":
		id, err := argument(o.words.batchID, true)
		if err != nil {
			return 0, err
		}
		return s.retry(ctx, id)
	}
	if _, err := argument("", false); err != nil {
		return 0, err
	}
	params, err := o.operation(verb, e.Now())
	if err != nil {
		return 0, err
	}
	o.selection(params)
	return s.create(ctx, verb, params, nil)
}

// operation are the parameters of what is to be done.
func (o *options) operation(op string, now time.Time) (url.Values, error) {
	p := url.Values{}
	set(p, "op", op)
	lasting := 0
	if o.until != "" {
		lasting++
		until, err := time.ParseInLocation("15:04", o.until, now.Location())
		if err != nil {
			return nil, &errUsage{fmt.Sprintf(o.words.noTime, o.until)}
		}
		at := time.Date(now.Year(), now.Month(), now.Day(), until.Hour(), until.Minute(), 0, 0, now.Location())
		if !at.After(now) {
			at = time.Date(now.Year(), now.Month(), now.Day()+1, until.Hour(), until.Minute(), 0, 0, now.Location())
		}
		p.Set("second", strconv.FormatInt(int64(max(at.Sub(now), time.Second)/time.Second), 10))
	}
	if o.duration != 0 {
		lasting++
		p.Set("second", strconv.FormatInt(int64(o.duration/time.Second), 10))
	}
	if o.second != 0 {
		lasting++
		p.Set("second", strconv.FormatInt(o.second, 10))
	}
	switch {
	case lasting > 1:
		return nil, &errUsage{o.words.oneOf}
	case lasting == 1 && op != "mute" && op != "":
		return nil, &errUsage{o.words.ofMute}
	}
	if o.seconds >= 0 {
		p.Set("seconds", strconv.FormatInt(o.seconds, 10))
	}
	set(p, "starred", o.starred)
	if o.noReceipts {
		p.Set("receipts", "false")
	}
	return p, nil
}

func set(p url.Values, name, value string) {
	if value != "" {
		p.Set(name, value)
	}
}

// selection adds which chats it is about.
func (o *options) selection(p url.Values) {
	set(p, "type", o.kind)
	set(p, "unread", o.unread)
	set(p, "archived", o.archived)
	set(p, "muted", o.muted)
	set(p, "pinned", o.pinned)
	set(p, "name", o.name)
	set(p, "label", o.label)
	set(p, "except", o.except)
	if o.idleDays != 0 {
		p.Set("idleDays", strconv.Itoa(o.idleDays))
	}
	if o.all {
		p.Set("all", "true")
	}
}

// running adds how the batch is to run.
func (o *options) running(p url.Values) {
	if o.rate != 0 {
		p.Set("rate", strconv.Itoa(o.rate))
	}
	if o.wait {
		p.Set("wait", "true")
	}
	set(p, "onInvalid", o.onInvalid)
}
