package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim"
)

const (
	many         = 20 // devices
	talkers      = 5  // contacts of each
	countedMails = 300
	soloMails    = 1500
	manyMails    = 300 // of each device
)

// runIncoming measures decrypt → DynamoDB → acknowledged by the session host: one device, and many together.
func (b *bench) runIncoming(ctx context.Context) ([]row, error) {
	c, err := b.startCloud(ctx)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	s, err := sim.New(sim.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	in := &incoming{cloud: c, s: s}
	if err := in.link(ctx); err != nil {
		return nil, err
	}
	progress("letting Java compile what is used")
	if _, err := in.stream(ctx, in.all, manyMails, nil); err != nil {
		return nil, err
	}
	progress("counting the requests of a message")
	count, err := c.count()
	if err != nil {
		return nil, err
	}
	defer count.close()
	if _, err = in.stream(ctx, in.all[:1], countedMails, count.reset, "AWS_ENDPOINT_URL="+count.url()); err != nil {
		return nil, err
	}
	requests, latency := count.result(countedMails - 1)

	progress("one device")
	solo, err := in.stream(ctx, in.all[:1], soloMails, nil)
	if err != nil {
		return nil, err
	}
	progress("%d devices", many)
	together, err := in.stream(ctx, in.all, manyMails, nil)
	if err != nil {
		return nil, err
	}
	cores, ours := runtime.NumCPU(), 1-max(together.others, 0)
	return []row{
		{
			fmt.Sprintf("incoming messages, one device: bound by %.1f requests of %s one after the other; %v", requests,
				ms(latency), solo),
			fmt.Sprintf("%.0f/s", solo.rate), "60/s", solo.rate >= 60,
		},
		{
			fmt.Sprintf("incoming messages, %d devices: bound by the CPU, %.0f %% of %d cores make %.0f/s; %v",
				many, 100*ours, cores, ours*float64(cores)/together.cpu().Seconds(), together),
			fmt.Sprintf("%.0f/s", together.rate), "400/s", together.rate >= 400,
		},
	}, nil
}

// incoming is a world of devices that get messages.
type incoming struct {
	*cloud
	s   *sim.Server
	all []*receiver
}

type receiver struct {
	phone   *sim.Phone
	device  *sim.Device
	talkers []*sim.Contact
}

// link links the devices, and lets every contact say a first word, for which more has to be done than for others.
func (in *incoming) link(ctx context.Context) error {
	progress("linking %d devices", many)
	var phones []*sim.Phone
	for i := range many {
		phone, err := in.s.NewPhone(phoneNumber(1000*(i+1)), sim.PhoneOptions{})
		if err != nil {
			return err
		}
		r := &receiver{phone: phone}
		for j := range talkers {
			contact, err := in.s.NewContact(phoneNumber(1000*(i+1)+j+1), "", fmt.Sprint("Kontak ", j))
			if err != nil {
				return err
			}
			r.talkers = append(r.talkers, contact)
		}
		phones, in.all = append(phones, phone), append(in.all, r)
	}
	p, err := in.run(ctx, in.s)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := linkAll(ctx, in.api, phones); err != nil {
		return err
	}
	for _, r := range in.all {
		r.device = r.phone.Devices()[0]
		ids, err := r.get(ctx, talkers)
		if err != nil {
			return err
		}
		if err := r.device.WaitAcked(ctx, ids...); err != nil {
			return err
		}
	}
	return nil
}

// get queues messages for the device, from every contact in turn.
func (r *receiver) get(ctx context.Context, n int) (ids []string, err error) {
	for i := range n {
		// As phones write today, with a secret that is kept apart.
		message := &waE2E.Message{
			Conversation:       proto.String(fmt.Sprintf("Pesan ke-%d: pesanannya sudah kami kirim pagi ini ya Kak", i)),
			MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: make([]byte, 32)},
		}
		id, err := r.talkers[i%len(r.talkers)].Send(ctx, r.phone, message, sim.SendOptions{})
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// flow is how a stream of messages went: messages a second, the CPU time that each took, and the part of the machine that
// other programs used meanwhile.
type flow struct {
	rate               float64
	host, dynamo, rest time.Duration
	others             float64
}

func (f flow) cpu() time.Duration { return f.host + f.dynamo + f.rest }

func (f flow) String() string {
	return fmt.Sprintf("CPU %s each (host %s, DynamoDB Local %s), %.0f %% of the machine for others",
		ms(f.cpu()), ms(f.host), ms(f.dynamo), 100*max(f.others, 0))
}

// stream lets messages wait for devices that are offline, starts a host, and measures while all of them get messages. It
// calls begun, if given, when the first has arrived.
func (in *incoming) stream(ctx context.Context, to []*receiver, each int, begun func(), env ...string) (f flow, err error) {
	ids := make([][]string, len(to))
	before := make([]int, len(to))
	for i, r := range to {
		if err := r.device.WaitOffline(ctx); err != nil {
			return f, err
		}
		if ids[i], err = r.get(ctx, each); err != nil {
			return f, err
		}
		before[i] = len(r.device.Acks())
	}
	p, err := in.run(ctx, in.s, env...)
	if err != nil {
		return f, err
	}
	defer p.stop()
	if err := to[0].device.WaitAcked(ctx, ids[0][0]); err != nil {
		return f, err
	}
	if begun != nil {
		begun()
	}
	meters := []meter{
		p.cpu,
		func() (time.Duration, error) { return cpuOf(in.dynamoDB.PID) },
		ownCPU,
		busyCPU,
	}
	start := time.Now()
	began, err := read(meters)
	if err != nil {
		return f, err
	}
	for i, r := range to {
		if err := r.device.WaitAcked(ctx, ids[i]...); err != nil {
			return f, err
		}
	}
	ended, err := read(meters)
	if err != nil {
		return f, err
	}
	n, took := time.Duration(each*len(to)), time.Since(start)
	f.host, f.dynamo, f.rest = (ended[0]-began[0])/n, (ended[1]-began[1])/n, (ended[2]-began[2])/n
	f.others = float64(ended[3]-began[3]-n*f.cpu()) / float64(took) / float64(runtime.NumCPU())
	f.rate = rate(to, before)
	return f, nil
}

// rate is how many messages a second were acknowledged while all devices got some.
func rate(to []*receiver, before []int) float64 {
	var first, last time.Time
	var all []time.Time
	for i, r := range to {
		acks := r.device.Acks()[before[i]:]
		if one := acks[0].Time; one.After(first) {
			first = one
		}
		if one := acks[len(acks)-1].Time; last.IsZero() || one.Before(last) {
			last = one
		}
		for _, a := range acks {
			all = append(all, a.Time)
		}
	}
	all = slices.DeleteFunc(all, func(t time.Time) bool { return t.Before(first) || t.After(last) })
	return float64(len(all)-1) / last.Sub(first).Seconds()
}

// meter tells processor time used so far.
type meter func() (time.Duration, error)

func read(meters []meter) (values []time.Duration, err error) {
	for _, meter := range meters {
		value, err := meter()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
