package chat

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"
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

// Selection says on the queue which chats an operation is about: those that the filter lets through, but for some.
type Selection struct {
	Kind     Kind   `json:"type,omitempty"`
	Unread   *bool  `json:"unread,omitempty"`
	Archived *bool  `json:"archived,omitempty"`
	Muted    *bool  `json:"muted,omitempty"`
	Pinned   *bool  `json:"pinned,omitempty"`
	IdleDays int    `json:"idleDays,omitempty"`
	Name     string `json:"name,omitempty"`
	Label    string `json:"label,omitempty"`
	All      bool   `json:"all,omitempty"` // needed where nothing else is said
	Except   []JID  `json:"except,omitempty"`
}

// Bounds of selections.
const (
	MaxExcept     = 1000
	maxNameFilter = 100 // characters
	maxLabel      = 32
)

// Filter is which chats the selection lets through.
func (s Selection) Filter() Filter {
	return Filter{
		Kind: s.Kind, Unread: s.Unread, Archived: s.Archived, Muted: s.Muted, Pinned: s.Pinned, IdleDays: s.IdleDays,
		Name: Fold(s.Name), Label: s.Label,
	}
}

// Validate returns INVALID_PARAMETER where the selection isn't one.
func (s Selection) Validate() error {
	wrong := func(name string) error { return &Error{Code: InvalidParameter, Message: "selection." + name} }
	switch {
	case s.Kind != "" && !slices.Contains([]Kind{Private, Group, Newsletter, Broadcast}, s.Kind):
		return wrong("type")
	case s.IdleDays < 0 || s.IdleDays > MaxIdleDays:
		return wrong("idleDays")
	case utf8.RuneCountInString(s.Name) > maxNameFilter:
		return wrong("name")
	case len(s.Label) > maxLabel:
		return wrong("label")
	case s.Filter() == (Filter{}) && !s.All:
		return wrong("all")
	case len(s.Except) > MaxExcept:
		return wrong("except")
	}
	for _, jid := range s.Except {
		if parsed, err := ParseJID(string(jid)); err != nil || parsed != jid {
			return wrong("except")
		}
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
