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
	name := evt.ThreadMeta.Name
	c := chat.Change{Chat: jid}
	c.State.Subject = chat.Register[string]{Value: name.Text, At: millis(name.UpdateTime.Time)}
	c.State.Activity = seconds(evt.Mex.Timestamp)
	if evt.ViewerMeta != nil && evt.ViewerMeta.Mute != "" {
		c.State.Mute = ChannelMute(evt.ViewerMeta.Mute == types.NewsletterMuteOn, evt.Mex.Timestamp)
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
