package whatsapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// How many stanzas may wait for their handler before no more is read. whatsmeow has room for 2,048, and beyond that neither
// keeps their order nor bounds their memory.
const (
	maxQueued      = 512
	maxQueuedBytes = 8 << 20
	mostQueued     = 1900        // while a handler may wait for an answer that comes behind them
	slowHandler    = time.Second // from then on it may
)

// flow makes reading from the websocket wait for the handlers, and knows which messages are being handled.
type flow struct {
	mu       sync.Mutex
	queued   map[*waBinary.Node]int // read but not begun, with their sizes
	bytes    int                    // of those
	busy     int                    // handlers at work
	began    time.Time              // when the last of them began
	read     time.Time              // when the last stanza came
	changed  chan struct{}          // closed when a handler begins or ends; nil while nobody waits
	messages map[string]*handling   // under way, by id
}

func newFlow() *flow {
	return &flow{queued: make(map[*waBinary.Node]int), messages: make(map[string]*handling)}
}

// reset forgets the stanzas of a connection that has ended.
func (f *flow) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.queued)
	f.bytes = 0
	f.tell()
}

// rest waits until no handler is at work.
func (f *flow) rest(ctx context.Context) error {
	for {
		f.mu.Lock()
		if f.busy == 0 {
			f.mu.Unlock()
			return nil
		}
		changed := f.change()
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// change is closed when a handler begins or ends. f.mu is held.
func (f *flow) change() chan struct{} {
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// tell wakes those that wait. f.mu is held.
func (f *flow) tell() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// received is called for each stanza that has a handler, before it is queued, and returns when there is room, or when over
// or done is closed.
func (f *flow) received(node *waBinary.Node, over, done <-chan struct{}) {
	f.mu.Lock()
	size := stanzaSize(node)
	f.queued[node] = size
	f.bytes += size
	for {
		f.read = time.Now()
		wait, full := f.full()
		if !full {
			f.mu.Unlock()
			return
		}
		changed := f.change()
		f.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-over:
			timer.Stop()
			return
		case <-done:
			timer.Stop()
			return
		}
		timer.Stop()
		f.mu.Lock()
	}
}

// full tells whether the queue is, and when that has to be looked at again. f.mu is held.
func (f *flow) full() (wait time.Duration, full bool) {
	if len(f.queued) <= maxQueued && f.bytes <= maxQueuedBytes || len(f.queued) == 1 {
		return 0, false
	}
	slow := time.Since(f.began)
	if f.busy > 0 && slow > slowHandler && len(f.queued) <= mostQueued {
		return 0, false
	}
	return max(slowHandler-slow, time.Second/10), true
}

// alive tells whether something came within a time, or waits to be read.
func (f *flow) alive(within time.Duration) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.read) < within
}

// stanzaSize is about what a stanza takes in memory.
func stanzaSize(n *waBinary.Node) int {
	size := 256 + 64*len(n.Attrs)
	switch content := n.Content.(type) {
	case []byte:
		size += len(content)
	case []waBinary.Node:
		for i := range content {
			size += stanzaSize(&content[i])
		}
	}
	return size
}

type handlerOfStanza = func(context.Context, *waBinary.Node)

// around is put around each of whatsmeow's handlers of stanzas.
func (r *run) around(next handlerOfStanza) handlerOfStanza {
	f := r.flow
	return func(ctx context.Context, node *waBinary.Node) {
		id, _ := node.Attrs["id"].(string)
		h := &handling{run: r, node: node}
		f.mu.Lock()
		f.bytes -= f.queued[node]
		delete(f.queued, node)
		f.busy++
		f.began = time.Now()
		if node.Tag == "message" {
			f.messages[id] = h
			ctx = context.WithValue(ctx, handlingKey{}, h)
		}
		f.tell()
		f.mu.Unlock()
		defer func() {
			f.mu.Lock()
			f.busy--
			if f.messages[id] == h {
				delete(f.messages, id)
			}
			f.tell()
			f.mu.Unlock()
		}()
		if node.Tag == "notification" {
			r.groups.stanza.Store(max(node.AttrGetter().OptionalUnixTime("t").Unix(), 0))
		}
		if err := cmp.Or(r.handleLimits(node), r.handleNumbers(node)); err != nil {
			r.fail(err) // it isn't acknowledged, and comes again
			return
		}
		next(ctx, node)
	}
}

