package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"pesan/internal/chat"
	"pesan/internal/testkit/dynamolocal"
)

var errCrashed = errors.New("the process has ended")

// crash ends a client's life at its nth write: that one fails, after it was done where late is set, and so does everything
// after it.
type crash struct {
	late bool

	mu     sync.Mutex
	writes int // left
	over   bool
}

func (c *crash) attach(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("crash", c.handle), middleware.After)
	})
}

func (c *crash) handle(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	operation := awsmiddleware.GetOperationName(ctx)
	write := !strings.HasPrefix(operation, "Get") && !strings.HasPrefix(operation, "BatchGet") && operation != "Query"
	c.mu.Lock()
	before, now := c.over, false
	if write && !before {
		c.writes--
		now = c.writes < 0
		c.over = now
	}
	c.mu.Unlock()
	if before || now && !c.late {
		return middleware.InitializeOutput{}, middleware.Metadata{}, errCrashed
	}
	out, metadata, err := next.HandleInitialize(ctx, in)
	if now {
		err = errCrashed
	}
	return out, metadata, err
}

// everything is all that a store shows of a chat.
func everything(t *testing.T, store *Chats, account string, jid chat.JID) string {
	t.Helper()
	ctx := t.Context()
	c, messages, _, err := store.Export(ctx, account, jid, chat.Page{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]chat.Message{}
	for _, m := range messages {
		if _, twice := byID[m.ID]; twice {
			t.Errorf("message %s is stored twice", m.ID)
		}
		byID[m.ID] = m
	}
	views, _, err := store.Chats(ctx, account, chat.Filter{}, chat.Page{Limit: 10}, noon)
	if err != nil {
		t.Fatal(err)
	}
	conversation, err := store.Messages(ctx, account, jid, chat.Page{Limit: 100}, noon)
	if err != nil && chat.CodeOf(err) != chat.ChatNotFound {
		t.Fatal(err)
	}
	state, err := marshal([]any{c, byID})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(state, views, conversation)
}

// TestCrash ends the process at each write of a change. The change, made again, completes what was stored, also when
// another one about the same message comes between.
func TestCrash(t *testing.T) {
	t.Parallel()
	db := dynamolocal.Client(t, Tuned)
	names := newTables(t)
	r := newInbox(9)
	pn, _ := r.person()
	at := noon.Unix() - 5000
	first, second := r.text(pn, at), r.text(own, at+10)
	stub := chat.Message{ID: first.ID, Status: chat.Read, Starred: asSet(true)}
	earlier := first // claims the same id at another time
	earlier.Content.Time -= 100
	message := func(messages ...chat.Message) chat.Change { return chat.Change{Chat: pn, Messages: messages} }
	for name, changes := range map[string][]chat.Change{ // the last is the one that crashes
		"new chat":        {message(first)},
		"new message":     {message(second), message(first)},
		"stub":            {message(second), message(stub)},
		"filled stub":     {message(stub), message(first)},
		"changed message": {message(first), message(stub)},
		"moved message":   {message(first), message(earlier)},
		"clear":           {message(first, second), {Chat: pn, State: chat.Chat{Cleared: chat.RangeOf(at + 5)}}},
		"delete":          {message(first, second), {Chat: pn, State: chat.Chat{Deleted: chat.RangeOf(at + 50)}}},
		"comes to show":   {{Chat: pn, State: chat.Chat{Contact: asSet("Siti")}}, message(second, first)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			between := message(earlier)
			want := map[bool]string{}
			for _, disturbed := range []bool{false, true} {
				account := fmt.Sprint(name, disturbed)
				store := NewChats(db, names.Chats, names.Messages)
				if disturbed {
					project(t, store, account, between)
				}
				for _, c := range changes {
					project(t, store, account, c)
				}
				want[disturbed] = everything(t, store, account, pn)
			}
			for i := range 2 * 2 * 20 {
				late, disturbed, writes := i%2 == 1, i/2%2 == 1, i/4
				if crashed := crashAt(t, names, changes, between, &crash{late: late, writes: writes}, disturbed, want[disturbed], name); !crashed && i%4 == 3 {
					return // the change has no more writes
				}
			}
			t.Error("the change never ends")
		})
	}
}

func crashAt(t *testing.T, names Names, changes []chat.Change, between chat.Change, c *crash, disturbed bool, want, name string) (crashed bool) {
	t.Helper()
	account := fmt.Sprint(name, disturbed, c.late, c.writes)
	when := fmt.Sprintf("write %d, late %v, disturbed %v", c.writes, c.late, disturbed)
	store := NewChats(dynamolocal.Client(t, Tuned), names.Chats, names.Messages)
	last := changes[len(changes)-1]
	for _, before := range changes[:len(changes)-1] {
		project(t, store, account, before)
	}
	dying := NewChats(dynamolocal.Client(t, Tuned, c.attach), names.Chats, names.Messages)
	var ids []string
	for _, m := range last.Messages {
		ids = append(ids, m.ID)
	}
	err := dying.Update(t.Context(), account, last.Chat, ids, func(th *chat.Thread) error { return th.Apply(last, noon) })
	if err != nil && !errors.Is(err, errCrashed) {
		t.Fatal(err)
	}
	if disturbed {
		project(t, store, account, between)
	}
	project(t, store, account, last)
	if got := everything(t, store, account, last.Chat); got != want {
		t.Errorf("crashed at %s: the store shows\n%s\nwant\n%s", when, got, want)
	}
	return err != nil
}
