package sim

import (
	"bytes"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
)

// closeGrace is the time between a last stanza and the end of its connection. Without it whatsmeow may see the end
// before it has read the reason.
const closeGrace = 150 * time.Millisecond

// conn is one connection of a client. Its reader is the goroutine of the HTTP request; its writer sends what send queues.
type conn struct {
	s    *Server
	ws   *websocket.Conn
	raw  net.Conn
	ctx  context.Context
	end  context.CancelFunc
	info *Connection // guarded by s.mu

	in      []byte // bytes of frames not yet complete
	opened  uint32 // frames decrypted
	fromCli cipher.AEAD
	toCli   cipher.AEAD
	static  []byte // the client's noise key, 32 B

	device  *Device  // after login; set before anything is handled
	pairing *pairing // of an unpaired client

	mu      sync.Mutex
	out     [][]byte // marshalled stanzas to send
	wake    chan struct{}
	closing bool // nothing is sent any more
}

// serveWebsocket runs a connection from handshake to end.
func (s *Server) serveWebsocket(w http.ResponseWriter, r *http.Request) {
	raw, _ := r.Context().Value(netConnKey{}).(net.Conn)
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: []string{"web.whatsapp.com"}})
	if err != nil {
		s.violate(nil, BadHandshake, "websocket: %v", err)
		return
	}
	ws.SetReadLimit(socket.FrameMaxSize)
	c := &conn{s: s, ws: ws, raw: raw, wake: make(chan struct{}, 1)}
	c.ctx, c.end = context.WithCancel(s.ctx)
	c.info = s.addConn(c, r.RemoteAddr)
	defer c.finish()
	if err := c.handshake(); err != nil {
		if c.ctx.Err() == nil && !gone(err) {
			s.violate(nil, BadHandshake, "%v", err)
		}
		return
	}
	var writer sync.WaitGroup
	writer.Go(c.write)
	defer writer.Wait()
	defer c.end()
	c.read()
}

// gone says whether an error only means that the other side left.
func gone(err error) bool {
	var network *net.OpError // such as a reset, when the client was killed
	return websocket.CloseStatus(err) != -1 || errors.As(err, &network) || errors.Is(err, net.ErrClosed) || isEOF(err)
}

func (c *conn) finish() {
	c.end()
	_ = c.ws.CloseNow()
	if c.device != nil {
		c.device.detach(c)
	}
	c.s.removeConn(c)
}

// handshake runs noise and ends with the client's payload handled: a login or the start of a pairing.
func (c *conn) handshake() error {
	for len(c.in) < len(socket.WAConnHeader) {
		if err := c.fill(); err != nil {
			return err
		}
	}
	if !bytes.Equal(c.in[:len(socket.WAConnHeader)], socket.WAConnHeader) {
		return errors.New("unknown connection header")
	}
	c.in = c.in[len(socket.WAConnHeader):]
	n, err := newNoise(socket.WAConnHeader)
	if err != nil {
		return err
	}
	hello, err := c.frame()
	if err != nil {
		return err
	}
	if _, on := c.s.faults.take(Stall, ""); on {
		_, _, err := c.ws.Read(c.ctx) // the client gives up some day
		return err
	}
	reply, own, err := c.s.authority.serverHello(n, hello)
	if err != nil {
		return err
	}
	if err := c.writeFrame(reply); err != nil {
		return err
	}
	finish, err := c.frame()
	if err != nil {
		return err
	}
	var payload *waWa6.ClientPayload
	if c.static, payload, err = clientFinish(n, own, finish); err != nil {
		return err
	}
	if c.fromCli, c.toCli, err = n.split(); err != nil {
		return err
	}
	c.start(payload)
	return nil
}

// fill reads one websocket message. A frame may be spread over several.
func (c *conn) fill() error {
	kind, data, err := c.ws.Read(c.ctx)
	if err != nil {
		return err
	}
	if kind != websocket.MessageBinary {
		return errors.New("text message on the websocket")
	}
	if len(c.in) == 0 {
		c.in = data
	} else {
		c.in = append(c.in, data...)
	}
	return nil
}

