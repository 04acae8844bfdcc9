package whatsapp

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// behind is what is stored while whatsmeow goes on with the next stanza: what messages and receipts say, that of one chat in its
// order, whichever of a person's addresses names it. Nothing is sent before all that was begun by then is stored, so neither is
// an acknowledgement. Whatever else is handled waits for it, too.
type behind struct {
	room chan struct{} // has an element for each that is under way

	mu   sync.Mutex
	ends map[chan struct{}]bool     // of those under way; closed when one is over
	last map[chat.JID]chan struct{} // of each chat's last, by all its addresses; of the last that was alone under everyChat
}

// everyChat stands for all chats.
const everyChat chat.JID = ""

func newBehind(most int) *behind {
	return &behind{
		room: make(chan struct{}, most),
		ends: make(map[chan struct{}]bool), last: make(map[chat.JID]chan struct{}),
	}
}

// begin waits for room. Those that go before it are over when all of before are closed; end has to be called. What is alone comes
// after all that was begun earlier, and before all that is begun later.
func (s *behind) begin(changes []chat.Change, alone bool) (before []chan struct{}, end func()) {
	s.room <- struct{}{}
	s.mu.Lock()
	defer s.mu.Unlock()
	own := make(chan struct{})
	chats := make(map[chat.JID]bool)
	for i := range changes {
		chats[changes[i].Chat] = true
		if alt := changes[i].Alt; alt != "" {
			chats[alt] = true
		}
	}
	if last := s.last[everyChat]; last != nil {
		before = append(before, last)
	}
	for jid := range chats {
		if last := s.last[jid]; last != nil {
			before = append(before, last)
		}
	}
	if alone {
		before = slices.Collect(maps.Keys(s.ends))
		chats[everyChat] = true
	}
	for jid := range chats {
		s.last[jid] = own
	}
	s.ends[own] = true
	return before, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for jid := range chats {
			if s.last[jid] == own {
				delete(s.last, jid)
			}
		}
		delete(s.ends, own)
		close(own)
		<-s.room
	}
}

// wait waits for all that has begun by now.
func (s *behind) wait() {
	s.mu.Lock()
	ends := slices.Collect(maps.Keys(s.ends))
	s.mu.Unlock()
	for _, end := range ends {
		<-end
	}
}

var errUnsettled = errors.New("what came before isn't stored")

// settle waits until all that has begun by now is stored. It fails with errUnsettled when that can't be.
func (r *run) settle() error {
	r.behind.wait()
	if r.crash.cause() != nil {
		return errUnsettled
	}
	return nil
}

// projectBehind projects what an event says, and calls then if that is stored. It returns before, with later, unless something
// has failed of late.
func (r *run) projectBehind(evt any, b *translate.Book, changes []chat.Change, then func()) (later bool, err error) {
	if r.Behind == 0 || len(changes) == 0 || r.refusals.any() || !r.handlers.enter() {
		if err := r.settle(); err != nil {
			return false, err
		}
		if err := r.project(b, changes); err != nil {
			return false, err
		}
		then()
		return false, nil
	}
	r.persons.storing.RLock() // first: whoever is under way has it, and waits for nobody who hasn't
	before, end := r.behind.begin(changes, r.moves(changes))
	over := func() {
		end()
		r.persons.storing.RUnlock()
		r.handlers.leave()
	}
	defer func() {
		if !later {
			over()
		}
	}()
	if err := r.complete(b, changes); err != nil {
		return false, err
	}
	later = true
	go func() {
		defer over()
		defer func() {
			if p := recover(); p != nil {
				r.panicked(evt, p)
				r.restart(saying(evt, errors.New("panic"))) // however often it has: it isn't dropped here
			}
		}()
		for _, last := range before {
			<-last
		}
		if r.crash.cause() != nil {
			return
		}
		if err := r.apply(b, changes); err != nil {
			r.refusals.count(evt) // when it comes again it is handled in turn
			r.fail(saying(evt, err))
			return
		}
		r.refusals.over(evt)
		then()
	}()
	return true, nil
}
