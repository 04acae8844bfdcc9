package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// example is a handful of changes that must come out as wanted in every order.
type example struct {
	name    string
	changes []chat.Change
	want    []string // what the chat's document or a message holds
	ids     string   // of the conversation
}

// by puts the sender's address into messages.
func by(sender chat.JID, messages ...chat.Message) []chat.Message {
	for i := range messages {
		messages[i].Content.Sender = sender
	}
	return messages
}

func fromMe(m chat.Message) chat.Message {
	m.Content.FromMe, m.Content.Sender = true, me
	return m
}

func mentioning(m chat.Message) chat.Message {
	m.Content.MentionMe = true
	return m
}

// quoting is a message that names somebody by an address, and writes the same.
func quoting(id string, second int64, who chat.JID) chat.Message {
	m := message(id, second)
	m.Content.Type, m.Content.Body, m.Content.Mentions, m.Content.Editable = "extendedTextMessage", string(who), []chat.JID{who}, chat.WholeEdit
	m.Content.Message = chat.JSON(fmt.Sprintf(`{"extendedTextMessage":{"contextInfo":{"mentionedJid":[%q],"participant":%[1]q},"text":%[1]q}}`, who))
	return m
}

func told(count int, second int64) chat.Chat {
	return chat.Chat{Unread: chat.Unread{Count: count, At: start + second}}
}

func muted(end, at int64) chat.Chat {
	return chat.Chat{Mute: chat.Register[int64]{Value: end, At: at}}
}

var (
	link     = chat.Change{Chat: budiLID, Alt: budi}
	fromPN   = chat.Change{Chat: budi, Messages: by(budi, message("pn", 10))}
	fromLID  = chat.Change{Chat: budiLID, Messages: by(budiLID, message("lid", 20))}
	pinned   = chat.Chat{Pin: chat.Register[int64]{Value: 7, At: chat.Baseline}}
	archived = chat.Chat{Archived: chat.Register[bool]{Value: true, At: chat.Baseline}}
	forEver  = `"muted":true,"muteEndTime":-1`
)

