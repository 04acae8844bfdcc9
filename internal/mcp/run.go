package mcp

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Env is what surrounds pesan mcp.
type Env struct {
	In     io.ReadCloser
	Out    io.WriteCloser
	Err    io.Writer
	Lookup func(string) (string, bool)
	Now    func() time.Time
}

const usage = `Offers the chats of one account to an assistant that starts this program, by the Model Context Protocol over standard input and output.

  pesan mcp [flags]

An assistant that takes a URL needs no program: give it /mcp of the server, and the key in the header Authorization, as Bearer.

Flags:
`

const environment = `
Environment:
  PESAN_URL      where the server is (http://127.0.0.1:8080)
  PESAN_API_KEY  the account's key; one of the scope read lets nothing be changed
  LANG, LC_ALL   id…: what people are asked is in Indonesian, else in English
`

// Run runs pesan mcp until the assistant has gone, and returns the exit status.
func Run(ctx context.Context, args []string, e Env) int {
	lookup := func(names ...string) string {
		for _, name := range names {
			if v, ok := e.Lookup(name); ok && v != "" {
				return v
			}
		}
		return ""
	}
	flags := flag.NewFlagSet("pesan mcp", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	address := flags.String("url", cmp.Or(lookup("PESAN_URL"), "http://127.0.0.1:8080"), "where the server is")
	key := flags.String("key", lookup("PESAN_API_KEY"),
		"the account's `API key`; better in PESAN_API_KEY, which others don't see")
	help := func(to io.Writer) {
		fmt.Fprint(to, usage)
		flags.SetOutput(to)
		flags.PrintDefaults()
		fmt.Fprint(to, environment)
	}
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) || err == nil && flags.Arg(0) == "help" {
		help(e.Err) // standard output is the assistant's
		return 0
	}
	base, parseErr := url.Parse(*address)
	switch {
	case err != nil:
	case flags.NArg() > 0:
		err = fmt.Errorf("%q is too much", flags.Arg(0))
	case parseErr != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		err = fmt.Errorf("%q is no URL of a server; set PESAN_URL", *address)
	case *key == "":
		err = errors.New("set PESAN_API_KEY to the account's key")
	}
	if err != nil {
		fmt.Fprintf(e.Err, "pesan mcp: %v\n", err)
		return 2
	}
	language := "en"
	if strings.HasPrefix(strings.ToLower(lookup("LC_ALL", "LC_MESSAGES", "LANG")), "id") {
		language = "id"
	}
	s := New(Config{
		API: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: time.Minute}, Now: e.Now,
		Logger: slog.New(slog.NewTextHandler(e.Err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	who := &caller{base: strings.TrimSuffix(base.String(), "/"), key: *key, language: language}
	err = s.sdk.Run(who.in(ctx), &sdk.IOTransport{Reader: e.In, Writer: e.Out, MaxLineLength: maxBody})
	if err != nil && ctx.Err() == nil && !errors.Is(err, io.EOF) {
		fmt.Fprintf(e.Err, "pesan mcp: %v\n", err)
		return 1
	}
	return 0
}
