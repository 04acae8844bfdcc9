package sim

import (
	"context"
	"errors"
	"math"
	"slices"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// History is one part of a history sync, exactly as it is sent.
type History struct {
	// Sync holds syncType, chunkOrder and progress too.
	Sync *waHistorySync.HistorySync
	// Inline puts it into the message; otherwise it is a media file that the device downloads.
	Inline bool
}

// SendHistory sends a part of the history to every linked device. Parts of a whole inbox come from
// [media.Inbox.Parts].
func (p *Phone) SendHistory(ctx context.Context, h History) (id string, err error) {
	n, err := p.s.historyNotification(h)
	if err != nil {
		return "", err
	}
	return p.SendHistoryNotification(ctx, n)
}

// SendHistoryNotification sends a ready notification of a part of the history to every linked device.
func (p *Phone) SendHistoryNotification(ctx context.Context, n *waE2E.HistorySyncNotification) (id string, err error) {
	return p.sendPeer(ctx, historyMessage(n), p.Devices()...)
}

// shareHistory gives a new device its history.
func (p *Phone) shareHistory(ctx context.Context, d *Device) error {
	if p.o.Inbox != nil {
		for n, err := range p.s.media.Bootstrap(*p.o.Inbox, p.o.Latest, p.o.Chunking) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if _, err := p.sendPeer(ctx, historyMessage(n), d); err != nil {
				return err
			}
		}
	}
	for _, h := range p.o.History {
		n, err := p.s.historyNotification(h)
		if err != nil {
			return err
		}
		if _, err := p.sendPeer(ctx, historyMessage(n), d); err != nil {
			return err
		}
	}
	return nil
}

func historyMessage(n *waE2E.HistorySyncNotification) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION.Enum(), HistorySyncNotification: n,
	}}
}

// historyNotification announces a part; one that isn't inline is put into the media store.
func (s *Server) historyNotification(h History) (*waE2E.HistorySyncNotification, error) {
	inline := 0
	if h.Inline {
		inline = math.MaxInt
	}
	return s.media.PutHistory(h.Sync, inline)
}

// olderMessages answers a device's wish for more of a chat: up to count messages before the one it names.
func (p *Phone) olderMessages(
	r *waE2E.PeerDataOperationRequestMessage_HistorySyncOnDemandRequest, requestID string,
) (*waE2E.HistorySyncNotification, error) {
	all := p.archived(r.GetChatJID())
	slices.SortStableFunc(all, func(a, b *waHistorySync.HistorySyncMsg) int { // newest first
		return int(int64(b.GetMessage().GetMessageTimestamp()) - int64(a.GetMessage().GetMessageTimestamp()))
	})
	from := slices.IndexFunc(all, func(m *waHistorySync.HistorySyncMsg) bool {
		return m.GetMessage().GetKey().GetID() == r.GetOldestMsgID()
	})
	if from < 0 { // the time is in seconds, whatever the field is called
		from = slices.IndexFunc(all, func(m *waHistorySync.HistorySyncMsg) bool {
			return int64(m.GetMessage().GetMessageTimestamp()) < r.GetOldestMsgTimestampMS()
		}) - 1
	}
	older := all[min(from+1, len(all)):]
	more := len(older) > int(r.GetOnDemandMsgCount())
	if more {
		older = older[:max(0, r.GetOnDemandMsgCount())]
	}
	end := waHistorySync.Conversation_COMPLETE_AND_NO_MORE_MESSAGE_REMAIN_ON_PRIMARY
	if more {
		end = waHistorySync.Conversation_COMPLETE_BUT_MORE_MESSAGES_REMAIN_ON_PRIMARY
	}
	n, err := p.s.historyNotification(History{Sync: &waHistorySync.HistorySync{
		SyncType: waHistorySync.HistorySync_ON_DEMAND.Enum(), ChunkOrder: proto.Uint32(1), Progress: proto.Uint32(100),
		Conversations: []*waHistorySync.Conversation{{
			ID: proto.String(r.GetChatJID()), Messages: older,
			EndOfHistoryTransfer: proto.Bool(!more), EndOfHistoryTransferType: end.Enum(),
		}},
	}})
	if err != nil {
		return nil, err
	}
	n.PeerDataRequestSessionID = proto.String(requestID)
	return n, nil
}

// archived are the messages of a chat that the phone still has.
func (p *Phone) archived(chat string) []*waHistorySync.HistorySyncMsg {
	var all []*waHistorySync.HistorySyncMsg
	for _, c := range p.o.Archive {
		if c.GetID() == chat {
			all = append(all, c.Messages...)
		}
	}
	jid, _ := types.ParseJID(chat)
	for _, m := range p.Received() {
		if p.sameChat(m.Chat, jid) {
			all = append(all, &waHistorySync.HistorySyncMsg{Message: p.webMessage(m)})
		}
	}
	return all
}

// sameChat compares addresses of chats; a person's two addresses are the same.
func (p *Phone) sameChat(a, b types.JID) bool {
	if a == b {
		return true
	}
	who := p.s.find(a)
	return who != nil && who == p.s.find(b)
}

// webMessage is a message as a phone keeps it.
func (p *Phone) webMessage(m Message) *waWeb.WebMessageInfo {
	key := &waCommon.MessageKey{
		RemoteJID: proto.String(m.Chat.String()), FromMe: proto.Bool(m.FromMe), ID: proto.String(m.ID),
	}
	w := &waWeb.WebMessageInfo{
		Key: key, Message: m.Message, MessageTimestamp: proto.Uint64(uint64(m.Time.Unix())),
		Status: waWeb.WebMessageInfo_DELIVERY_ACK.Enum(),
	}
	if m.Listed {
		w.Broadcast = proto.Bool(true)
	}
	if m.Chat.Server == types.GroupServer && !m.FromMe {
		key.Participant = proto.String(m.From.ToNonAD().String())
	}
	if who := p.s.find(m.From.ToNonAD()); who != nil && !m.FromMe {
		w.PushName = proto.String(who.PushName())
	}
	return w
}

// findReceived looks for a message that the phone received or sent.
func (p *Phone) findReceived(key *waCommon.MessageKey) (Message, bool) {
	chat, _ := types.ParseJID(key.GetRemoteJID())
	all := p.Received()
	i := slices.IndexFunc(all, func(m Message) bool { return m.ID == key.GetID() && p.sameChat(m.Chat, chat) })
	if i < 0 {
		return Message{}, false
	}
	return all[i], true
}
