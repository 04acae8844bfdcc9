package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pesan/internal/chat"
	"pesan/internal/render"
)

// Projection checks that the projector makes the same chats in a store whatever the order of the changes, and however
// often they come. It makes many accounts in one store.
func Projection(t *testing.T, open func(*testing.T) chat.ChatStore) {
	store := open(t)
	t.Run("AnyOrder", rapid.MakeCheck(func(t *rapid.T) { anyOrder(t, store) }))
	t.Run("Together", func(t *testing.T) { projectTogether(t, store) })
	t.Run("NumberChanges", func(t *testing.T) { numberChanges(t, store) })
	for _, one := range directed {
		t.Run(one.name, func(t *testing.T) { one.everyOrder(t, store) })
	}
}

// anyOrder draws changes and two orders of them, in which some come again.
func anyOrder(t *rapid.T, store chat.ChatStore) {
	changes := rapid.SliceOfN(rapid.Custom(drawChange), 1, 12).Draw(t, "changes")
	ctx := context.Background()
	first, err := projected(ctx, store, changes)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		again := rapid.SliceOfN(rapid.SampledFrom(changes), 0, 4).Draw(t, fmt.Sprint("repeated ", i))
		order := rapid.Permutation(slices.Concat(changes, again)).Draw(t, fmt.Sprint("order ", i))
		other, err := projected(ctx, store, order)
		if err != nil {
			t.Fatal(err)
		}
		if other != first {
			t.Fatalf("the order of the changes matters:\n%s\n%s\nafter %s\nand %s", first, other, text(changes), text(order))
		}
	}
}

// numberChanges has a person write by a number, then by another with the same LID, and then somebody else by the first.
func numberChanges(t *testing.T, store chat.ChatStore) {
	ctx, account := t.Context(), newTenant(t, store)
	const other chat.JID = "333333333333333@lid"
	apply := func(c chat.Change) {
		t.Helper()
		for range 2 { // also by a projector that knows nothing
			ok(t, "apply", chat.NewProjector(store, now).Apply(ctx, account, c))
		}
	}
	wants := func(jid chat.JID, ids, unread string) {
		t.Helper()
		c, err := store.Messages(ctx, account, jid, chat.Page{Limit: 10}, noon)
		ok(t, "messages", err)
		v, err := store.Chat(ctx, account, jid)
		ok(t, "chat", err)
		wantSame(t, "the messages", strings.Join(messageIDs(c.Messages), " "), ids)
		if !strings.Contains(string(v.Document), `"unreadCount":`+unread) {
			t.Errorf("not %s unread: %s", unread, v.Document)
		}
	}
	apply(chat.Change{Chat: budi, Alt: budiLID, Messages: by(budi, message("a", 10), message("b", 20))})
	apply(chat.Change{Chat: siti, Alt: budiLID, Messages: by(siti, message("c", 30))})
	wants(siti, "a b c", "3")
	wants(budiLID, "a b c", "3")
	views, _, err := store.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 10}, noon)
	ok(t, "chats", err)
	if len(views) != 1 || views[0].JID != siti {
		t.Errorf("the chats are %+v", views)
	}
	apply(chat.Change{Chat: budi, Alt: other, Messages: by(budi, message("new", 40))})
	wants(budi, "new", "1")
	wants(other, "new", "1")
	wants(budiLID, "a b c", "3")
}

// projectTogether has changes under both addresses arrive while the addresses are linked, page by page.
func projectTogether(t *testing.T, store chat.ChatStore) {
	ctx, account := t.Context(), newTenant(t, store)
	projector := chat.NewProjector(store, now)
	const many, each = 4, 60 // together as many as are counted one by one
	name := func(i, j int) string { return fmt.Sprintf("%d-%03d", i, j) }
	ok(t, "apply", together(many+1, func(i int) error {
		for j := range each {
			c := []chat.Change{
				{Chat: budi, Messages: by(budi, message(name(i, j), int64(j)))},
				{Chat: budiLID, Messages: by(budiLID, message(name(i, j), int64(j)))},
			}[i%2]
			if i == many {
				if j < each/2 {
					continue
				}
				c = link
			}
			if err := untilAvailable(func() error { return projector.Apply(ctx, account, c) }); err != nil {
				return err
			}
		}
		return nil
	}))
	v, err := store.Chat(ctx, account, budiLID)
	ok(t, "chat", err)
	if v.JID != budi || !strings.Contains(string(v.Document), fmt.Sprintf(`"unreadCount":%d,`, many*each)) {
		t.Errorf("the chat is %+v", v)
	}
	if got := allMessages(t, ctx, store, account, budi, 100); len(got) != many*each {
		t.Errorf("%d of %d messages", len(got), many*each)
	}
}

// projected applies the changes to a new account and writes down all that a reader sees.
func projected(ctx context.Context, store chat.ChatStore, changes []chat.Change) (string, error) {
	account, err := createTenant(ctx, store)
	if err != nil {
		return "", err
	}
	projector := chat.NewProjector(store, now)
	for _, c := range changes {
		if err := projector.Apply(ctx, account, c); err != nil {
			return "", err
		}
	}
	seen, err := everything(ctx, store, account)
	if err == nil {
		err = store.DeleteChats(ctx, account)
	}
	return seen, err
}

