package sim_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim"
)

func TestReceiveByPN(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	at := time.Unix(1_700_000_000, 0)
	id := must(budi.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{Time: at}))(t)
	m := waitMessage(c, id)
	equal(t, "text", m.Message.GetConversation(), "halo")
	equal(t, "chat", m.Info.Chat, budi.PN())
	equal(t, "alt", m.Info.SenderAlt, budi.LID())
	equal(t, "push name", m.Info.PushName, "Budi")
	equal(t, "time", m.Info.Timestamp, at)
	check(t, c.device.WaitAcked(soon(t), id))
	acks := c.device.Acks()
	last := acks[len(acks)-1]
	equal(t, "ack", fmt.Sprint(last.Class, last.ID, last.From, last.Kind), fmt.Sprint("message", id, budi.PN(), "inactive"))
	equal(t, "phone's", len(w.phone.Received()), 1)
}

func TestReceiveByLID(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	hidden := must(w.server.NewContact("", "990001", "Rahasia"))(t)
	c := w.linked()
	id := must(budi.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{ByLID: true}))(t)
	m := waitMessage(c, id)
	equal(t, "chat", m.Info.Chat, budi.LID())
	equal(t, "alt", m.Info.SenderAlt, budi.PN())
	id = must(hidden.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{}))(t)
	m = waitMessage(c, id)
	equal(t, "chat", m.Info.Chat, hidden.LID())
	equal(t, "no alt", m.Info.SenderAlt.IsEmpty(), true)
}

// The addresses of a person change in every way without a single undecryptable message.
func TestMappingLearnedLate(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.linked()
	steps := []sim.SendOptions{
		{HideAlt: true}, {HideAlt: true}, {ByLID: true, HideAlt: true}, {ByLID: true}, {}, {HideAlt: true}, {ByLID: true},
	}
	for start := range steps {
		budi := w.contact(fmt.Sprintf("62812000001%02d", start), "Budi")
		for i := range steps {
			o := steps[(start+i)%len(steps)]
			id := must(budi.Send(soon(t), w.phone, sim.Text("halo"), o))(t)
			check(t, c.device.WaitAcked(soon(t), id))
			waitMessage(c, id)
		}
		lid, err := c.Store.LIDs.GetLIDForPN(soon(t), budi.PN())
		check(t, err)
		equal(t, "mapping", lid, budi.LID())
	}
}

func TestSend(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	for i, to := range []types.JID{budi.PN(), budi.LID(), budi.PN()} {
		text := fmt.Sprintf("halo %d", i)
		r := must(c.SendMessage(soon(t), to, sim.Text(text)))(t)
		m := must(budi.WaitReceived(soon(t), func(m sim.Message) bool { return m.ID == r.ID }))(t)
		equal(t, "text", m.Message.GetConversation(), text)
		equal(t, "from", m.From, c.device.LID()) // whatsmeow sends to the LID
		sent := must(w.phone.WaitReceived(soon(t), func(m sim.Message) bool { return m.ID == r.ID }))(t)
		equal(t, "from me", sent.FromMe, true)
		equal(t, "chat", sent.Chat, budi.LID())
	}
	id := must(budi.Send(soon(t), w.phone, sim.Text("balas"), sim.SendOptions{}))(t)
	waitMessage(c, id)
	check(t, c.device.WaitAcked(soon(t), id))
}

func TestSendToOtherPhoneAndOwnDevices(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	other := must(w.server.NewPhone("6281200000009", sim.PhoneOptions{PushName: "Tono"}))(t)
	a, a2, b := w.linked(), w.linked(), w.newClient()
	b.link(other)
	r := must(a.SendMessage(soon(t), other.PN(), sim.Text("halo")))(t)
	m := waitMessage(b, r.ID)
	equal(t, "text", m.Message.GetConversation(), "halo")
	equal(t, "sender", m.Info.Sender, a.device.LID())
	own := waitMessage(a2, r.ID)
	equal(t, "from me", own.Info.IsFromMe, true)
	equal(t, "chat", own.Info.Chat, other.LID())
	r = must(b.SendMessage(soon(t), w.phone.PN(), sim.Text("juga")))(t)
	waitMessage(a, r.ID)
	waitMessage(a2, r.ID)
}

