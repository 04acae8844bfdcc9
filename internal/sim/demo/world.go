package demo

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

// latest is how many messages of each chat a new device gets first.
const latest = 25

// World is an account in a simulated WhatsApp: its phone, to which devices can be linked, and everybody it talks to.
type World struct {
	Account *Account
	Phone   *sim.Phone

	server   *sim.Server
	contacts map[*Person]*sim.Contact
	groups   map[*Group]*sim.Group
}

// NewWorld brings an account into a simulated WhatsApp. Link devices afterwards: what is here is what they get when they
// are linked.
func NewWorld(ctx context.Context, server *sim.Server, a *Account) (*World, error) {
	phone, err := server.NewPhone(a.Owner.PN.User, sim.PhoneOptions{
		LID: a.Owner.LID.User, PushName: a.Owner.PushName,
		Inbox: a.History(), Latest: latest, Chunking: media.Chunking{Inline: 64 << 10}, Archive: a.Conversations,
	})
	if err != nil {
		return nil, fmt.Errorf("demo phone: %w", err)
	}
	w := &World{
		Account: a, Phone: phone, server: server,
		contacts: map[*Person]*sim.Contact{}, groups: map[*Group]*sim.Group{},
	}
	for _, c := range a.chats {
		if c.jid.Server == types.NewsletterServer {
			phone.Follow(c.jid.User, c.subject)
		}
	}
	for _, p := range a.People {
		pn := p.PN.User
		if p.HidesPN {
			pn = ""
		}
		if w.contacts[p], err = server.NewContact(pn, p.LID.User, p.PushName); err != nil {
			return nil, fmt.Errorf("demo person: %w", err)
		}
	}
	for _, g := range a.Groups {
		members := []*sim.Contact{phone.Contact}
		for _, p := range g.Members {
			if p != g.Admin {
				members = append(members, w.contacts[p])
			}
		}
		w.groups[g], err = server.NewGroup(g.Subject, w.contacts[g.Admin], sim.GroupOptions{
			ID: g.JID.User, ByLID: g.ByLID, Topic: g.Topic, Created: g.Created, Silent: true,
		}, members...)
		if err != nil {
			return nil, fmt.Errorf("demo group: %w", err)
		}
	}
	for _, c := range a.chats {
		if c.group != nil && c.expiration > 0 {
			if err := w.groups[c.group].SetEphemeral(ctx, w.contacts[c.group.Admin], c.expiration); err != nil {
				return nil, fmt.Errorf("demo group: %w", err)
			}
		}
	}
	if err := phone.Change(ctx, a.Settings...); err != nil {
		return nil, fmt.Errorf("demo settings: %w", err)
	}
	return w, nil
}
