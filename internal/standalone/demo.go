package standalone

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
	"pesan/internal/sim"
	"pesan/internal/sim/demo"
	"pesan/internal/whatsapp"
)

// demoSeed makes the demo's inbox the same each time.
const demoSeed = 1

// Demo serves an inbox on a simulated WhatsApp until ctx ends, in a folder of its own that goes with it.
func Demo(ctx context.Context, c Config, globals whatsapp.Globals) (err error) {
	started := time.Now()
	c.Sync = false // nothing is kept
	c.anyPort, c.Loopback = true, true
	if c.Folder, err = os.MkdirTemp("", "pesan-demo-"); err != nil {
		return fmt.Errorf("make demo folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.Folder)) }()
	server, err := sim.New(sim.Options{OnViolation: func(v sim.Violation) {
		c.Logger.Warn("simulated WhatsApp refuses", "violation", fmt.Sprint(v))
	}})
	if err != nil {
		return fmt.Errorf("start simulated WhatsApp: %w", err)
	}
	defer server.Close()
	root := server.RootKey()
	globals.Address, globals.RootKey = server.Address(), hex.EncodeToString(root[:])
	if c.WhatsApp, err = globals.Set(); err != nil {
		return err
	}
	p, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer p.close()
	p.say("%s", p.demoStart)
	account, err := demo.Inbox(demoSeed, started)
	if err != nil {
		return err
	}
	world, err := demo.NewWorld(ctx, server, account)
	if err != nil {
		return err
	}
	show := &show{program: p, world: world, started: started}
	if show.device, show.key, err = p.addDevice(ctx, p.firstName, true); err != nil {
		return err
	}
	if show.spare, _, err = p.addDevice(ctx, p.spareName, false); err != nil {
		return err
	}
	if err := p.serve(ctx, show.run); err != nil {
		return err
	}
	p.say("%s", p.stopped)
	return nil
}

// show is a demo under way.
type show struct {
	*program
	world   *demo.World
	started time.Time
	device  chat.Account
	key     string
	spare   chat.Account // for calls that rename or delete a device

	receiver  string      // URL that takes webhooks
	explained atomic.Bool // webhooks are shown from then on
}

func (s *show) run(ctx context.Context) error {
	err := s.link(ctx)
	if err == nil {
		err = s.fill(ctx)
	}
	if err == nil {
		err = s.receive(ctx)
	}
	if err == nil {
		err = s.explain(ctx)
	}
	if err == nil {
		s.explained.Store(true)
		err = s.world.Traffic(ctx, demo.TrafficOptions{Seed: uint64(s.started.UnixNano())})
	}
	if ctx.Err() != nil {
		s.say("%s", s.stopping)
		return nil
	}
	return err
}

// link lets the phone scan the code as soon as there is one.
func (s *show) link(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.accounts.changed:
		}
		for _, a := range s.accounts.take() {
			if a.QR == "" {
				continue
			}
			if _, err := s.world.Phone.ScanQR(ctx, a.QR); err != nil {
				return fmt.Errorf("scan code: %w", err)
			}
			return nil
		}
	}
}

// fill waits until every chat of the phone is there.
func (s *show) fill(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	want := len(s.world.Account.Conversations)
	for {
		views, _, err := s.store.Chats(ctx, s.device.ID, chat.Filter{}, chat.Page{Limit: want}, time.Now())
		if err != nil {
			return fmt.Errorf("count chats: %w", err)
		}
		if len(views) == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// shownHooks is how many webhooks are shown as they arrive.
const shownHooks = 5

// receive starts a receiver, which shows the first webhooks that arrive once the calls are explained, and has the device's events
// sent to it.
func (s *show) receive(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for webhooks: %w", err)
	}
	s.receiver = "http://" + l.Addr().String() + "/"
	var shown atomic.Int32
	server := &http.Server{ReadTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct {
			Type    string
			Results struct{ To string }
		}
		if json.NewDecoder(r.Body).Decode(&event) == nil && s.explained.Load() && shown.Add(1) <= shownHooks {
			s.say(s.demoHook, event.Type, event.Results.To, r.Header.Get("webhook-id"))
		}
	})}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() { _ = server.Serve(l) }()
	secret, err := chat.NewHookSecret(rand.Reader)
	if err != nil {
		return err
	}
	end, err := s.store.End(ctx, s.device.ID)
	if err != nil {
		return fmt.Errorf("set webhook: %w", err)
	}
	hook := chat.Hook{URL: s.receiver, CreatedAt: time.Now(), Since: end.Seq}
	return s.hooks.SetHook(ctx, s.device.ID, hook, secret)
}

