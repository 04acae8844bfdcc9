package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"pesan/internal/chat"
	"pesan/internal/sleep"
)

// What ends the work on a chunk for now.
var (
	errDraining = errors.New("the shard goes to another host")
	errNoBatch  = errors.New("the batch isn't stored yet")
)

const (
	// window is how many operations the device may choose from for a patch.
	window = 200
	// creation is how long a batch is waited for whose message came ahead of it, in one attempt.
	creation = 3 * time.Second
	// operationTries is how often an operation is tried that fails for a reason that may pass.
	operationTries = 3
)

// The pauses after WhatsApp wanted an account to be slower.
const (
	firstLimit = 30 * time.Second
	maxLimit   = 10 * time.Minute
)

// handleBatch returns nil when the message is to leave the queue: its chunk has ended, waits for the device, or is of no batch.
// The API sends a batch's messages before it stores the batch itself, so that one that is stored is on its way, whatever happens
// to the API.
func (s *shard) handleBatch(ctx context.Context, d chat.Delivery, m chat.BatchMessage) error {
	log := s.Logger.With("account", clip(m.Account), "batch", clip(m.Batch), "chunk", m.Chunk)
	invalid := m.Validate()
	a, err := s.stores.Accounts.Account(ctx, m.Account)
	switch {
	case invalid != nil && err != nil:
		return fmt.Errorf("batch of nobody: %w", invalid)
	case chat.CodeOf(err) == chat.DeviceNotFound:
		log.Info("batch of a deleted account")
		return nil
	case err != nil:
		return fmt.Errorf("find account: %w", err)
	case !s.owns(a):
		log.Info("batch goes to its account's queue", "shard", a.Shard)
		m.Again = ulid.Make().String() // it may come back to a queue
		return s.Batches.SendBatch(ctx, a.Shard, m)
	case s.outgrown(a):
		return errDraining
	case invalid != nil:
		log.Warn("invalid batch", "error", invalid)
		return s.refuseBatch(ctx, m, invalid)
	}
	var b chat.Batch
	if len(m.Operations) > 0 || m.Selection != nil {
		b, err = s.adopt(ctx, m, a.Shard)
	} else {
		b, err = s.created(ctx, m)
	}
	switch {
	case chat.CodeOf(err) == chat.BatchNotFound && d.Attempt() < chat.MaxAttempts:
		return errNoBatch
	case chat.CodeOf(err) == chat.BatchNotFound:
		log.Info("message of no batch") // the call that sent it has failed
		return nil
	case err != nil:
		return fmt.Errorf("find batch: %w", err)
	case b.ID == "":
		return nil // it was refused
	}
	m = b.Message(m.Chunk)
	if d.Attempt() >= chat.MaxAttempts-1 { // hosts may end, and chunks take long: no batch goes to the dead letters for that
		m.Again = ulid.Make().String()
		return s.Batches.SendBatch(ctx, a.Shard, m)
	}
	return s.workOn(ctx, log, s.link(m.Account), b, m.Chunk)
}

// created is the message's batch; one that isn't stored yet is waited for a while.
func (s *shard) created(ctx context.Context, m chat.BatchMessage) (b chat.Batch, err error) {
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		b, err = s.stores.Batches.Batch(ctx, m.Account, m.Batch)
		if chat.CodeOf(err) != chat.BatchNotFound || wait > creation/2 || s.ctx.Err() != nil {
			return b, err
		}
		if err := sleep.For(ctx, wait); err != nil {
			return b, err
		}
	}
}