func TestFromPhone(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	for _, chat := range []types.JID{budi.PN(), budi.LID()} {
		id := must(w.phone.SendFromPhone(soon(t), chat, sim.Text("dari HP"), sim.SendOptions{}))(t)
		m := waitMessage(c, id)
		equal(t, "from me", m.Info.IsFromMe, true)
		equal(t, "chat", m.Info.Chat, chat)
		equal(t, "text", m.Message.GetConversation(), "dari HP")
		check(t, c.device.WaitAcked(soon(t), id))
		must(budi.WaitReceived(soon(t), func(m sim.Message) bool { return m.ID == id }))(t)
	}
}

func TestEditRevokeReactMedia(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	send := func(m *waE2E.Message) *events.Message {
		return waitMessage(c, must(budi.Send(soon(t), w.phone, m, sim.SendOptions{}))(t))
	}
	first := send(sim.Text("salah"))
	edit := send(sim.Edit(budi.PN(), first.Info.ID, sim.Text("benar")))
	equal(t, "edit", edit.IsEdit, true)
	equal(t, "edited", edit.Message.GetProtocolMessage().GetEditedMessage().GetConversation(), "benar")
	equal(t, "edit attribute", edit.Info.Edit, types.EditAttributeMessageEdit)
	revoke := send(sim.Revoke(budi.PN(), first.Info.ID))
	equal(t, "revoke", revoke.Message.GetProtocolMessage().GetType(), waE2E.ProtocolMessage_REVOKE)
	react := send(sim.React(revoke.Message.GetProtocolMessage().GetKey(), "👍"))
	equal(t, "type", react.Info.Type, "reaction")
	image := send(&waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("foto"), Mimetype: proto.String("image/jpeg")}})
	equal(t, "media type", image.Info.MediaType, "image")
	equal(t, "stanza type", image.Info.Type, "media")
}

func TestRetry(t *testing.T) {
	for _, synchronous := range []bool{true, false} {
		t.Run(fmt.Sprintf("synchronous ack %v", synchronous), func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			budi := w.contact("6281200000002", "Budi")
			c := w.linked(func(c *whatsmeow.Client) { c.SynchronousAck = synchronous })
			must(budi.Send(soon(t), w.phone, sim.Text("satu"), sim.SendOptions{}))(t)
			id := must(budi.Send(soon(t), w.phone, sim.Text("dua"), sim.SendOptions{Spoil: true}))(t)
			wait[*events.UndecryptableMessage](c, nil)
			m := wait(c, func(m *events.Message) bool { return m.Info.ID == id && m.UnavailableRequestID == "" })
			equal(t, "text", m.Message.GetConversation(), "dua")
			equal(t, "retry", m.RetryCount, 1)
			check(t, c.device.WaitDrained(soon(t)))
			next := must(budi.Send(soon(t), w.phone, sim.Text("tiga"), sim.SendOptions{}))(t)
			waitMessage(c, next)
		})
	}
}

// With synchronous acks whatsmeow asks the phone, too, for what it can't decrypt.
func TestPlaceholderResend(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	id := must(budi.Send(soon(t), w.phone, sim.Text("dua"), sim.SendOptions{Spoil: true}))(t)
	m := wait(c, func(m *events.Message) bool { return m.Info.ID == id && m.UnavailableRequestID != "" })
	equal(t, "text", m.Message.GetConversation(), "dua")
	equal(t, "sender", m.Info.Sender, budi.PN())
}

