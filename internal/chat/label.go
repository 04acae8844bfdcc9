package chat

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// Label is what the account calls some of its chats: a label of a business account, or a list of another's.
type Label struct {
	Name    string `json:"n"`
	Color   int    `json:"c,omitempty"` // number of WhatsApp's palette
	Place   int    `json:"p,omitempty"` // among the labels
	Deleted bool   `json:"d,omitempty"`
}

// Labels are an account's, by their ids, as the newest link tells them.
type Labels struct {
	Epoch int64                      `json:"ep,omitempty"` // of the link
	All   map[string]Register[Label] `json:"all,omitempty"`
}

// The bounds of labels; WhatsApp allows a business some 20.
const (
	maxLabels    = 500
	maxLabelName = 256 // bytes
)

// Join adds what o knows. A link starts from nothing, as chats do.
func (l *Labels) Join(o Labels) {
	switch {
	case o.Epoch < l.Epoch:
		return
	case o.Epoch > l.Epoch:
		*l = Labels{Epoch: o.Epoch}
	}
	l.All = maps.Clone(l.All)
	for id, r := range o.All {
		if _, known := l.All[id]; !ValidLabelID(id) || !known && len(l.All) >= maxLabels {
			continue
		}
		r.Value.Name = cutText(r.Value.Name, maxLabelName)
		joinRegisters(&l.All, map[string]Register[Label]{id: r})
	}
}

// deleted are the ids of the labels that were deleted.
func (l *Labels) deleted() (ids []string) {
	for id, r := range l.All {
		if r.Value.Deleted {
			ids = append(ids, id)
		}
	}
	return ids
}

// ValidLabelID tells whether an id may be a label's: WhatsApp's are numbers.
func ValidLabelID(id string) bool { return ValidCommandID(id) && len(id) <= maxLabelID }

const maxLabelID = 32

// LabelReader finds labels.
type LabelReader interface {
	// Labels returns the account's labels, those that were deleted too.
	Labels(ctx context.Context, account string) (Labels, error)
}

// LabelStore keeps labels. They are deleted with the account's chats.
type LabelStore interface {
	LabelReader
	// JoinLabels adds what a link tells of labels, and returns what is stored then.
	JoinLabels(ctx context.Context, account string, told Labels) (Labels, error)
}

// LabelIDs are the labels of a chat, sorted, with a space after each.
type LabelIDs string

// Has tells whether a label is among them.
func (l LabelIDs) Has(id string) bool {
	return strings.HasPrefix(string(l), id+" ") || strings.Contains(string(l), " "+id+" ")
}

// List is the labels one by one.
func (l LabelIDs) List() []string { return strings.Fields(string(l)) }

// LabelIDs are the labels that the chat has.
func (c *Chat) LabelIDs() LabelIDs {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(c.Labels)) {
		if c.Labels[id].Value && ValidLabelID(id) {
			b.WriteString(id + " ")
		}
	}
	return LabelIDs(b.String())
}

// labelPage is how many chats are asked for at a time.
const labelPage = 500

// Label projects what the app state says of labels. One that is deleted is taken off all chats, as WhatsApp's clients do;
// should another have its id later, it begins with none.
func (p *Projector) Label(ctx context.Context, account string, told Labels) error {
	known, err := p.store.JoinLabels(ctx, account, told)
	if err != nil {
		return err
	}
	for id := range told.All {
		if known.Epoch != told.Epoch || !known.All[id].Value.Deleted {
			continue
		}
		if err := p.takeOff(ctx, account, id, known); err != nil {
			return err
		}
	}
	return nil
}

// takeOff takes a label off all chats that show.
func (p *Projector) takeOff(ctx context.Context, account, id string, known Labels) error {
	for cursor := ""; ; {
		views, next, err := p.store.Chats(ctx, account, Filter{Label: id}, Page{Limit: labelPage, Cursor: cursor}, p.now())
		if err != nil {
			return err
		}
		for _, v := range views {
			off := map[string]Register[bool]{id: {At: known.All[id].At}}
			err := p.store.Update(ctx, account, v.JID, nil, func(t *Thread) error {
				off[id] = Register[bool]{At: max(off[id].At, t.Chat.Labels[id].At+1)}
				return t.Apply(Change{Chat: v.JID, State: Chat{Labels: off}, Epoch: known.Epoch}, p.now())
			})
			if err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// withoutDeleted takes the labels that were deleted out of what a change puts on a chat.
func (p *Projector) withoutDeleted(ctx context.Context, account string, c Change) (Change, error) {
	if len(c.State.Labels) == 0 {
		return c, nil
	}
	known, err := p.store.Labels(ctx, account)
	if err != nil {
		return c, err
	}
	c.State.Labels = maps.Clone(c.State.Labels)
	for _, id := range known.deleted() {
		if r := c.State.Labels[id]; r.Value && known.Epoch == c.Epoch {
			c.State.Labels[id] = Register[bool]{At: max(r.At+1, known.All[id].At)}
		}
	}
	return c, nil
}