// adopt stores a batch that came with its operations or a selection, and its report, once. It returns none for one that can't be
// carried out.
func (s *shard) adopt(ctx context.Context, m chat.BatchMessage, number int) (chat.Batch, error) {
	entry := s.entry(chat.Command{Account: m.Account, ID: m.Batch, Kind: "batch", RequestedAt: m.RequestedAt})
	b := chat.Batch{
		ID: entry.ID, Account: m.Account, Number: m.Number, Wait: m.Wait, Rate: cmp.Or(m.Rate, chat.DefaultBatchRate),
		Chunk: chat.BatchChunk, Report: entry.ID, RequestedAt: m.RequestedAt, State: chat.BatchQueued,
	}
	stored, err := s.stores.Batches.Batch(ctx, b.Account, b.ID)
	if chat.CodeOf(err) != chat.BatchNotFound {
		return stored, err
	}
	err = chat.RoomForBatch(ctx, s.stores.Batches, b.Account, s.Now())
	if chat.CodeOf(err) == chat.TooManyBatches {
		return chat.Batch{}, s.refuseBatch(ctx, m, err)
	}
	if err != nil {
		return b, err
	}
	if m.Selection != nil {
		m.Operations, err = s.selected(ctx, m)
		if chat.CodeOf(err) == chat.TooManyOperations {
			return chat.Batch{}, s.refuseBatch(ctx, m, err)
		}
		if err != nil {
			return b, fmt.Errorf("select chats: %w", err)
		}
	}
	if b.Total = len(m.Operations); b.Total == 0 {
		b.Stop(chat.BatchDone, nil, s.Now())
	}
	for i, o := range m.Operations {
		if err := o.Validate(b); err != nil {
			return chat.Batch{}, s.refuseBatch(ctx, m, err)
		}
		if row, _ := chat.ChatCommandOf(o.Op); row.Ranged && o.Through == nil {
			c := o.Command(b)
			if err := s.fix(ctx, &c); err != nil {
				return b, err
			}
			m.Operations[i].Through = c.Through
		}
	}
	if err := s.stores.Batches.PutOperations(ctx, b.Account, b.ID, m.Operations); err != nil {
		return b, err
	}
	for n := 1; n < b.Chunks(); n++ { // ahead of the batch, as the API does; this message holds them up until it is there
		if err := s.Batches.SendBatch(ctx, number, b.Message(n)); err != nil {
			return b, err
		}
	}
	entry.Batch, entry.Command = b.ID, chat.CommandPending
	if err := s.stores.Reports.AddReport(ctx, entry); err != nil {
		return b, err
	}
	stored, _, err = s.stores.Batches.CreateBatch(ctx, b, s.Now())
	return stored, err
}

// selected are the operations on the chats that a message selects.
func (s *shard) selected(ctx context.Context, m chat.BatchMessage) ([]chat.Operation, error) {
	all, unfit, err := chat.Select(ctx, s.stores.Chats, m.Account, m.Operation(), m.Selection.Filter(), m.Selection.Except,
		s.Now())
	if err == nil && len(unfit) > 0 {
		s.Logger.Info("selected chats that have no such change", "account", m.Account, "chats", len(unfit))
	}
	return all, err
}

// refuseBatch reports a batch that can't be stored.
func (s *shard) refuseBatch(ctx context.Context, m chat.BatchMessage, err error) error {
	c := chat.Command{Account: m.Account, ID: m.Batch, Kind: "batch", RequestedAt: m.RequestedAt}
	return s.refuse(ctx, c, err)
}

// chunk is the work on one chunk of a batch.
type chunk struct {
	*shard
	log        *slog.Logger
	link       *link
	batch      chat.Batch
	number     int
	operations []chat.Operation
	results    []chat.Result
	tries      map[int]int
	limit      time.Duration // of the next pause when WhatsApp wants one
}

