package whatsapp

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/sim"
	"pesan/internal/whatsapp/translate"
)

func TestGroup(t *testing.T) {
	for _, byLID := range []bool{false, true} {
		name := "by number"
		if byLID {
			name = "by LID"
		}
		t.Run(name, func(t *testing.T) { testGroup(t, byLID) })
	}
}

func testGroup(t *testing.T, byLID bool) {
	w := linkedWorld(t)
	budi, citra, dewi := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra"), w.contact("6281200000004", "Dewi")
	g, err := w.server.NewGroup("Arisan", budi, sim.GroupOptions{ByLID: byLID}, w.phone.Contact, citra)
	w.ok(err)
	group := jidOf(g.JID())
	document := func() string { v, _ := w.shown(group); return string(v.Document) }
	member := func(c *sim.Contact, rank string) string {
		return `{"rank":"` + rank + `","userJid":"` + string(jid(c)) + `"}`
	}
	w.eventually("group", func() bool { return strings.Contains(document(), `"name":"Arisan"`) })
	says(t, document(), member(citra, "REGULAR"))

	id, err := citra.SendGroup(w.soon(), g, sim.Text("halo semua"), sim.SendOptions{})
	w.ok(err)
	w.acked(id)
	w.says1(group, `"body":"halo semua"`, `"isGroupMsg":true`, `"sender":"6281200000003@s.whatsapp.net"`,
		`"participant":"6281200000003@s.whatsapp.net"`, `"pushName":"Citra"`)

	w.ok(g.SetSubject(w.soon(), budi, "Arisan RT 5"))
	w.ok(g.Add(w.soon(), budi, dewi))
	w.ok(g.Promote(w.soon(), budi, citra))
	w.eventually("changes", func() bool { return strings.Contains(document(), member(citra, "ADMIN")) })
	says(t, document(), `"name":"Arisan RT 5"`, member(dewi, "REGULAR"))
	w.ok(g.Remove(w.soon(), budi, dewi))
	w.ok(g.SetEphemeral(w.soon(), budi, 86400))
	w.ok(g.SetTopic(w.soon(), budi, "Tiap Minggu"))
	w.eventually("topic", func() bool { return strings.Contains(document(), `"description":"Tiap Minggu"`) })
	says(t, document(), `"ephemeralExpiration":86400`)
	if strings.Contains(document(), string(jid(dewi))) {
		t.Errorf("who left is still there: %s", document())
	}

	mine := w.written(g.JID(), sim.Text("siap"))
	w.ok(citra.SendReceipt(w.soon(), w.phone, sim.Receipt{Type: types.ReceiptTypeRead, IDs: []string{mine}, Group: g, ByLID: byLID}))
	w.eventually("read by Citra", func() bool {
		all := w.messages(group)
		return len(all) == 2 && strings.Contains(all[1], `"userJid":"6281200000003@s.whatsapp.net"`)
	})

	// Citra is an admin now: she may delete others' messages.
	revoked, err := budi.SendGroup(w.soon(), g, sim.Text("salah kirim"), sim.SendOptions{})
	w.ok(err)
	w.acked(revoked)
	revoke, err := citra.SendGroup(w.soon(), g, sim.Revoke(g.JID(), revoked), sim.SendOptions{})
	w.ok(err)
	w.acked(revoke)
	all := w.messages(group)
	says(t, all[len(all)-1], field("id", `"`+revoked+`"`), `"messageStubType":"REVOKE"`)
}

// TestUnknownGroup is about a group that is older than the link and in no history.
func TestUnknownGroup(t *testing.T) {
	w := linkedWorld(t)
	budi := w.contact("6281200000002", "Budi")
	g, err := w.server.NewGroup("Alumni", budi, sim.GroupOptions{Silent: true}, w.phone.Contact)
	w.ok(err)
	id, err := budi.SendGroup(w.soon(), g, sim.Text("apa kabar"), sim.SendOptions{})
	w.ok(err)
	w.acked(id)
	w.eventually("its name", func() bool {
		v, ok := w.shown(jidOf(g.JID()))
		return ok && strings.Contains(string(v.Document), `"name":"Alumni"`)
	})
}