func (s *show) explain(ctx context.Context) error {
	example, err := s.example(ctx)
	if err != nil {
		return err
	}
	chats, messages := s.world.Account.Conversations, 0
	for _, c := range chats {
		messages += len(c.GetMessages())
	}
	s.say(s.demoReady, time.Since(s.started).Seconds(), len(chats), messages)
	s.say("\n"+s.demoPage, s.url()+"/#key="+s.key)
	s.say("\n"+s.demoKey, s.key)
	s.say(s.demoSecret, s.secret)
	s.say("\n%s\n", s.allCalls)
	for _, line := range s.calls(example) {
		s.say("%s", line)
	}
	s.say("\n"+s.demoNews, curl(s.url(), "getChanges", "apiKey="+s.key, "wait=20"))
	s.say("\n"+s.demoBatch, s.url(), s.key, os.Args[0])
	s.say("\n"+s.demoMCP, s.url(), s.key, s.url(), s.key, os.Args[0])
	s.say("\n%s", s.demoLive)
	s.say("%s", s.toStop)
	return nil
}

// example finds what the calls are about: somebody whose chat is there to be changed, a message there, and a pinned chat.
func (s *show) example(ctx context.Context) (*strings.Replacer, error) {
	no, yes, now := false, true, time.Now()
	views, _, err := s.store.Chats(ctx, s.device.ID, chat.Filter{Kind: chat.Private, Muted: &no, Archived: &no, Pinned: &no},
		chat.Page{Limit: 100}, now)
	if err != nil {
		return nil, fmt.Errorf("find an example: %w", err)
	}
	pinned, _, err := s.store.Chats(ctx, s.device.ID, chat.Filter{Pinned: &yes}, chat.Page{Limit: 1}, now)
	if err != nil {
		return nil, fmt.Errorf("find a pinned chat: %w", err)
	}
	for _, v := range views {
		if !v.JID.IsPN() || len(pinned) == 0 {
			continue
		}
		page, err := s.store.Messages(ctx, s.device.ID, v.JID, chat.Page{Limit: 1}, now)
		if err != nil {
			return nil, fmt.Errorf("find a message: %w", err)
		}
		if len(page.Messages) > 0 {
			group, poll, err := s.groups(ctx, now)
			if err != nil {
				return nil, err
			}
			return strings.NewReplacer("{group}", group, "{pollChat}", poll.Chat.Echo(), "{poll}", poll.Messages[0].ID,
				"{phone}", v.JID.Echo(), "{message}", page.Messages[0].ID, "{pinned}", pinned[0].JID.Echo(),
				"{id}", s.spare.ID, "{receiver}", s.receiver), nil
		}
	}
	return nil, errors.New("the demo has no private chat with messages, or no pinned one")
}

// groups finds a group and a poll.
func (s *show) groups(ctx context.Context, now time.Time) (group string, poll chat.Conversation, err error) {
	groups, _, err := s.store.Chats(ctx, s.device.ID, chat.Filter{Kind: chat.Group}, chat.Page{Limit: 1}, now)
	if err != nil {
		return "", poll, fmt.Errorf("find a group: %w", err)
	}
	all, _, err := s.store.Chats(ctx, s.device.ID, chat.Filter{}, chat.Page{Limit: 1000}, now)
	if err != nil {
		return "", poll, fmt.Errorf("find a poll: %w", err)
	}
	for _, v := range all {
		page, err := s.store.Messages(ctx, s.device.ID, v.JID, chat.Page{Limit: 1000}, now)
		if err != nil {
			return "", poll, fmt.Errorf("find a poll: %w", err)
		}
		for _, m := range page.Messages {
			if len(groups) > 0 && strings.Contains(string(m.Document), `"pollResults":`) {
				return groups[0].JID.Echo(), chat.Conversation{Chat: v.JID, Messages: []chat.MessageView{m}}, nil
			}
		}
	}
	return "", poll, errors.New("the demo has no group or no poll")
}

// calls has a line for every endpoint that has something to do here, and empty lines between their groups. They are in an order
// in which all succeed.
func (s *show) calls(values *strings.Replacer) []string {
	var lines []string
	var last httpapi.Group
	for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
		if e.Idle != "" {
			continue
		}
		if last != "" && last != e.Group {
			lines = append(lines, "")
		}
		last = e.Group
		params := []string{"apiKey=" + s.key}
		if e.Auth == httpapi.BySecret {
			params[0] = "secret=" + s.secret
		}
		for _, p := range e.Example {
			params = append(params, values.Replace(p))
		}
		lines = append(lines, curl(s.url(), e.Name, params...))
	}
	return lines
}
