package translate

import (
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
)

// GroupChange says what changed in a group.
func (b *Book) GroupChange(evt *events.GroupInfo) []chat.Change {
	jid, ok := Address(evt.JID)
	if !ok {
		return nil
	}
	at := millis(evt.Timestamp)
	c := chat.Change{Chat: jid}
	if evt.Name != nil {
		c.State.Subject = chat.Register[string]{Value: evt.Name.Name, At: at + 1} // than the group was made with
	}
	c.State.Members = make(map[chat.JID]chat.Register[chat.Rank])
	// Within one second somebody first joins, then rises or falls.
	b.rank(&c.State, evt.Join, chat.RankMember, at)
	b.rank(&c.State, evt.Promote, chat.RankAdmin, at+1)
	b.rank(&c.State, evt.Demote, chat.RankMember, at+1)
	b.rank(&c.State, evt.Leave, chat.RankLeft, at+2)
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
	c.State.Fields = fields(set, at)
	if len(c.State.Members) == 0 {
		c.State.Members = nil
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
func (b *Book) JoinedGroup(evt *events.JoinedGroup, now time.Time) []chat.Change {
	at := snapshotTime(&evt.GroupInfo, now)
	changes := b.Group(&evt.GroupInfo, at)
	for i := range changes {
		changes[i].State.Activity = max(at.Unix(), 1) // a new group shows before anybody has spoken
	}
	return changes
}

// Group says what is known of a group at a time.
func (b *Book) Group(info *types.GroupInfo, at time.Time) []chat.Change {
	jid, ok := Address(info.JID)
	if !ok {
		return nil
	}
	c := chat.Change{Chat: jid}
	if info.Name != "" {
		named := info.NameSetAt
		if named.Unix() <= 0 {
			named = info.GroupCreated
		}
		c.State.Subject = chat.Register[string]{Value: info.Name, At: millis(named)}
	}
	c.State.Members = make(map[chat.JID]chat.Register[chat.Rank], len(info.Participants))
	for _, p := range info.Participants {
		member, ok := Address(p.JID)
		if !ok {
			continue
		}
		pn, _ := Address(p.PhoneNumber)
		lid, _ := Address(p.LID)
		b.Learn(pn, lid)
		rank := chat.RankMember
		switch {
		case p.IsSuperAdmin:
			rank = chat.RankSuperAdmin
		case p.IsAdmin:
			rank = chat.RankAdmin
		}
		c.State.Members[b.Canonical(member)] = chat.Register[chat.Rank]{Value: rank, At: millis(at)}
	}
	set := &waHistorySync.Conversation{}
	if info.Topic != "" {
		set.Description = &info.Topic
	}
	if created := info.GroupCreated.Unix(); created > 0 {
		set.CreatedAt = proto.Uint64(uint64(created))
	}
	if owner, ok := Address(info.OwnerJID); ok {
		set.CreatedBy = proto.String(string(b.Canonical(owner)))
	}
	setEphemeral(set, info.GroupEphemeral)
	c.State.Fields = fields(set, millis(at))
	return []chat.Change{c}
}

// snapshotTime is when a group's members were as they are said to be. Their version is a time in microseconds. Without
// it the moment of arrival has to do, less what clocks may differ, so that a later change of members is later.
func snapshotTime(info *types.GroupInfo, now time.Time) time.Time {
	at := info.GroupCreated
	version, err := strconv.ParseInt(info.ParticipantVersionID, 10, 64)
	if t := time.UnixMicro(version); err == nil && t.After(at) && t.Before(now.Add(time.Minute)) {
		return t
	}
	if now.Sub(at) < time.Minute {
		return at
	}
	return now.Add(-ClockSkew).Truncate(time.Second)
}

// ClockSkew is what this clock may be ahead of WhatsApp's.
const ClockSkew = 5 * time.Second

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