// TestGroupAskedAgain: a question that WhatsApp doesn't answer now is asked again with growing pauses, also after a restart,
// and doesn't hold up those for other groups.
func TestGroupAskedAgain(t *testing.T) {
	for _, code := range []int{408, 429, 500, 503, 530} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
			var most atomic.Int32
			var long atomic.Bool
			w.devices.retryAfter = func(n int) time.Duration {
				if long.Load() {
					return time.Hour
				}
				most.Store(max(most.Load(), int32(n)))
				return 5 * time.Millisecond
			}
			w.link()
			most.Store(0)
			budi := w.contact("6281200000002", "Budi")
			write := func(name string) chat.JID {
				g, err := w.server.NewGroup(name, budi, sim.GroupOptions{Silent: true}, w.phone.Contact)
				w.ok(err)
				id, err := budi.SendGroup(w.soon(), g, sim.Text("apa kabar"), sim.SendOptions{})
				w.ok(err)
				w.acked(id)
				return jidOf(g.JID())
			}
			named := func(group chat.JID, name string) {
				w.eventually(name, func() bool {
					v, ok := w.shown(group)
					return ok && strings.Contains(string(v.Document), field("name", `"`+name+`"`))
				})
			}
			w.linked.Inject(sim.Fault{Kind: sim.RefuseQuery, For: "w:g2", Code: code, Times: 3})
			named(write("Alumni"), "Alumni")
			if most.Load() != 3 {
				t.Errorf("%d failures, want 3", most.Load())
			}

			long.Store(true)
			refused := w.linked.Inject(sim.Fault{Kind: sim.RefuseQuery, For: "w:g2", Code: code, Times: 1})
			waits := write("Arisan")
			w.eventually("the refusal", func() bool { return refused.Hits() == 1 })
			if code != 429 {
				named(write("Keluarga"), "Keluarga")
			}
			w.ok(w.halt())
			w.open()
			w.run()
			named(waits, "Arisan")
		})
	}
}

// TestGroupOrderOverARestart: what WhatsApp tells of a group within a second counts in the order in which it comes, also where
// the host was started anew in between; and who comes back into an old group is in it.
func TestGroupOrderOverARestart(t *testing.T) {
	group := types.NewJID("120363000000000078", types.GroupServer)
	ani, own := types.NewJID("6281300000001", types.DefaultUserServer), types.NewJID(ownNumber, types.DefaultUserServer)
	at := time.Unix(1_800_000_000, 0)
	info := types.GroupInfo{
		JID: group, GroupName: types.GroupName{Name: "Zona", NameSetAt: at}, GroupCreated: at.Add(-time.Hour), ParticipantCount: 2,
		Participants: []types.GroupParticipant{{JID: ani}, {JID: own}},
	}
	told := []any{
		&events.JoinedGroup{GroupInfo: info},
		&events.GroupInfo{JID: group, Timestamp: at, Leave: []types.JID{ani}, Name: &types.GroupName{Name: "Z"}},
		&events.GroupInfo{JID: group, Timestamp: at, Join: []types.JID{ani}, Name: &types.GroupName{Name: "A"}},
		&events.GroupInfo{JID: group, Timestamp: at, Promote: []types.JID{ani}},
		&events.GroupInfo{JID: group, Timestamp: at, Demote: []types.JID{ani}, Ephemeral: &types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: 604800}},
		&events.GroupInfo{JID: group, Timestamp: at, Leave: []types.JID{ani}, Ephemeral: &types.GroupEphemeral{}},
		&events.GroupInfo{JID: group, Timestamp: at, Leave: []types.JID{own}},
		&events.JoinedGroup{GroupInfo: info},
	}
	member := `"userJid":"` + ani.String() + `"`
	shows := [][]string{
		{`"name":"Zona"`, member, `"readOnly":false`}, {`"name":"Z"`, "!" + member}, {`"name":"A"`, `{"rank":"REGULAR",` + member},
		{`{"rank":"ADMIN",` + member}, {`{"rank":"REGULAR",` + member, `"ephemeralExpiration":604800`},
		{"!" + member, `"ephemeralExpiration":0`}, {"!" + own.String() + `"}`, `"readOnly":true`}, {`"readOnly":false`, member, own.String()},
	}
	w := linkedWorld(t)
	for i, evt := range told {
		if i > 0 {
			w.ok(w.halt())
			w.open()
			w.run()
		}
		var r *run
		w.eventually("the device to run", func() bool {
			current, err := w.device.(*device).current()
			r = current
			return err == nil && r.online.Load()
		})
		if !r.handle(evt) {
			t.Fatalf("%T isn't taken", evt)
		}
		r.behind.wait()
		v, _ := w.shown(jidOf(group))
		for _, want := range shows[i] {
			if not, isNot := strings.CutPrefix(want, "!"); strings.Contains(string(v.Document), not) == isNot {
				t.Errorf("after %d it shows %s\nwant %s", i, v.Document, want)
			}
		}
	}
}