// workOn carries out a chunk, patch by patch, and returns nil when it has ended or waits for its device.
func (s *shard) workOn(ctx context.Context, log *slog.Logger, l *link, b chat.Batch, number int) error {
	if !b.Open() {
		return nil
	}
	w := &chunk{shard: s, log: log, link: l, batch: b, number: number, tries: make(map[int]int), limit: firstLimit}
	var err error
	w.operations, w.results, err = s.stores.Batches.Operations(ctx, b.Account, b.ID, number)
	if chat.CodeOf(err) == chat.BatchNotFound {
		log.Error("a chunk of a batch is missing")
		return nil
	}
	if err == nil {
		err = w.look(ctx)
	}
	if err != nil {
		return err
	}
	for {
		places, commands := w.next()
		if len(places) == 0 {
			log.Info("chunk ended")
			return nil
		}
		if err := w.rest(ctx, l.rested); err != nil {
			return err
		}
		if w.batch, err = s.stores.Batches.Batch(ctx, b.Account, b.ID); err != nil { // it may have been cancelled
			return fmt.Errorf("find batch: %w", err)
		}
		if stop, err := w.over(ctx); stop || err != nil {
			return err
		}
		if parked, err := w.step(ctx, places, commands); parked || err != nil {
			return err
		}
	}
}

// next is the window of operations that haven't ended, and their commands.
func (w *chunk) next() (places []int, commands []chat.Command) {
	for i, o := range w.operations {
		if w.results[i].State == "" && len(places) < window {
			places, commands = append(places, i), append(commands, o.Command(w.batch))
		}
	}
	return places, commands
}

// rest waits until a moment, or for the end of the shard.
func (w *chunk) rest(ctx context.Context, until time.Time) error {
	if w.ctx.Err() != nil {
		return errDraining
	}
	wait := until.Sub(w.Now())
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.ctx.Done():
		return errDraining
	case <-ctx.Done():
		return ctx.Err()
	}
}

// over tells whether the batch has ended, and ends one that can't go on.
func (w *chunk) over(ctx context.Context) (bool, error) {
	now := w.Now()
	if !w.batch.Open() {
		return true, nil
	}
	if w.batch.Lost(now) {
		return true, w.stop(ctx, w.batch.At(now).Reason)
	}
	return false, nil
}

// stop fails the batch; what was done is kept.
func (w *chunk) stop(ctx context.Context, why *chat.Error) error {
	w.log.Warn("batch stops", "error", why)
	now := w.Now()
	return w.stores.Batches.UpdateBatch(ctx, w.batch.Account, w.batch.ID, func(b *chat.Batch) error {
		b.Stop(chat.BatchFailed, why, now)
		return nil
	})
}

// step carries out as many operations as go into one patch, and records how they ended. The account's commands take their turns
// between two steps.
func (w *chunk) step(ctx context.Context, places []int, commands []chat.Command) (parked bool, err error) {
	began := w.Now()
	ended, err := w.together(ctx, commands)
	if err != nil {
		return w.trouble(ctx, err)
	}
	now := w.Now()
	results := make(map[int]chat.Result, len(ended))
	var limited error
	for i, err := range ended {
		place := places[i]
		switch {
		case err == nil:
			results[place] = chat.Result{State: chat.OperationDone, At: now}
		case errors.Is(err, errOvertaken):
			results[place] = chat.Result{State: chat.OperationOvertaken, At: now}
		case chat.CodeOf(err) == chat.WhatsAppLimited:
			limited = err
		case chat.CodeOf(err) == chat.DeviceNotConnected: // the connection was lost meanwhile; the next step finds out
		case temporary(err) && w.tries[place]+1 < operationTries:
			w.tries[place]++
		default:
			results[place] = chat.Result{State: chat.OperationFailed, Failure: chat.AsError(err), At: now}
		}
	}
	if len(results) > 0 {
		if err := w.keep(ctx, results); err != nil {
			return false, err
		}
	}
	rate := min(w.batch.Rate, w.MaxRate)
	w.link.rested = began.Add(time.Duration(len(results)) * time.Second / time.Duration(max(rate, 1)))
	switch {
	case limited != nil:
		return w.trouble(ctx, limited)
	case len(results) == 0:
		return false, w.rest(ctx, now.Add(time.Second))
	}
	w.limit = firstLimit
	return false, nil
}

