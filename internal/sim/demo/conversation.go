package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
)

// conversation is a chat as a phone keeps it.
func (a *Account) conversation(c *chat, rng *rand.Rand) *waHistorySync.Conversation {
	last := uint64(c.last().at.Unix())
	out := &waHistorySync.Conversation{
		ID:                       new(c.jid.String()),
		LastMsgTimestamp:         &last,
		ConversationTimestamp:    &last,
		UnreadCount:              new(uint32(c.unread)),
		ReadOnly:                 new(c.jid.Server == types.NewsletterServer),
		EndOfHistoryTransfer:     new(true),
		EndOfHistoryTransferType: waHistorySync.Conversation_COMPLETE_AND_NO_MORE_MESSAGE_REMAIN_ON_PRIMARY.Enum(),
		NotSpam:                  new(true),
		Archived:                 &c.archived,
		UnreadMentionCount:       new(uint32(0)),
		EphemeralExpiration:      &c.expiration,
		DisappearingMode:         &waE2E.DisappearingMode{Initiator: waE2E.DisappearingMode_CHANGED_IN_CHAT.Enum()},
		MediaVisibility:          waHistorySync.MediaVisibility_DEFAULT.Enum(),
		Messages:                 a.history(c, rng),
	}
	if c.marked {
		out.MarkedAsUnread = new(true)
	}
	if c.expiration > 0 {
		out.EphemeralSettingTimestamp = new(c.said[0].at.Unix())
		out.DisappearingMode = disappearing()
	}
	if !c.pinned.IsZero() {
		out.Pinned = new(uint32(c.pinned.Unix()))
	}
	switch { // in seconds, for ever as -1
	case c.muteEnd > 0:
		out.MuteEndTime = new(uint64(c.muteEnd / 1000))
	case c.muteEnd < 0:
		out.MuteEndTime = new(uint64(math.MaxUint64))
	}
	switch {
	case c.group != nil:
		a.describeGroup(out, c.group)
	case c.subject != "":
		out.Name = &c.subject
	case len(c.people) == 1:
		p, random := c.people[0], take{writer: &writer{rng: rng}}
		out.ContactPrimaryIdentityKey = append([]byte{5}, random.bytes(32)...)
		out.TcToken, out.TcTokenTimestamp = append([]byte{1, 1, 0}, random.bytes(32)...), &last
		switch {
		case !c.byLID && rng.IntN(2) == 0:
			out.LidJID = new(p.LID.String())
		case c.byLID && !p.HidesPN:
			out.PnJID = new(p.PN.String())
		}
		if c.byLID && p.PushName != "" {
			out.DisplayName = &p.PushName
		}
	}
	return out
}

func (a *Account) describeGroup(out *waHistorySync.Conversation, g *Group) {
	address := func(p *Person) *string {
		if g.ByLID {
			return new(p.LID.String())
		}
		return new(p.PN.String())
	}
	out.Name, out.CreatedAt, out.CreatedBy = &g.Subject, new(uint64(g.Created.Unix())), address(g.Admin)
	if g.Topic != "" {
		out.Description = &g.Topic
	}
	out.Participant = []*waHistorySync.GroupParticipant{{UserJID: address(a.Owner),
		Rank: waHistorySync.GroupParticipant_REGULAR.Enum()}}
	for _, p := range g.Members {
		rank := waHistorySync.GroupParticipant_REGULAR
		if p == g.Admin {
			rank = waHistorySync.GroupParticipant_SUPERADMIN
		}
		out.Participant = append(out.Participant, &waHistorySync.GroupParticipant{UserJID: address(p), Rank: rank.Enum()})
	}
}

// history are the messages of a chat, newest first: reactions and votes stand at their message, of a deleted message
// nothing but that is left, an edit is a message of its own.
func (a *Account) history(c *chat, rng *rand.Rand) []*waHistorySync.HistorySyncMsg {
	all := a.notices(c, rng)
	at := map[*said]*waWeb.WebMessageInfo{}
	for _, m := range c.said {
		target := at[m.about]
		switch {
		case m.emoji != "" && target != nil:
			target.Reactions = append(target.Reactions, &waWeb.Reaction{
				Key: a.key(c, m), Text: &m.emoji, SenderTimestampMS: new(m.at.UnixMilli()), Unread: new(false),
			})
			continue
		case m.revokes && target != nil:
			target.Message, target.MessageStubType = nil, waWeb.WebMessageInfo_REVOKE.Enum()
			target.RevokeMessageTimestamp = new(uint64(m.at.Unix()))
			continue
		case m.emoji != "" || m.revokes: // what it is about was cut off
			continue
		}
		at[m] = a.webMessage(c, m)
		a.vote(c, m, at[m], rng)
		all = append(all, at[m])
	}
	var out []*waHistorySync.HistorySyncMsg
	for i, m := range slices.Backward(all) {
		out = append(out, &waHistorySync.HistorySyncMsg{Message: m, MsgOrderID: new(uint64(i + 1))})
	}
	return out
}