func (c *conn) frame() ([]byte, error) {
	for {
		if len(c.in) >= 3 {
			size := int(c.in[0])<<16 | int(c.in[1])<<8 | int(c.in[2])
			if len(c.in) >= 3+size {
				frame := c.in[3 : 3+size]
				c.in = c.in[3+size:]
				return frame, nil
			}
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// writeFrame sends a frame whole in one websocket message, since whatsmeow loses frames that are split.
func (c *conn) writeFrame(data []byte) error {
	frame := make([]byte, 3, 3+len(data))
	frame[0], frame[1], frame[2] = byte(len(data)>>16), byte(len(data)>>8), byte(len(data))
	return c.ws.Write(c.ctx, websocket.MessageBinary, append(frame, data...))
}

// read handles stanzas until the connection ends.
func (c *conn) read() {
	for {
		frame, err := c.frame()
		if err != nil {
			return
		}
		plain, err := c.fromCli.Open(frame[:0], nonce(c.opened), frame, nil)
		if err != nil {
			c.s.violate(c.device, BadHandshake, "frame %d can't be decrypted", c.opened)
			c.drop()
			return
		}
		c.opened++
		node, err := decode(plain)
		if err != nil {
			c.s.violate(c.device, BadStanza, "%v", err)
			c.streamError("bad-request", nil)
			continue
		}
		c.safely(node)
	}
}

// safely handles a stanza. A panic, which net/http would hide, is reported.
func (c *conn) safely(node *waBinary.Node) {
	defer func() {
		if r := recover(); r != nil {
			c.s.violate(c.device, Broken, "<%s>: %v\n%s", node.Tag, r, debug.Stack())
			c.drop()
		}
	}()
	c.handle(node)
}

// decode turns a frame into a node; a decoder that panics on bad input gives an error.
func decode(frame []byte) (node *waBinary.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("undecodable stanza: %v", r)
		}
	}()
	if len(frame) == 0 {
		return nil, errors.New("empty stanza")
	}
	plain, err := waBinary.Unpack(frame)
	if err != nil {
		return nil, err
	}
	return waBinary.Unmarshal(plain)
}

// send queues a node; it never blocks. A closing connection drops it.
func (c *conn) send(node waBinary.Node) {
	data, err := waBinary.Marshal(node)
	if err != nil {
		c.s.log.Error("marshal stanza", "tag", node.Tag, "error", err)
		return
	}
	c.sendBytes(data)
}

func (c *conn) sendBytes(stanzas ...[]byte) {
	if _, on := c.fault(Silent, ""); on {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.out = append(c.out, stanzas...)
	c.poke()
}

func (c *conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write is the writer's loop.
func (c *conn) write() {
	var sealed uint32
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.wake:
		}
		c.mu.Lock()
		out, closing := c.out, c.closing
		c.out = nil
		c.mu.Unlock()
		for _, data := range out {
			if err := c.writeFrame(c.toCli.Seal(nil, nonce(sealed), data, nil)); err != nil {
				c.end()
				return
			}
			sealed++
		}
		if closing {
			c.linger()
			return
		}
	}
}

// linger waits until the client leaves, at most closeGrace, and then closes.
func (c *conn) linger() {
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-c.ctx.Done():
	case <-timer.C:
		_ = c.ws.CloseNow()
		c.end()
	}
}

// finally sends a last node and closes a little later.
func (c *conn) finally(node waBinary.Node) {
	data, err := waBinary.Marshal(node)
	if err != nil {
		c.s.log.Error("marshal stanza", "tag", node.Tag, "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.closing = true
	c.out = append(c.out, data)
	c.poke()
}

// streamError ends the connection with <stream:error>.
func (c *conn) streamError(code string, children []waBinary.Node) {
	c.finally(waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{"code": code}, Content: content(children)})
}

// drop breaks the connection at once, with a TCP reset.
func (c *conn) drop() {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
	c.end()
}

// hangup ends the connection with the websocket's own farewell.
func (c *conn) hangup() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.s.work(func() {
		_ = c.ws.Close(websocket.StatusNormalClosure, "")
		c.end()
	})
}

// content leaves a node without children empty.
func content(children []waBinary.Node) any {
	if len(children) == 0 {
		return nil
	}
	return children
}
