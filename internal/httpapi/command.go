package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"pesan/internal/chat"
)

// commander is what endpoints need that command a device.
type commander struct {
	commands chat.Commands
	outcomes chat.CommandReader
	sender   chat.CommandSender
	most     time.Duration // of waiting for the outcome; 8 s
	hosts    Hosts         // nil when there is always one
}

// Hosts tells who is there to carry commands out.
type Hosts interface {
	// Hosts returns the hosts that are announced at the moment.
	Hosts(ctx context.Context, now time.Time) ([]string, error)
}

const (
	commandWait = 8 * time.Second
	submitTime  = 10 * time.Second
)

// A call that waits looks after firstPoll how its command has ended, since none has sooner where looking is needed, soon again,
// and then with pauses that grow with what it has waited, up to slowestPoll: a look costs, and so does a function's time until
// the next.
const (
	firstPoll   = 150 * time.Millisecond
	nextPoll    = 100 * time.Millisecond
	slowestPoll = 750 * time.Millisecond
)

// Pauses returns what tells how long a call that waits pauses before each of its looks.
func Pauses() (next func() time.Duration) {
	pause, then := firstPoll, nextPoll
	return func() time.Duration {
		now := pause
		pause, then = then, min(then*5/4, slowestPoll)
		return now
	}
}

// pending are the results of a call whose command goes on.
type pending struct {
	Message   string `json:"message"`
	CommandID string `json:"commandId"`
}

func (c *call) pending(r chat.CommandRecord) pending {
	message := "Perintah masih diproses; hasilnya akan tercatat di getReportApi."
	if prefersEnglish(c.request.header("Accept-Language")) {
		message = "The command is still being carried out; how it ends will stand in getReportApi."
	}
	return pending{message, r.ID}
}

// connected returns DEVICE_NOT_CONNECTED unless the account's device can take commands.
func connected(a chat.Account) error {
	if !a.On || !a.Linked() || a.State != chat.Connected {
		return &chat.Error{Code: chat.DeviceNotConnected}
	}
	return nil
}

// commandID is the id that the client chose, or "".
func (c *call) commandID() (string, error) {
	id := c.request.header("Idempotency-Key")
	if id != "" && !chat.ValidCommandID(id) {
		return "", &refusal{chat.InvalidParameter,
			"Header Idempotency-Key harus 1 sampai 128 karakter ASCII tanpa spasi.",
			"The header Idempotency-Key must be 1 to 128 printable ASCII characters without spaces."}
	}
	return id, nil
}

// earlier tells whether the account has a command with this id; its outcome is to be told again, whatever has become of
// the device since.
func (o commander) earlier(ctx context.Context, account, id string) bool {
	if id == "" {
		return false
	}
	_, err := o.commands.Command(ctx, account, id)
	return err == nil
}

// do puts a command on the queue and waits for its outcome: the record says done or pending, an error why it failed. It
// fills in what the call knows; an id that the account has used for the same command stands for that one.
func (o commander) do(ctx context.Context, c *call, a chat.Account, cmd chat.Command) (chat.CommandRecord, error) {
	var err error
	if cmd.Report, err = c.newID(c.now); err != nil {
		return chat.CommandRecord{}, err
	}
	cmd.ID = cmp.Or(cmd.ID, cmd.Report)
	cmd.Version, cmd.Account, cmd.Number, cmd.RequestedAt = chat.CommandVersion, a.ID, a.Number(), c.now
	cmd.Request = c.request.id
	if err := cmd.Validate(); err != nil {
		return chat.CommandRecord{}, err
	}
	ended, stop := watch(o.commands, cmd.Account, cmd.ID)
	defer stop()
	worthwhile := o.worthwhile(ctx, c)
	r, err := o.submit(ctx, c, a.Shard, cmd)
	if err == nil && r.State == chat.CommandPending && worthwhile() {
		r, err = o.wait(ctx, c, r, ended)
	}
	if err == nil && r.State == chat.CommandFailed {
		err = &chat.Error{Code: chat.Internal}
		if r.Failure != nil {
			err = r.Failure
		}
	}
	return r, err
}

