package whatsapp

import (
	"fmt"
	"strings"
	"sync"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// laterPrefix is that of the backlog's items for messages that can't be read yet: of a kind that the library doesn't know,
// or sealed with the secret of a message that isn't here. Each is a conversation with one message, as a history has it.
const laterPrefix = "later/"

// maxLater bounds how many messages wait. Those beyond are shown as they are known now.
const maxLater = 1000

// later keeps a message until it can be read.
func (r *run) later(evt *events.Message, order int64) error {
	info := evt.Info
	w := &waWeb.WebMessageInfo{
		Key:     &waCommon.MessageKey{RemoteJID: proto.String(info.Chat.String()), FromMe: &info.IsFromMe, ID: &info.ID},
		Message: evt.RawMessage, MessageTimestamp: proto.Uint64(uint64(max(info.Timestamp.Unix(), 1))),
		Participant: proto.String(info.Sender.ToNonAD().String()),
	}
	if info.PushName != "" {
		w.PushName = &info.PushName
	}
	return r.keepForLater(&waHistorySync.Conversation{
		ID: proto.String(info.Chat.String()), Messages: []*waHistorySync.HistorySyncMsg{{Message: w,
			MsgOrderID: proto.Uint64(uint64(order))}},
	})
}

// keepForLater keeps each message of a conversation by itself.
func (r *run) keepForLater(conv *waHistorySync.Conversation) error {
	for _, m := range conv.GetMessages() {
		id := m.GetMessage().GetKey().GetID()
		if id == "" || !r.waits.add(id) {
			continue
		}
		one := &waHistorySync.Conversation{ID: conv.ID, PnJID: conv.PnJID, LidJID: conv.LidJID,
			Messages: []*waHistorySync.HistorySyncMsg{m}}
		data, err := proto.Marshal(one)
		if err != nil {
			return fmt.Errorf("marshal message: %w", err)
		}
		if err := r.Backlog.PutBacklog(r.ctx, r.account, laterPrefix+conv.GetID()+"/"+id, data); err != nil {
			return fmt.Errorf("keep message for later: %w", err)
		}
	}
	return nil
}

// secretCame has what waits tried again when a message with a secret has come.
func (r *run) secretCame(evt *events.Message) {
	if len(evt.Message.GetMessageContextInfo().GetMessageSecret()) > 0 && r.waits.any() {
		r.opener.start()
	}
}

// openLater tries what waits.
func (r *run) openLater() {
	items, err := r.Backlog.ListBacklog(r.ctx, r.account)
	for _, item := range items {
		if err == nil && strings.HasPrefix(item.ID, laterPrefix) {
			err = r.openItem(item)
		}
	}
	if err != nil && r.ctx.Err() == nil {
		r.log.Warn("open what waited", failure(err))
	}
}

func (r *run) openItem(item chat.BacklogItem) error {
	conv := &waHistorySync.Conversation{}
	if proto.Unmarshal(item.Data, conv) != nil || len(conv.GetMessages()) != 1 {
		return r.Backlog.DeleteBacklog(r.ctx, r.account, item.ID)
	}
	m := conv.GetMessages()[0]
	r.waits.add(m.GetMessage().GetKey().GetID())
	in, err := types.ParseJID(conv.GetID())
	if err != nil {
		return r.Backlog.DeleteBacklog(r.ctx, r.account, item.ID)
	}
	b := r.book()
	evt, err := r.wa.ParseWebMessage(in, m.GetMessage())
	if err != nil {
		return nil // it isn't linked
	}
	evt.RawMessage = m.GetMessage().GetMessage()
	evt.Info.ID = m.GetMessage().GetKey().GetID()
	opened, sealed, err := r.open(b, evt)
	if err != nil || sealed || translate.IsNewer(evt) {
		return err
	}
	if err := r.project(b, b.Message(evt, int64(m.GetMsgOrderID()), opened)); err != nil {
		return err
	}
	r.waits.remove(evt.Info.ID)
	return r.Backlog.DeleteBacklog(r.ctx, r.account, item.ID)
}

// waits are the ids of messages that can't be read yet.
type waits struct {
	mu  sync.Mutex
	ids map[string]bool
}

// add is false when there are too many.
func (w *waits) add(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids == nil {
		w.ids = make(map[string]bool)
	}
	if len(w.ids) >= maxLater && !w.ids[id] {
		return false
	}
	w.ids[id] = true
	return true
}

func (w *waits) remove(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ids, id)
}

func (w *waits) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ids) > 0
}
