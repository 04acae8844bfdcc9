package sim_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow/types/events"
	"go.uber.org/goleak"

	"pesan/internal/sim"
)

// Close ends everything: connections in every state, and whatever works for them.
func TestCloseLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	server := must(sim.New(sim.Options{Root: root}))(t)
	for _, bytes := range [][]byte{{}, clientHello(t), clientHello(t)[:9]} {
		ws, _, err := websocket.Dial(soon(t), "ws://"+server.Address()+"/ws/chat", &websocket.DialOptions{
			HTTPHeader: map[string][]string{"Origin": {"https://web.whatsapp.com"}},
		})
		check(t, err)
		t.Cleanup(func() { _ = ws.CloseNow() })
		check(t, ws.Write(soon(t), websocket.MessageBinary, bytes))
	}
	client := server.HTTPClient()
	resp := must(client.Get("https://web.whatsapp.com/"))(t)
	check(t, resp.Body.Close())
	equal(t, "status", resp.StatusCode, 200)
	check(t, server.Close())
	client.CloseIdleConnections()
	goleak.VerifyNone(t, before)
	if _, err := client.Get("https://web.whatsapp.com/"); err == nil {
		t.Error("a closed server answered")
	}
	check(t, server.Close())
}

// Many senders at once, groups and private, changes on the phone, and drops: each message is seen, in each sender's order.
func TestTraffic(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	c, other := w.linked(), w.linked()
	const people, each = 5, 40
	ids := make([][]string, people)
	var wg sync.WaitGroup
	for i := range people {
		who := w.contact(fmt.Sprintf("62812000000%02d", i+10), "Orang")
		g := must(w.server.NewGroup(fmt.Sprint("Grup ", i), who, sim.GroupOptions{ByLID: i%2 == 0}, w.phone.Contact))(t)
		wg.Go(func() {
			for n := range each {
				o := sim.SendOptions{ByLID: n%3 == 0}
				var id string
				var err error
				switch n % 4 {
				case 0:
					id, err = who.SendGroup(t.Context(), g, sim.Text("grup"), o)
				case 1:
					id, err = w.phone.SendFromPhone(t.Context(), who.PN(), sim.Text("sendiri"), o)
				default:
					id, err = who.Send(t.Context(), w.phone, sim.Text("langsung"), o)
				}
				if err == nil && n%10 == 0 {
					err = w.phone.Mute(t.Context(), who.PN(), forever)
				}
				if err != nil {
					t.Error(err)
				}
				ids[i] = append(ids[i], id)
			}
		})
	}
	for range 3 {
		c.dropAndReturn()
	}
	wg.Wait()
	for _, to := range []*client{c, other} {
		for i := range people {
			check(t, to.device.WaitAcked(soon(t), ids[i]...))
			for _, id := range ids[i] {
				waitMessage(to, id)
			}
		}
		equal(t, "undecryptable", count[*events.UndecryptableMessage](to, nil), 0)
	}
}