// members are a group's as the API shows them, sorted, each with WhatsApp's rank, and whether the account is none of them.
func (w *world) members(g *sim.Group) (members []string, readOnly bool) {
	v, err := w.store.WholeChat(w.soon(), account, jidOf(g.JID()))
	if err != nil {
		return nil, false
	}
	var row struct {
		Participant []struct{ Rank, UserJID string }
		ReadOnly    bool
	}
	w.ok(json.Unmarshal(render.AppendChat(nil, &v, render.Single, time.Now()), &row))
	for _, p := range row.Participant {
		members = append(members, chat.JID(p.UserJID).User()+" "+p.Rank)
	}
	slices.Sort(members)
	return members, row.ReadOnly
}

// TestAddedAgain: who is added to a group again gets to know who has left it meanwhile, and who has come.
func TestAddedAgain(t *testing.T) {
	for _, off := range []bool{false, true} {
		w := linkedWorld(t)
		budi, citra, dewi := w.contact("6281200000002", "Budi"), w.contact("6281200000003", "Citra"), w.contact("6281200000004", "Dewi")
		g, err := w.server.NewGroup("Arisan", budi, sim.GroupOptions{ByLID: off}, w.phone.Contact, citra)
		w.ok(err)
		shows := func(what string, members ...string) {
			t.Helper()
			w.eventually(what, func() bool {
				here, readOnly := w.members(g)
				return slices.Equal(here, members) && readOnly == !strings.Contains(fmt.Sprint(members), ownNumber)
			})
		}
		shows("the members", ownNumber+" REGULAR", "6281200000002 SUPERADMIN", "6281200000003 REGULAR")
		w.ok(g.Remove(w.soon(), budi, w.phone.Contact))
		shows("the end", "6281200000002 SUPERADMIN", "6281200000003 REGULAR")
		if off {
			w.ok(w.halt())
		}
		w.ok(g.Remove(w.soon(), budi, citra))
		w.ok(g.Add(w.soon(), budi, dewi))
		w.ok(g.Promote(w.soon(), budi, dewi))
		w.ok(g.Add(w.soon(), budi, w.phone.Contact))
		if off {
			w.open()
			w.run()
		}
		shows("the members now", ownNumber+" REGULAR", "6281200000002 SUPERADMIN", "6281200000004 ADMIN")
	}
}

// TestQuestionsForOneGroup: while a group is asked for it changes again, and the process ends with the first answer: the second question
// is still there.
func TestQuestionsForOneGroup(t *testing.T) {
	w := linkedWorld(t)
	w.fetched()
	jid := chat.JID("120363000000000042@g.us")
	wire := translate.WireJID(jid)
	waits := func() (ids []string) {
		items, err := w.stores(nil).Backlog.ListBacklog(w.soon(), account)
		w.ok(err)
		for _, item := range items {
			if strings.HasSuffix(item.ID, string(jid)) {
				ids = append(ids, item.ID)
			}
		}
		return ids
	}
	g := newGroups(w.device.(*device).running) // nobody answers
	g.asker = newErrand(func(func()) bool { return true }, func() {})
	w.ok(g.Backlog.PutBacklog(w.soon(), account, groupPrefix+string(jid), nil))
	g.want(jid, true)
	added := &events.GroupInfo{JID: wire, Join: []types.JID{w.phone.PN()}}
	w.ok(g.changed(added))
	w.ok(g.ends(groupPrefix+string(jid), true))
	item := anewPrefix + string(jid)
	if got := waits(); len(got) != 1 || got[0] != item {
		t.Errorf("after the first answer the backlog has %q", got)
	}
	w.ok(g.changed(added))
	w.ok(g.ends(item, true))
	if got := waits(); len(got) != 1 || got[0] != item {
		t.Errorf("after the second answer of three the backlog has %q", got)
	}
	w.ok(g.ends(item, true))
	if got := waits(); len(got) != 0 {
		t.Errorf("after the last answer the backlog has %q", got)
	}
}