// worthwhile finds out, while the command is sent, whether to wait for its outcome: not if the client doesn't want to, and not
// while no host is there, when calls that wait would only take the room of others. Where that can't be told, one is.
func (o commander) worthwhile(ctx context.Context, c *call) func() bool {
	if c.prefersAsync() {
		return func() bool { return false }
	}
	if o.hosts == nil {
		return func() bool { return true }
	}
	there := make(chan bool, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, submitTime)
		defer cancel()
		hosts, err := o.hosts.Hosts(ctx, c.now)
		there <- err != nil || len(hosts) > 0
	}()
	return func() bool { return <-there }
}

// prefersAsync tells whether the client wants its answer at once, by RFC 7240.
func (c *call) prefersAsync() bool {
	for preference := range strings.SplitSeq(c.request.header("Prefer"), ",") {
		name, _, _ := strings.Cut(preference, ";")
		if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
			return true
		}
	}
	return false
}

// submit stores the command and sends it. A client that goes away meanwhile doesn't leave it half done.
func (o commander) submit(ctx context.Context, c *call, shard int, cmd chat.Command) (chat.CommandRecord, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), submitTime)
	defer cancel()
	entry := chat.Report{ID: cmd.Report, Status: http.StatusAccepted, CommandID: cmd.ID, Command: chat.CommandPending}
	put := o.commands.PutCommand
	if cmd.ID == cmd.Report { // for a client's id the entry has to be in the order of time
		c.fillIn(&entry)
		put = func(ctx context.Context, cmd chat.Command) (chat.CommandRecord, bool, error) {
			return o.commands.PutReported(ctx, cmd, entry)
		}
	}
	r, created, err := put(ctx, cmd)
	if err != nil {
		return r, err
	}
	if !r.Same(cmd) {
		return r, &chat.Error{Code: chat.IdempotencyConflict}
	}
	c.reported, c.replayed = true, !created
	if created {
		c.used.Commands++
	}
	if r.State != chat.CommandPending {
		return r, nil
	}
	if r.ID != r.Report {
		// Reported and sent again for a repeated id, since the first call may have died before it did. An entry that is there
		// stays as it is.
		entry.ID = r.Report
		c.addReport(ctx, entry)
	}
	if r.Lost(c.now) {
		return o.end(ctx, c, r, &chat.Error{Code: chat.Unavailable})
	}
	if err := o.sender.Send(ctx, shard, r.Command); err != nil {
		c.Logger.LogAttrs(ctx, slog.LevelError, "send command", slog.String("request", c.request.id),
			slog.String("account", cmd.Account), slog.String("command", cmd.ID), slog.Any("error", err))
		unsent := &chat.Error{Code: chat.Unavailable}
		if !created { // the first call's command may be on its way
			return r, unsent
		}
		return o.end(ctx, c, r, unsent)
	}
	return r, nil
}

// end records that a command won't be carried out, so that it doesn't stay pending.
func (o commander) end(ctx context.Context, c *call, r chat.CommandRecord, why *chat.Error) (chat.CommandRecord, error) {
	ended, err := o.commands.EndCommand(ctx, r.Account, r.ID, chat.Outcome{Failure: why, At: c.Now()})
	if err != nil {
		c.Logger.LogAttrs(ctx, slog.LevelError, "end command", slog.String("request", c.request.id),
			slog.String("account", r.Account), slog.String("command", r.ID), slog.Any("error", err))
		return r, why
	}
	return ended, nil
}

// wait reads the record until it says that the command has ended, or the time is over. A read that fails is tried again.
func (o commander) wait(ctx context.Context, c *call, r chat.CommandRecord, ended <-chan struct{}) (chat.CommandRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.most, commandWait))
	defer cancel()
	pause := Pauses()
	timer := time.NewTimer(pause())
	defer timer.Stop()
	for r.State == chat.CommandPending {
		select {
		case <-ctx.Done():
			return r, nil
		case <-ended:
			ended = nil
		case <-timer.C:
		}
		now, err := o.outcomes.Command(ctx, r.Account, r.ID)
		switch {
		case err == nil:
			r = now
		case chat.CodeOf(err) == chat.CommandNotFound && r.Kind == chat.DeleteCommand:
			// It goes with its account, shortly before it.
			if _, err := c.Latest.Account(ctx, r.Account); chat.CodeOf(err) == chat.DeviceNotFound {
				r.State = chat.CommandDone
			}
		}
		timer.Reset(pause())
	}
	return r, nil
}
