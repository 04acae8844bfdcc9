package chat

import (
	"context"
	"time"
)

// Fits returns an error where a chat's kind has no such change: WhatsApp's channels and broadcast lists aren't conversations.
func (row ChatCommand) Fits(c Command) error {
	switch kind := c.Chat.Kind(); {
	case row.Setting == TimerSetting && kind != Private && kind != Group:
		return &Error{Code: WhatsAppRejected, Message: "messages disappear only in a private chat or a group"}
	case kind != Newsletter:
		return nil
	case row.Setting != MuteSetting && row.Setting != PinSetting:
		return &Error{Code: WhatsAppRejected, Message: "a channel can't be changed so"}
	case row.Kind == MuteCommand && c.Seconds > 0:
		return &Error{Code: InvalidSecond, Message: "a channel can only be muted for ever"}
	}
	return nil
}

// Unfit is a chat that was selected for what its kind doesn't have.
type Unfit struct {
	Chat JID
	Err  error
}

// selectPage is how many chats are read at a time for a selection.
const selectPage = 1000

// Select makes an operation of each chat that a filter lets through but for some, about what is there at the moment. TOO_MANY
// where there are more than a batch has room for.
func Select(
	ctx context.Context, chats ChatReader, account string, o Operation, f Filter, except []JID, now time.Time,
) (all []Operation, unfit []Unfit, err error) {
	row, ok := ChatCommandOf(o.Op)
	if !ok {
		return nil, nil, &Error{Code: InvalidParameter, Message: "op"}
	}
	spared := make(map[JID]bool, len(except))
	for _, jid := range except {
		v, err := chats.Chat(ctx, account, jid) // by either address
		if CodeOf(err) == ChatNotFound {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		spared[v.JID] = true
	}
	for cursor := ""; ; {
		views, next, err := chats.Chats(ctx, account, f, Page{Limit: selectPage, Cursor: cursor}, now)
		if err != nil {
			return nil, nil, err
		}
		for i := range views {
			if spared[views[i].JID] {
				continue
			}
			of := o.About(views[i], row)
			if err := row.Fits(Command{Chat: of.Chat, Seconds: of.Seconds}); err != nil {
				unfit = append(unfit, Unfit{of.Chat, err})
			} else if all = append(all, of); len(all) > MaxOperations {
				return nil, nil, &Error{Code: TooManyOperations}
			}
		}
		if cursor = next; cursor == "" {
			return all, unfit, nil
		}
	}
}

// About is the operation on a chat, as it is now.
func (o Operation) About(v View, row ChatCommand) Operation {
	o.Chat = v.JID
	if through := v.Through(); row.Ranged && through.Time > 0 {
		o.Through = &through
	}
	return o
}
