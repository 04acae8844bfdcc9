package store_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/dynamodb"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
	"pesan/internal/store/storetest"
	"pesan/internal/testkit/dynamolocal"
)

// paused is a store whose process is paused amid its writes, at the nth piece of them, until it is resumed.
type paused struct {
	kv.Store
	left    int
	reached chan struct{}
	resume  chan struct{}
}

func (p *paused) Write(ctx context.Context, steps ...kv.Step) error {
	for _, step := range steps {
		pieces := []kv.Step{step}
		if !step.All {
			pieces = nil
			for _, op := range step.Ops {
				pieces = append(pieces, kv.Each(op))
			}
		}
		for _, piece := range pieces {
			if p.left--; p.left == -1 {
				close(p.reached)
				<-p.resume
			}
			if err := p.Store.Write(ctx, piece); err != nil {
				return err
			}
		}
	}
	return nil
}

const budi, siti chat.JID = "6281234567890@s.whatsapp.net", "6281299988877@s.whatsapp.net"

// conversation is what a client knows of a chat that follows it.
type conversation struct {
	store   *store.Store
	account string
	jid     chat.JID
	at      chat.Position
	has     map[string]bool
}

func (c *conversation) follow(t *testing.T) {
	t.Helper()
	for more := true; more; {
		d, err := c.store.MessagesSince(t.Context(), c.account, c.jid, c.at, 100, noon)
		if code := chat.CodeOf(err); code == chat.ChatNotFound || code == chat.SinceTooOld {
			if c.at, err = c.store.End(t.Context(), c.account); err != nil {
				t.Fatal(err)
			}
			c.has = c.all(t)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if d.Complete {
			clear(c.has)
		}
		for _, m := range d.Messages {
			c.has[m.ID] = true
		}
		for _, id := range d.Gone {
			delete(c.has, id)
		}
		c.at, more = d.Position, d.More
	}
}

// all is what the chat has.
func (c *conversation) all(t *testing.T) map[string]bool {
	t.Helper()
	has := map[string]bool{}
	all, err := c.store.Messages(t.Context(), c.account, c.jid, chat.Page{Limit: 100}, noon)
	if err != nil && chat.CodeOf(err) != chat.ChatNotFound {
		t.Fatal(err)
	}
	for _, m := range all.Messages {
		has[m.ID] = true
	}
	return has
}

// TestFormerOwnerIsRefused pauses an account's owner at each piece of a change, while another takes the account over, and lets him go
// on: what he appends is refused, numbers only grow, and who reads the feed misses nothing of what is stored.
func TestFormerOwnerIsRefused(t *testing.T) {
	formerOwner(t, func(t *testing.T) kv.Store { return openFile(t, sqlite.Options{Now: storetest.Now}) }, store.S2)
}

func TestFormerOwnerIsRefusedByDynamoDB(t *testing.T) {
	t.Parallel()
	db := dynamodb.New(dynamolocal.Client(t, dynamodb.Tuned), newTables(t), storetest.Now)
	formerOwner(t, func(*testing.T) kv.Store { return db }, store.Zstd)
}

func formerOwner(t *testing.T, open func(*testing.T) kv.Store, how store.Compression) {
	for _, before := range []int{0, 1, 3} { // entries that there are when the former owner is paused
		for _, known := range []bool{false, true} { // whether the chat is
			for piece := 0; ; piece++ {
				db := open(t)
				if !takenOver(t, db, how, before, known, piece) {
					break
				}
			}
		}
	}
}

// takenOver tells whether the former owner had as many pieces to write.
func takenOver(t *testing.T, db kv.Store, how store.Compression, before int, known bool, piece int) bool {
	t.Helper()
	when := fmt.Sprintf("%d entries before, chat known %v, paused at piece %d", before, known, piece)
	ctx := t.Context()
	host := func(db kv.Store, token int64) *store.Store {
		return store.New(db, store.Options{Compression: how, Now: storetest.Now}).WithToken(token)
	}
	reader := host(db, 0)
	account := newAccount(t, reader)
	at := chat.Position{At: storetest.Now()}
	told := map[string]bool{}
	clients := []*conversation{{store: reader, account: account, jid: budi}, {store: reader, account: account, jid: siti}}
	read := func() {
		t.Helper()
		for {
			entries, next, err := reader.After(ctx, account, at, 1)
			if err != nil {
				t.Fatalf("%s: read feed: %v", when, err)
			}
			for _, e := range entries {
				if e.Seq <= at.Seq {
					t.Fatalf("%s: number %d comes after %d", when, e.Seq, at.Seq)
				}
				at.Seq = e.Seq
				for _, m := range e.Messages {
					told[m.ID] = true
				}
			}
			if at = next; len(entries) == 0 {
				break
			}
		}
		for _, c := range clients {
			c.follow(t)
		}
	}
	say := func(s *store.Store, jid chat.JID, id string) error {
		return apply(ctx, s, account, chat.Change{Chat: jid, Messages: []chat.Message{{ID: id, Content: chat.Content{
			Sender: jid, Time: noon.Unix() - 1000, Type: "conversation", Body: id, Message: `{"conversation":"x"}`,
		}}}})
	}
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %s: %v", when, what, err)
		}
	}
	gate := &paused{Store: db, left: 1 << 30, reached: make(chan struct{}), resume: make(chan struct{})}
	former := host(gate, 3)
	for i := range before {
		jid := siti
		if known && i == 0 {
			jid = budi
		}
		must("a message before", say(former, jid, fmt.Sprint("before", i)))
	}
	gate.left = piece
	ended := make(chan error, 1)
	go func() { ended <- say(former, budi, "late") }()
	select {
	case <-gate.reached:
	case err := <-ended:
		must("a change that isn't paused", err)
		return false
	}
	read()
	owner := host(db, 4)
	must("the owner's first message", say(owner, siti, "owner0"))
	read()
	if !told["owner0"] {
		t.Errorf("%s: the owner's message isn't seen", when)
	}
	close(gate.resume)
	late := <-ended
	read()
	for i := range 3 {
		for range 3 { // also where nobody has taken the next number yet
			if err := say(former, siti, fmt.Sprint("refused", i)); chat.CodeOf(err) != chat.LeaseHeld {
				t.Errorf("%s: the former owner's message: %v", when, err)
			}
		}
		must("the owner's message", say(owner, budi, fmt.Sprint("owner", i+1)))
		read()
	}
	if late != nil { // what wasn't acknowledged comes again
		if chat.CodeOf(late) != chat.LeaseHeld {
			t.Errorf("%s: the paused change: %v", when, late)
		}
		must("the message that comes again", say(owner, budi, "late"))
	}
	read()
	for _, c := range clients {
		all := c.all(t)
		if !maps.Equal(all, c.has) {
			t.Errorf("%s: the client has %v of %v", when, c.has, all)
		}
		for id := range all {
			if !told[id] {
				t.Errorf("%s: %s is stored and isn't told", when, id)
			}
		}
		if c.jid == budi && !all["late"] {
			t.Errorf("%s: the late message isn't stored", when)
		}
	}
	return true
}

