package whatsapp

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// copies asks the phone for messages that couldn't be decrypted here. whatsmeow asks while it handles the message and waits for
// the answer, so that one that isn't answered holds up all others for as long as WhatsApp lets requests wait.
type copies struct {
	*run
	*questions

	mu     sync.Mutex
	wanted map[string]bool // by item of the backlog
}

const (
	copyPrefix = "copy/"             // of the backlog's items for messages that the phone is still to be asked for
	copyDelay  = 5 * time.Second     // the sender, who is asked at once, may have answered by then
	copyAge    = 14 * 24 * time.Hour // older messages the phone isn't asked for
	maxCopies  = 1000                // messages that may wait for their question
)

// wantedCopy is a message to be asked for, by WhatsApp's addresses.
type wantedCopy struct {
	Chat   types.JID `json:"chat"`
	Sender types.JID `json:"sender"`
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
}

func newCopies(r *run) *copies {
	return &copies{run: r, questions: newQuestions(r), wanted: make(map[string]bool)}
}

// want has the phone be asked for a message. What only the phone may show, and what bots say, isn't asked for.
func (c *copies) want(evt *events.UndecryptableMessage) error {
	info := &evt.Info
	if evt.UnavailableType != events.UnavailableTypeUnknown || info.Sender.IsBot() || info.Category == "peer" {
		return nil
	}
	w := wantedCopy{info.Chat, info.Sender, info.ID, info.Timestamp}
	item := copyPrefix + w.Chat.String() + "/" + w.ID
	c.mu.Lock()
	known := c.wanted[item] || len(c.wanted) >= maxCopies
	c.mu.Unlock()
	if known {
		return nil
	}
	data, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("marshal question for a message: %w", err)
	}
	if err := c.Backlog.PutBacklog(c.ctx, c.account, item, data); err != nil {
		return fmt.Errorf("store question for a message: %w", err)
	}
	due := time.Now()
	if !evt.IsUnavailable {
		due = due.Add(copyDelay)
	}
	c.queue(item, w, due)
	return nil
}

func (c *copies) queue(item string, w wantedCopy, due time.Time) {
	c.mu.Lock()
	c.wanted[item] = true
	c.mu.Unlock()
	c.add(&question{what: "a message", due: due, ask: func() error { return c.request(item, w) }})
}

// begin goes on with what an earlier run has left.
func (c *copies) begin(items []chat.BacklogItem) {
	for _, item := range items {
		var w wantedCopy
		if strings.HasPrefix(item.ID, copyPrefix) && json.Unmarshal(item.Data, &w) == nil {
			c.queue(item.ID, w, time.Now())
		}
	}
}

// request asks for the message once, if it is still missing.
func (c *copies) request(item string, w wantedCopy) error {
	missing, err := c.missing(w)
	if err != nil {
		return err
	}
	if missing && c.Now().Sub(w.Time) < copyAge {
		if err := c.tellPhone(c.ctx, c.wa.GenerateMessageID(),
			c.wa.BuildUnavailableMessageRequest(w.Chat, w.Sender, w.ID)); err != nil {
			return err
		}
	}
	if err := c.Backlog.DeleteBacklog(c.ctx, c.account, item); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.wanted, item)
	return nil
}

// missing tells whether only a placeholder is there, or nothing: of what is added to another message nobody can tell.
func (c *copies) missing(w wantedCopy) (missing bool, err error) {
	in, _ := translate.Address(w.Chat)
	err = c.look(c.ctx, in, []string{w.ID}, func(t *chat.Thread) error {
		m := t.Messages[w.ID]
		missing = m == nil || m.Content.Message == ""
		return nil
	})
	return missing, err
}