var directed = []example{
	{"PNThenLID", []chat.Change{fromPN, fromLID, link}, []string{`"unreadCount":2`}, "pn lid"},
	{"LinkedByAMessage", []chat.Change{
		fromPN, fromLID, {Chat: budi, Alt: budiLID, Messages: by(budi, message("both", 30))},
	}, []string{`"unreadCount":3`, `"lidJid":"` + string(budiLID) + `"`}, "pn lid both"},
	{"SameMessageUnderBoth", []chat.Change{
		{Chat: budi, Messages: by(budi, message("a", 10))}, {Chat: budiLID, Messages: by(budiLID, message("a", 10))}, link,
	}, []string{`"unreadCount":1`}, "a"},
	{"HistoryWithBoth", []chat.Change{
		{Chat: budi, State: told(2, 30), Messages: by(budi, message("a", 10), message("c", 30))},
		{Chat: budiLID, State: told(3, 20), Messages: by(budiLID, message("b", 20))}, link,
	}, []string{`"unreadCount":5`}, "a b c"},
	{"UnreadOnTheSideOfTheLID", []chat.Change{
		{Chat: budi, State: told(0, 30), Messages: by(budi, message("a", 30))},
		{Chat: budiLID, State: told(3, 20), Messages: by(budiLID, message("b", 20))}, link,
	}, []string{`"unreadCount":3`}, "b a"},
	{"UnreadOnTheSideOfThePN", []chat.Change{
		{Chat: budi, State: told(3, 20), Messages: by(budi, message("a", 20))},
		{Chat: budiLID, State: told(0, 30), Messages: by(budiLID, message("b", 30))}, link,
	}, []string{`"unreadCount":3`}, "a b"},
	{"ReadOnTheOtherSide", []chat.Change{
		{Chat: budi, State: told(3, 20), Messages: by(budi, message("a", 20))},
		{Chat: budiLID, Messages: by(budiLID, message("b", 30))},
		{Chat: budiLID, Messages: []chat.Message{{ID: "b", ReadHere: true}}}, link,
	}, []string{`"unreadCount":0`}, "a b"},
	{"DeletedOnTheOtherSide", []chat.Change{
		fromPN, fromLID, {Chat: budi, Messages: []chat.Message{{ID: "lid", Gone: true}}}, link,
	}, []string{`"unreadCount":1`}, "pn"},
	{"MutedOnTheSideOfTheLID", []chat.Change{
		fromPN, {Chat: budi, State: muted(0, chat.Baseline)},
		{Chat: budiLID, State: muted(chat.MutedForEver, chat.Baseline)}, link,
	}, []string{forEver}, "pn"},
	{"MutedOnTheSideOfThePN", []chat.Change{
		fromLID, {Chat: budiLID, State: muted(0, chat.Baseline)},
		{Chat: budi, State: muted(chat.MutedForEver, chat.Baseline)}, link,
	}, []string{forEver}, "lid"},
	{"UnmutedLater", []chat.Change{
		fromLID, {Chat: budiLID, State: muted(chat.MutedForEver, 5)}, {Chat: budi, State: muted(0, 6)}, link,
	}, []string{`"muted":false`}, "lid"},
	{"PinnedAndArchived", []chat.Change{
		fromPN, {Chat: budi, State: pinned}, {Chat: budiLID, State: archived}, link,
	}, []string{`"pinned":7`, `"archived":true`}, "pn"},
	{"WhatFollowsUnderTheOtherAddress", []chat.Change{
		fromLID, link, {Chat: budi, Messages: []chat.Message{
			{ID: "lid", Edits: map[chat.JID]chat.Register[chat.Edit]{budi: {Value: chat.Edit{Kind: chat.TextEdit,
				Type: "conversation", Body: "edited", Message: `{"conversation":"edited"}`}, At: 5}}},
		}},
		{Chat: budi,
			Messages: []chat.Message{{ID: "lid",
				Reactions: map[chat.JID]chat.Register[chat.Reaction]{budi: {Value: chat.Reaction{Text: "x"}, At: 5}}}}},
		{Chat: budiLID,
			Messages: []chat.Message{{ID: "lid", Reactions: map[chat.JID]chat.Register[chat.Reaction]{budiLID: {At: 6}}}}},
	}, []string{`"body":"edited"`}, "lid"},
	{"ClearedUnderTheOtherAddress", []chat.Change{
		fromPN, fromLID, {Chat: budi, State: chat.Chat{Cleared: chat.RangeOf(start + 15)}}, link,
	}, []string{`"unreadCount":1`}, "lid"},
	{"DeletedUnderTheOtherAddress", []chat.Change{
		fromPN, fromLID, {Chat: budiLID, State: chat.Chat{Deleted: chat.RangeOf(start + 20)}},
		{Chat: budi, Messages: by(budi, message("new", 30))}, link,
	}, []string{`"unreadCount":1`}, "new"},
	{"Impostors", []chat.Change{
		{Chat: group, Messages: by(budi, message("a", 10))},
		{Chat: group, Messages: []chat.Message{{ID: "a", Revoked: map[chat.JID]int64{siti: 1}}}},
		{Chat: group,
			Messages: []chat.Message{{ID: "a",
				Edits: map[chat.JID]chat.Register[chat.Edit]{siti: {Value: chat.Edit{Body: "forged"}, At: 9}}}}},
		{Chat: group, State: chat.Chat{Members: map[chat.JID]chat.Register[chat.Rank]{siti: {Value: chat.RankMember, At: 1}}}},
	}, []string{`"body":"text a"`}, "a"},
	{"RevokedByAnAdmin", []chat.Change{
		{Chat: group, Messages: by(budi, message("a", 10))},
		{Chat: group, Messages: []chat.Message{{ID: "a", Revoked: map[chat.JID]int64{siti: 1}}}},
		{Chat: group, State: chat.Chat{Members: map[chat.JID]chat.Register[chat.Rank]{siti: {Value: chat.RankAdmin, At: 1}}}},
		{Chat: group, State: chat.Chat{Members: map[chat.JID]chat.Register[chat.Rank]{siti: {Value: chat.RankMember, At: 2}}}},
	}, []string{`"messageStubType":"REVOKE"`, `"body":""`}, "a"},
	{"DecryptedLater", []chat.Change{
		{Chat: budi, Messages: by(budi, chat.Message{ID: "a", Content: chat.Content{Time: start + 5, Type: "messageStubType"}})},
		{Chat: budi, Messages: by(budi, message("a", 6))},
		{Chat: budi, Messages: []chat.Message{{ID: "a", Status: chat.Read}}},
	}, []string{`"body":"text a"`, `"unreadCount":1`}, "a"},
	{"MentionDecryptedLater", []chat.Change{
		{Chat: budi, Messages: by(budi, chat.Message{ID: "a", Content: chat.Content{Time: start + 6, Type: "messageStubType"}})},
		{Chat: budi, Messages: by(budi, mentioning(message("a", 6)))}, {Chat: budi, Messages: by(budi, message("b", 7))},
	}, []string{`"unreadCount":2`, `"unreadMentionCount":1`}, "a b"},
	{"WhoIsQuotedAndMentioned", []chat.Change{
		fromPN, {Chat: budiLID, Messages: by(budiLID, quoting("q", 30, budiLID))}, link,
		{Chat: budiLID, Messages: []chat.Message{{ID: "q", Edits: map[chat.JID]chat.Register[chat.Edit]{budiLID: {Value: chat.Edit{Kind: chat.WholeEdit,
			Type: "extendedTextMessage", Body: string(budiLID), Mentions: chat.JIDs(budiLID), Message: quoting("q", 30, budiLID).Content.Message}, At: 5}}}}},
	}, []string{`"participant":"` + string(budi) + `"`, `"mentionedJid":["` + string(budi) + `"]`, `"mentionedJidList":["` + string(budi) + `"]`,
		`"text":"` + string(budiLID) + `"`}, "pn q"},
	{"ReceivedOnTheOtherSide", []chat.Change{
		{Chat: budi, Messages: []chat.Message{fromMe(message("a", 10))}}, fromLID,
		{Chat: budi, State: chat.Chat{Received: start + 25}}, link,
	}, []string{fmt.Sprintf(`"lastMessageRecvTimestamp":%d`, start+25), fmt.Sprintf(`"conversationTimestamp":%d,`, start+20)},
		"a lid"},
	{"OwnMessage", []chat.Change{
		{Chat: budi, Alt: budiLID, Messages: []chat.Message{fromMe(message("a", 10))}},
		{Chat: budiLID, Messages: []chat.Message{{ID: "a", Status: chat.Read,
			Receipts: map[chat.JID]chat.Receipt{budiLID: {Read: 5}}}}},
		{Chat: budi, Messages: []chat.Message{{ID: "a", Status: chat.DeliveryAck,
			Receipts: map[chat.JID]chat.Receipt{budi: {Received: 4}}}}},
	}, []string{`"status":"READ"`, `"readTimestamp":"5","receiptTimestamp":"4","userJid":"` + string(budi) + `"`, `"unreadCount":0`}, "a"},
}

