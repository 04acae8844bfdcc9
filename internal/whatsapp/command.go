package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/sleep"
	"pesan/internal/whatsapp/translate"
)

// maxSends is how often a change of the app state is tried while others change it too; sendTimeout bounds one try.
const (
	maxSends    = 6 // a client gives up after five conflicts
	sendTimeout = 20 * time.Second
)

// connected is the run under way, if WhatsApp takes something from it. DEVICE_NOT_CONNECTED otherwise.
func (d *device) connected() (*run, error) {
	r, err := d.current()
	if err == nil && !r.online.Load() {
		err = &chat.Error{Code: chat.DeviceNotConnected}
	}
	return r, err
}

// spanPage is how many messages are read at a time to find those of the last second; maxSpan is how many a range may name.
const (
	spanPage = 100
	maxSpan  = 1000
)

// span is the range of the messages through one, or of all that the chat shows: the time of the last, and all keys at that
// second.
func (r *run) span(
	ctx context.Context, jid chat.JID, index types.JID, through *chat.Through,
) (*waSyncAction.SyncActionMessageRange, error) {
	if through == nil {
		view, err := r.Chats.Chat(ctx, r.account, jid)
		if err != nil {
			return nil, err
		}
		now := view.Through()
		through = &now
	}
	span := &waSyncAction.SyncActionMessageRange{LastMessageTimestamp: proto.Int64(max(through.Time, 1))}
	beside := through.ID != "" // something of the last second may not be cleared
	for cursor, older := "", false; !older; {
		page, err := r.Chats.Messages(ctx, r.account, jid, chat.Page{Limit: spanPage, Cursor: cursor}, r.Now())
		if err != nil {
			return nil, err
		}
		for _, v := range slices.Backward(page.Messages) {
			if older = v.Time < through.Time || len(span.Messages) == maxSpan; older {
				break
			}
			if !through.Covers(v) {
				beside = beside || v.Time == through.Time
				continue
			}
			k, err := keyOf(v, index)
			if err != nil {
				return nil, err
			}
			if index.Server == types.GroupServer && !k.GetFromMe() && k.GetParticipant() == "" {
				beside = false
				continue // a notice; a range that named it would be malformed
			}
			span.Messages = append(span.Messages, &waSyncAction.SyncActionMessage{Key: k, Timestamp: proto.Int64(v.Time)})
		}
		cursor = page.Next
		older = older || cursor == ""
	}
	if len(span.Messages) == 0 && beside { // without keys the range would be all of the second
		*span.LastMessageTimestamp = max(through.Time-1, 1)
	}
	return span, nil
}

// keyOf is a message's key, under the address that the app state has for the chat.
func keyOf(v chat.MessageView, index types.JID) (*waCommon.MessageKey, error) {
	var d struct {
		Key struct {
			FromMe      bool   `json:"fromMe"`
			Participant string `json:"participant"`
		} `json:"key"`
	}
	if err := json.Unmarshal([]byte(v.Document), &d); err != nil {
		return nil, fmt.Errorf("read message key: %w", err)
	}
	k := &waCommon.MessageKey{RemoteJID: proto.String(index.String()), ID: &v.ID, FromMe: &d.Key.FromMe}
	if d.Key.Participant != "" {
		k.Participant = &d.Key.Participant
	}
	return k, nil
}

// index is the address that the app state has for a chat. A person's may be under either: where a setting is already it
// stays, so that there is one; else an account whose chats have moved to LIDs uses those.
func (r *run) index(ctx context.Context, jid chat.JID) (types.JID, error) {
	if !jid.IsPN() && !jid.IsLID() {
		return translate.WireJID(jid), nil
	}
	b := r.bookFor(ctx)
	both := b.Both(jid)
	if b.Err() != nil {
		return types.JID{}, b.Err()
	}
	if len(both) == 1 {
		return translate.WireJID(both[0]), nil
	}
	byLID := chat.Register[bool]{Value: r.migrated.Load()}
	err := r.look(ctx, jid, nil, func(t *chat.Thread) error {
		if t.Chat.ByLID.Set() {
			byLID = t.Chat.ByLID
		}
		return nil
	})
	if err != nil {
		return types.JID{}, err
	}
	if byLID.Value {
		return translate.WireJID(both[1]), nil
	}
	return translate.WireJID(both[0]), nil
}

