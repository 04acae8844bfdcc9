package wasim

import (
	"context"

	"go.mau.fi/whatsmeow/types"
)

// Group is a group chat.
type Group struct{}

// GroupOptions describe a group. The zero value is good.
type GroupOptions struct {
	// ID is the user part of the JID; made up if empty.
	ID string
	// ByLID addresses members by LID (addressing_mode lid), as WhatsApp does in newer groups.
	ByLID bool
	// Topic is the description.
	Topic string
	// Silent tells no device of the group's creation, as for a group that is older than the device.
	Silent bool
}

// JID is the group's address.
func (g *Group) JID() types.JID { return types.JID{} }

// Subject is the group's name.
func (g *Group) Subject() string { return "" }

// SetSubject renames the group and notifies its members.
func (g *Group) SetSubject(ctx context.Context, by Member, subject string) error { return errMissing }

// SetTopic changes the description and notifies its members.
func (g *Group) SetTopic(ctx context.Context, by Member, topic string) error { return errMissing }

// Add adds members and notifies all.
func (g *Group) Add(ctx context.Context, by Member, who ...Member) error { return errMissing }

// Remove removes members and notifies all, the removed ones too. Removing oneself is leaving.
func (g *Group) Remove(ctx context.Context, by Member, who ...Member) error { return errMissing }

// Promote makes members admins.
func (g *Group) Promote(ctx context.Context, by Member, who ...Member) error { return errMissing }

// Demote takes it back.
func (g *Group) Demote(ctx context.Context, by Member, who ...Member) error { return errMissing }

// SetEphemeral sets the time in seconds after which messages disappear; 0 turns it off.
func (g *Group) SetEphemeral(ctx context.Context, by Member, seconds uint32) error { return errMissing }
