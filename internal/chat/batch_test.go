package chat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBatchCounts(t *testing.T) {
	b := Batch{State: BatchQueued, Total: 4, Chunk: 3, Rate: 1, RequestedAt: noon}
	at := noon.Add(time.Second)
	for i, step := range []struct {
		result                           Result
		state                            BatchState
		done, failed, overtaken, pending int
	}{
		{Result{State: OperationDone, At: at.Add(time.Second)}, BatchRunning, 1, 0, 0, 3},
		{Result{State: OperationPending, At: at}, BatchRunning, 1, 0, 0, 3},
		{Result{State: OperationFailed, At: at}, BatchRunning, 1, 1, 0, 2},
		{Result{State: OperationOvertaken, At: at}, BatchRunning, 1, 1, 1, 1},
		{Result{State: OperationDone, At: at.Add(2 * time.Second)}, BatchDone, 2, 1, 1, 0},
	} {
		b.Count(step.result)
		if b.State != step.state || b.Done != step.done || b.Failed != step.failed || b.Overtaken != step.overtaken || b.Pending() != step.pending {
			t.Errorf("after %d results: %+v, %d pending", i+1, b, b.Pending())
		}
	}
	if !b.StartedAt.Equal(at.Add(time.Second)) || !b.ProgressAt.Equal(at.Add(2*time.Second)) || !b.EndedAt.Equal(b.ProgressAt) {
		t.Errorf("its times are %v, %v, %v", b.StartedAt, b.ProgressAt, b.EndedAt)
	}
	if b.Stop(BatchCancelled, nil, at); b.State != BatchDone {
		t.Errorf("a batch that had ended was stopped: %+v", b)
	}
}

func TestChunks(t *testing.T) {
	for want, sizes := range map[int][][2]int{0: {{0, 500}, {0, 0}}, 1: {{1, 500}, {500, 500}}, 2: {{501, 500}, {1000, 500}}, 3: {{1001, 500}}} {
		for _, size := range sizes {
			if got := (Batch{Total: size[0], Chunk: size[1]}).Chunks(); got != want {
				t.Errorf("%v fill %d chunks", size, got)
			}
		}
	}
}

// TestHowABatchEnds: what hadn't ended ends with the batch, and is counted in one place.
func TestHowABatchEnds(t *testing.T) {
	for state, want := range map[BatchState][3]int{ // pending, cancelled, unbegun
		BatchQueued: {4, 0, 0}, BatchRunning: {4, 0, 0}, BatchDone: {0, 0, 0}, BatchCancelled: {0, 4, 0}, BatchFailed: {0, 0, 4},
	} {
		b := Batch{State: state, Total: 10, Done: 3, Failed: 2, Overtaken: 1}
		if got := [3]int{b.Pending(), b.Cancelled(), b.Unbegun()}; got != want {
			t.Errorf("%s: %v, want %v", state, got, want)
		}
	}
	reason := &Error{Code: Unavailable}
	for state, want := range map[BatchState]OperationState{
		BatchRunning: OperationPending, BatchCancelled: OperationCancelled, BatchFailed: OperationFailed,
	} {
		b := Batch{State: state, Reason: reason, EndedAt: noon}
		for _, open := range []Result{{}, {State: OperationPending}} {
			got := open.Of(b)
			if got.State != want || (got.Failure == reason) != (state == BatchFailed) || got.At.IsZero() != (state == BatchRunning) {
				t.Errorf("%s: an open operation has %+v", state, got)
			}
		}
		if got := (Result{State: OperationDone}).Of(b); got.State != OperationDone {
			t.Errorf("%s: a done operation has %+v", state, got)
		}
	}
	for _, r := range []Result{
		{State: OperationFailed, Failure: reason}, {State: OperationDone, Failure: reason}, {State: OperationFailed},
		{State: OperationFailed, Failure: &Error{Code: WhatsAppRejected}}, {State: OperationFailed, Failure: &Error{Code: WhatsAppLimited}},
	} {
		if want := r.State == OperationFailed && r.Failure != nil && r.Failure.Code != WhatsAppRejected; r.MayPass() != want {
			t.Errorf("%+v may pass: %v", r, !want)
		}
	}
}

