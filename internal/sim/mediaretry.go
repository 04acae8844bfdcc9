package sim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"google.golang.org/protobuf/proto"
)

// uploadAgain answers a device that couldn't download the file of a message: the phone gives the service what it has again, and
// tells the new path. The wish and the answer are encrypted under a key that is made of the file's.
func (p *Phone) uploadAgain(c *conn, n *waBinary.Node, rmr waBinary.Node, id string) {
	ag := rmr.AttrGetter()
	chat, fromMe, participant := ag.JID("jid"), ag.Bool("from_me"), ag.OptionalJIDOrEmpty("participant")
	if !ag.OK() || c.s.find(n.AttrGetter().JID("to")) != p.Contact {
		c.s.violate(c.device, BadStanza, "media retry of %s: %v", id, ag.Error())
		return
	}
	key := &waCommon.MessageKey{RemoteJID: proto.String(chat.String()), FromMe: &fromMe, ID: &id}
	asked := waBinary.Attrs{"jid": chat, "from_me": fromMe}
	if !participant.IsEmpty() {
		asked["participant"] = participant
	}
	answer := func(children ...waBinary.Node) {
		c.device.notify("mediaretry", p.PN(), waBinary.Attrs{"id": id},
			append(children, waBinary.Node{Tag: "rmr", Attrs: asked})...)
	}
	m, ok := p.findReceived(key)
	file := fileOf(m.Message)
	if !ok || file == nil {
		answer(waBinary.Node{Tag: "error", Attrs: waBinary.Attrs{"code": 2}})
		return
	}
	if err := checkRetry(n, file.GetMediaKey(), id); err != nil {
		c.s.violate(c.device, BadStanza, "media retry of %s: %v", id, err)
		return
	}
	told := &waMmsRetry.MediaRetryNotification{StanzaID: &id, Result: waMmsRetry.MediaRetryNotification_NOT_FOUND.Enum()}
	if again, err := c.s.media.Again(file.GetDirectPath()); err == nil {
		told.Result, told.DirectPath = waMmsRetry.MediaRetryNotification_SUCCESS.Enum(), &again.DirectPath
	}
	plain, err := proto.Marshal(told)
	if err != nil {
		c.s.log.Error("answer media retry", "error", err)
		return
	}
	iv := make([]byte, 12)
	_, _ = rand.Read(iv) // never fails
	seal, err := retryCipher(file.GetMediaKey())
	if err != nil {
		c.s.log.Error("answer media retry", "error", err)
		return
	}
	answer(waBinary.Node{Tag: "encrypt", Content: []waBinary.Node{
		{Tag: "enc_p", Content: seal.Seal(nil, iv, plain, []byte(id))}, {Tag: "enc_iv", Content: iv},
	}})
}

// checkRetry opens the wish: only who has the file's key can make one.
func checkRetry(n *waBinary.Node, mediaKey []byte, id string) error {
	ciphertext, _ := n.GetChildByTag("encrypt", "enc_p").Content.([]byte)
	iv, _ := n.GetChildByTag("encrypt", "enc_iv").Content.([]byte)
	open, err := retryCipher(mediaKey)
	if err != nil {
		return err
	}
	if len(iv) != open.NonceSize() {
		return fmt.Errorf("iv of %d bytes", len(iv))
	}
	plain, err := open.Open(nil, iv, ciphertext, []byte(id))
	if err != nil {
		return err
	}
	var wish waMmsRetry.ServerErrorReceipt
	if err := proto.Unmarshal(plain, &wish); err != nil {
		return err
	}
	if wish.GetStanzaID() != id {
		return fmt.Errorf("it is for %q", wish.GetStanzaID())
	}
	return nil
}

func retryCipher(mediaKey []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, mediaKey, nil, "WhatsApp Media Retry Notification", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// file is what all messages with a file have.
type file interface {
	GetDirectPath() string
	GetMediaKey() []byte
}

// fileOf is a message's file, nil where it has none.
func fileOf(m *waE2E.Message) file {
	switch m = inner(m); {
	case m.GetImageMessage() != nil:
		return m.GetImageMessage()
	case m.GetVideoMessage() != nil:
		return m.GetVideoMessage()
	case m.GetPtvMessage() != nil:
		return m.GetPtvMessage()
	case m.GetAudioMessage() != nil:
		return m.GetAudioMessage()
	case m.GetDocumentMessage() != nil:
		return m.GetDocumentMessage()
	case m.GetStickerMessage() != nil:
		return m.GetStickerMessage()
	}
	return nil
}
