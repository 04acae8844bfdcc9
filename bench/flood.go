package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"pesan/internal/sim"
)

const (
	flooded     = 100_000 // messages that wait for a device
	floodSender = 20
)

// runFlood measures how much memory a device takes for many messages that waited, and checks that each is counted.
func (b *bench) runFlood(ctx context.Context) ([]row, error) {
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	phone, err := s.NewPhone(phoneNumber(1), sim.PhoneOptions{})
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(b.folder, "flood")
	p, err := b.run(ctx, s, folder)
	if err != nil {
		return nil, err
	}
	key, err := p.addDevice(ctx, "flood")
	if err != nil {
		p.stop()
		return nil, err
	}
	device, err := p.link(ctx, key, phone)
	if err != nil {
		p.stop()
		return nil, err
	}
	if err := device.WaitDrained(ctx); err != nil {
		p.stop()
		return nil, err
	}
	p.stop()
	if err := device.WaitOffline(ctx); err != nil {
		return nil, err
	}
	progress("%d messages begin to wait", flooded)
	at := time.Now().Truncate(time.Second)
	var ids []string
	for i := range floodSender {
		contact, err := s.NewContact(phoneNumber(100+i), "", fmt.Sprint("Kontak ", i))
		if err != nil {
			return nil, err
		}
		for j := range flooded / floodSender {
			text := fmt.Sprintf("Pesan ke-%d: pesanannya sudah kami kirim pagi ini ya Kak", j)
			id, err := contact.Send(ctx, phone, sim.Text(text), sim.SendOptions{Time: at.Add(time.Duration(j/2500) * time.Second)})
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
	}
	progress("they come")
	began := time.Now()
	p, err = b.run(ctx, s, folder)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := device.WaitAcked(ctx, ids...); err != nil {
		return nil, err
	}
	took := time.Since(began)
	peak, err := p.resident("VmHWM")
	if err != nil {
		return nil, err
	}
	counted, err := p.unread(ctx, key)
	if err != nil {
		return nil, err
	}
	return []row{
		{fmt.Sprintf("%d messages that waited: memory at most (%.0f/s)", flooded, flooded/took.Seconds()),
			fmt.Sprintf("%.0f MB", peak/1e6), "150 MB", peak <= 150e6},
		{fmt.Sprintf("%d messages that waited: unread in %d chats", flooded, floodSender),
			fmt.Sprint(counted), fmt.Sprint(flooded), counted == flooded},
	}, nil
}

// unread is the sum of all chats' counts.
func (p *pesan) unread(ctx context.Context, key string) (sum int, err error) {
	body, err := p.call(ctx, "getChats", "apiKey", key)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Results []struct {
			UnreadCount int `json:"unreadCount"`
		} `json:"results"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, err
	}
	for _, c := range answer.Results {
		sum += c.UnreadCount
	}
	return sum, nil
}
