package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"pesan/internal/sim"
)

// idle is how many linked devices are held while nothing happens.
const idle = 200

// runMemory measures the resident memory of idle linked devices, in Pesan on SQLite and in the session host on DynamoDB
// against whatsmeow alone. What a program needs without devices is in it, for all.
func (b *bench) runMemory(ctx context.Context) ([]row, error) {
	progress("whatsmeow alone")
	alone, err := b.residentIdle(ctx, "idle-alone", b.linkClient)
	if err != nil {
		return nil, err
	}
	compare := func(what, name string, goal float64, link linker) (row, error) {
		progress("%s", what)
		ours, err := b.residentIdle(ctx, name, link)
		return row{
			fmt.Sprintf("resident memory of %d idle devices, %s: %.0f MB against whatsmeow alone, %.0f MB", idle, what,
				ours/1e6, alone/1e6),
			fmt.Sprintf("%.2f ×", ours/alone), fmt.Sprintf("%.1f ×", goal), ours/alone <= goal,
		}, err
	}
	embedded, err := compare("Pesan on SQLite", "idle-pesan", 1.4, b.linkPesan)
	if err != nil {
		return nil, err
	}
	c, err := b.startCloud(ctx)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	host, err := compare("session host on DynamoDB", "idle-host", 1.6, c.link)
	if err != nil {
		return nil, err
	}
	return []row{embedded, host}, nil
}

func (b *bench) residentIdle(ctx context.Context, name string, link linker) (float64, error) {
	s, err := sim.New(sim.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var phones []*sim.Phone
	for i := range idle {
		phone, err := s.NewPhone(phoneNumber(1000+i), sim.PhoneOptions{})
		if err != nil {
			return 0, err
		}
		phones = append(phones, phone)
	}
	again, err := link(ctx, s, filepath.Join(b.folder, name), phones)
	if err != nil {
		return 0, err
	}
	process, err := again()
	if err != nil {
		return 0, err
	}
	defer process.stop()
	for _, phone := range phones {
		device := phone.Devices()[0]
		if err := device.WaitLogins(ctx, 2); err != nil {
			return 0, err
		}
		if err := device.WaitOnline(ctx); err != nil {
			return 0, err
		}
	}
	// What the logins left behind is given back to the system within some garbage collections.
	quiet := time.NewTimer(quietTime)
	defer quiet.Stop()
	select {
	case <-quiet.C:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return process.resident("VmRSS")
}

const quietTime = 2*time.Minute + 30*time.Second
