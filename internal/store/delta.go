package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// ChatsSince implements chat.Deltas. The entries hold the chats, so that it reads the feed alone, unless time has changed one.
func (s *Store) ChatsSince(
	ctx context.Context, account string, p chat.Position, f chat.Filter, limit int, now time.Time,
) (d chat.ChatDelta, err error) {
	entries, next, more, err := s.told(ctx, account, p, limit)
	if err != nil {
		return d, err
	}
	d.Next, d.More = next.Before(now), more
	changed, cleared := make(map[chat.JID]*chat.View), make(map[chat.JID]bool)
	var large []chat.JID
	for _, e := range entries {
		if e.Kind != chat.FeedChat {
			continue
		}
		changed[e.Chat] = e.View
		if e.Cleared {
			cleared[e.Chat] = true
		}
		if e.Shows && e.View == nil {
			large = append(large, e.Chat)
		}
	}
	if err := s.fillLarge(ctx, account, large, changed); err != nil {
		return d, failed("read changed chats", err)
	}
	if p.Until != 0 && p.Until <= now.Unix() {
		if err := s.changedByTime(ctx, account, p, f, now, changed, &d); err != nil {
			return d, failed("read changed chats", err)
		}
	}
	for jid, v := range changed {
		if v != nil && f.Accepts(v, now) {
			d.Views = append(d.Views, *v)
			d.Next.Until = chat.Sooner(d.Next.Until, f.Until(v, now))
		} else {
			d.Gone = append(d.Gone, jid)
			if v != nil {
				d.Next.Until = chat.Sooner(d.Next.Until, f.Until(v, now))
			}
		}
	}
	for jid := range cleared {
		d.Cleared = append(d.Cleared, jid)
	}
	slices.SortFunc(d.Views, func(a, b chat.View) int { return compareViews(&a, &b) })
	slices.Sort(d.Gone)
	slices.Sort(d.Cleared)
	return d, nil
}

// fillLarge reads the chats that the feed had no room for.
func (s *Store) fillLarge(ctx context.Context, account string, jids []chat.JID, into map[chat.JID]*chat.View) error {
	changed := make(map[chat.JID]bool, len(jids))
	for _, jid := range jids {
		if into[jid] == nil {
			changed[jid] = true
		}
	}
	views, err := s.readAgain(ctx, account, changed)
	for i := range views {
		into[views[i].JID] = &views[i]
	}
	return err
}

// changedByTime adds the chats that show otherwise than at the position's moment, and finds when that happens next.
func (s *Store) changedByTime(
	ctx context.Context, account string, p chat.Position, f chat.Filter, now time.Time, changed map[chat.JID]*chat.View, d *chat.ChatDelta,
) error {
	all, kept, err := s.lists.read(ctx, s, account)
	if err == nil && !kept {
		all, err = s.readAll(ctx, account)
	}
	if err != nil {
		return err
	}
	d.Next.Until = 0
	for i := range all {
		v := &all[i]
		d.Next.Until = chat.Sooner(d.Next.Until, f.Until(v, now))
		if then := f.Until(v, p.At); then == 0 || then > now.Unix() {
			continue
		}
		if _, told := changed[v.JID]; !told {
			changed[v.JID] = v
		}
	}
	return nil
}

// Glance implements chat.Deltas.
func (s *Store) Glance(ctx context.Context, account string, jid chat.JID) (chat.View, error) {
	it, err := s.kv.Get(ctx, chatKey(account, jid, true), kv.Eventual)
	if err != nil || !standingOf(&it).shows() {
		return s.Chat(ctx, account, jid)
	}
	v := headOfChat(jid, &it)
	return v, failed("get chat", new(decoder).textsOfChat(it.Data, &v))
}

// maxDeltaMessages is how many messages are read one by one; more are read together, with all others.
const maxDeltaMessages = 200

// scanned is how many entries are looked through for those of one chat.
const scanned = 1000

// MessagesSince implements chat.Deltas.
func (s *Store) MessagesSince(
	ctx context.Context, account string, jid chat.JID, p chat.Position, limit int, now time.Time,
) (d chat.MessageDelta, err error) {
	entries, next, more, err := s.told(ctx, account, p, scanned)
	if err != nil {
		return d, err
	}
	jid, it, err := s.showing(ctx, account, jid)
	if err != nil {
		return d, failed("read changed messages", err)
	}
	changed := make(map[string]chat.FeedMessage)
	d.Complete = p.Until != 0 && p.Until <= now.Unix()
	for _, e := range entries {
		if e.Kind != chat.FeedChat || e.Chat != jid && e.Moved != jid {
			continue
		}
		d.Complete = d.Complete || e.Cleared || e.Many || !e.Shows
		for _, m := range e.Messages {
			changed[m.ID] = m
		}
	}
	if d.Complete || len(changed) > maxDeltaMessages {
		return s.completeMessages(ctx, account, jid, limit, now)
	}
	d.Position, d.More, d.Chat = next.Before(now), more, jid
	err = s.changedMessages(ctx, account, jid, it, changed, now, &d)
	return d, failed("read changed messages", err)
}

func (s *Store) completeMessages(
	ctx context.Context, account string, jid chat.JID, limit int, now time.Time,
) (d chat.MessageDelta, err error) {
	d.Complete = true
	if d.Position, err = s.End(ctx, account); err != nil {
		return d, err
	}
	if d.Conversation, err = s.Messages(ctx, account, jid, chat.Page{Limit: limit}, now); err != nil {
		return d, err
	}
	d.Position = d.Position.Before(now)
	d.Position.Until = d.Conversation.Until()
	return d, nil
}

// changedMessages reads messages as they are now.
func (s *Store) changedMessages(
	ctx context.Context, account string, jid chat.JID, of *kv.Item, changed map[string]chat.FeedMessage, now time.Time, d *chat.MessageDelta,
) error {
	c, err := rangesOfChat(jid, of.Data)
	if err != nil {
		return err
	}
	var keys []kv.Key
	var ids []string
	for id, m := range changed {
		keys, ids = append(keys, messageKey(account, jid, place(m.Time, m.Order, id))), append(ids, id)
	}
	found, err := s.kv.GetMany(ctx, keys)
	if err != nil {
		return err
	}
	for i, it := range found {
		if it == nil {
			d.Gone = append(d.Gone, ids[i])
			continue
		}
		v, err := headOfMessage(it)
		if err != nil {
			return err
		}
		if !c.Lists(v, now) {
			d.Gone = append(d.Gone, ids[i])
			continue
		}
		if err := s.show(ctx, &v, of, it, now); err != nil {
			return err
		}
		d.Messages = append(d.Messages, v)
	}
	slices.Sort(d.Gone)
	slices.SortFunc(d.Messages, func(a, b chat.MessageView) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Order, b.Order), strings.Compare(a.ID, b.ID))
	})
	d.Position.Until = chat.Sooner(d.Position.Until, d.Conversation.Until())
	return nil
}
