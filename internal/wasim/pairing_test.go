package wasim_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/wasim"
)

func TestPairByQR(t *testing.T) {
	w := newWorld(t, wasim.Options{}, wasim.PhoneOptions{})
	c := w.linked()
	equal(t, "JID", *c.Store.ID, c.device.JID())
	equal(t, "LID", c.Store.LID, c.device.LID())
	check(t, c.device.WaitDrained(soon(t))) // the key share
	equal(t, "logins", c.device.Logins(), 1)
	wait[*events.OfflineSyncCompleted](c, nil)
}

func TestDirectMessage(t *testing.T) {
	w := newWorld(t, wasim.Options{}, wasim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	id := must(budi.Send(soon(t), w.phone, wasim.Text("halo"), wasim.SendOptions{}))(t)
	m := waitMessage(c, id)
	equal(t, "text", m.Message.GetConversation(), "halo")
	equal(t, "chat", m.Info.Chat, budi.PN())
	equal(t, "alt", m.Info.SenderAlt, budi.LID())
	equal(t, "push name", m.Info.PushName, "Budi")
	check(t, c.device.WaitAcked(soon(t), id))
}
