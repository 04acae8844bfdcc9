package sim_test

import (
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/sim"
)

func TestGroups(t *testing.T) {
	for _, byLID := range []bool{false, true} {
		t.Run(fmt.Sprintf("by LID %v", byLID), func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			budi, citra := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra")
			c := w.linked()
			g := must(w.server.NewGroup("Arisan", budi, sim.GroupOptions{ByLID: byLID, Topic: "bulanan"}, w.phone.Contact, citra))(t)
			joined := wait[*events.JoinedGroup](c, nil)
			equal(t, "group", joined.JID, g.JID())
			equal(t, "subject", joined.Name, "Arisan")
			equal(t, "members", len(joined.Participants), 3)
			for _, from := range []*sim.Contact{budi, citra, budi, w.phone.Contact} {
				id := must(from.SendGroup(soon(t), g, sim.Text("halo"), sim.SendOptions{}))(t)
				m := waitMessage(c, id)
				equal(t, "chat", m.Info.Chat, g.JID())
				address := from.PN()
				if byLID {
					address = from.LID()
				}
				equal(t, "sender", m.Info.Sender, address)
				equal(t, "from me", m.Info.IsFromMe, from == w.phone.Contact)
				check(t, c.device.WaitAcked(soon(t), id))
			}
			r := must(c.SendMessage(soon(t), g.JID(), sim.Text("dari host")))(t)
			r2 := must(c.SendMessage(soon(t), g.JID(), sim.Text("lagi")))(t)
			for _, id := range []string{r.ID, r2.ID} {
				for _, who := range []*sim.Contact{budi, citra, w.phone.Contact} {
					m := must(who.WaitReceived(soon(t), func(m sim.Message) bool { return m.ID == id }))(t)
					equal(t, "chat", m.Chat, g.JID())
				}
			}
			check(t, citra.SendReceipt(soon(t), w.phone, sim.Receipt{Type: types.ReceiptTypeRead, IDs: []string{r.ID}, Group: g}))
			receipt := wait(c, func(e *events.Receipt) bool { return e.IsGroup })
			equal(t, "receipt's chat", receipt.Chat, g.JID())
		})
	}
}

func TestGroupChanges(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi, citra, dewi := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra"), w.contact("6281200000004", "Dewi")
	c := w.linked()
	g := must(w.server.NewGroup("Arisan", budi, sim.GroupOptions{Silent: true}, w.phone.Contact, citra))(t)
	change := func(err error, match func(*events.GroupInfo) bool) *events.GroupInfo {
		t.Helper()
		check(t, err)
		return wait(c, match)
	}
	ctx := soon(t)
	change(g.SetSubject(ctx, budi, "Arisan RT 5"), func(e *events.GroupInfo) bool { return e.Name != nil && e.Name.Name == "Arisan RT 5" })
	change(g.SetTopic(ctx, budi, "uang"), func(e *events.GroupInfo) bool { return e.Topic != nil && e.Topic.Topic == "uang" })
	change(g.SetTopic(ctx, budi, ""), func(e *events.GroupInfo) bool { return e.Topic != nil && e.Topic.TopicDeleted })
	change(g.SetEphemeral(ctx, budi, 86400), func(e *events.GroupInfo) bool { return e.Ephemeral != nil && e.Ephemeral.DisappearingTimer == 86400 })
	change(g.SetEphemeral(ctx, budi, 0), func(e *events.GroupInfo) bool { return e.Ephemeral != nil && !e.Ephemeral.IsEphemeral })
	change(g.Add(ctx, budi, dewi), func(e *events.GroupInfo) bool { return len(e.Join) == 1 && e.Join[0] == dewi.PN() })
	change(g.Promote(ctx, budi, dewi), func(e *events.GroupInfo) bool { return len(e.Promote) == 1 })
	info := must(c.GetGroupInfo(ctx, g.JID()))(t)
	equal(t, "members", len(info.Participants), 4)
	equal(t, "admin", info.Participants[3].IsAdmin, true)
	change(g.Demote(ctx, budi, dewi), func(e *events.GroupInfo) bool { return len(e.Demote) == 1 })
	waitMessage(c, must(budi.SendGroup(ctx, g, sim.Text("satu"), sim.SendOptions{}))(t))
	change(g.Remove(ctx, budi, citra), func(e *events.GroupInfo) bool { return len(e.Leave) == 1 })
	waitMessage(c, must(budi.SendGroup(ctx, g, sim.Text("dua"), sim.SendOptions{}))(t)) // with a new sender key
	if g.SetSubject(ctx, citra, "x") == nil || g.Subject() != "Arisan RT 5" {
		t.Error("somebody who left could rename the group")
	}
	if _, err := citra.SendGroup(ctx, g, sim.Text("tiga"), sim.SendOptions{}); err == nil {
		t.Error("somebody who left could send")
	}
	equal(t, "groups", len(must(c.GetJoinedGroups(ctx))(t)), 1)
	check(t, g.Remove(ctx, w.phone.Contact, w.phone.Contact))
	wait(c, func(e *events.GroupInfo) bool { return len(e.Leave) == 1 && e.Leave[0] == w.phone.PN() })
	equal(t, "groups", len(must(c.GetJoinedGroups(ctx))(t)), 0)
	check(t, c.device.WaitDrained(ctx))
}

func TestGroupRetry(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	g := must(w.server.NewGroup("Arisan", budi, sim.GroupOptions{}, w.phone.Contact))(t)
	waitMessage(c, must(budi.SendGroup(soon(t), g, sim.Text("satu"), sim.SendOptions{}))(t))
	id := must(budi.SendGroup(soon(t), g, sim.Text("dua"), sim.SendOptions{Spoil: true}))(t)
	m := wait(c, func(m *events.Message) bool { return m.Info.ID == id && m.UnavailableRequestID == "" })
	equal(t, "text", m.Message.GetConversation(), "dua")
	check(t, c.device.WaitDrained(soon(t)))
	waitMessage(c, must(budi.SendGroup(soon(t), g, sim.Text("tiga"), sim.SendOptions{}))(t))
}
