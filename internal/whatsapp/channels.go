package whatsapp

import (
	"encoding/json"
	"fmt"
	"sync"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// channels asks WhatsApp which channels the account follows, once a run, as its clients do when they start: those that were
// followed before the link no history tells, and one that was left before it no event.
type channels struct {
	*run
	*questions
	once sync.Once

	mu   sync.Mutex // held while what is told of channels is stored
	told int        // how often something was
}

func newChannels(r *run) *channels { return &channels{run: r, questions: newQuestions(r)} }

func (c *channels) connected() {
	c.once.Do(func() { c.add(&question{what: "the channels", ask: c.learn}) })
	c.questions.connected()
}

// project stores what an event or a command says of channels, with their mutes after those before: they count as they come, since
// the host's clock has no say, and WhatsApp's times have seconds only.
func (c *channels) project(b *translate.Book, changes []chat.Change) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told++
	for i := range changes {
		mute := &changes[i].State.Mute
		if !mute.Set() {
			continue
		}
		known, err := c.known(changes[i].Chat)
		if err != nil {
			return err
		}
		mute.At = max(mute.At, known.Mute.At+1)
	}
	return c.run.project(b, changes)
}

// known is what is stored of a channel in this link; the zero Chat where there is nothing.
func (c *channels) known(jid chat.JID) (known chat.Chat, err error) {
	err = c.look(c.ctx, jid, nil, func(t *chat.Thread) error { known = t.Chat; return nil })
	if err != nil {
		return known, fmt.Errorf("look at a channel: %w", err)
	}
	if known.Epoch != c.epoch.Load() {
		known.Mute = chat.Register[int64]{}
	}
	return known, nil
}

// learn asks for the channels, until nothing is told of one while the question is under way.
func (c *channels) learn() error {
	for {
		c.mu.Lock()
		told := c.told
		c.mu.Unlock()
		followed, err := c.followed()
		if err != nil {
			return err
		}
		if done, err := c.take(followed, told); done || err != nil {
			return err
		}
	}
}

// queryFollowed is WhatsApp's number of the call for the channels that the account follows.
const queryFollowed = "6388546374527196"

// followed asks once. whatsmeow's own call waits for the next connection when this one is lost, as others may at the same time, and
// they race there.
func (c *channels) followed() ([]*types.NewsletterMetadata, error) {
	answer, err := internals(c.wa).SendIQ(c.ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "w:mex", Type: "get", To: types.ServerJID, NoRetry: true,
		Content: []waBinary.Node{{
			Tag: "query", Attrs: waBinary.Attrs{"query_id": queryFollowed}, Content: []byte(`{"variables":{}}`),
		}},
	})
	if err != nil {
		return nil, err
	}
	result, ok := answer.GetOptionalChildByTag("result")
	text, isText := result.Content.([]byte)
	if !ok || !isText {
		return nil, &whatsmeow.ElementMissingError{Tag: "result", In: "answer about channels"}
	}
	var told struct {
		Data struct {
			Followed []*types.NewsletterMetadata `json:"xwa2_newsletter_subscribed"`
		} `json:"data"`
		Errors types.GraphQLErrors `json:"errors"`
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return nil, fmt.Errorf("read answer about channels: %w", err)
	}
	if len(told.Errors) > 0 {
		return nil, fmt.Errorf("ask for channels: %w", told.Errors)
	}
	return told.Data.Followed, nil
}

// take stores the channels that the account follows, and takes the others off the list.
func (c *channels) take(followed []*types.NewsletterMetadata, told int) (done bool, err error) {
	if err := c.settle(); err != nil { // what a channel said before it was left goes with it
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told != told {
		return false, nil
	}
	b := c.book()
	named := make(map[chat.JID]bool)
	for _, meta := range followed {
		for _, change := range b.Followed(meta) {
			named[change.Chat] = true
			known, err := c.known(change.Chat)
			if err != nil {
				return false, err
			}
			state := &change.State
			if state.Mute.Set() && state.Mute.Value != known.Mute.Value {
				state.Mute.At = max(state.Mute.At, known.Mute.At+1)
			} else {
				state.Mute = known.Mute
			}
			if known.Deleted.Through != 0 { // it was left before
				state.Activity = max(state.Activity, known.Deleted.Through+1)
			}
			if err := c.run.project(b, []chat.Change{change}); err != nil {
				return false, err
			}
		}
	}
	return true, c.leave(b, named)
}

// leave takes the channels off the list that aren't named.
func (c *channels) leave(b *translate.Book, named map[chat.JID]bool) error {
	for cursor := ""; ; {
		page := chat.Page{Limit: renewPage, Cursor: cursor}
		views, next, err := c.Chats.Chats(c.ctx, c.account, chat.Filter{Kind: chat.Newsletter}, page, c.Now())
		if err != nil {
			return fmt.Errorf("list channels: %w", err)
		}
		for _, v := range views {
			if named[v.JID] {
				continue
			}
			known, err := c.known(v.JID)
			if err != nil {
				return err
			}
			gone := chat.Chat{Deleted: chat.RangeOf(max(known.Activity, known.Last.Time))}
			if err := c.run.project(b, []chat.Change{{Chat: v.JID, State: gone}}); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