// set sends a change of the app state and projects it as WhatsApp took it, so that the next read shows it. renew makes the patch
// anew when others have changed the state meanwhile; one without mutations isn't sent.
func (r *run) set(
	ctx context.Context, name appstate.WAPatchName, renew func(context.Context) (appstate.PatchInfo, error),
) error {
	return r.send(ctx, appstate.PatchInfo{Type: name, Timestamp: r.Now()}, renew)
}

// send sends a patch, one at a time: the state's hash goes on from one to the next. While the phone changes the same
// collection it fails; fetching mends it.
func (r *run) send(ctx context.Context, patch appstate.PatchInfo, renew func(context.Context) (appstate.PatchInfo, error)) error {
	if err := r.sending.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.sending.Release(1)
	patch, err := made(ctx, patch, renew)
	if err != nil || len(patch.Mutations) == 0 {
		return err
	}
	id, err := r.identity().appKeys.GetLatestAppStateSyncKeyID(ctx)
	if err != nil {
		return fmt.Errorf("find app state key: %w", err)
	}
	if id == nil {
		return &chat.Error{Code: chat.Unavailable, Message: "the phone hasn't shared its app state keys yet"}
	}
	for n := 1; ; n++ {
		err := r.sendOnce(ctx, id, patch)
		if err == nil {
			return nil
		}
		full, again := repair(err)
		if !again || n == maxSends {
			return refusal(err)
		}
		r.log.Info("app state changed meanwhile; again", "times", n, "full", full)
		if err := sleep.For(ctx, r.backoff(n)/64); err != nil {
			return err
		}
		if err := r.catchUp(ctx, patch.Type, full, err); err != nil {
			if errors.Is(err, appstate.ErrKeyNotFound) {
				return &chat.Error{Code: chat.Unavailable, Message: "an app state key is missing"}
			}
			if _, again := repair(err); !again {
				return refusal(err)
			}
			continue
		}
		if patch, err = made(ctx, patch, renew); err != nil || len(patch.Mutations) == 0 {
			return err
		}
	}
}

// made is a patch as it is wanted of the app state as it is now.
func made(
	ctx context.Context, patch appstate.PatchInfo, renew func(context.Context) (appstate.PatchInfo, error),
) (appstate.PatchInfo, error) {
	now, err := renew(ctx)
	now.Timestamp = patch.Timestamp
	return now, err
}

func (r *run) sendOnce(ctx context.Context, key []byte, patch appstate.PatchInfo) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return r.states.change(ctx, key, patch)
}

// catchUp takes what others changed meanwhile: WhatsApp's refusal mostly holds it.
func (r *run) catchUp(ctx context.Context, name appstate.WAPatchName, full bool, why error) error {
	var refused *refusedPatch
	if errors.As(why, &refused) && refused.patches != nil && !full {
		_, _, err := r.states.apply(own(ctx), refused.patches, refused.state, false, false)
		return err
	}
	return r.states.fetch(ctx, name, full)
}

// repair tells whether fetching may mend a failed change of the app state, and whether it must fetch everything.
func repair(err error) (full, again bool) {
	for _, broken := range []error{
		appstate.ErrMismatchingLTHash, appstate.ErrMismatchingPatchMAC, appstate.ErrMismatchingContentMAC,
		appstate.ErrMismatchingIndexMAC, appstate.ErrMissingPreviousSetValueOperation,
	} {
		if errors.Is(err, broken) {
			return true, true
		}
	}
	var refused *refusedPatch
	return false, errors.As(err, &refused) && refused.code == conflict
}