// everything writes down what readers see of the drawn chats.
func everything(ctx context.Context, store chat.ChatStore, account string) (string, error) {
	var b strings.Builder
	views, _, err := store.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 100}, noon)
	if err != nil {
		return "", err
	}
	for _, v := range views {
		v.Seq = 0 // tells how often, and not what
		fmt.Fprintf(&b, "%s %+v\n", render.AppendChat(nil, &v, render.Listed, noon), v)
	}
	for _, jid := range []chat.JID{budi, budiLID, group} {
		v, err := store.Chat(ctx, account, jid)
		if chat.CodeOf(err) == chat.ChatNotFound {
			fmt.Fprintf(&b, "no %s\n", jid)
			continue
		}
		if err != nil {
			return "", err
		}
		c, err := store.Messages(ctx, account, jid, chat.Page{Limit: 100}, noon)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s is %s: %s\n", jid, v.JID, render.AppendChat(nil, &v, render.Single, noon))
		for _, m := range c.Messages {
			fmt.Fprintf(&b, "  %+v\n", m)
		}
	}
	return b.String(), nil
}

// drawChange draws one change, of a person or a group.
func drawChange(t *rapid.T) chat.Change {
	var c chat.Change
	var others []chat.JID // who may speak, react, and so on, beside the account
	switch rapid.IntRange(0, 5).Draw(t, "chat") {
	case 0:
		c.Chat, others = budi, []chat.JID{budi}
	case 1:
		c.Chat, others = budiLID, []chat.JID{budiLID}
	case 2:
		c.Chat, c.Alt, others = budi, budiLID, []chat.JID{budi, budiLID}
	case 3:
		c.Chat, c.Alt, others = budiLID, budi, []chat.JID{budi, budiLID}
	default:
		c.Chat, others = group, []chat.JID{budi, siti, person(1)}
	}
	people := append([]chat.JID{me}, others...)
	for range rapid.IntRange(0, 2).Draw(t, "messages") {
		c.Messages = append(c.Messages, drawMessage(t, c.Chat, people))
	}
	for range rapid.IntRange(0, 2).Draw(t, "settings") {
		rapid.SampledFrom(settings).Draw(t, "setting")(t, &c.State)
	}
	if rapid.IntRange(0, 3).Draw(t, "ranges") == 0 {
		rapid.SampledFrom(ranges).Draw(t, "range")(t, &c.State)
	}
	if c.Chat == group && rapid.IntRange(0, 3).Draw(t, "ranks") == 0 {
		c.State.Members = map[chat.JID]chat.Register[chat.Rank]{}
		for _, jid := range people {
			rank := rapid.SampledFrom([]chat.Rank{chat.RankMember, chat.RankAdmin, chat.RankSuperAdmin, chat.RankLeft}).Draw(t,
				"rank")
			c.State.Members[jid] = chat.Register[chat.Rank]{Value: rank, At: drawTime(t)}
		}
	}
	return c
}

// drawnMessages is how many messages there are in a chat.
const drawnMessages = 6

// drawMessage draws a message, or something that concerns one.
func drawMessage(t *rapid.T, in chat.JID, people []chat.JID) chat.Message {
	n := rapid.IntRange(0, drawnMessages-1).Draw(t, "message")
	m := chat.Message{ID: fmt.Sprint("m", n)}
	by := func() chat.JID { return rapid.SampledFrom(people).Draw(t, "by") }
	for range rapid.IntRange(1, 2).Draw(t, "facts") {
		switch rapid.IntRange(0, 11).Draw(t, "fact") {
		case 0:
			m.Edits = map[chat.JID]chat.Register[chat.Edit]{by(): {Value: drawEdit(t), At: drawTime(t)}}
		case 1:
			m.Revoked = map[chat.JID]int64{by(): 1}
		case 2:
			m.Status = chat.Status(rapid.IntRange(0, int(chat.Played)).Draw(t, "status"))
		case 3:
			m.Receipts = map[chat.JID]chat.Receipt{by(): {Received: drawTime(t), Read: drawTime(t) - 1}}
		case 4:
			who := by()
			added := chat.AddOn{ID: "R", FromMe: who == me, Time: drawSecond(t)}
			m.Reactions = map[chat.JID]chat.Register[chat.Reaction]{
				who: {Value: chat.Reaction{AddOn: added, Text: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "reaction")},
					At: drawTime(t)},
			}
		case 5:
			m.Starred = chat.Register[bool]{Value: rapid.Bool().Draw(t, "starred"), At: drawTime(t)}
		case 6:
			m.ReadHere = true
		case 7:
			m.Gone = true
		default:
			m.Content = drawContent(t, in, n, people)
		}
	}
	return m
}

func drawEdit(t *rapid.T) chat.Edit {
	text := rapid.SampledFrom([]string{"e1", "e2"}).Draw(t, "edit")
	return chat.Edit{Kind: chat.TextEdit, Type: "conversation", Body: text, Message: chat.JSON(`{"conversation":"` + text + `"}`)}
}

