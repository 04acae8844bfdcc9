package whatsapp

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// wire is the HTTP transport of a device's websocket. It tells when the connection has ended, and ends it at once, which
// whatsmeow can't: its Disconnect races with an end from the other side and leaves a reader behind, and its handshake
// waits 20 s for an answer whatever happens. It lets nothing out that may not be sent yet, or any more: what is written waits in
// an outbox, so that who writes needn't, and goes out together with what else is there by then.
type wire struct {
	next  http.RoundTripper
	spawn func(func()) bool // false: all is over
	held  func() error      // asked right before anything is sent; an error ends the connection

	mu   sync.Mutex
	body *wireBody // of the connection at hand; nil before it is made
	shut bool      // no connection may be made
}

func newWire(c *http.Client, spawn func(func()) bool, held func() error) *wire {
	next := http.DefaultTransport
	if c != nil && c.Transport != nil {
		next = c.Transport
	}
	return &wire{next: next, spawn: spawn, held: held}
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	if rwc, ok := resp.Body.(io.ReadWriteCloser); ok {
		body := &wireBody{ReadWriteCloser: rwc, held: w.held, gone: make(chan struct{}), over: make(chan struct{})}
		body.moved = sync.NewCond(&body.writing)
		resp.Body = body
		if !w.spawn(body.send) {
			body.cut(true)
		}
		w.mu.Lock()
		w.body = body
		shut := w.shut
		w.mu.Unlock()
		if shut {
			body.cut(true)
		}
	}
	return resp, nil
}

// gone is closed when the connection at hand has ended; nil when there is none.
func (w *wire) gone() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.body == nil {
		return nil
	}
	return w.body.gone
}

// over is closed when nothing of the connection at hand is to be read any more; nil when there is none.
func (w *wire) over() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.body == nil {
		return nil
	}
	return w.body.over
}

// ready allows a new connection.
func (w *wire) ready() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.body, w.shut = nil, false
}

// sent waits until all that was written is sent. It fails when the connection has ended before.
func (w *wire) sent(ctx context.Context) error {
	w.mu.Lock()
	body := w.body
	w.mu.Unlock()
	if body == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, body.wake)
	defer stop()
	body.writing.Lock()
	defer body.writing.Unlock()
	for body.pending && !body.ended && ctx.Err() == nil {
		body.moved.Wait()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case body.pending:
		return net.ErrClosed
	}
	return nil
}

// isShut tells whether this side has ended the connection.
func (w *wire) isShut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shut
}

// cut ends the connection at hand, or the one being made. A handshake under way gets an answer that ends it.
func (w *wire) cut(handshake bool) {
	w.mu.Lock()
	body := w.body
	w.shut = true
	w.mu.Unlock()
	if body != nil {
		body.cut(handshake)
	}
}

// wireBody is the websocket's connection.
type wireBody struct {
	io.ReadWriteCloser
	held func() error
	once sync.Once
	gone chan struct{}
	cuts sync.Once
	over chan struct{} // closed by the first of a cut and the end

	mu       sync.Mutex
	last     []byte // what Read gives before the end, if somebody waits for it
	answered bool   // something came

	writing sync.Mutex
	moved   *sync.Cond // when one of the following changes
	outbox  []byte
	pending bool // something was written and isn't sent
	asked   bool // something was written
	ended   bool // nothing is sent any more
}

// maxOutbox is how many bytes may wait before who writes has to.
const maxOutbox = 256 << 10

// noHandshake is a websocket message with a frame that is no handshake. It is given to nobody but a handshake that has
// asked and has no answer: whatsmeow's reader waits for ever until somebody takes a frame.
var noHandshake = []byte{0x82, 4, 0, 0, 1, 0xff}

func (b *wireBody) cut(handshake bool) {
	b.mu.Lock() // also so that Read ends after what was done before the cut, as the race detector sees it
	if handshake {
		b.last = noHandshake
	}
	b.mu.Unlock()
	_ = b.ReadWriteCloser.Close()
	b.stop()
}

// stop says that nothing more is sent or read.
func (b *wireBody) stop() {
	b.writing.Lock()
	b.ended = true
	b.moved.Broadcast()
	b.writing.Unlock()
	b.cuts.Do(func() { close(b.over) })
}

func (b *wireBody) wake() {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.moved.Broadcast()
}

// Read implements io.Reader.
func (b *wireBody) Read(p []byte) (int, error) {
	n, err := b.ReadWriteCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > 0 || err == nil {
		b.answered = true
		return n, nil
	}
	if len(b.last) > 0 && !b.answered && b.hasAsked() {
		n = copy(p, b.last)
		b.last = b.last[n:]
		return n, nil
	}
	b.end()
	return 0, err
}

func (b *wireBody) hasAsked() bool {
	b.writing.Lock()
	defer b.writing.Unlock()
	return b.asked
}

// Write implements io.Writer. It doesn't wait until it is sent.
func (b *wireBody) Write(p []byte) (int, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	for len(b.outbox) > maxOutbox && !b.ended {
		b.moved.Wait()
	}
	if b.ended {
		return 0, net.ErrClosed
	}
	b.outbox = append(b.outbox, p...)
	b.asked, b.pending = true, true
	b.moved.Broadcast()
	return len(p), nil
}

// send sends what is written, until the connection ends.
func (b *wireBody) send() {
	var some []byte
	for {
		b.writing.Lock()
		b.pending = len(b.outbox) > 0
		b.moved.Broadcast()
		for !b.pending && !b.ended {
			b.moved.Wait()
		}
		ended := b.ended
		some, b.outbox = b.outbox, some[:0]
		b.writing.Unlock()
		if ended {
			return
		}
		err := b.held()
		if err == nil {
			_, err = b.ReadWriteCloser.Write(some)
		}
		if err != nil {
			b.cut(true) // who wrote doesn't know
			return
		}
	}
}

// Close implements io.Closer.
func (b *wireBody) Close() error {
	defer b.end()
	return b.ReadWriteCloser.Close()
}

func (b *wireBody) end() {
	b.stop()
	b.once.Do(func() { close(b.gone) })
}