// refusal makes the domain's error of whatsmeow's.
func refusal(err error) error {
	var iq *whatsmeow.IQError
	var gone *whatsmeow.DisconnectedError
	var refused *refusedPatch
	switch {
	case errors.Is(err, whatsmeow.ErrPhoneNumberTooShort), errors.Is(err, whatsmeow.ErrPhoneNumberIsNotInternational):
		return &chat.Error{Code: chat.InvalidPhone}
	case errors.Is(err, whatsmeow.ErrNotConnected):
		return &chat.Error{Code: chat.DeviceNotConnected}
	case errors.Is(err, whatsmeow.ErrServerReturnedError):
		return &chat.Error{Code: chat.WhatsAppRejected, Message: err.Error()}
	case errors.As(err, &gone), errors.Is(err, whatsmeow.ErrIQTimedOut), errors.Is(err, whatsmeow.ErrMessageTimedOut),
		errors.Is(err, context.DeadlineExceeded):
		return &chat.Error{Code: chat.Unavailable, Message: "WhatsApp doesn't answer"}
	case errors.As(err, &refused):
		switch refused.code {
		case conflict:
			return &chat.Error{Code: chat.Unavailable, Message: "the app state keeps changing"}
		case tooMany:
			return &chat.Error{Code: chat.WhatsAppLimited}
		}
		return &chat.Error{Code: chat.WhatsAppRejected, Message: strconv.Itoa(refused.code)}
	case errors.As(err, &iq):
		if iq.Code == tooMany {
			return &chat.Error{Code: chat.WhatsAppLimited}
		}
		if iq.Code >= 500 {
			return &chat.Error{Code: chat.Unavailable, Message: fmt.Sprintf("%d %s", iq.Code, iq.Text)}
		}
		return &chat.Error{Code: chat.WhatsAppRejected, Message: fmt.Sprintf("%d %s", iq.Code, iq.Text)}
	}
	return err
}

func connectionLost(err error) bool {
	var gone *whatsmeow.DisconnectedError
	return errors.Is(err, whatsmeow.ErrNotConnected) || errors.As(err, &gone)
}

// unlinkedByUs is what Logout tells the run.
type unlinkedByUs struct{}

// unlinkTimeout bounds how long WhatsApp is tried to be told of a logout.
const unlinkTimeout = 8 * time.Second

// Logout implements host.Device. A device that doesn't run connects for it.
func (d *device) Logout(ctx context.Context) error {
	a, err := d.Accounts.Account(ctx, d.account)
	if err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	r, err := d.current()
	switch {
	case err == nil:
		r.leave(ctx, a)
	case a.Device != "":
		if err := d.leaveBriefly(ctx, a); err != nil {
			return fmt.Errorf("log out: %w", err)
		}
	}
	if err := d.forget(ctx, state(chat.ServiceOff, LoggedOut)); err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	return nil
}

// leaveBriefly runs the device for no more than to tell WhatsApp.
func (d *device) leaveBriefly(ctx context.Context, a chat.Account) error {
	ctx, cancel := context.WithTimeout(ctx, unlinkTimeout)
	defer cancel()
	r, err := d.start(ctx, func() {}) // it doesn't wait for the turns of others
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = r.work(ctx) })
	defer running.Wait()
	select {
	case <-r.first:
	case <-ctx.Done():
	}
	r.leave(ctx, a)
	return nil
}

// leave tells WhatsApp, if it can be reached, that the device is no more, and ends the run.
func (r *run) leave(ctx context.Context, a chat.Account) {
	if jid, err := types.ParseJID(a.Device); err == nil && a.Device != "" && r.online.Load() {
		ctx, cancel := context.WithTimeout(ctx, unlinkTimeout)
		defer cancel()
		if err := unlink(ctx, r.wa, jid); err != nil {
			r.log.Warn("tell WhatsApp of the logout", failure(err))
		}
	}
	select {
	case r.signals <- unlinkedByUs{}:
	case <-r.done:
	case <-ctx.Done():
	}
	select {
	case <-r.done:
	case <-ctx.Done():
	}
}
