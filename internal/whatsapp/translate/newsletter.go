package translate

import (
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
)

// Newsletter says what is known of a channel that the account follows from now on.
func (b *Book) Newsletter(evt *events.NewsletterJoin) []chat.Change {
	jid, ok := Address(evt.ID)
	if !ok {
		return nil
	}
	return followed(jid, &evt.NewsletterMetadata, evt.Mex.Timestamp, evt.Mex.Timestamp)
}

// Followed says what is known of a channel that the account follows already. Since when nothing tells, nor when it was muted.
func (b *Book) Followed(meta *types.NewsletterMetadata) []chat.Change {
	jid, ok := Address(meta.ID)
	if !ok || jid.Kind() != chat.Newsletter || meta.ViewerMeta != nil && meta.ViewerMeta.Role == types.NewsletterRoleGuest {
		return nil
	}
	return followed(jid, meta, meta.ThreadMeta.CreationTime.Time, time.UnixMilli(chat.Baseline))
}

// followed is a channel that came onto the list at some time.
func followed(jid chat.JID, meta *types.NewsletterMetadata, since, muted time.Time) []chat.Change {
	name := meta.ThreadMeta.Name
	c := chat.Change{Chat: jid}
	c.State.Subject = chat.Register[string]{Value: name.Text, At: millis(name.UpdateTime.Time)}
	c.State.Activity = seconds(since)
	if meta.ViewerMeta != nil && meta.ViewerMeta.Mute != "" {
		c.State.Mute = ChannelMute(meta.ViewerMeta.Mute == types.NewsletterMuteOn, muted)
	}
	return []chat.Change{c}
}

// NewsletterLeft takes a channel that the account has left off the list; it comes back when the account follows it again.
func (b *Book) NewsletterLeft(evt *events.NewsletterLeave) []chat.Change {
	jid, ok := Address(evt.ID)
	if !ok {
		return nil
	}
	return []chat.Change{{Chat: jid, State: chat.Chat{Deleted: chat.RangeOf(seconds(evt.Mex.Timestamp))}}}
}

// NewsletterMuted mutes a channel, which has no end, or unmutes it.
func (b *Book) NewsletterMuted(evt *events.NewsletterMuteChange) []chat.Change {
	jid, ok := Address(evt.ID)
	if !ok {
		return nil
	}
	return []chat.Change{{Chat: jid, State: chat.Chat{Mute: ChannelMute(evt.Mute == types.NewsletterMuteOn, evt.Mex.Timestamp)}}}
}

// ChannelMute is a channel's mute, as it was set at a time.
func ChannelMute(on bool, at time.Time) chat.Register[int64] {
	r := chat.Register[int64]{At: millis(at)}
	if on {
		r.Value = chat.MutedForEver
	}
	return r
}