// everyOrder applies the changes in all orders, each change twice in a row and not.
func (e example) everyOrder(t *testing.T, store chat.ChatStore) {
	ctx := t.Context()
	permutations(len(e.changes), func(order []int) {
		var changes []chat.Change
		for _, i := range order {
			changes = append(changes, e.changes[i], e.changes[i])
		}
		e.check(t, ctx, store, changes)
	})
}

func (e example) check(t *testing.T, ctx context.Context, store chat.ChatStore, changes []chat.Change) {
	t.Helper()
	account := newTenant(t, store)
	projector := chat.NewProjector(store, now)
	ok(t, "apply", projector.Apply(ctx, account, changes...))
	jids := []chat.JID{budi, budiLID}
	if e.changes[0].Chat == group {
		jids = []chat.JID{group}
	}
	if linked := strings.Contains(fmt.Sprint(changes), string(budiLID)); !linked {
		jids = jids[:1]
	}
	for _, jid := range jids {
		v, err := store.Chat(ctx, account, jid)
		ok(t, fmt.Sprint("chat ", jid), err)
		c, err := store.Messages(ctx, account, jid, chat.Page{Limit: 10}, noon)
		ok(t, "messages", err)
		if got := strings.Join(messageIDs(c.Messages), " "); got != e.ids {
			t.Fatalf("messages %q, want %q after %v", got, e.ids, changes)
		}
		document := string(render.AppendChat(nil, &v, render.Single, noon))
		for _, m := range c.Messages {
			document += "\n" + string(m.Document)
		}
		for _, want := range e.want {
			if !strings.Contains(document, want) {
				t.Fatalf("no %s in\n%s\nafter %v", want, document, changes)
			}
		}
	}
	views, _, err := store.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 10}, noon)
	ok(t, "chats", err)
	if len(views) != 1 {
		t.Fatalf("%d chats, after %v", len(views), changes)
	}
}

// permutations calls with every order of n things.
func permutations(n int, call func(order []int)) {
	order := make([]int, 0, n)
	used := make([]bool, n)
	var place func()
	place = func() {
		if len(order) == n {
			call(order)
			return
		}
		for i := range n {
			if used[i] {
				continue
			}
			used[i] = true
			order = append(order, i)
			place()
			order, used[i] = order[:len(order)-1], false
		}
	}
	place()
}
