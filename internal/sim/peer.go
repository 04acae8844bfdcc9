package sim

import (
	"context"
	"errors"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim/appstate"
)

// AppState is the account's app state: what the phone and its devices have agreed on, to read, wait for and spoil.
// Changes are made by [Phone.Change], which tells the devices.
func (p *Phone) AppState() *appstate.State { return p.state }

// Change makes changes on the phone and tells every linked device.
func (p *Phone) Change(_ context.Context, mutations ...appstate.Mutation) error {
	changes, err := p.state.Apply(mutations...)
	if err != nil {
		return err
	}
	p.tellChanges(changes, nil)
	return nil
}

// ChangePushName changes the user's own name, in the account's settings and in later messages.
func (p *Phone) ChangePushName(ctx context.Context, name string) error {
	p.SetPushName(name)
	return p.Change(ctx, appstate.PushName(name))
}

// RotateAppStateKey makes a new app state key, shares it with the linked devices, and uses it from now on.
func (p *Phone) RotateAppStateKey(ctx context.Context) error {
	share, err := p.state.RotateKey()
	if err != nil {
		return err
	}
	return p.shareKeys(ctx, share, p.Devices()...)
}

// tellChanges notifies the devices but one of new versions.
func (p *Phone) tellChanges(changes []appstate.Change, except *Device) {
	if len(changes) == 0 {
		return
	}
	nodes := make([]waBinary.Node, len(changes))
	for i, c := range changes {
		nodes[i] = c.Node()
	}
	for _, d := range p.Devices() {
		if d != except {
			d.notify("server_sync", types.ServerJID, nil, nodes...)
		}
	}
}

// syncAppState answers a request for app state.
func (c *conn) syncAppState(iq *waBinary.Node, sync waBinary.Node) {
	p := c.device.phone
	answer, err := p.state.Handle(c.device.jid.String(), sync)
	if err != nil {
		c.s.violate(c.device, BadAppState, "%v", err)
		c.refuse(iq, 400, "bad-request")
		return
	}
	for _, r := range answer.Refused {
		if !errors.Is(r, appstate.ErrInjected) && !errors.Is(r, appstate.ErrVersion) { // the one is a test's, the other a conflict
			c.s.violate(c.device, BadAppState, "%v", r)
		}
	}
	if !answer.Lost {
		c.reply(iq, answer.Node)
	}
	p.tellChanges(answer.Changed, c.device)
}

// sendPeer sends a message from the phone to its own devices, outside every chat.
func (p *Phone) sendPeer(ctx context.Context, m *waE2E.Message, devices ...*Device) (id string, err error) {
	mail := p.newMail(m, SendOptions{})
	mail.peer = true
	return mail.id, p.sendTo(ctx, mail, devices)
}

func (p *Phone) shareKeys(ctx context.Context, share *waE2E.AppStateSyncKeyShare, devices ...*Device) error {
	_, err := p.sendPeer(ctx, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum(), AppStateSyncKeyShare: share,
	}}, devices...)
	return err
}

// peer takes a message from a device to its phone and answers as a phone does.
func (in *inbound) peer() (code int) {
	p := in.d.phone
	enc, ok := in.node.GetOptionalChildByTag("enc")
	if !ok || in.c.s.find(in.to) != p.Contact {
		in.c.s.violate(in.d, BadRecipients, "peer message %s to somebody else", in.id)
		return 400
	}
	if !in.d.firstTime(in.id) {
		return 0
	}
	plain, err := p.decrypt(in.c.s.ctx, in.d, enc)
	var m waE2E.Message
	if err == nil {
		err = proto.Unmarshal(plain, &m)
	}
	if err != nil {
		in.undecryptable(p.Contact, in.to, err)
		return 0
	}
	if err := p.answerPeer(in.c.s.ctx, in.d, in.id, m.GetProtocolMessage()); err != nil {
		in.c.s.log.Error("answer peer message", "device", in.d.jid.Device, "error", err)
	}
	return 0
}

func (p *Phone) answerPeer(ctx context.Context, d *Device, id string, m *waE2E.ProtocolMessage) error {
	switch m.GetType() {
	case waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_REQUEST:
		var ids [][]byte
		for _, k := range m.GetAppStateSyncKeyRequest().GetKeyIDs() {
			ids = append(ids, k.GetKeyID())
		}
		return p.shareKeys(ctx, p.state.ShareOf(ids...), d)
	case waE2E.ProtocolMessage_APP_STATE_FATAL_EXCEPTION_NOTIFICATION:
		for _, d := range p.Devices() {
			d.Unlink()
		}
		return nil
	case waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_MESSAGE:
		return p.answerDataRequest(ctx, d, id, m.GetPeerDataOperationRequestMessage())
	}
	p.s.violate(d, UnknownStanza, "peer message of type %s", m.GetType())
	return nil
}

func (p *Phone) answerDataRequest(ctx context.Context, d *Device, id string, r *waE2E.PeerDataOperationRequestMessage) error {
	switch kind := r.GetPeerDataOperationRequestType(); kind {
	case waE2E.PeerDataOperationRequestType_HISTORY_SYNC_ON_DEMAND:
		n, err := p.olderMessages(r.GetHistorySyncOnDemandRequest(), id)
		if err != nil {
			return err
		}
		_, err = p.sendPeer(ctx, historyMessage(n), d)
		return err
	case waE2E.PeerDataOperationRequestType_PLACEHOLDER_MESSAGE_RESEND:
		var results []*waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult
		for _, wanted := range r.GetPlaceholderMessageResendRequest() {
			m, ok := p.findReceived(wanted.GetMessageKey())
			if !ok {
				continue
			}
			if from := p.s.find(m.From.ToNonAD()); from != nil && from.withheld(m.ID) {
				p.s.violate(d, UnknownStanza, "request for a message that no client gets")
				continue
			}
			data, err := proto.Marshal(p.webMessage(m))
			if err != nil {
				return err
			}
			results = append(results, &waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult{
				PlaceholderMessageResendResponse: &waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult_PlaceholderMessageResendResponse{
					WebMessageInfoBytes: data,
				},
			})
		}
		_, err := p.sendPeer(ctx, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE.Enum(),
			PeerDataOperationRequestResponseMessage: &waE2E.PeerDataOperationRequestResponseMessage{
				PeerDataOperationRequestType: kind.Enum(), StanzaID: proto.String(id), PeerDataOperationResult: results,
			},
		}}, d)
		return err
	default:
		p.s.violate(d, UnknownStanza, "peer data request of type %s", kind)
		return nil
	}
}

// Mute mutes a chat until a time, for ever if zero.
func (p *Phone) Mute(ctx context.Context, chat types.JID, until time.Time) error {
	end := appstate.Forever
	if !until.IsZero() {
		end = until.UnixMilli()
	}
	return p.Change(ctx, appstate.Mute(chat, end))
}

// Unmute ends it.
func (p *Phone) Unmute(ctx context.Context, chat types.JID) error {
	return p.Change(ctx, appstate.Unmute(chat))
}
