package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"pesan/internal/chat"
	"pesan/internal/env"
	"pesan/internal/program"
	"pesan/internal/standalone"
)

// settings are what flags and environment say.
type settings struct {
	config  standalone.Config
	command string
	file    string // of backup and restore
	mend    bool   // of doctor
	verbose bool
	logFile string

	whatsAppAddress, whatsAppRootKey string
}

const usage = `Pesan serves the chats of a linked WhatsApp account over HTTP.

  pesan demo   an inbox of 200 chats on a simulated WhatsApp; nothing is kept
  pesan run    links a phone by QR code and serves its chats
  pesan batch  changes many chats by one call; see pesan batch help
  pesan mcp    offers an account's chats to an assistant that starts it; see pesan mcp help
  pesan backup file    writes accounts and chats into a new file, also while pesan runs
  pesan restore file   puts a backup in the place of what is there, also while pesan runs; devices are linked again
  pesan doctor         looks at folder, data, clock and WhatsApp, and says what to mend; -mend keeps of damaged data what is whole
  pesan version

Flags:
`

const environment = `
Environment:
  PESAN_LISTEN PESAN_DATA PESAN_LOG PESAN_METRICS   as the flags, which win
  PESAN_SECRET       the system secret, at least 16 characters; else one is made and kept in the data folder
  PESAN_SYNC         1: wait for the disk, so that a power cut loses no message; 0: be faster (1)
  COUNTRY_CODE       what a leading 0 in a phone number stands for (62)
  COMMAND_WAIT       how long a call waits for WhatsApp before it answers 202 (8s)
  RATE_LIMIT         calls a second of one API key; 0: no limit (50)
  MEDIA_LIMIT        MiB that the file of a message may have to be fetched; 0: none is (100)
  FEED_DAYS          days for which what has changed can be asked for: since, getChanges, webhooks (7)
  BATCH_RATE         operations of a batch a second, at most (50)
  WEBHOOK_LOOPBACK   1: webhooks may go to this machine, also by http; for a laptop (0)
  WHATSAPP_ADDRESS   host:port of another WhatsApp server, without TLS
  WHATSAPP_ROOT_KEY  the key that signs its certificates, 32 bytes in hex
  LANG, LC_ALL       id…: messages in Indonesian, else in English

`

// parse reads arguments and environment, and reports all that is wrong with them at once.
func parse(args []string, lookup func(string) (string, bool), out, errOut io.Writer) (settings, error) {
	r := env.New(lookup)
	s := settings{
		config: standalone.Config{
			Secret:      r.String("PESAN_SECRET", ""),
			CountryCode: r.Digits("COUNTRY_CODE", "62", 3),
			CommandWait: r.Duration("COMMAND_WAIT", 8*time.Second, 0, 25*time.Second),
			Rate:        float64(r.Int("RATE_LIMIT", 50, 0, 1_000_000)),
			BatchRate:   r.Int("BATCH_RATE", chat.BatchRateBound, 1, chat.MaxBatchRate),
			Loopback:    r.Int("WEBHOOK_LOOPBACK", 0, 0, 1) == 1,
			MaxMedia:    int64(r.Int("MEDIA_LIMIT", 100, 0, 2000)) << 20,
			FeedAge:     time.Duration(r.Int("FEED_DAYS", 7, 1, chat.MostFeedDays)) * chat.LeastFeedAge,
			Sync:        r.Int("PESAN_SYNC", 1, 0, 1) == 1,
			Locale:      cmp.Or(r.String("LC_ALL", ""), r.String("LC_MESSAGES", ""), r.String("LANG", "")),
		},
		whatsAppAddress: r.Address("WHATSAPP_ADDRESS", ""),
	}
	if key := r.Key("WHATSAPP_ROOT_KEY"); key != nil {
		s.whatsAppRootKey = fmt.Sprintf("%x", key[:])
	}
	if (s.whatsAppAddress == "") != (s.whatsAppRootKey == "") && r.Err() == nil {
		r.Reject("WHATSAPP_ADDRESS, WHATSAPP_ROOT_KEY", "both must be set, or none")
	}
	if n := len(s.config.Secret); n > 0 && n < standalone.LeastSecret {
		r.Reject("PESAN_SECRET", fmt.Sprintf("must have at least %d characters", standalone.LeastSecret))
	}

	flags := flag.NewFlagSet("pesan", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&s.config.Listen, "listen", r.Address("PESAN_LISTEN", "127.0.0.1:8080"),
		"`host:port` to answer on; port 0 is any free one")
	flags.StringVar(&s.config.Metrics, "metrics", r.Address("PESAN_METRICS", ""),
		"`host:port` to answer Prometheus on, at /metrics; nowhere if empty")
	flags.StringVar(&s.config.Folder, "data", r.String("PESAN_DATA", "data"), "`folder` for what is kept; not of pesan demo")
	flags.StringVar(&s.logFile, "log", r.String("PESAN_LOG", ""), "`file` to append the log to; else standard error")
	flags.BoolVar(&s.verbose, "v", false, "log more than warnings")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), environment)
	}
	help := func() { flags.SetOutput(out); flags.Usage() }
	if len(args) == 0 {
		flags.Usage()
		return s, program.ErrUsage
	}
	switch args[0] {
	case "demo", "run", "backup", "restore":
	case "doctor":
		flags.BoolVar(&s.mend, "mend", false, "keep of damaged data what is whole; what was there before stays beside it")
	case "version":
		fmt.Fprintln(out, version())
		return s, flag.ErrHelp
	case "-h", "--help", "-help", "help":
		help()
		return s, flag.ErrHelp
	default:
		fmt.Fprintf(errOut, "pesan: there is no %s\n\n", strconv.Quote(args[0]))
		flags.Usage()
		return s, program.ErrUsage
	}
	s.command = args[0]
	if len(args) > 1 && (args[1] == "-h" || args[1] == "--help" || args[1] == "-help") {
		help()
		return s, flag.ErrHelp
	}
	if err := flags.Parse(args[1:]); err != nil {
		return s, program.ErrUsage
	}
	if s.command == "backup" || s.command == "restore" {
		if s.file = flags.Arg(0); s.file == "" {
			fmt.Fprintf(errOut, "pesan: %s needs the name of a file\n\n", s.command)
			flags.Usage()
			return s, program.ErrUsage
		}
		if err := flags.Parse(flags.Args()[1:]); err != nil { // flags may stand behind it
			return s, program.ErrUsage
		}
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errOut, "pesan: %s is too much\n\n", strconv.Quote(flags.Arg(0)))
		flags.Usage()
		return s, program.ErrUsage
	}
	if _, err := env.ParseAddress(s.config.Listen); err != nil {
		r.Reject("-listen", err.Error())
	}
	if _, err := env.ParseAddress(s.config.Metrics); s.config.Metrics != "" && err != nil {
		r.Reject("-metrics", err.Error())
	}
	return s, r.Err()
}

// logger logs JSON lines to the file, or to errOut.
func (s settings) logger(errOut io.Writer) (_ *slog.Logger, closeLog func(), err error) {
	level, to, closeLog := slog.LevelWarn, errOut, func() {}
	if s.logFile != "" {
		f, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("open log: %w; set -log or PESAN_LOG to a file that can be written", err)
		}
		level, to, closeLog = slog.LevelInfo, f, func() { f.Close() }
	}
	if s.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: level})), closeLog, nil
}
