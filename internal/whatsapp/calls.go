package whatsapp

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/whatsapp/translate"
)

// callPrefix is that of the backlog's items for calls that were offered and aren't over.
const callPrefix = "call/"

// calls are those that ring, or that nobody has told the end of.
type calls struct {
	mu      sync.Mutex
	offered map[string]translate.Call
	queued  bool // what comes now waited while the device was away
}

func (c *calls) put(call translate.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offered == nil {
		c.offered = make(map[string]translate.Call)
	}
	c.offered[call.ID] = call
}

func (c *calls) find(id string) (translate.Call, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call, ok := c.offered[id]
	return call, ok
}

func (c *calls) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.offered, id)
}

// queue notes whether what comes waited while the device was away.
func (c *calls) queue(queued bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued = queued
}

func (c *calls) fromQueue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
}

// handleOffer notes a call. One that waited for the device rings no more: it was missed, unless its end says otherwise.
func (r *run) handleOffer(b *translate.Book, meta *types.BasicCallMeta, video bool) error {
	call, ok := b.Offered(meta, video, r.nextOrder())
	if !ok {
		return r.project(b, nil)
	}
	data, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("marshal call: %w", err)
	}
	if err := r.Backlog.PutBacklog(r.ctx, r.account, callPrefix+call.ID, data); err != nil {
		return fmt.Errorf("store call: %w", err)
	}
	r.calls.put(call)
	if r.calls.fromQueue() {
		return r.project(b, b.Missed(call))
	}
	return nil
}

// handleCallEnd writes the line of a call that was offered here. The ends of others say nothing of what happened.
func (r *run) handleCallEnd(b *translate.Book, evt *events.CallTerminate) error {
	call, ok := r.calls.find(evt.CallID)
	if !ok {
		return nil
	}
	if err := r.project(b, b.Ended(call, evt.Reason, evt.Timestamp)); err != nil {
		return err
	}
	if err := r.Backlog.DeleteBacklog(r.ctx, r.account, callPrefix+call.ID); err != nil {
		return fmt.Errorf("finish call: %w", err)
	}
	r.calls.drop(call.ID)
	return nil
}

// missEarlier writes the lines of calls that rang when the device was last at work.
func (r *run) missEarlier() {
	items, err := r.Backlog.ListBacklog(r.ctx, r.account)
	for _, item := range items {
		var call translate.Call
		if err != nil || !strings.HasPrefix(item.ID, callPrefix) || json.Unmarshal(item.Data, &call) != nil {
			continue
		}
		if _, rings := r.calls.find(call.ID); rings {
			continue
		}
		r.calls.put(call)
		b := r.book()
		err = r.project(b, b.Missed(call))
	}
	if err != nil && r.ctx.Err() == nil {
		r.log.Warn("write missed calls", failure(err))
	}
}

func isVideo(evt *events.CallOffer) bool {
	if evt.Data == nil {
		return false
	}
	_, video := evt.Data.GetOptionalChildByTag("video")
	return video
}