// saw is called for each stanza that whatsmeow has read, and for each that it is about to send.
func (r *run) saw(part string, node *waBinary.Node) {
	switch {
	case part == partReceives && r.handled[node.Tag]:
		if node.Tag == "success" {
			r.clock.Store(max(node.AttrGetter().OptionalUnixTime("t").Unix(), 0))
		}
		r.flow.received(node, r.wire.over(), r.ctx.Done())
	case part == partSends && (node.Tag == "ack" && node.Attrs["class"] == "message" || node.Tag == "receipt" &&
		node.Attrs["type"] == "retry"):
		id, _ := node.Attrs["id"].(string)
		if h := r.flow.handling(id); h != nil {
			h.keep()
		}
	}
}

func (f *flow) handling(id string) *handling {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.messages[id]
}

// handling is a message under way through whatsmeow. One that can't be decrypted whatsmeow acknowledges before it tells of
// it, so what stands for it is stored before anything about it is sent.
type handling struct {
	*run
	node *waBinary.Node

	mu   sync.Mutex
	done bool // its placeholder is stored
}

type handlingKey struct{}

// handlingOf is the message that a call of whatsmeow's is made for; nil for none.
func handlingOf(ctx context.Context) *handling {
	h, _ := ctx.Value(handlingKey{}).(*handling)
	return h
}

// errAskedHere is what whatsmeow gets when it wants to ask the phone for a message while the next ones wait.
var errAskedHere = errors.New("the host asks the phone")

// keep stores what stands for the message. If it can't, nothing is sent any more.
func (h *handling) keep() {
	if !h.handlers.enter() {
		h.wire.cut(false)
		return
	}
	defer h.handlers.leave()
	h.mu.Lock()
	defer h.mu.Unlock()
	evt := h.undecryptable()
	if h.done || evt == nil {
		return
	}
	err := h.settle()
	if err == nil {
		b := h.book()
		err = h.project(b, b.Undecryptable(evt, h.nextOrder()))
	}
	if err != nil {
		h.refuse(evt, fmt.Errorf("store undecryptable message: %w", err))
		return
	}
	h.done = true
}

// ask has the phone be asked for the message, later.
func (h *handling) ask() {
	h.keep()
	if evt := h.undecryptable(); evt != nil {
		if err := h.copies.want(evt); err != nil {
			h.refuse(evt, err)
		}
	}
}

// kept tells whether the message's placeholder is stored.
func (h *handling) kept() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.done
}

// undecryptable is what whatsmeow tells of the message; nil if it isn't one that could be decrypted.
func (h *handling) undecryptable() *events.UndecryptableMessage {
	encs := h.node.GetChildrenByTag("enc")
	unavailable, is := h.node.GetOptionalChildByTag("unavailable")
	info, err := internals(h.wa).ParseMessageInfo(h.node)
	if err != nil || info.Sender.Server == types.NewsletterServer || len(encs) == 0 && !is {
		return nil
	}
	evt := &events.UndecryptableMessage{Info: *info, IsUnavailable: is && len(encs) == 0}
	if evt.IsUnavailable {
		evt.UnavailableType = events.UnavailableType(unavailable.AttrGetter().OptionalString("type"))
	}
	for i := range encs {
		if mode := encs[i].AttrGetter().OptionalString("decrypt-fail"); mode != "" {
			evt.DecryptFailMode = events.DecryptFailMode(mode)
		}
	}
	if meta, ok := h.node.GetOptionalChildByTag("meta"); ok && meta.Attrs["polltype"] == "vote" { // which whatsmeow doesn't tell
		evt.DecryptFailMode = events.DecryptFailHide
	}
	return evt
}
