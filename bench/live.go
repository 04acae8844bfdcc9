package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

func phoneNumber(i int) string { return fmt.Sprintf("62890%07d", i) }

// runMute measures a mute from the HTTP request to the HTTP answer, when the state is stored.
func (b *bench) runMute(ctx context.Context) ([]row, error) {
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	phone, err := s.NewPhone(phoneNumber(1), sim.PhoneOptions{})
	if err != nil {
		return nil, err
	}
	budi, err := s.NewContact(phoneNumber(2), "", "Budi")
	if err != nil {
		return nil, err
	}
	p, err := b.run(ctx, s, filepath.Join(b.folder, "mute"))
	if err != nil {
		return nil, err
	}
	defer p.stop()
	key, err := p.addDevice(ctx, "mute")
	if err != nil {
		return nil, err
	}
	device, err := p.link(ctx, key, phone)
	if err != nil {
		return nil, err
	}
	id, err := budi.Send(ctx, phone, sim.Text("halo"), sim.SendOptions{})
	if err != nil {
		return nil, err
	}
	if err := device.WaitAcked(ctx, id); err != nil {
		return nil, err
	}
	p50, cpu, _, err := p.measure(ctx, 200, "muteChat", "apiKey", key, "phone", budi.PN().User, "second", "3600")
	if err != nil {
		return nil, err
	}
	return []row{{"muteChat, request to answer: p50 (CPU " + ms(cpu) + ")", ms(p50), "30 ms", p50 <= 30*time.Millisecond}}, nil
}