func (a *Account) webMessage(c *chat, m *said) *waWeb.WebMessageInfo {
	out := &waWeb.WebMessageInfo{Key: a.key(c, m), MessageTimestamp: new(uint64(m.at.Unix())), Message: m.content}
	if m.missed {
		out.MessageStubType = waWeb.WebMessageInfo_CALL_MISSED_VOICE.Enum()
	}
	if c.expiration > 0 {
		out.EphemeralDuration, out.EphemeralStartTimestamp = &c.expiration, new(uint64(m.at.Unix()))
	}
	if secret := m.content.GetMessageContextInfo().GetMessageSecret(); secret != nil {
		out.MessageSecret = secret
	}
	if m.by != nil {
		if m.by.PushName != "" {
			out.PushName = &m.by.PushName
		}
		if c.group != nil {
			out.Participant = out.Key.Participant
		}
		return out
	}
	out.Broadcast = new(c.jid.Server == types.BroadcastServer)
	out.Status = waWeb.WebMessageInfo_READ.Enum()
	if answered := c.last().at.After(m.at); !answered {
		out.Status = waWeb.WebMessageInfo_DELIVERY_ACK.Enum()
	}
	for _, p := range c.people[:min(3, len(c.people))] {
		receipt := &waWeb.UserReceipt{UserJID: new(c.address(p).String()), ReceiptTimestamp: new(m.at.Unix() + 2)}
		if out.GetStatus() == waWeb.WebMessageInfo_READ {
			receipt.ReadTimestamp = new(m.at.Unix() + 9)
		}
		out.UserReceipt = append(out.UserReceipt, receipt)
	}
	return out
}

func (a *Account) key(c *chat, m *said) *waCommon.MessageKey {
	k := &waCommon.MessageKey{RemoteJID: new(c.jid.String()), FromMe: new(m.by == nil), ID: &m.id}
	if c.group != nil && m.by != nil {
		k.Participant = new(c.address(m.by).String())
	}
	return k
}

// vote lets some members vote in a poll.
func (a *Account) vote(c *chat, m *said, info *waWeb.WebMessageInfo, rng *rand.Rand) {
	if m.content.GetPollCreationMessageV3() == nil || len(c.people) == 0 {
		return
	}
	random := take{writer: &writer{rng: rng}}
	for range 1 + rng.IntN(4) {
		voter := &said{id: random.id(nil), by: pick(rng, c.people)}
		info.PollUpdates = append(info.PollUpdates, &waWeb.PollUpdate{
			PollUpdateMessageKey: a.key(c, voter),
			Vote:                 &waE2E.PollVoteMessage{SelectedOptions: [][]byte{random.bytes(32)}},
			SenderTimestampMS:    new(m.at.Add(time.Minute).UnixMilli()),
			Unread:               new(false),
		})
	}
}

// notices are what WhatsApp itself says at the beginning of a chat.
func (a *Account) notices(c *chat, rng *rand.Rand) []*waWeb.WebMessageInfo {
	start := c.said[0].at
	var out []*waWeb.WebMessageInfo
	add := func(before time.Duration, by *Person, kind waWeb.WebMessageInfo_StubType, args ...string) {
		random := take{writer: &writer{rng: rng}}
		m := &said{id: random.id(nil), by: by, at: start.Add(-before)}
		key := a.key(c, m)
		out = append(out, &waWeb.WebMessageInfo{
			Key: key, Participant: key.Participant, MessageTimestamp: new(uint64(m.at.Unix())),
			MessageStubType: &kind, MessageStubParameters: args,
		})
	}
	switch {
	case c.group != nil:
		if c.group.Created.After(start.Add(-time.Hour)) {
			c.group.Created = start.Add(-time.Hour).Truncate(time.Second)
		}
		admin := c.group.Admin
		add(start.Sub(c.group.Created), admin, waWeb.WebMessageInfo_GROUP_CREATE, c.group.Subject)
		add(50*time.Minute, admin, waWeb.WebMessageInfo_GROUP_PARTICIPANT_ADD, a.Owner.PN.String())
		if c.group.Topic != "" {
			add(40*time.Minute, admin, waWeb.WebMessageInfo_GROUP_CHANGE_DESCRIPTION, c.group.Topic)
		}
	case c.jid.Server == types.BroadcastServer:
		add(time.Minute, nil, waWeb.WebMessageInfo_BROADCAST_CREATE)
	case c.jid.Server != types.NewsletterServer:
		add(time.Minute, c.people[0], waWeb.WebMessageInfo_E2E_ENCRYPTED)
	}
	if c.expiration > 0 {
		add(30*time.Second, nil, waWeb.WebMessageInfo_CHANGE_EPHEMERAL_SETTING, fmt.Sprint(c.expiration))
	}
	return out
}
