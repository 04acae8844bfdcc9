package sim

import (
	"container/list"
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Ack is one acknowledgement by a device.
type Ack struct {
	Time   time.Time
	Device types.JID
	Class  string // message, receipt or notification
	ID     string
	From   types.JID // whom the stanza came from
	// Kind is how it was acknowledged: "delivered", "inactive" or "sender" by a receipt, "ack" or "nack <code>" by an ack.
	Kind string
}

// stanzaKey is what an acknowledgement repeats of a stanza.
type stanzaKey struct {
	class, id         string
	kind              string // type of a receipt or a notification
	from, participant types.JID
}

// stanza is what the server keeps for a device until it is acknowledged.
type stanza struct {
	key     stanzaKey
	data    []byte // marshalled once; only an attribute is added for a later delivery
	*parcel        // of a message by somebody in the simulator; else nil
	retry   *retry // the device asked for another copy; guarded by Device.mu
}

// parcel is mail as it was encrypted for one device.
type parcel struct {
	mail  *mail
	epoch int // of the Signal session
}

// queue keeps a device's stanzas in order until they are acknowledged. It is safe for concurrent use.
type queue struct {
	mu      sync.Mutex
	order   list.List // of *stanza
	byKey   map[stanzaKey]*list.Element
	seed    maphash.Seed
	done    map[uint64]struct{} // hashes of the keys that were acknowledged
	doneIDs map[string]struct{}
	changed notifier
}

func (q *queue) add(st *stanza) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byKey == nil {
		q.seed, q.byKey = maphash.MakeSeed(), map[stanzaKey]*list.Element{}
		q.done, q.doneIDs = map[uint64]struct{}{}, map[string]struct{}{}
	}
	if old, on := q.byKey[st.key]; on {
		q.order.Remove(old)
	}
	q.byKey[st.key] = q.order.PushBack(st)
}

// find returns a pending stanza; known is also true for one that was acknowledged before.
func (q *queue) find(key stanzaKey) (st *stanza, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e, on := q.byKey[key]; on {
		return e.Value.(*stanza), true
	}
	if q.byKey == nil {
		return nil, false
	}
	_, known = q.done[maphash.Comparable(q.seed, key)]
	return nil, known
}

// ack takes a stanza off the queue.
func (q *queue) ack(key stanzaKey) {
	q.mu.Lock()
	if e, on := q.byKey[key]; on {
		q.order.Remove(e)
		delete(q.byKey, key)
		q.done[maphash.Comparable(q.seed, key)] = struct{}{}
		q.doneIDs[key.id] = struct{}{}
	}
	q.mu.Unlock()
	q.changed.tell()
}

func (q *queue) acked(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, on := q.doneIDs[id]
	return on
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.order.Len()
}

// clear drops everything; late acknowledgements are still known.
func (q *queue) clear() {
	q.mu.Lock()
	for key := range q.byKey {
		q.done[maphash.Comparable(q.seed, key)] = struct{}{}
	}
	clear(q.byKey)
	q.order.Init()
	q.mu.Unlock()
	q.changed.tell()
}

// offline is everything pending, as a device gets it when it comes online: a preview, the stanzas marked as offline, the
// count.
func (q *queue) offline(s *Server) [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	counts := map[string]int{}
	var stanzas [][]byte
	for e := q.order.Front(); e != nil; e = e.Next() {
		st := e.Value.(*stanza)
		counts[st.key.class]++
		stanzas = append(stanzas, markOffline(st.data, len(stanzas)))
	}
	total := len(stanzas)
	preview := waBinary.Node{Tag: "offline_preview", Attrs: waBinary.Attrs{
		"count": total, "message": counts["message"], "notification": counts["notification"],
		"receipt": counts["receipt"], "appdata": 0,
	}}
	out := make([][]byte, 0, total+2)
	if total > 0 {
		out = append(out, s.marshal(infoNode(preview)))
	}
	out = append(out, stanzas...)
	return append(out, s.marshal(infoNode(waBinary.Node{Tag: "offline", Attrs: waBinary.Attrs{"count": total}})))
}

func infoNode(child waBinary.Node) waBinary.Node {
	return waBinary.Node{
		Tag: "ib", Attrs: waBinary.Attrs{"from": types.ServerJID}, Content: []waBinary.Node{child},
	}
}

// markOffline adds the attribute that tells a late delivery; all else stays the same bytes.
func markOffline(data []byte, n int) []byte {
	node, err := waBinary.Unmarshal(data[1:]) // without the flag byte
	if err != nil {
		return data
	}
	node.Attrs["offline"] = strconv.Itoa(n)
	marked, err := waBinary.Marshal(*node)
	if err != nil {
		return data
	}
	return marked
}

// marshal is for nodes made here, which can always be marshalled.
func (s *Server) marshal(node waBinary.Node) []byte {
	data, err := waBinary.Marshal(node)
	if err != nil {
		s.log.Error("marshal stanza", "tag", node.Tag, "error", err)
	}
	return data
}
