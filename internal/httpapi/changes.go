package httpapi

import (
	"context"
	"time"

	"pesan/internal/chat"
)

// GetChanges gives the account's feed: what has changed, in the order in which it was stored. It may wait until something has.
func GetChanges(d Deps) Endpoint {
	return Endpoint{
		Name: "getChanges", Group: OfChats, Methods: reading, Needs: []Port{Feeds}, begin: getChanges(d.Feed),
		Params: []string{"since", "limit", "wait"},
	}
}

// longestWait is how long a call may wait for a change: an HTTP API gives up after 30 s.
const longestWait = 20 * time.Second

// feedPoll is how often a call that waits looks where nobody tells it: half a read unit of DynamoDB each time.
const feedPoll = 700 * time.Millisecond

func getChanges(feed chat.Deltas) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		page, err := c.page(defaultLimit)
		if err != nil {
			return nil, err
		}
		wait, err := c.wait()
		if err != nil {
			return nil, err
		}
		since, follows, err := c.since()
		if err != nil {
			return nil, err
		}
		if !follows {
			if since, err = feed.End(ctx, c.claimed); err != nil {
				return nil, err
			}
		}
		entries, next, err := feed.After(ctx, c.claimed, since, page.Limit)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			if len(entries) == 0 && wait > 0 {
				if entries, next, err = c.await(ctx, feed, next, page.Limit, wait); err != nil {
					return 0, err
				}
			}
			c.out = append(c.out, `{"code":200,"results":[`...)
			for i := range entries {
				if i > 0 {
					c.out = append(c.out, ',')
				}
				c.json(told(&entries[i]))
			}
			c.out = append(c.out, ']')
			return ending{since: next.String(), more: len(entries) == page.Limit}.finish(ctx, c, a)
		}, nil
	}
}

// wait is how long the client wants to wait.
func (c *call) wait() (time.Duration, error) {
	n, err := c.between("wait", 0, int64(longestWait/time.Second), 0,
		wrong(chat.InvalidParameter, "wait", "bilangan bulat dari 0 sampai 20 (detik)", "a whole number from 0 to 20 (seconds)"))
	return time.Duration(n) * time.Second, err
}

// await waits for an entry behind a position.
func (c *call) await(
	ctx context.Context, feed chat.Deltas, p chat.Position, limit int, wait time.Duration,
) ([]chat.FeedEntry, chat.Position, error) {
	if !c.waits.enter(c.account) {
		c.retry = time.Second
		return nil, p, &chat.Error{Code: chat.RateLimited}
	}
	defer c.waits.leave(c.account)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	changed := make(chan struct{}, 1)
	var looks <-chan time.Time
	if w, ok := feed.(chat.FeedWatcher); ok && c.Near {
		defer w.WatchFeed(c.account, func(string) {
			select {
			case changed <- struct{}{}:
			default:
			}
		})()
		changed <- struct{}{} // something may have been appended before
	} else {
		tick := time.NewTicker(feedPoll)
		defer tick.Stop()
		looks = tick.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil, p, nil
		case <-changed:
		case <-looks:
			if still, err := feed.Still(ctx, c.account, p); err == nil && still {
				continue
			}
		}
		entries, next, err := feed.After(ctx, c.account, p, limit)
		switch {
		case ctx.Err() != nil:
			return nil, p, nil
		case err != nil || len(entries) > 0:
			return entries, next, err
		}
		p = next
	}
}

// change is an entry of the feed as answers show it.
type change struct {
	Seq  int64         `json:"seq"`
	Time *string       `json:"time"`
	Type chat.FeedKind `json:"type"`

	ID       chat.JID        `json:"id,omitempty"` // as getChats lists it
	Deleted  bool            `json:"deleted,omitempty"`
	MovedTo  chat.JID        `json:"movedTo,omitempty"`
	Cleared  bool            `json:"cleared,omitempty"`
	Messages []changedTo     `json:"messages,omitempty"`
	More     bool            `json:"moreMessages,omitempty"`
	State    chat.State      `json:"state,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Command  *changedCommand `json:"command,omitempty"`
	Batch    *changedBatch   `json:"batch,omitempty"`
}

type changedTo struct {
	ID     string          `json:"id"`
	Change chat.FeedChange `json:"change"`
	Status string          `json:"status,omitempty"`
}

type changedCommand struct {
	ID    string            `json:"commandId"`
	Kind  chat.CommandKind  `json:"kind"`
	Chat  chat.JID          `json:"id,omitempty"`
	State chat.CommandState `json:"state"`
	Error chat.Code         `json:"error,omitempty"`
}

type changedBatch struct {
	ID     string `json:"batchId"`
	State  string `json:"state"`
	Total  int    `json:"total"`
	Done   int    `json:"done"`
	Failed int    `json:"failed"`
}

func told(e *chat.FeedEntry) change {
	c := change{
		Seq: e.Seq, Time: moment(e.At), Type: e.Kind, ID: e.Chat, MovedTo: e.Moved, Cleared: e.Cleared, More: e.Many,
		Deleted: e.Kind == chat.FeedChat && !e.Shows, State: e.State, Reason: e.Reason,
	}
	for _, m := range e.Messages {
		c.Messages = append(c.Messages, changedTo{m.ID, m.What, m.Status.String()})
	}
	if o := e.Command; o != nil {
		c.Command = &changedCommand{o.ID, o.Kind, o.Chat, o.State, o.Error}
	}
	if b := e.Batch; b != nil {
		c.Batch = &changedBatch{b.ID, b.State, b.Total, b.Done, b.Failed}
	}
	return c
}