// TestLostBatch: a day without progress, from whatever happened last.
func TestLostBatch(t *testing.T) {
	late := noon.Add(time.Hour)
	for name, b := range map[string]Batch{
		"requested": {RequestedAt: late}, "started": {RequestedAt: noon, StartedAt: late},
		"went on": {RequestedAt: noon, StartedAt: noon, ProgressAt: late}, "went on before it was asked for": {RequestedAt: late, ProgressAt: noon},
	} {
		b.State = BatchRunning
		if b.Lost(late.Add(CommandAge)) || !b.Lost(late.Add(CommandAge+1)) {
			t.Errorf("%s: lost after a day %t, later %t", name, b.Lost(late.Add(CommandAge)), b.Lost(late.Add(CommandAge+1)))
		}
		if at := late.Add(CommandAge + 1); b.At(at).State != BatchFailed || !b.At(at).EndedAt.Equal(at) || b.At(late).State != BatchRunning {
			t.Errorf("%s: it stands at %+v", name, b.At(at))
		}
		if b.State = BatchDone; b.Lost(late.Add(10 * CommandAge)) {
			t.Errorf("%s: it is done and lost", name)
		}
	}
}

func TestEstimatedEnd(t *testing.T) {
	b := Batch{State: BatchRunning, Total: 100, Done: 8, Failed: 1, Overtaken: 1, Rate: 10, StartedAt: noon, ProgressAt: noon.Add(5 * time.Second)}
	with := func(change func(*Batch)) Batch { c := b; change(&c); return c }
	now := noon.Add(6 * time.Second)
	for name, c := range map[string]struct {
		b    Batch
		want time.Time
	}{
		"as it went":         {b, noon.Add(50 * time.Second)},
		"as fast as allowed": {with(func(b *Batch) { b.ProgressAt = noon }), noon.Add(9 * time.Second)},
		"without a rate":     {with(func(b *Batch) { b.Rate, b.ProgressAt = 0, noon }), noon.Add(90 * time.Second)},
		"late":               {with(func(b *Batch) { b.Total = 11 }), now},
		"queued":             {with(func(b *Batch) { b.State = BatchQueued }), time.Time{}},
		"at its beginning":   {with(func(b *Batch) { b.Done, b.Failed, b.Overtaken = 0, 0, 0 }), time.Time{}},
		"parked":             {with(func(b *Batch) { b.ParkedAt = noon }), time.Time{}},
	} {
		if got := c.b.EstimatedEnd(now); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestBatchMessages(t *testing.T) {
	mute := Operation{Op: MuteCommand, Chat: alice}
	chunk := Batch{ID: account, Account: account}.Message(2)
	own := BatchMessage{Version: BatchVersion, Account: account, Batch: "mine", Operations: []Operation{mute}, RequestedAt: noon}
	all := BatchMessage{Version: BatchVersion, Account: account, Batch: "mine", Op: ReadCommand, Selection: &Selection{All: true}, RequestedAt: noon}
	with := func(m BatchMessage, change func(*BatchMessage)) BatchMessage { change(&m); return m }
	good := []BatchMessage{
		chunk, own, all,
		with(chunk, func(m *BatchMessage) { m.Chunk = 0 }), with(chunk, func(m *BatchMessage) { m.Chunk = MaxOperations }),
		with(own, func(m *BatchMessage) { m.Rate = MaxBatchRate }), with(own, func(m *BatchMessage) { m.Number = alice }),
		with(own, func(m *BatchMessage) { m.Operations = slices.Repeat(m.Operations, BatchChunk) }),
		with(all, func(m *BatchMessage) { m.Op, m.Seconds = MuteCommand, MaxMuteSeconds }),
	}
	for _, m := range good {
		if err := m.Validate(); err != nil {
			t.Errorf("%s with %d operations: %v", m.ID(), len(m.Operations), err)
		}
	}
	for want, bad := range map[string][]BatchMessage{
		"version":    {with(own, func(m *BatchMessage) { m.Version++ })},
		"account":    {with(own, func(m *BatchMessage) { m.Account = "x" })},
		"chunk":      {with(chunk, func(m *BatchMessage) { m.Chunk = -1 }), with(chunk, func(m *BatchMessage) { m.Chunk = MaxOperations + 1 })},
		"rate":       {with(own, func(m *BatchMessage) { m.Rate = -1 }), with(own, func(m *BatchMessage) { m.Rate = MaxBatchRate + 1 })},
		"batch":      {with(chunk, func(m *BatchMessage) { m.Batch = "x" }), with(chunk, func(m *BatchMessage) { m.Op = MuteCommand }), with(own, func(m *BatchMessage) { m.Batch = "a b" })},
		"operations": {with(own, func(m *BatchMessage) { m.Operations = slices.Repeat(m.Operations, BatchChunk+1) }), with(own, func(m *BatchMessage) { m.Chunk = 1 }), with(own, func(m *BatchMessage) { m.Selection = all.Selection }), with(own, func(m *BatchMessage) { m.Op = MuteCommand }), with(all, func(m *BatchMessage) { m.Chunk = 1 })},

		"requestedAt":   {with(own, func(m *BatchMessage) { m.RequestedAt = time.Time{} })},
		"number":        {with(own, func(m *BatchMessage) { m.Number = "08123" }), with(own, func(m *BatchMessage) { m.Number = "6281111111111@c.us" })},
		"op":            {with(all, func(m *BatchMessage) { m.Op = ConnectCommand }), with(all, func(m *BatchMessage) { m.Op = StarCommand })},
		"selection.all": {with(all, func(m *BatchMessage) { m.Selection = &Selection{} })},
		"starred":       {with(all, func(m *BatchMessage) { m.Op, m.Starred = ClearCommand, "some" })},
	} {
		for _, m := range bad {
			if e := AsError(m.Validate()); e.Code != InvalidParameter || e.Message != want {
				t.Errorf("%s with %d operations: %v, want %s", m.ID(), len(m.Operations), e, want)
			}
		}
	}
	if err := with(all, func(m *BatchMessage) { m.Op, m.Seconds = MuteCommand, -1 }).Validate(); CodeOf(err) != InvalidSecond {
		t.Errorf("a selection muted for a negative time: %v", err)
	}
	if (Operation{Op: ConnectCommand}).Validate(Batch{}) == nil || mute.Validate(Batch{ID: account, Account: account, RequestedAt: noon}) != nil {
		t.Error("an operation is taken for another")
	}
}

func TestBatchMessageOf(t *testing.T) {
	b, err := json.Marshal(Batch{ID: account, Account: account}.Message(2))
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := BatchMessageOf(b); !ok || m.Batch != account || m.Chunk != 2 ||
		m.ID() != fmt.Sprintf("%s/2/", account) || m.Group() == account {
		t.Errorf("the message is %+v", m)
	}
	for _, foreign := range []string{"", "[]", "{}", `{"kind":"mute"}`, `{"batch":"x","chunk":"y"}`} {
		if m, ok := BatchMessageOf([]byte(foreign)); ok {
			t.Errorf("%s is taken for %+v", foreign, m)
		}
	}
}

func TestBatchIsMeant(t *testing.T) {
	for number, want := range map[JID]bool{alice: true, bob: false, "": true} {
		b := Batch{Number: number, RequestedAt: noon}
		if got := b.Meant(Account{Owner: alice, JID: alice, Device: "6281111111111:1@s.whatsapp.net"}); got != want {
			t.Errorf("one for %q is meant: %v", number, got)
		}
	}
}

func TestSelectionValidate(t *testing.T) {
	for _, s := range []Selection{
		{All: true}, {Kind: Group}, {IdleDays: MaxIdleDays}, {Name: strings.Repeat("é", maxNameFilter)}, {Label: strings.Repeat("1", maxLabel)},
		{Unread: new(false)}, {All: true, Except: slices.Repeat([]JID{alice}, MaxExcept)},
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for want, bad := range map[string][]Selection{
		"type": {{Kind: "x"}}, "idleDays": {{IdleDays: -1}, {IdleDays: MaxIdleDays + 1}}, "all": {{}, {Except: []JID{alice}}},
		"name": {{Name: strings.Repeat("é", maxNameFilter+1)}}, "label": {{Label: strings.Repeat("1", maxLabel+1)}},
		"except": {{All: true, Except: slices.Repeat([]JID{alice}, MaxExcept+1)}, {All: true, Except: []JID{"0812"}}, {All: true, Except: []JID{"6281111111111@c.us"}}},
	} {
		for _, s := range bad {
			if e := AsError(s.Validate()); e.Code != InvalidParameter || e.Message != "selection."+want {
				t.Errorf("a selection with a wrong %s: %v", want, e)
			}
		}
	}
}

func TestFits(t *testing.T) {
	const channel, list JID = "123456@newsletter", "123456@broadcast"
	for _, c := range []struct {
		kind    CommandKind
		in      JID
		seconds int64
		want    Code
	}{
		{MuteCommand, alice, 60, ""}, {MuteCommand, channel, 0, ""}, {MuteCommand, channel, 60, InvalidSecond}, {UnmuteCommand, channel, 0, ""},
		{PinCommand, channel, 0, ""}, {ArchiveCommand, channel, 0, WhatsAppRejected}, {ArchiveCommand, list, 0, ""}, {ClearCommand, channel, 0, WhatsAppRejected},
		{DisappearCommand, alice, 86400, ""}, {DisappearCommand, team, 86400, ""}, {DisappearCommand, list, 86400, WhatsAppRejected}, {DisappearCommand, channel, 0, WhatsAppRejected},
	} {
		row, ok := ChatCommandOf(c.kind)
		if err := row.Fits(Command{Chat: c.in, Seconds: c.seconds}); !ok || CodeOf(err) != c.want {
			t.Errorf("%s of %s for %d s: %v, want %q", c.kind, c.in, c.seconds, err, c.want)
		}
	}
}
