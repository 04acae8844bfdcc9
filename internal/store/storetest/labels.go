package storetest

import (
	"context"
	"fmt"
	"testing"

	"pesan/internal/chat"
)

var labelTests = []test[chat.ChatStore]{
	{"Join", labelsJoin},
	{"Links", labelsLinks},
	{"Deleted", labelsDeleted},
	{"WithoutAccount", labelsWithoutAccount},
}

func label(name string, at int64) chat.Register[chat.Label] {
	return chat.Register[chat.Label]{Value: chat.Label{Name: name}, At: at}
}

func labelTold(epoch int64, id string, r chat.Register[chat.Label]) chat.Labels {
	return chat.Labels{Epoch: epoch, All: map[string]chat.Register[chat.Label]{id: r}}
}

func labelsJoin(t *testing.T, ctx context.Context, store chat.ChatStore) {
	mine, foreign := newTenant(t, store), newTenant(t, store)
	changes := []chat.Labels{labelTold(1, "1", label("Baru", 2)), labelTold(1, "2", label("Lunas", 3)),
		labelTold(1, "1", label("Lama", 1)), labelTold(1, "x y", label("no", 9))}
	for i := range 3 * len(changes) {
		_, err := store.JoinLabels(ctx, mine, changes[i*3%len(changes)])
		ok(t, "join labels", err)
	}
	got, err := store.Labels(ctx, mine)
	ok(t, "labels", err)
	wantSame(t, "the labels", got, chat.Labels{Epoch: 1,
		All: map[string]chat.Register[chat.Label]{"1": label("Baru", 2), "2": label("Lunas", 3)}})
	got, err = store.Labels(ctx, foreign)
	ok(t, "labels", err)
	wantSame(t, "another account's labels", len(got.All), 0)
	many := chat.Labels{Epoch: 1, All: map[string]chat.Register[chat.Label]{}}
	for i := range 600 {
		many.All[fmt.Sprint(i)] = label("x", 1)
	}
	got, err = store.JoinLabels(ctx, foreign, many)
	ok(t, "join labels", err)
	if len(got.All) != 500 {
		t.Errorf("%d labels are kept", len(got.All))
	}
	ok(t, "delete chats", store.DeleteChats(ctx, mine))
	got, err = store.Labels(ctx, mine)
	ok(t, "labels", err)
	wantSame(t, "labels of an emptied account", len(got.All), 0)
}

// labelsLinks: a link starts from nothing, and what an earlier one told comes too late.
func labelsLinks(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	for _, l := range []chat.Labels{labelTold(1, "1", label("Baru", 50)), labelTold(2, "2", label("Lunas", 1)),
		labelTold(1, "3", label("Lama", 90))} {
		_, err := store.JoinLabels(ctx, account, l)
		ok(t, "join labels", err)
	}
	got, err := store.Labels(ctx, account)
	ok(t, "labels", err)
	wantSame(t, "the labels", got, labelTold(2, "2", label("Lunas", 1)))
	on := chat.Change{Chat: budi, Epoch: 1, Messages: []chat.Message{message("a", 1)},
		State: chat.Chat{Labels: map[string]chat.Register[bool]{"1": {Value: true, At: 5}}}}
	ok(t, "update", project(ctx, store, account, on))
	ok(t, "update", project(ctx, store, account,
		chat.Change{Chat: budi, Epoch: 2, State: chat.Chat{Labels: map[string]chat.Register[bool]{"2": {Value: true, At: 1}}}}))
	v, err := store.Chat(ctx, account, budi)
	ok(t, "chat", err)
	wantSame(t, "the chat's labels", v.Labels.List(), []string{"2"})
}

// labelsDeleted: a label that is deleted is on no chat, whether it was put there before, after, or is told again.
func labelsDeleted(t *testing.T, ctx context.Context, store chat.ChatStore) {
	account := newTenant(t, store)
	projector := chat.NewProjector(store, now)
	on := func(jid chat.JID, id string, at int64) chat.Change {
		return chat.Change{Chat: jid, Epoch: 1,
			State: chat.Chat{Labels: map[string]chat.Register[bool]{id: {Value: true, At: at}}}}
	}
	for _, jid := range []chat.JID{budi, siti, group} {
		put(t, ctx, store, account, jid, chat.Chat{}, message("a", 1))
	}
	ok(t, "labels", projector.Label(ctx, account, labelTold(1, "1", label("Baru", 1))))
	ok(t, "labels", projector.Label(ctx, account, labelTold(1, "11", label("Lain", 1))))
	ok(t, "put on", projector.Apply(ctx, account, on(budi, "1", 2), on(siti, "1", 30), on(siti, "11", 4)))
	gone := chat.Register[chat.Label]{Value: chat.Label{Name: "Baru", Deleted: true}, At: 10}
	for range 2 {
		ok(t, "delete", projector.Label(ctx, account, labelTold(1, "1", gone)))
		ok(t, "put on again", projector.Apply(ctx, account, on(budi, "1", 2), on(group, "1", 20)))
	}
	wantSame(t, "chats with a deleted label", len(allChats(t, ctx, store, account, chat.Filter{Label: "1"}, 10)), 0)
	wantSame(t, "chats with another", chatJIDs(allChats(t, ctx, store, account, chat.Filter{Label: "11"}, 10)), []chat.JID{siti})
}

func labelsWithoutAccount(t *testing.T, ctx context.Context, store chat.ChatStore) {
	_, err := store.JoinLabels(ctx, "01JNGKX0T0NOBODYNOBODYNOBO", labelTold(1, "1", label("Baru", 1)))
	wantCode(t, "labels of no account", err, chat.DeviceNotFound)
}