// keep records how operations ended.
func (w *chunk) keep(ctx context.Context, results map[int]chat.Result) error {
	err := w.record(ctx, func(ctx context.Context) error {
		_, err := w.stores.Batches.EndOperations(ctx, w.batch.Account, w.batch.ID, w.number, results)
		return err
	})
	if err != nil {
		return fmt.Errorf("record operations: %w", err)
	}
	for place, r := range results {
		w.results[place] = r
	}
	return nil
}

// together has the device work on commands, in its turn among all batches and the account's commands.
func (w *chunk) together(ctx context.Context, commands []chat.Command) (ended map[int]error, err error) {
	if err := w.steps.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer w.steps.Release(1)
	if err := w.link.lock.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer w.link.lock.Release(1)
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	ended = make(map[int]error)
	var left []chat.Command
	var places []int
	later, err := w.link.overtaken(ctx, w.batch, commands)
	if err != nil {
		return nil, err
	}
	for i, c := range commands {
		if later[i] {
			ended[i] = errOvertaken
		} else {
			left, places = append(left, c), append(places, i)
		}
	}
	if len(left) == 0 {
		return ended, nil
	}
	err = caught(func() error {
		a, err := w.stores.Accounts.Account(ctx, w.batch.Account)
		switch {
		case err != nil:
			return fmt.Errorf("find account: %w", err)
		case !w.owns(a):
			return errDraining // the account has gone, and the batch goes after it
		case a.Linked() && !w.batch.Meant(a):
			return errOtherNumber
		case !a.Linked() && (!w.batch.Wait || !w.batch.StartedAt.IsZero()), a.Reason == banned:
			return &chat.Error{Code: chat.DeviceNotConnected, Message: cmp.Or(a.Reason, "not linked")}
		case !a.On || !a.Linked():
			return errAway
		}
		if !w.link.started() {
			if err := w.link.start(ctx); err != nil {
				return err
			}
		}
		if !w.link.running() {
			return errAway
		}
		done, err := w.link.device.Together(ctx, left)
		for i, err := range done {
			ended[places[i]] = err
		}
		if chat.CodeOf(err) == chat.DeviceNotConnected {
			return errAway
		}
		return err
	})
	return ended, err
}

// errAway is that a batch's device isn't connected, and may be again.
var errAway = errors.New("the device isn't connected for now")

// errOvertaken is that a command that was wanted after the batch has set the same of a chat.
var errOvertaken = errors.New("a later command has set it")

// overtake notes that a command was carried out, so that no batch that was wanted before undoes it, on whichever host. The link
// is locked.
func (l *link) overtake(ctx context.Context, c chat.Command) error {
	wishes := c.Wishes()
	if len(wishes) == 0 {
		return nil
	}
	at := c.RequestedAt
	if now := l.shard.Now(); at.After(now) { // whoever sends to the queue chooses it
		at = now
	}
	l.overtakes = true
	if err := l.shard.stores.Batches.Overtake(ctx, l.account, at, wishes...); err != nil {
		return fmt.Errorf("note what a batch mustn't undo: %w", err)
	}
	return nil
}

// overtaken tells which commands of a batch are about what a later command has set. The link is locked.
func (l *link) overtaken(ctx context.Context, b chat.Batch, commands []chat.Command) ([]bool, error) {
	later := make([]bool, len(commands))
	if !l.overtakes {
		return later, nil
	}
	wishes := make([]chat.Wish, len(commands))
	for i, c := range commands {
		wishes[i] = c.Wishes()[0]
	}
	at, err := l.shard.stores.Batches.Overtaken(ctx, l.account, wishes)
	if err != nil {
		return nil, err
	}
	for i := range at {
		later[i] = at[i].UnixMilli() > b.RequestedAt.UnixMilli()
	}
	return later, nil
}

