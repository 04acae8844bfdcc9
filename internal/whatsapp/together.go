package whatsapp

import (
	"context"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/appstate"

	"pesan/internal/chat"
)

// Connected implements host.Device.
func (d *device) Connected() bool {
	_, err := d.connected()
	return err == nil
}

// prepared is how many changes are made ready at a time.
const prepared = 16

// Together implements host.Device.
func (d *device) Together(ctx context.Context, commands []chat.Command) (map[int]error, error) {
	r, err := d.connected()
	if err != nil {
		return nil, err
	}
	if len(commands) == 0 {
		return nil, nil
	}
	if !inPatch(commands[0]) {
		return map[int]error{0: r.changeChat(ctx, commands[0])}, nil
	}
	return r.changeTogether(ctx, commands), nil
}

// inPatch tells whether a command is a change of the app state. A channel's mute has a call of its own.
func inPatch(c chat.Command) bool {
	return collectionOf(c) != ""
}

// collectionOf is the collection of the app state that a command changes, "" for none.
func collectionOf(c chat.Command) appstate.WAPatchName {
	row, _ := chat.ChatCommandOf(c.Kind)
	if row.Fits(c) != nil {
		return ""
	}
	switch row.Setting {
	case chat.MuteSetting:
		if c.Chat.Kind() == chat.Newsletter {
			return ""
		}
		return appstate.WAPatchRegularHigh
	case chat.StarSetting, chat.ClearSetting, chat.DeleteSetting:
		return appstate.WAPatchRegularHigh
	case chat.PinSetting, chat.ArchiveSetting, chat.ReadSetting:
		return appstate.WAPatchRegularLow
	}
	return ""
}

// changeTogether makes one patch of the commands that belong into the collection of the first, and sends it.
func (r *run) changeTogether(ctx context.Context, commands []chat.Command) map[int]error {
	ended := make(map[int]error)
	name := collectionOf(commands[0])
	if r.sync.isStale(name) { // what was sent shows when it is fetched, which is about to happen
		return ended
	}
	since := r.states.changed.Load()
	var (
		patch   packing
		which   []int
		changes []appstate.PatchInfo
		full    bool
	)
	pins := 0
	var candidates []int
	for i, c := range commands {
		if collectionOf(c) == name {
			candidates = append(candidates, i)
		}
	}
	for len(candidates) > 0 && !full {
		some := candidates[:min(prepared, len(candidates))]
		candidates = candidates[len(some):]
		ready, err := r.prepareAll(ctx, commands, some)
		if err != nil {
			ended[some[0]] = err // the others wait for the next patch
			return ended
		}
		for n, i := range some {
			p := ready[n]
			switch {
			case p.err != nil || p.done:
				ended[i] = p.err
				continue
			case commands[i].Kind == chat.PinCommand: // whether there is room for one more shows when the one before is there
				if pins++; pins > 1 {
					continue
				}
			}
			if !patch.take(p.change) {
				full = full || !patch.room()
				continue
			}
			which, changes = append(which, i), append(changes, p.change)
		}
	}
	if len(changes) == 0 {
		return ended
	}
	errs := r.setAll(ctx, changes, &again{since, func(ctx context.Context, n int) (appstate.PatchInfo, bool, error) {
		p := r.prepare(ctx, commands[which[n]])
		return p.change, p.done, p.err
	}})
	for n, i := range which {
		ended[i] = errs[n]
	}
	return ended
}

// room tells whether another change of usual size fits.
func (p *packing) room() bool { return p.count < maxMutations && p.size+usualChange <= maxPatch }

// usualChange is what a mute takes in a patch.
const usualChange = 200

// ready is a change that a command asks for; done says that the chat is so already.
type ready struct {
	change appstate.PatchInfo
	done   bool
	err    error
}

func (r *run) prepareAll(ctx context.Context, commands []chat.Command, which []int) ([]ready, error) {
	jids := make([]chat.JID, len(which))
	for n, i := range which {
		jids[n] = commands[i].Chat
	}
	if err := r.Chats.Prefetch(ctx, r.account, jids); err != nil {
		return nil, err
	}
	all := make([]ready, len(which))
	var wg sync.WaitGroup
	for n, i := range which {
		wg.Go(func() { all[n] = r.prepare(ctx, commands[i]) })
	}
	wg.Wait()
	return all, nil
}

func (r *run) prepare(ctx context.Context, c chat.Command) (p ready) {
	row, _ := chat.ChatCommandOf(c.Kind)
	if p.done, p.err = r.already(ctx, c, row); p.done || p.err != nil {
		return p
	}
	index, err := r.index(ctx, c.Chat)
	if err == nil && row.Setting == chat.ReadSetting && row.On && !c.Quiet {
		err = r.giveReceipts(ctx, c, index)
	}
	if err == nil {
		p.change, err = r.patchFor(ctx, c, row, index)
		p.change.Timestamp = r.wished(c)
	}
	p.err = err
	return p
}

// already tells whether the chat is as a command wants it: by an attempt before whose outcome wasn't recorded, as a rule. Then
// nothing is sent a second time.
func (r *run) already(ctx context.Context, c chat.Command, row chat.ChatCommand) (done bool, err error) {
	if done, err := r.gone(ctx, c, row.Setting); done || err != nil {
		return done, err
	}
	var ids []string
	if c.Message != "" {
		ids = []string{c.Message}
	}
	err = r.look(ctx, c.Chat, ids, func(t *chat.Thread) error {
		switch row.Setting {
		case chat.MuteSetting:
			end := int64(0)
			if row.On {
				end = c.MuteEnd()
			}
			done = sameMute(t.Chat.Mute.Value, end, r.Now())
		case chat.PinSetting:
			done = (t.Chat.Pin.Value != 0) == row.On
		case chat.ArchiveSetting:
			done = t.Chat.InArchive() == row.On && (!row.On || t.Chat.Pin.Value == 0)
		case chat.ReadSetting:
			unread, _ := t.Chat.UnreadCount()
			if row.On {
				done = unread == 0 && !t.Chat.MarkedUnread.Value
			} else {
				done = t.Chat.Marked()
			}
		case chat.StarSetting:
			m := t.Messages[c.Message]
			done = m != nil && m.Starred.Value == row.On
		}
		return nil
	})
	return done, err
}

// sameMute compares two ends of a mute: WhatsApp keeps seconds, and an end that has passed is none.
func sameMute(have, want int64, now time.Time) bool {
	if want == 0 {
		return !chat.MutedAt(have, now)
	}
	return have == want || have > 0 && want > 0 && have/1000 == want/1000
}
