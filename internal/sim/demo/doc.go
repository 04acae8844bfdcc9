// Package demo is a person's WhatsApp account to look at: Sari Wulandari of Solo, who sells batik, with her family, friends,
// customers and groups. Inbox makes the whole account as data, the same for the same seed; NewWorld brings it into a
// simulated WhatsApp; World.Traffic lets its people go on talking.
//
// Nobody in it exists. Phone numbers begin with 0890 to 0894, which no operator in Indonesia has; bank accounts, places,
// links (under contoh.id) and file contents are made up.
package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim/appstate"
	"pesan/internal/sim/media"
)

// Account is what a phone holds.
type Account struct {
	Owner  *Person
	People []*Person // everybody in any chat, the owner not included
	Groups []*Group

	Conversations []*waHistorySync.Conversation // newest activity first; messages too
	Status        []*waWeb.WebMessageInfo
	Settings      []appstate.Mutation // names of contacts, muted, pinned and archived chats, …

	now   time.Time
	chats []*chat
}

// Person is somebody on WhatsApp.
type Person struct {
	Name     string // in the owner's address book; empty if they aren't in it
	PushName string // as they call themselves; may be empty
	PN       types.JID
	LID      types.JID
	HidesPN  bool // the owner doesn't know their number
	Business bool

	lower bool // writes without capitals
	long  bool // drags out words
}

// Group is a group chat that the owner is a member of.
type Group struct {
	JID     types.JID
	Subject string
	Topic   string
	ByLID   bool // members are addressed by LID
	Members []*Person
	Admin   *Person
	Created time.Time
}

// Inbox makes the account of a seed, with 200 chats and some 5,000 messages. Times are relative to now: the newest message
// is a minute old, the oldest ones a year.
func Inbox(seed uint64, now time.Time) (*Account, error) { return InboxOf(seed, now, 200, 5000) }

// InboxOf is an Inbox with another number of chats, at least 50, and about so many messages.
func InboxOf(seed uint64, now time.Time, chats, messages int) (*Account, error) {
	if chats < 50 {
		return nil, fmt.Errorf("an inbox of %d chats is too small", chats)
	}
	rng := rand.New(rand.NewPCG(seed, 0x6d656c617469))
	a := &Account{now: now.Truncate(time.Second), Owner: owner()}
	a.cast(rng, chats)
	if err := a.write(&writer{rng: rng, owner: a.Owner}, messages); err != nil {
		return nil, fmt.Errorf("write the inbox: %w", err)
	}
	a.applySettings(rng)
	return a, nil
}

// History is the account's history as the phone sends it to a new device.
func (a *Account) History() *media.Inbox {
	in := &media.Inbox{
		Count:  len(a.Conversations),
		Status: a.Status,
		Conversations: func(yield func(*waHistorySync.Conversation) bool) {
			for _, c := range a.Conversations {
				if !yield(c) {
					return
				}
			}
		},
		Settings: &waHistorySync.GlobalSettings{
			MediaVisibility:                    waHistorySync.MediaVisibility_ON.Enum(),
			ShowIndividualNotificationsPreview: new(true),
			ShowGroupNotificationsPreview:      new(true),
			AutoUnarchiveChats:                 new(false),
		},
	}
	for _, p := range a.People {
		jid := p.PN
		if p.HidesPN {
			jid = p.LID
		} else {
			in.Mappings = append(in.Mappings, &waHistorySync.PhoneNumberToLIDMapping{PnJID: new(p.PN.String()),
				LidJID: new(p.LID.String())})
		}
		if p.PushName != "" {
			in.Pushnames = append(in.Pushnames, &waHistorySync.Pushname{ID: new(jid.String()), Pushname: &p.PushName})
		}
	}
	return in
}
