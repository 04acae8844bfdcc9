package translate

import (
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
)

// Receipt says what somebody did with messages. Those of the account's own devices tell what the user has read; those of
// others what became of the user's messages. In a group each member has an entry, and the status stays.
func (b *Book) Receipt(evt *events.Receipt) []chat.Change {
	in, ok := Address(evt.Chat)
	if !ok {
		return nil
	}
	sender, _ := Address(evt.Sender)
	senderAlt, _ := Address(evt.SenderAlt)
	recipientAlt, _ := Address(evt.RecipientAlt)
	b.Learn(sender, senderAlt)
	b.Learn(in, recipientAlt)
	var m chat.Message
	if evt.IsFromMe {
		m, ok = ownReceipt(evt.Type)
	} else {
		by := b.Canonical(in)
		if in.Kind() != chat.Private {
			by = b.Canonical(sender)
		}
		m, ok = receiptBy(by, in, evt)
	}
	if !ok {
		return nil
	}
	c := b.Change(in)
	for _, id := range evt.MessageIDs {
		if id != "" {
			m.ID = id
			c.Messages = append(c.Messages, m)
		}
	}
	if len(c.Messages) == 0 {
		return nil
	}
	changes := []chat.Change{c}
	if in.Kind() == chat.Broadcast && !evt.IsFromMe { // who has received it has a copy of the message
		copies := b.Change(b.Canonical(sender))
		if m, ok := receiptBy(copies.Chat, copies.Chat, evt); ok && copies.Chat != "" {
			for _, listed := range c.Messages {
				m.ID = listed.ID
				copies.Messages = append(copies.Messages, m)
			}
			changes = append(changes, copies)
		}
	}
	return changes
}

func ownReceipt(kind types.ReceiptType) (m chat.Message, ok bool) {
	switch kind {
	case types.ReceiptTypeRead, types.ReceiptTypeReadSelf, types.ReceiptTypePlayed, types.ReceiptTypePlayedSelf:
		return chat.Message{ReadHere: true}, true
	}
	return m, false
}

func receiptBy(by, in chat.JID, evt *events.Receipt) (m chat.Message, ok bool) {
	at := seconds(evt.Timestamp)
	var r chat.Receipt
	switch evt.Type {
	case types.ReceiptTypeDelivered:
		m.Status, r.Received = chat.DeliveryAck, at
	case types.ReceiptTypeRead:
		m.Status, r.Read = chat.Read, at
	case types.ReceiptTypePlayed:
		m.Status, r.Played = chat.Played, at
	default:
		return m, false
	}
	if by == "" {
		return m, false
	}
	if in.Kind() != chat.Private {
		m.Status = chat.NoStatus
	}
	m.Receipts = map[chat.JID]chat.Receipt{by: r}
	return m, true
}
