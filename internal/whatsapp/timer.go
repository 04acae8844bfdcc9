package whatsapp

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// setTimer sets after which time the messages of a chat disappear: by a message to the person, or by a request to the group.
func (r *run) setTimer(ctx context.Context, c chat.Command, index types.JID) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if c.Chat.Kind() == chat.Group {
		return r.setGroupTimer(ctx, c, index)
	}
	return r.setPersonTimer(ctx, c, index)
}

func (r *run) setPersonTimer(ctx context.Context, c chat.Command, index types.JID) error {
	m := &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type:                waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(),
		EphemeralExpiration: proto.Uint32(uint32(c.Seconds)), EphemeralSettingTimestamp: proto.Int64(r.Now().Unix()),
	}}
	sent, err := r.wa.SendMessage(ctx, index, m, whatsmeow.SendRequestExtra{ID: messageID(c)})
	if err != nil {
		return fmt.Errorf("send timer: %w", refusal(err))
	}
	r.behind.wait() // the person may have set one before
	_, at, err := r.timer(ctx, c.Chat)
	if err != nil {
		return err
	}
	b := r.bookFor(ctx)
	changes := b.Message(&events.Message{
		Info: types.MessageInfo{
			MessageSource: types.MessageSource{Chat: index, IsFromMe: true},
			ID:            sent.ID, Timestamp: sent.Timestamp,
		},
		RawMessage: m, Message: m,
	}, r.nextOrder(), translate.Opened{})
	return r.project(b, after(at, changes))
}

// messageID is the same at every attempt, so that a message whose acknowledgement was lost isn't sent twice.
func messageID(c chat.Command) types.MessageID {
	sum := sha256.Sum256([]byte(c.Account + "\x00" + c.ID))
	return whatsmeow.WebMessageIDPrefix + fmt.Sprintf("%X", sum[:9])
}

// echoWait is how long WhatsApp's own word of a change is waited for.
const echoWait = 5 * time.Second

// echo waits for WhatsApp to tell of a timer that this device has set.
type echo struct {
	seconds uint32
	came    chan struct{}
}

// expect waits for the echo of a timer until forget is called.
func (g *groups) expect(jid chat.JID, seconds uint32) (came <-chan struct{}, forget func()) {
	e := echo{seconds, make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.echoes == nil {
		g.echoes = make(map[chat.JID]echo)
	}
	g.echoes[jid] = e
	return e.came, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.echoes, jid)
	}
}

// told is called when what WhatsApp told of a group is stored.
func (g *groups) told(evt *events.GroupInfo) {
	jid, ok := translate.Address(evt.JID)
	if evt.Ephemeral == nil || !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if e, ok := g.echoes[jid]; ok && e.seconds == evt.Ephemeral.DisappearingTimer {
		close(e.came)
		delete(g.echoes, jid)
	}
}

// setGroupTimer waits for WhatsApp to tell this device of the change too, which puts it in the order of all that happens in the
// group. Of what changes nothing it may not tell.
func (r *run) setGroupTimer(ctx context.Context, c chat.Command, index types.JID) error {
	before, _, err := r.timer(ctx, c.Chat)
	if err != nil {
		return err
	}
	came, forget := r.groups.expect(c.Chat, uint32(c.Seconds))
	defer forget()
	err = r.wa.SetDisappearingTimer(ctx, index, time.Duration(c.Seconds)*time.Second, r.Now())
	switch {
	case errors.Is(err, whatsmeow.ErrIQNotAuthorized):
		return &chat.Error{Code: chat.WhatsAppRejected, Message: "only an admin may change this group"}
	case errors.Is(err, whatsmeow.ErrIQForbidden), errors.Is(err, whatsmeow.ErrIQNotFound):
		return &chat.Error{Code: chat.WhatsAppRejected, Message: "the account isn't in this group"}
	case err != nil:
		return fmt.Errorf("set timer: %w", refusal(err))
	}
	if before != uint32(c.Seconds) {
		patience := time.NewTimer(echoWait)
		defer patience.Stop()
		select {
		case <-came:
			return nil
		case <-patience.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	_, at, err := r.timer(ctx, c.Chat)
	if err != nil {
		return err
	}
	b := r.bookFor(ctx)
	return r.project(b, b.GroupChange(&events.GroupInfo{
		JID: index, Ephemeral: &types.GroupEphemeral{IsEphemeral: c.Seconds > 0, DisappearingTimer: uint32(c.Seconds)},
	}, following(&r.groups.last, at+1)))
}

// timerField is the field of a chat that holds its timer.
const timerField = "ephemeralExpiration"

// timer is the chat's timer, and the time from which it has it.
func (r *run) timer(ctx context.Context, jid chat.JID) (seconds uint32, at int64, err error) {
	err = r.look(ctx, jid, nil, func(t *chat.Thread) error {
		f := t.Chat.Fields[timerField]
		at = f.At
		if f.Value == "" {
			return nil
		}
		if err := json.Unmarshal([]byte(f.Value), &seconds); err != nil {
			return fmt.Errorf("read timer: %w", err)
		}
		return nil
	})
	return seconds, at, err
}

// after puts the fields of changes after what was set before: WhatsApp's times have seconds only.
func after(before int64, changes []chat.Change) []chat.Change {
	for _, c := range changes {
		for name, f := range c.State.Fields {
			f.At = max(f.At, before+1)
			c.State.Fields[name] = f
		}
	}
	return changes
}
