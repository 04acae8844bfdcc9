package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"

	"go.mau.fi/libsignal/logger"
	waBinary "go.mau.fi/whatsmeow/binary"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// waLogger passes whatsmeow's warnings and errors on, without what mustn't be in a log: stanzas, names and texts are left
// out, of numbers the last digits remain.
type waLogger struct {
	log   *slog.Logger
	quiet func() bool                            // true: warnings are expected
	saw   func(part string, node *waBinary.Node) // gets the stanzas that whatsmeow prints
	part  string                                 // of whatsmeow
}

// The parts of whatsmeow that print the stanzas that it receives, before it does anything with them, and sends.
const (
	partReceives = "Recv"
	partSends    = "Send"
)

func newLogger(log *slog.Logger, quiet func() bool, saw func(string, *waBinary.Node)) waLog.Logger {
	return waLogger{log, quiet, saw, "Client"}
}

// Sub makes no logger of its own: a client has half a dozen parts, which mostly say nothing.
func (l waLogger) Sub(module string) waLog.Logger { return waLogger{l.log, l.quiet, l.saw, module} }

// Debugf prints nothing of the stanzas that whatsmeow gives it.
func (l waLogger) Debugf(_ string, args ...any) {
	if len(args) == 1 && l.saw != nil {
		if node, ok := args[0].(*waBinary.Node); ok {
			l.saw(l.part, node)
		}
	}
}

func (l waLogger) Infof(format string, args ...any)  { l.print(slog.LevelDebug, format, args) }
func (l waLogger) Warnf(format string, args ...any)  { l.print(slog.LevelWarn, format, args) }
func (l waLogger) Errorf(format string, args ...any) { l.print(slog.LevelError, format, args) }

func (l waLogger) print(level slog.Level, format string, args []any) {
	if l.quiet() {
		level = slog.LevelDebug
	}
	if slices.ContainsFunc(args, func(v any) bool { err, ok := v.(error); return ok && errors.Is(err, errFetchedHere) }) {
		return
	}
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	for i, arg := range args {
		args[i] = harmless(arg)
	}
	l.log.Log(context.Background(), level, "whatsmeow: "+fmt.Sprintf(format, args...), "part", l.part)
}

// maxLogged bounds an error's text in the log.
const maxLogged = 300

// harmless is what may be logged of a value: numbers and errors, with masked digits; of anything else its type.
func harmless(v any) any {
	switch v := v.(type) {
	case bool, int, int32, int64, uint, uint32, uint64:
		return v
	case error:
		return masked(v.Error())
	}
	return loose(fmt.Sprintf("%T", v))
}

// loose prints as itself whatever the verb.
type loose string

// Format implements fmt.Formatter.
func (l loose) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(l)) }

var (
	manyDigits = regexp.MustCompile(`\d{4,}(\d{3})`)
	stanza     = regexp.MustCompile(`(?s)<.*>`)
)

// masked takes stanzas and numbers out of a text.
func masked(s string) loose {
	s = stanza.ReplaceAllString(s, "<…>")
	s = manyDigits.ReplaceAllString(s, "…$1")
	if len(s) > maxLogged {
		s = s[:maxLogged] + "…"
	}
	return loose(s)
}

// failure is an error as it may be logged: it may have come from anywhere.
func failure(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.String("error", string(masked(err.Error())))
}

// signalLogger takes the log of libsignal, which would go to standard output.
type signalLogger struct{ log *slog.Logger }

var _ logger.Loggable = signalLogger{}

func (l signalLogger) Debug(string, string) {}
func (l signalLogger) Info(string, string)  {}
func (l signalLogger) Warning(_, message string) {
	l.log.Debug("libsignal: " + string(masked(message)))
}
func (l signalLogger) Error(_, message string) { l.log.Debug("libsignal: " + string(masked(message))) }
func (l signalLogger) Configure(string)        {}
