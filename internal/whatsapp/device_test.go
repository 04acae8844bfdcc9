package whatsapp

import (
	"testing"

	"pesan/internal/wasim"
)

func TestMessageIsStoredAndAcknowledged(t *testing.T) {
	w := newWorld(t, wasim.Options{}, wasim.PhoneOptions{})
	w.link()
	budi := w.contact("6281200000002", "Budi")
	id, err := budi.Send(w.soon(), w.phone, wasim.Text("halo"), wasim.SendOptions{})
	w.ok(err)
	w.acked(id)
	w.says1(jid(budi), `"body":"halo"`, `"fromMe":false`, `"pushName":"Budi"`, `"type":"conversation"`)
	w.ok(w.halt())
}
