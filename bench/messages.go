package main

import (
	"context"
	"fmt"
	"path/filepath"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim"
)

const (
	streamed = 10_000 // stanzas that wait for the device whose throughput is measured
	writers  = 20     // contacts who write
	inGroup  = 50     // members
)

// runMessages measures decrypt → stored → acknowledged, Pesan against whatsmeow alone, in turn: both with the same driver, and
// both waiting for the disk or neither.
func (b *bench) runMessages(ctx context.Context) (rows []row, err error) {
	with := func(env ...string) linker {
		return func(ctx context.Context, s *sim.Server, folder string, phones []*sim.Phone) (func() (*process, error), error) {
			return b.linkPesanWith(ctx, s, folder, phones, env...)
		}
	}
	for _, pair := range []struct {
		name        string
		ours, alone linker
	}{
		{"each on the disk before it is acknowledged", with(), b.linkDurableClient},
		{"neither waiting for the disk", with("PESAN_SYNC=0"), b.linkClient},
	} {
		r, err := b.compare(ctx, pair.name, pair.ours, pair.alone)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// compare is the row of two programs that take the same messages.
func (b *bench) compare(ctx context.Context, name string, ours, alone linker) (row, error) {
	const rounds = 3
	var rates, costs [2][]float64
	for round := range rounds {
		progress("%s, round %d of %d", name, round+1, rounds)
		for i, link := range []linker{alone, ours} {
			rate, cost, err := b.streamTo(ctx, fmt.Sprint(name, round, i), link)
			if err != nil {
				return row{}, err
			}
			rates[i], costs[i] = append(rates[i], rate), append(costs[i], cost)
		}
	}
	a, o := median(rates[0]), median(rates[1])
	return row{
		fmt.Sprintf("messages of one device, %s: %.0f/s against whatsmeow alone, %.0f/s; CPU of each %.2f ms against %.2f", name, o, a,
			median(costs[1]), median(costs[0])),
		fmt.Sprintf("%.2f ×", o/a), "0.7 ×", o/a >= 0.7,
	}, nil
}

// streamTo lets stanzas wait for a device that is offline, starts its program, and measures from the first acknowledgement to
// the last: how many a second, and the CPU time of each in ms.
func (b *bench) streamTo(ctx context.Context, name string, link linker) (rate, cost float64, err error) {
	s, err := sim.New(sim.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	phone, err := s.NewPhone(phoneNumber(1), sim.PhoneOptions{})
	if err != nil {
		return 0, 0, err
	}
	again, err := link(ctx, s, filepath.Join(b.folder, name), []*sim.Phone{phone})
	if err != nil {
		return 0, 0, err
	}
	m, err := newMix(s, phone)
	if err != nil {
		return 0, 0, err
	}
	if err := m.answered(ctx, again); err != nil {
		return 0, 0, err
	}
	device := phone.Devices()[0]
	if err := device.WaitOffline(ctx); err != nil {
		return 0, 0, err
	}
	for i := range streamed {
		if err := m.send(ctx, i); err != nil {
			return 0, 0, err
		}
	}
	before := len(device.Acks())
	process, err := again()
	if err != nil {
		return 0, 0, err
	}
	defer process.stop()
	started, err := process.cpu()
	if err != nil {
		return 0, 0, err
	}
	if err := device.WaitDrained(ctx); err != nil {
		return 0, 0, err
	}
	used, err := process.cpu()
	if err != nil {
		return 0, 0, err
	}
	acks := device.Acks()[before:]
	took := acks[len(acks)-1].Time.Sub(acks[0].Time)
	return float64(len(acks)-1) / took.Seconds(), 1000 * (used - started).Seconds() / float64(len(acks)), nil
}

// mix is what a shop's phone gets: of ten stanzas four texts of persons, three of a group, a photo, one that the user wrote on
// the phone, and the receipt for such a one.
type mix struct {
	phone    *sim.Phone
	contacts []*sim.Contact
	group    *sim.Group
	written  string // the message that gets the next receipt
}

func newMix(s *sim.Server, phone *sim.Phone) (*mix, error) {
	m := &mix{phone: phone}
	var people []*sim.Contact
	for i := range inGroup - 1 {
		contact, err := s.NewContact(phoneNumber(100+i), "", fmt.Sprint("Kontak ", i))
		if err != nil {
			return nil, err
		}
		people = append(people, contact)
	}
	m.contacts = people[:writers]
	var err error
	m.group, err = s.NewGroup("Pelanggan Surabaya", people[0], sim.GroupOptions{}, append(people[1:], phone.Contact)...)
	return m, err
}

// answered has everybody write once to a device that answers, as in conversations that go on: what comes later begins no session.
func (m *mix) answered(ctx context.Context, start func() (*process, error)) error {
	p, err := start()
	if err != nil {
		return err
	}
	defer p.stop()
	for _, c := range m.contacts {
		if _, err := c.Send(ctx, m.phone, sim.Text("halo"), sim.SendOptions{}); err != nil {
			return err
		}
		if _, err := c.SendGroup(ctx, m.group, sim.Text("halo"), sim.SendOptions{}); err != nil {
			return err
		}
	}
	return m.phone.Devices()[0].WaitDrained(ctx)
}

// send queues the next stanza.
func (m *mix) send(ctx context.Context, i int) (err error) {
	c := m.contacts[i/10%len(m.contacts)]
	text := sim.Text(fmt.Sprintf("Pesan ke-%d: pesanannya sudah kami kirim pagi ini ya Kak", i))
	switch i % 10 {
	case 0, 2, 4, 6:
		_, err = c.Send(ctx, m.phone, text, sim.SendOptions{})
	case 1, 3, 5:
		_, err = c.SendGroup(ctx, m.group, text, sim.SendOptions{})
	case 7:
		_, err = c.Send(ctx, m.phone, photo(i), sim.SendOptions{})
	case 8:
		m.written, err = m.phone.SendFromPhone(ctx, c.PN(), text, sim.SendOptions{})
	case 9:
		err = c.SendReceipt(ctx, m.phone, sim.Receipt{Type: types.ReceiptTypeRead, IDs: []string{m.written}})
	}
	return err
}

// photo is a message as phones send it, with its preview; the file itself is nobody's concern until it is asked for.
func photo(i int) *waE2E.Message {
	hash := make([]byte, 32)
	return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		URL:        proto.String(fmt.Sprintf("https://mmg.whatsapp.net/v/t62.7118-24/%d_n.enc?ccb=11-4&oh=01_Q5&oe=68&_nc_sid=5e03e0", i)),
		DirectPath: proto.String(fmt.Sprintf("/v/t62.7118-24/%d_n.enc?ccb=11-4&oh=01_Q5&oe=68&_nc_sid=5e03e0", i)),
		Mimetype:   proto.String("image/jpeg"), Caption: proto.String("Barangnya seperti ini Kak"),
		MediaKey: hash, FileSHA256: hash, FileEncSHA256: hash, FileLength: proto.Uint64(183_421),
		Width: proto.Uint32(1200), Height: proto.Uint32(1600), JPEGThumbnail: make([]byte, 2000),
	}}
}
