package chat

import "time"

// Imposed is what WhatsApp itself limits of the account, as it told last.
type Imposed struct {
	TimeLock *TimeLock `json:"timeLock,omitempty"`
	NewChats *NewChats `json:"newChats,omitempty"`
}

// TimeLock forbids the account something for a while, such as to write to people who haven't written to it.
type TimeLock struct {
	Kind  string    `json:"kind,omitempty"` // WhatsApp's name
	Until time.Time `json:"until"`
}

// NewChats is how many chats the account may begin.
type NewChats struct {
	Status string    `json:"status"` // WhatsApp's name, such as CAPPED
	Used   int64     `json:"used"`
	Total  int64     `json:"total"`
	Until  time.Time `json:"until,omitzero"` // when it is counted from nothing again
	Told   int64     `json:"told,omitempty"` // by WhatsApp's clock, seconds since 1970
}

// At is what holds at a moment.
func (i Imposed) At(now time.Time) Imposed {
	if i.TimeLock != nil && !i.TimeLock.Until.After(now) {
		i.TimeLock = nil
	}
	if i.NewChats != nil && !i.NewChats.Until.IsZero() && !i.NewChats.Until.After(now) {
		i.NewChats = nil
	}
	return i
}

// Learn takes what WhatsApp tells of new chats, unless it told something later before.
func (i *Imposed) Learn(n NewChats) {
	if i.NewChats == nil || n.Told >= i.NewChats.Told {
		i.NewChats = &n
	}
}
