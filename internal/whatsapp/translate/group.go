package translate

import (
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
)

// GroupChange says what changed in a group. Order is its place among all that WhatsApp tells of the group.
func (b *Book) GroupChange(evt *events.GroupInfo, order int64) []chat.Change {
	jid, ok := Address(evt.JID)
	if !ok {
		return nil
	}
	c := chat.Change{Chat: jid, State: chat.Chat{Told: order}}
	if evt.Name != nil {
		c.State.Subject = chat.Register[string]{Value: evt.Name.Name, At: order}
	}
	c.State.Members = make(map[chat.JID]chat.Register[chat.Rank])
	b.rank(&c.State, evt.Join, chat.RankMember, order)
	b.rank(&c.State, evt.Promote, chat.RankAdmin, order)
	b.rank(&c.State, evt.Demote, chat.RankMember, order)
	b.rank(&c.State, evt.Leave, chat.RankLeft, order)
	c.State.Since = make(map[chat.JID]chat.Register[int64])
	b.since(&c.State, evt.Join, seconds(evt.Timestamp), order)
	b.since(&c.State, evt.Leave, 0, order)
	set := &waHistorySync.Conversation{}
	if evt.Topic != nil {
		set.Description = proto.String(evt.Topic.Topic)
	}
	if evt.Ephemeral != nil {
		setEphemeral(set, *evt.Ephemeral)
	}
	if evt.Suspended || evt.Unsuspended {
		set.Suspended = proto.Bool(evt.Suspended)
	}
	switch {
	case evt.Delete != nil && evt.Delete.Deleted:
		set.Terminated, set.ReadOnly = proto.Bool(true), proto.Bool(true)
	case b.owns(evt.Leave):
		set.ReadOnly = proto.Bool(true)
	case b.owns(evt.Join):
		set.ReadOnly = proto.Bool(false)
	}
	c.State.Fields = fields(set, order)
	if len(c.State.Members) == 0 {
		c.State.Members = nil
	}
	if len(c.State.Since) == 0 {
		c.State.Since = nil
	}
	// What these notices do to the chat is what their class says: see classOf.
	if evt.Name != nil || b.owns(evt.Join) || b.removes(evt) || evt.Link != nil || evt.Unlink != nil || asksToJoin(evt) {
		c.State.Activity = seconds(evt.Timestamp)
	}
	return []chat.Change{c}
}

// rank gives members a place in the group.
func (b *Book) rank(s *chat.Chat, who []types.JID, rank chat.Rank, at int64) {
	for _, w := range who {
		if jid, ok := Address(w); ok {
			s.Members[b.Canonical(jid)] = chat.Register[chat.Rank]{Value: rank, At: at}
		}
	}
}

// since says when members came; 0: they went.
func (b *Book) since(s *chat.Chat, who []types.JID, at, order int64) {
	for _, w := range who {
		if jid, ok := Address(w); ok {
			s.Since[b.Canonical(jid)] = chat.Register[int64]{Value: at, At: order}
		}
	}
}

// removes tells whether somebody took the account out of a group. To leave it oneself moves nothing.
func (b *Book) removes(evt *events.GroupInfo) bool {
	return b.owns(evt.Leave) && (evt.Sender == nil || !b.owns([]types.JID{*evt.Sender}))
}

// asksToJoin tells whether somebody asks to come into a group, of which whatsmeow knows nothing.
func asksToJoin(evt *events.GroupInfo) bool {
	return slices.ContainsFunc(evt.UnknownChanges, func(n *waBinary.Node) bool { return n.Tag == "created_membership_requests" })
}

func (b *Book) owns(jids []types.JID) bool {
	for _, j := range jids {
		if jid, ok := Address(j); ok && b.isOwn(jid) {
			return true
		}
	}
	return false
}

func setEphemeral(set *waHistorySync.Conversation, e types.GroupEphemeral) {
	set.EphemeralExpiration = proto.Uint32(0)
	if e.IsEphemeral {
		set.EphemeralExpiration = proto.Uint32(e.DisappearingTimer)
	}
}

// JoinedGroup says what is known of a group that the account has come into.
func (b *Book) JoinedGroup(evt *events.JoinedGroup, order int64) []chat.Change {
	changes := b.Group(&evt.GroupInfo, order)
	for i := range changes {
		changes[i].State.Activity = max(order/int64(time.Second/time.Microsecond), 1) // a new group shows before anybody has spoken
	}
	return changes
}

// Group says all that is known of a group at some place in the order: what it doesn't name isn't there.
func (b *Book) Group(info *types.GroupInfo, order int64) []chat.Change {
	jid, ok := Address(info.JID)
	if !ok {
		return nil
	}
	c := chat.Change{Chat: jid, State: chat.Chat{Told: order}}
	if info.Name != "" {
		c.State.Subject = chat.Register[string]{Value: info.Name, At: max(order, info.NameSetAt.UnixMicro())}
	}
	if info.ParticipantCount <= len(info.Participants) { // large communities tell a part
		c.State.Listed = order
	}
	set := &waHistorySync.Conversation{}
	c.State.Members = make(map[chat.JID]chat.Register[chat.Rank], len(info.Participants))
	for _, p := range info.Participants {
		member, ok := Address(p.JID)
		if !ok {
			continue
		}
		pn, _ := Address(p.PhoneNumber)
		lid, _ := Address(p.LID)
		b.Fill(pn, lid)
		rank := chat.RankMember
		switch {
		case p.IsSuperAdmin:
			rank = chat.RankSuperAdmin
		case p.IsAdmin:
			rank = chat.RankAdmin
		}
		if b.isOwn(member) || b.isOwn(pn) || b.isOwn(lid) {
			set.ReadOnly = proto.Bool(false)
		}
		c.State.Members[b.Canonical(member)] = chat.Register[chat.Rank]{Value: rank, At: order}
	}
	if info.Topic != "" {
		set.Description = &info.Topic
	}
	if info.IsParent {
		set.IsParentGroup = proto.Bool(true)
	}
	if info.Suspended {
		set.Suspended = proto.Bool(true)
	}
	if created := info.GroupCreated.Unix(); created > 0 {
		set.CreatedAt = proto.Uint64(uint64(created))
	}
	if owner, ok := Address(info.OwnerJID); ok {
		set.CreatedBy = proto.String(string(b.Canonical(owner)))
	}
	setEphemeral(set, info.GroupEphemeral)
	c.State.Fields = fields(set, order)
	for _, name := range []string{"description", "terminated", "suspended", "isParentGroup"} {
		if _, named := c.State.Fields[name]; !named {
			c.State.Fields[name] = chat.Register[chat.JSON]{At: order}
		}
	}
	return []chat.Change{c}
}

// PushName says how somebody calls themself.
func (b *Book) PushName(evt *events.PushName) []chat.Change {
	jid, ok := Address(evt.JID)
	if !ok || jid.Kind() != chat.Private || b.isOwn(jid) || evt.NewPushName == "" || evt.NewPushName == "-" || evt.Message == nil {
		return nil
	}
	alt, _ := Address(evt.JIDAlt)
	b.Learn(jid, alt)
	c := b.Change(jid)
	c.State.PushName = chat.Register[string]{Value: evt.NewPushName, At: millis(evt.Message.Timestamp)}
	return []chat.Change{c}
}
