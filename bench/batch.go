package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

const (
	batched   = 10_000
	roundTrip = 50 * time.Millisecond // to WhatsApp
	beside    = 100                   // mutes by hand
)

// runBatch measures a batch that mutes all chats as fast as WhatsApp answers, and a single mute beside it.
func (b *bench) runBatch(ctx context.Context) ([]row, error) {
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	phone, err := s.NewPhone(phoneNumber(1), sim.PhoneOptions{Inbox: &media.Inbox{Conversations: shortConversations, Count: batched}})
	if err != nil {
		return nil, err
	}
	p, err := b.run(ctx, s, filepath.Join(b.folder, "batch"), "BATCH_RATE=10000")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	key, err := p.addDevice(ctx, "batch")
	if err != nil {
		return nil, err
	}
	device, err := p.link(ctx, key, phone)
	if err != nil {
		return nil, err
	}
	for n := 0; n < batched; {
		if n, err = p.chats(ctx, key); err != nil {
			return nil, err
		}
	}
	device.Inject(sim.Fault{Kind: sim.Slow, For: "w:sync:app:state", Delay: roundTrip})
	var operations []map[string]any
	for i := range batched - 1 {
		operations = append(operations, map[string]any{"op": "mute", "phone": conversationJID(i)})
	}
	list, err := json.Marshal(operations)
	if err != nil {
		return nil, err
	}
	before, err := p.resident("VmRSS")
	if err != nil {
		return nil, err
	}
	patches, began := phone.AppState().Version("regular_high"), time.Now()
	form := url.Values{"apiKey": {key}, "rate": {"10000"}, "operations": {string(list)}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/createBatch", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		return nil, fmt.Errorf("createBatch answers %s", answer.Status)
	}
	accepted := time.Since(began)
	var slowest time.Duration
	for range beside {
		asked := time.Now()
		if _, err := p.call(ctx, "muteChat", "apiKey", key, "phone", conversationJID(batched-1), "second", "3600"); err != nil {
			return nil, err
		}
		slowest = max(slowest, time.Since(asked))
	}
	var now struct {
		Results struct {
			State  string
			Counts struct{ Done int }
		}
	}
	for now.Results.State != "done" {
		body, err := p.call(ctx, "getBatch", "apiKey", key, "limit", "1")
		if err == nil {
			err = json.Unmarshal(body, &now)
		}
		if err != nil {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	most, err := p.resident("VmHWM")
	if err != nil {
		return nil, err
	}
	sent := phone.AppState().Version("regular_high") - patches - beside
	each := float64(now.Results.Counts.Done) / float64(sent)
	return []row{
		{"createBatch of 10,000 mutes, request to answer", ms(accepted), "1000 ms", accepted <= time.Second},
		{"batch of 10,000 mutes at 50 ms a round trip", fmt.Sprintf("%.1f s", took.Seconds()), "60 s", took <= time.Minute},
		{"batch: mutes a round trip", fmt.Sprintf("%.0f", each), "40", each >= 40},
		{fmt.Sprintf("muteChat beside it: slowest of %d", beside), ms(slowest), "2000 ms", slowest <= 2*time.Second},
		{"batch: growth of resident memory", fmt.Sprintf("%.0f MB", (most-before)/1e6), "50 MB", most-before < 50e6},
	}, nil
}

// shortConversations yields chats of one message each, newest first.
func shortConversations(yield func(*waHistorySync.Conversation) bool) {
	now := uint64(time.Now().Unix())
	for i := range batched {
		jid := conversationJID(i)
		c := &waHistorySync.Conversation{ID: &jid, ConversationTimestamp: proto.Uint64(now - uint64(i))}
		c.Messages = []*waHistorySync.HistorySyncMsg{{MsgOrderID: proto.Uint64(uint64(batched - i)), Message: &waWeb.WebMessageInfo{
			Key:              &waCommon.MessageKey{RemoteJID: &jid, FromMe: proto.Bool(false), ID: proto.String(fmt.Sprintf("3EB0%06X", i))},
			Message:          &waE2E.Message{Conversation: proto.String("halo")},
			MessageTimestamp: proto.Uint64(now - uint64(i)),
			Status:           waWeb.WebMessageInfo_READ.Enum(),
		}}}
		if !yield(c) {
			return
		}
	}
}