func median[T cmp.Ordered](v []T) T {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// linker links devices of the phones to a program that keeps its state in a folder, and gives back what starts it again.
type linker func(ctx context.Context, s *sim.Server, folder string, phones []*sim.Phone) (again func() (*process, error),
	err error)

func (b *bench) linkPesan(
	ctx context.Context, s *sim.Server, folder string, phones []*sim.Phone,
) (func() (*process, error), error) {
	return b.linkPesanWith(ctx, s, folder, phones)
}

// linkPesanWith adds to the environment.
func (b *bench) linkPesanWith(
	ctx context.Context, s *sim.Server, folder string, phones []*sim.Phone, env ...string,
) (func() (*process, error), error) {
	p, err := b.run(ctx, s, folder, env...)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := linkAll(ctx, p.api, phones); err != nil {
		return nil, err
	}
	return func() (*process, error) {
		p, err := b.run(ctx, s, folder, env...)
		if err != nil {
			return nil, err
		}
		return p.process, nil
	}, nil
}

// linkAll links a new device of each phone.
func linkAll(ctx context.Context, a api, phones []*sim.Phone) error {
	for i, phone := range phones {
		key, err := a.addDevice(ctx, fmt.Sprint("device ", i))
		if err != nil {
			return err
		}
		device, err := a.link(ctx, key, phone)
		if err != nil {
			return err
		}
		if err := device.WaitDrained(ctx); err != nil {
			return err
		}
	}
	return nil
}

var codeLine = regexp.MustCompile(`^code (\S+)$`)
var readyLine = regexp.MustCompile(`^ready (all)$`)

func (b *bench) linkClient(
	ctx context.Context, s *sim.Server, folder string, phones []*sim.Phone,
) (func() (*process, error), error) {
	return linkClientBy(ctx, s, folder, phones, clientCommand)
}

func (b *bench) linkDurableClient(
	ctx context.Context, s *sim.Server, folder string, phones []*sim.Phone,
) (func() (*process, error), error) {
	return linkClientBy(ctx, s, folder, phones, durableClientCommand)
}

func linkClientBy(
	ctx context.Context, s *sim.Server, folder string, phones []*sim.Phone, command string,
) (func() (*process, error), error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{command, filepath.Join(folder, "devices.db")}
	for _, phone := range phones {
		args = append(args, phone.PN().User)
	}
	run := func() (*process, error) { return start(ctx, s, nil, self, args...) }
	p, err := run()
	if err != nil {
		return nil, err
	}
	defer p.stop()
	for _, phone := range phones {
		code, err := p.await(ctx, codeLine)
		if err != nil {
			return nil, err
		}
		device, err := phone.EnterCode(ctx, code)
		if err != nil {
			return nil, err
		}
		if err := device.WaitOnline(ctx); err != nil {
			return nil, err
		}
		if err := device.WaitDrained(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := p.await(ctx, readyLine); err != nil {
		return nil, err
	}
	return run, nil
}

const (
	syncedChats    = 1000
	syncedMessages = 50_000
)

// runHistory measures a history sync from the pairing until every chat and message is readable.
func (b *bench) runHistory(ctx context.Context) ([]row, error) {
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	inbox := &media.Inbox{Conversations: manyConversations, Count: syncedChats}
	phone, err := s.NewPhone(phoneNumber(1), sim.PhoneOptions{Inbox: inbox})
	if err != nil {
		return nil, err
	}
	p, err := b.run(ctx, s, filepath.Join(b.folder, "history"))
	if err != nil {
		return nil, err
	}
	defer p.stop()
	key, err := p.addDevice(ctx, "history")
	if err != nil {
		return nil, err
	}
	before, err := p.resident("VmRSS")
	if err != nil {
		return nil, err
	}
	if _, err := p.link(ctx, key, phone); err != nil {
		return nil, err
	}
	began := time.Now()
	last := conversationJID(syncedChats - 1)
	for ready := false; !ready; {
		n, err := p.chats(ctx, key)
		if err != nil {
			return nil, err
		}
		if n < syncedChats {
			continue
		}
		// The phone sends the oldest messages of the oldest chat last.
		if ready, err = p.holds(ctx, key, last, syncedMessages/syncedChats); err != nil {
			return nil, err
		}
	}
	for i := range syncedChats {
		ready, err := p.holds(ctx, key, conversationJID(i), syncedMessages/syncedChats)
		if err != nil || !ready {
			return nil, fmt.Errorf("chat %d isn't complete (%w)", i, err)
		}
	}
	took := time.Since(began)
	most, err := p.resident("VmHWM")
	if err != nil {
		return nil, err
	}
	return []row{
		{fmt.Sprintf("history sync of %d chats, %d messages, until all were read", syncedChats, syncedMessages),
			fmt.Sprintf("%.1f s", took.Seconds()), "15 s", took <= 15*time.Second},
		{"history sync: growth of resident memory, which the heap is a part of", fmt.Sprintf("%.0f MB", (most-before)/1e6),
			"150 MB", most-before < 150e6},
	}, nil
}

// holds tells whether a conversation has so many messages.
func (p api) holds(ctx context.Context, key, jid string, messages int) (bool, error) {
	body, err := p.call(ctx, "fetchMessageById", "apiKey", key, "phone", jid, "limit", "1000")
	if err != nil {
		return false, err
	}
	return countResults(body) >= messages, nil
}

func conversationJID(i int) string { return fmt.Sprintf("62891%07d@s.whatsapp.net", i) }

// manyConversations yields chats of 50 messages each, newest first.
func manyConversations(yield func(*waHistorySync.Conversation) bool) {
	now := uint64(time.Now().Unix())
	for i := range syncedChats {
		jid := conversationJID(i)
		c := &waHistorySync.Conversation{ID: &jid, ConversationTimestamp: proto.Uint64(now - uint64(i*100))}
		for j := range syncedMessages / syncedChats {
			c.Messages = append(c.Messages, &waHistorySync.HistorySyncMsg{
				MsgOrderID: proto.Uint64(uint64(syncedMessages - i*50 - j)),
				Message: &waWeb.WebMessageInfo{
					Key: &waCommon.MessageKey{RemoteJID: &jid, FromMe: proto.Bool(j%3 == 0),
						ID: proto.String(fmt.Sprintf("3EB0%06X%06X", i, j))},
					Message:          &waE2E.Message{Conversation: proto.String(fmt.Sprintf("Pesan %d dari obrolan %d: pesanannya sudah kami kirim ya Kak", j, i))},
					MessageTimestamp: proto.Uint64(now - uint64(i*100+j)),
					Status:           waWeb.WebMessageInfo_READ.Enum(),
				},
			})
		}
		if !yield(c) {
			return
		}
	}
}
