package demo

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim/appstate"
)

// wib is the time zone of Solo.
var wib = time.FixedZone("WIB", 7*60*60)

// write fills the chats with about so many messages. The busiest come first and have the newest.
func (a *Account) write(w *writer, messages int) error {
	a.rank(w.rng)
	a.decide(w.rng)
	total := 0.0
	for i := range a.chats {
		total += weight(i)
	}
	for i, c := range a.chats {
		// From a minute over hours (at a quarter of the chats) and days (at half of them) to half a year.
		place := 200 * float64(i) / float64(len(a.chats))
		age := time.Duration(45*(place+1)*math.Exp(place/26)) * time.Second
		end := a.now.Add(-age - between(w.rng, 0, age/4))
		if err := a.fill(w, c, max(3, int(float64(messages)*weight(i)/total)), end); err != nil {
			return err
		}
		if c.unread > 0 {
			c.leaveUnread()
		}
	}
	slices.SortStableFunc(a.chats, func(x, y *chat) int { return y.last().at.Compare(x.last().at) })
	for _, c := range a.chats {
		a.Conversations = append(a.Conversations, a.conversation(c, w.rng))
	}
	return a.writeStatus(w)
}

func weight(rank int) float64 { return 1 / float64(rank+12) }

// rank shuffles the chats, with family and the larger groups in front.
func (a *Account) rank(rng *rand.Rand) {
	place := map[*chat]float64{}
	for i, c := range a.chats {
		place[c] = rng.Float64()
		if i < len(kin) || c.group != nil && slices.Contains(a.Groups[:len(circles)], c.group) {
			place[c] /= 5
		}
	}
	slices.SortStableFunc(a.chats, func(x, y *chat) int {
		if place[x] < place[y] {
			return -1
		}
		return 1
	})
}

// decide sets what the owner did with the chats.
func (a *Account) decide(rng *rand.Rand) {
	for i, c := range a.chats {
		one := len(c.people) == 1 && c.jid.Server != types.NewsletterServer
		switch {
		case i == 1 || i == 4 || i == 9:
			c.pinned = a.now.Add(-between(rng, 24*time.Hour, 2000*time.Hour))
		case i > 120 && i%6 == 0:
			c.archived = true
		}
		if i > 5 && i < 90 && i%3 == 0 || i == 0 {
			c.unread = 1 + rng.IntN(9)
		}
		c.marked = i > 30 && i < 100 && i%29 == 0
		if one && i%17 == 3 || c.group != nil && i%23 == 0 {
			c.expiration = pick(rng, []uint32{86400, 604800, 7776000})
			c.wrapped = rng.IntN(2) == 0
		}
		switch {
		case i%25 == 7:
			c.muteEnd = appstate.Forever
		case c.group != nil && i%5 == 2:
			c.muteEnd = a.now.Add(between(rng, time.Hour, 300*time.Hour)).UnixMilli()
		case i%61 == 8:
			c.muteEnd = a.now.Add(-between(rng, time.Hour, 300*time.Hour)).UnixMilli() // has run out
		}
	}
}