// drawContent draws one of the forms in which message n comes: it is always sent by the same person at the same time.
func drawContent(t *rapid.T, in chat.JID, n int, people []chat.JID) chat.Content {
	c := chat.Content{
		Sender: people[1+n%(len(people)-1)], Time: start + int64(n/2*10), Type: "conversation", Body: fmt.Sprint("text ", n),
		Editable: chat.TextEdit,
		Message:  chat.JSON(fmt.Sprintf(`{"conversation":"text %d"}`, n)), Order: int64(rapid.IntRange(0, 1).Draw(t, "order")),
	}
	if in != group {
		c.Sender = rapid.SampledFrom(people[1:]).Draw(t, "sender")
	}
	switch n {
	case 1:
		c.Sender, c.FromMe = me, true
	case 2:
		c.Expires, c.Ephemeral = noon.Unix()-1, true
	case 3:
		c.Expires, c.Ephemeral, c.MentionMe, c.Mentions = noon.Unix()+1, true, true, []chat.JID{me}
	case 4:
		c.Class = chat.Ignored
	}
	if rapid.IntRange(0, 3).Draw(t, "undecrypted") == 0 { // at first
		c.Type, c.Body, c.Message, c.Mentions, c.MentionMe = "messageStubType", "", "", nil, false
		c.Info = `{"messageStubType":"CIPHERTEXT"}`
	}
	return c
}

// drawTime draws the time of a register; equal ones are likely.
func drawTime(t *rapid.T) int64 { return int64(rapid.IntRange(1, 4).Draw(t, "time")) }

func drawFlag(t *rapid.T) chat.Register[bool] {
	return chat.Register[bool]{Value: rapid.Bool().Draw(t, "flag"), At: drawTime(t)}
}

func drawName(t *rapid.T) chat.Register[string] {
	return chat.Register[string]{Value: rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, "name"), At: drawTime(t)}
}

// drawSecond draws a moment before, at or after one of the messages.
func drawSecond(t *rapid.T) int64 {
	return start + rapid.SampledFrom([]int64{0, 10, 20, -5, 5, 15, 25}).Draw(t, "second")
}

func drawRange(t *rapid.T) chat.Range {
	ids := rapid.SliceOfN(rapid.SampledFrom([]string{"m0", "m1", "m2", "m3", "m4", "m5"}), 0, 2).Draw(t, "ids")
	return chat.RangeOf(drawSecond(t), ids...)
}

// ranges are what concerns all messages up to a moment.
var ranges = []func(*rapid.T, *chat.Chat){
	func(t *rapid.T, c *chat.Chat) { c.Read = drawRange(t) },
	func(t *rapid.T, c *chat.Chat) { c.Cleared = drawRange(t) },
	func(t *rapid.T, c *chat.Chat) { c.ClearedUnstarred = drawRange(t) },
	func(t *rapid.T, c *chat.Chat) { c.Deleted = drawRange(t) },
}

// settings are what may be told of a chat itself.
var settings = []func(*rapid.T, *chat.Chat){
	func(t *rapid.T, c *chat.Chat) {
		end := rapid.SampledFrom([]int64{0, chat.MutedForEver, noon.UnixMilli() - 1, noon.UnixMilli() + 1}).Draw(t, "end")
		c.Mute = chat.Register[int64]{Value: end, At: drawTime(t)}
	},
	func(t *rapid.T, c *chat.Chat) {
		c.Pin = chat.Register[int64]{Value: int64(rapid.IntRange(0, 2).Draw(t, "pin")), At: drawTime(t)}
	},
	func(t *rapid.T, c *chat.Chat) { c.Archived = drawFlag(t) },
	func(t *rapid.T, c *chat.Chat) { c.MarkedUnread = drawFlag(t) },
	func(t *rapid.T, c *chat.Chat) {
		c.Labels = map[string]chat.Register[bool]{rapid.SampledFrom([]string{"1", "2"}).Draw(t, "label"): drawFlag(t)}
	},
	func(t *rapid.T, c *chat.Chat) { c.Subject = drawName(t) },
	func(t *rapid.T, c *chat.Chat) { c.Contact = drawName(t) },
	func(t *rapid.T, c *chat.Chat) { c.Saved = drawName(t) },
	func(t *rapid.T, c *chat.Chat) { c.PushName = drawName(t) },
	func(t *rapid.T, c *chat.Chat) { c.Activity = drawSecond(t) },
	func(t *rapid.T, c *chat.Chat) {
		c.Unread = chat.Unread{
			Count: rapid.IntRange(0, 3).Draw(t, "unread"), Mentions: rapid.IntRange(0, 1).Draw(t, "mentions"), At: drawSecond(t),
		}
	},
	func(t *rapid.T, c *chat.Chat) {
		c.Fields = map[string]chat.Register[chat.JSON]{
			rapid.SampledFrom([]string{"ephemeralExpiration", "wallpaper"}).Draw(t, "field"): {
				Value: rapid.SampledFrom([]chat.JSON{"", "1", "2"}).Draw(t, "value"), At: drawTime(t),
			},
		}
	},
}