func TestReceipts(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	r := must(c.SendMessage(soon(t), budi.PN(), sim.Text("halo")))(t)
	for _, kind := range []types.ReceiptType{types.ReceiptTypeDelivered, types.ReceiptTypeRead, types.ReceiptTypePlayed} {
		check(t, budi.SendReceipt(soon(t), w.phone, sim.Receipt{Type: kind, IDs: []string{r.ID, "other"}}))
		got := wait(c, func(e *events.Receipt) bool { return e.Type == kind })
		equal(t, "ids", fmt.Sprint(got.MessageIDs), fmt.Sprint([]string{r.ID, "other"}))
		equal(t, "chat", got.Chat, budi.PN())
	}
	check(t, w.phone.ReadOnPhone(soon(t), budi.PN(), "m1", "m2"))
	own := wait(c, func(e *events.Receipt) bool { return e.IsFromMe })
	equal(t, "chat", own.Chat, budi.PN())
	equal(t, "type", own.Type, types.ReceiptTypeRead)
	check(t, c.device.WaitDrained(soon(t)))

	id := must(budi.Send(soon(t), w.phone, sim.Text("baca"), sim.SendOptions{}))(t)
	waitMessage(c, id)
	check(t, c.MarkRead(soon(t), []string{id}, time.Now(), budi.PN(), budi.PN()))
	check(t, budi.WaitReceipt(soon(t), func(r sim.ReceivedReceipt) bool {
		return r.Type == types.ReceiptTypeRead && r.IDs[0] == id
	}))
}

// Many senders use up the one-time keys; the device uploads more when it is asked.
func TestPreKeysRunLow(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c := w.linked()
	for i := range 60 {
		who := w.contact(fmt.Sprintf("62812100001%02d", i), "Orang")
		waitMessage(c, must(who.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{}))(t))
	}
	poll(t, "upload", func() bool {
		n, err := c.preKeys(soon(t))
		return err == nil && n >= 20
	})
	check(t, c.device.WaitDrained(soon(t)))
}

// What a client may ask about people.
func TestQuestionsAboutPeople(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	budi := w.contact("6281200000002", "Budi")
	c := w.linked()
	found := must(c.IsOnWhatsApp(soon(t), []string{"+6281200000002", "+6281299999999"}))(t)
	equal(t, "answers", len(found), 2)
	equal(t, "is in", found[0].IsIn, true)
	equal(t, "LID", found[0].JID, budi.LID())
	equal(t, "isn't in", found[1].IsIn, false)
	info := must(c.GetUserInfo(soon(t), []types.JID{budi.PN(), w.phone.PN()}))(t)
	equal(t, "LID", info[budi.PN()].LID, budi.LID())
	equal(t, "devices", len(info[w.phone.PN()].Devices), 2)
	if _, err := c.GetProfilePictureInfo(soon(t), budi.PN(), nil); !errors.Is(err, whatsmeow.ErrProfilePictureNotSet) {
		t.Errorf("picture: %v", err)
	}
	settings := must(c.TryFetchPrivacySettings(soon(t), true))(t)
	equal(t, "read receipts", settings.ReadReceipts, types.PrivacySettingAll)
	equal(t, "push name", c.Store.PushName, "Sari")
	check(t, c.SendPresence(soon(t), types.PresenceAvailable))
	check(t, c.SubscribePresence(soon(t), budi.PN()))
	must(c.GetBlocklist(soon(t)))(t)
	must(c.GetStatusPrivacy(soon(t)))(t)
	check(t, w.phone.ChangePushName(soon(t), "Sari D."))
	poll(t, "new push name", func() bool {
		return count(c, func(e *events.PushNameSetting) bool { return e.Action.GetName() == "Sari D." }) == 1
	})
	id := must(budi.Send(soon(t), w.phone, sim.Text("halo"), sim.SendOptions{}))(t)
	check(t, c.device.WaitAcked(soon(t), id))
	acks := c.device.Acks()
	equal(t, "receipt of a client that is online", acks[len(acks)-1].Kind, "delivered")
}

func TestSendToOneself(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	a, b := w.linked(), w.linked()
	r := must(a.SendMessage(soon(t), w.phone.PN(), sim.Text("catatan")))(t)
	m := waitMessage(b, r.ID)
	equal(t, "from me", m.Info.IsFromMe, true)
	equal(t, "text", m.Message.GetConversation(), "catatan")
	must(w.phone.WaitReceived(soon(t), func(m sim.Message) bool { return m.ID == r.ID }))(t)
	equal(t, "copies", len(w.phone.Received()), 1)
}