// fill plays scenes in a chat until it has about n messages, the last of them sent at end.
func (a *Account) fill(w *writer, c *chat, n int, end time.Time) error {
	var all []scene
	for _, theme := range c.themes {
		all = append(all, scenes()[theme]...)
	}
	var program []scene
	for size := 0; size < n; {
		if len(program)%len(all) == 0 {
			w.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
		s := all[len(program)%len(all)]
		program, size = append(program, s), size+len(s)
	}
	ends := make([]time.Time, len(program))
	for i := range slices.Backward(ends) {
		ends[i] = end
		end = end.Add(-between(w.rng, 2*time.Hour, 72*time.Hour))
		if h := end.In(wib).Hour(); h < 7 { // people sleep
			end = end.Add(-time.Duration(h+2) * time.Hour)
		}
	}
	for i, s := range program {
		news, err := w.play(c, s, ends[i])
		if err != nil {
			return err
		}
		c.said = append(c.said, news...)
	}
	return nil
}

// last is the newest message of a chat, which is never empty.
func (c *chat) last() *said { return c.said[len(c.said)-1] }

// leaveUnread takes away what was said after the last message of somebody else, and counts those before it.
func (c *chat) leaveUnread() {
	n := len(c.said)
	for n > 0 && !c.said[n-1].incoming() {
		n--
	}
	if n == 0 {
		c.unread = 0
		return
	}
	c.said = c.said[:n]
	run := 0
	for run < n && c.said[n-1-run].incoming() {
		run++
	}
	c.unread = min(c.unread, run)
}

// incoming says whether m is a message that counts as unread until it is read.
func (m *said) incoming() bool { return m.by != nil && m.content != nil && !m.edits }

// writeStatus makes the status updates of the last day.
func (a *Account) writeStatus(w *writer) error {
	for i, s := range scenes()["status"] {
		c := &chat{jid: types.StatusBroadcastJID, people: a.People[i+3 : i+4]}
		news, err := w.play(c, s, a.now.Add(-between(w.rng, time.Hour, 20*time.Hour)))
		if err != nil {
			return err
		}
		c.said = news
		for _, m := range news {
			info := a.webMessage(c, m)
			info.Participant, info.Key.Participant = new(a.Owner.PN.String()), new(a.Owner.PN.String())
			if m.by != nil {
				info.Participant, info.Key.Participant = new(m.by.PN.String()), new(m.by.PN.String())
			}
			a.Status = append(a.Status, info)
		}
	}
	return nil
}

// applySettings makes the settings of the account.
func (a *Account) applySettings(rng *rand.Rand) {
	add := func(m appstate.Mutation) { a.Settings = append(a.Settings, m) }
	add(appstate.PushName(a.Owner.PushName))
	add(appstate.Locale("id_ID"))
	add(appstate.UnarchiveChats(false))
	for _, p := range a.People {
		if p.Name != "" {
			add(appstate.Contact(p.PN, appstate.ContactName{Full: p.Name, First: firstWord(p.Name), PN: p.PN, LID: p.LID}))
		}
	}
	for i, label := range []string{"Pelanggan baru", "Belum bayar", "Lunas"} {
		add(appstate.Label(string(rune('1'+i)), label, int32(i+2), false))
	}
	for i, c := range a.chats {
		last := c.last()
		switch {
		case c.muteEnd != 0:
			add(appstate.Mute(c.jid, c.muteEnd))
		case i%40 == 11:
			add(appstate.Unmute(c.jid))
		}
		if !c.pinned.IsZero() {
			add(appstate.Pin(c.jid, true))
		}
		if c.archived {
			add(appstate.Archive(c.jid, true, appstate.UpTo(last.at)))
		}
		if c.marked {
			add(appstate.MarkChatAsRead(c.jid, false, appstate.UpTo(last.at)))
		}
		if i%19 == 5 {
			add(appstate.LabelChat(string(rune('1'+rng.IntN(3))), c.jid, true))
		}
		if i%13 == 2 && last.content != nil && !last.edits {
			sender := types.EmptyJID
			if last.by != nil {
				sender = c.address(last.by)
			}
			add(appstate.Star(appstate.Message{Chat: c.jid, ID: last.id, FromMe: last.by == nil, Sender: sender}, true))
		}
		if c.byLID && c.group == nil && !c.people[0].HidesPN && i%2 == 0 {
			add(appstate.PNForLID(c.jid, c.people[0].PN))
		}
	}
}

func firstWord(s string) string {
	for i, r := range s {
		if r == ' ' && i > 0 {
			return s[:i]
		}
	}
	return s
}

// disappearing is the mode of a chat with an expiration.
func disappearing() *waE2E.DisappearingMode {
	return &waE2E.DisappearingMode{
		Initiator: waE2E.DisappearingMode_CHANGED_IN_CHAT.Enum(), Trigger: waE2E.DisappearingMode_CHAT_SETTING.Enum(),
	}
}