// TestStatesAreTold: an account's owner tells of a new state and of a new reason, once, and nobody else does.
func TestStatesAreTold(t *testing.T) {
	s := store.New(openFile(t, sqlite.Options{Now: storetest.Now}), store.Options{Compression: store.S2, Now: storetest.Now})
	ctx, account := t.Context(), newAccount(t, s)
	owner := s.WithToken(3)
	end, err := s.End(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		by     *store.Store
		change func(*chat.Account)
		want   string
	}{
		{owner, func(a *chat.Account) { a.State = chat.Pairing }, "PAIRING "},
		{owner, func(a *chat.Account) { a.Reason = "x" }, "PAIRING x"},
		{owner, func(a *chat.Account) { a.Name = "toko" }, ""},
		{owner, func(*chat.Account) {}, ""},
		{s, func(a *chat.Account) { a.Name = "kios" }, ""},
		{owner, func(a *chat.Account) { a.State, a.Reason = chat.Connected, "" }, "CONNECTED "},
	} {
		if err := step.by.UpdateAccount(ctx, account, func(a *chat.Account) error { step.change(a); return nil }); err != nil {
			t.Fatal(err)
		}
		var entries []chat.FeedEntry
		entries, end, err = s.After(ctx, account, end, 10)
		if err != nil {
			t.Fatal(err)
		}
		told := ""
		for _, e := range entries {
			told += fmt.Sprint(e.State, " ", e.Reason)
		}
		if told != step.want {
			t.Errorf("told %q, want %q", told, step.want)
		}
	}
}
