package whatsapp

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
)

// olderWait is how long the phone's answer is waited for. One that comes later is stored all the same.
const olderWait = 15 * time.Second

// fetchOlder asks the phone for messages before the oldest that is here, and waits until they are stored.
func (r *run) fetchOlder(ctx context.Context, c chat.Command) error {
	if c.Chat.Kind() != chat.Private && c.Chat.Kind() != chat.Group {
		return &chat.Error{Code: chat.WhatsAppRejected, Message: "the phone gives older messages only of a private chat or a group"}
	}
	head, err := r.Chats.Oldest(ctx, r.account, c.Chat)
	if err != nil {
		return err
	}
	index, err := r.index(ctx, c.Chat)
	if err != nil {
		return err
	}
	fromMe, _, err := r.author(ctx, c.Chat, head.ID, true)
	if chat.CodeOf(err) == chat.MessageNotFound { // it is hidden; the phone finds its place by the time
		fromMe, err = "0", nil
	}
	if err != nil {
		return err
	}
	request := r.wa.BuildHistorySyncRequest(&types.MessageInfo{
		MessageSource: types.MessageSource{Chat: index, IsFromMe: fromMe == "1"}, ID: head.ID, Timestamp: time.Unix(head.Time, 0),
	}, cmp.Or(c.Limit, chat.OlderMessages))
	session := r.wa.GenerateMessageID()
	came := r.older.expect(session)
	defer r.older.forget(session)
	ctx, cancel := context.WithTimeout(ctx, olderWait)
	defer cancel()
	if err := r.tellPhone(ctx, session, request); err != nil {
		return fmt.Errorf("ask for older messages: %w", refusal(err))
	}
	select {
	case lost := <-came:
		if lost {
			return &chat.Error{Code: chat.WhatsAppRejected, Message: "what the phone sent couldn't be read"}
		}
		return nil
	case <-r.done:
		return &chat.Error{Code: chat.DeviceNotConnected}
	case <-ctx.Done(): // not to be repeated: the phone has been asked
		return &chat.Error{Code: chat.WhatsAppRejected, Message: "the phone doesn't answer; is it on and online?"}
	}
}