// look finds out whether any command has overtaken a batch, so that batches that none has needn't ask before each patch.
func (w *chunk) look(ctx context.Context) error {
	if err := w.link.lock.Acquire(ctx, 1); err != nil {
		return err
	}
	defer w.link.lock.Release(1)
	var err error
	w.link.overtakes, err = w.stores.Batches.Overtakes(ctx, w.batch.Account, w.batch.RequestedAt)
	return err
}

// banned is the reason of an account that WhatsApp has banned.
const banned = "BANNED"

// trouble decides what an error means for the batch.
func (w *chunk) trouble(ctx context.Context, err error) (parked bool, _ error) {
	switch {
	case errors.Is(err, errAway):
		return true, w.park(ctx)
	case chat.CodeOf(err) == chat.DeviceNotConnected:
		return true, w.stop(ctx, chat.AsError(err))
	case chat.CodeOf(err) == chat.WhatsAppLimited:
		w.log.Warn("WhatsApp wants the batch to be slower", "pause", w.limit)
		until := w.Now().Add(w.limit)
		w.link.rested, w.limit = until, min(2*w.limit, maxLimit)
		return false, nil
	}
	return false, err
}

// park has the batch wait for its device, off the queue: whoever runs the device next sends its chunks again.
func (w *chunk) park(ctx context.Context) error {
	now := w.Now()
	w.log.Info("batch waits for its device")
	err := w.stores.Batches.UpdateBatch(ctx, w.batch.Account, w.batch.ID, func(b *chat.Batch) error {
		b.ParkedAt = now
		return nil
	})
	select {
	case w.link.parked <- struct{}{}:
	default:
	}
	return err
}

// resume has the account's batches go on that wait, whenever the device is connected, until it ends. A host that starts has much
// to read for its devices to connect, so it looks for batches after that.
func (l *link) resume(ctx context.Context, device Device) {
	for untilConnected(ctx, device) == nil {
		wait := firstWait
		for err := l.resumeOnce(ctx, device); err != nil && ctx.Err() == nil; err = l.resumeOnce(ctx, device) {
			l.shard.Logger.Warn("resume batches", "account", l.account, "error", err)
			_ = sleep.For(ctx, wait)
			wait = longer(wait)
		}
		select {
		case <-l.parked:
		case <-ctx.Done():
		}
	}
}

// A device that isn't connected is looked at again and again, with growing pauses.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 5 * time.Second
)

func untilConnected(ctx context.Context, device Device) error {
	for wait := firstLook; !device.Connected(); wait = min(2*wait, lastLook) {
		if err := sleep.For(ctx, wait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// resumeOnce sends what is left of the batches that wait, and notes that they don't any more unless they began to anew.
func (l *link) resumeOnce(ctx context.Context, device Device) error {
	open, err := l.shard.stores.Batches.OpenBatches(ctx, l.account)
	if err != nil {
		return err
	}
	for _, b := range open {
		if b.ParkedAt.IsZero() {
			continue
		}
		if err := untilConnected(ctx, device); err != nil {
			return err
		}
		left, err := l.left(ctx, b)
		if err != nil {
			return err
		}
		a, err := l.shard.stores.Accounts.Account(ctx, l.account)
		if err != nil {
			return err
		}
		if err := l.shard.Batches.SendBatch(ctx, a.Shard, left...); err != nil {
			return err
		}
		err = l.shard.stores.Batches.UpdateBatch(ctx, b.Account, b.ID, func(now *chat.Batch) error {
			if now.ParkedAt.Equal(b.ParkedAt) {
				now.ParkedAt = time.Time{}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// left are the messages of the chunks that haven't ended.
func (l *link) left(ctx context.Context, b chat.Batch) (messages []chat.BatchMessage, err error) {
	again := ulid.Make().String()
	for n := range b.Chunks() {
		_, results, err := l.shard.stores.Batches.Operations(ctx, b.Account, b.ID, n)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(results, func(r chat.Result) bool { return r.State == "" }) {
			m := b.Message(n)
			m.Again = again
			messages = append(messages, m)
		}
	}
	return messages, nil
}
