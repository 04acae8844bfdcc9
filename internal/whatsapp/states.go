package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/types"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"pesan/internal/chat"
	"pesan/internal/whatsapp/translate"
)

// states fetches and changes the account's app state. whatsmeow does both too, but of a patch it tells neither the version
// nor the removals, without which nobody can know what counts. So its own fetches are turned into wishes for these: they
// find no state to begin with (see guard.GetAppStateVersion). What whatsmeow keeps of the state for itself, it is given.
type states struct {
	*run
	processor *appstate.Processor

	changed atomic.Int64 // how often it was, by whomever

	mu   sync.Mutex
	want map[appstate.WAPatchName]bool // collections to be fetched
	keys map[string]time.Time          // that the phone was asked for, and when

	others others
}

func newStates(r *run) *states {
	processor := appstate.NewProcessor(r.guard.device(), newLogger(r.log, r.stopping.Load, nil))
	return &states{run: r, processor: processor, want: make(map[appstate.WAPatchName]bool), keys: make(map[string]time.Time)}
}

// errFetchedHere is what whatsmeow gets when it wants to fetch.
var errFetchedHere = errors.New("app state is fetched by the host")

type ownKey struct{}

// own marks what is done here.
func own(ctx context.Context) context.Context { return context.WithValue(ctx, ownKey{}, true) }

// wanted has collections be fetched soon.
func (s *states) wanted(names ...appstate.WAPatchName) {
	s.mu.Lock()
	for _, name := range names {
		s.want[name] = true
	}
	s.mu.Unlock()
	s.sync.fetcher.start()
}

// take returns what is wanted, in the order in which clients fetch.
func (s *states) take() (names []appstate.WAPatchName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range appstate.AllPatchNames {
		if s.want[name] {
			names = append(names, name)
		}
	}
	clear(s.want)
	return names
}

// fetch projects what is new in a collection, or all of it. The lock of changes is held.
func (s *states) fetch(ctx context.Context, name appstate.WAPatchName, all bool) error {
	ctx = own(ctx)
	if all {
		if err := s.guard.DeleteAppStateVersion(ctx, string(name)); err != nil {
			return fmt.Errorf("forget app state: %w", err)
		}
	}
	state, err := s.state(ctx, name)
	if err != nil {
		return err
	}
	list, err := internals(s.wa).FetchAppStatePatches(ctx, name, state.Version, state.Version == 0)
	if err != nil {
		return fmt.Errorf("fetch app state: %w", err)
	}
	return s.follow(ctx, list, state, all)
}

// pages are the first ones of collections that were asked for together, as clients do: each question takes a round trip.
type pages struct {
	of  map[appstate.WAPatchName]*page
	err error // instead of an answer
}

// page is what follows a state.
type page struct {
	state appstate.HashState
	node  waBinary.Node
}

// ask asks for what is new in collections.
func (s *states) ask(ctx context.Context, names []appstate.WAPatchName) (p pages) {
	p.of = make(map[appstate.WAPatchName]*page)
	var asked []waBinary.Node
	for _, name := range names {
		state, err := s.state(own(ctx), name)
		if err != nil {
			continue // whoever fetches it alone says so
		}
		node := waBinary.Node{Tag: "collection", Attrs: waBinary.Attrs{"name": string(name), "return_snapshot": state.Version == 0}}
		if state.Version > 0 {
			node.Attrs["version"] = state.Version
		}
		p.of[name], asked = &page{state: state}, append(asked, node)
	}
	if len(asked) == 0 {
		return p
	}
	answer, err := internals(s.wa).SendIQ(ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "w:sync:app:state", Type: "set", To: types.ServerJID,
		Content: []waBinary.Node{{Tag: "sync", Content: asked}},
	})
	if err != nil {
		p.err = fmt.Errorf("fetch app state: %w", err)
		return p
	}
	sync := answer.GetChildByTag("sync")
	for _, node := range sync.GetChildrenByTag("collection") {
		if one := p.of[appstate.WAPatchName(node.AttrGetter().OptionalString("name"))]; one != nil {
			one.node = node
		}
	}
	return p
}

// fetchAsked projects what is new in a collection that was asked for. Where it has changed here since, as by a command, the
// answer may tell what is known by now, and else it is asked for anew. The lock of changes is held.
func (s *states) fetchAsked(ctx context.Context, name appstate.WAPatchName, p pages) error {
	one := p.of[name]
	switch {
	case one == nil, p.err == nil && one.node.Tag == "":
		return s.fetch(ctx, name, false)
	case p.err != nil:
		return p.err
	}
	now, err := s.state(own(ctx), name)
	if err != nil {
		return err
	}
	list, err := appstate.ParsePatchList(ctx, &one.node, internals(s.wa).DownloadExternalAppStateBlob)
	switch {
	case err != nil:
		return fmt.Errorf("fetch app state: %w", err)
	case now.Version == one.state.Version:
		return s.follow(own(ctx), list, one.state, false)
	case one.state.Version == 0, now.Version < lastOf(list, one.state.Version), list.HasMorePatches:
		return s.fetch(ctx, name, false)
	}
	return nil
}

// lastOf is the version that a page leads to which follows another.
func lastOf(list *appstate.PatchList, version uint64) uint64 {
	for _, p := range list.Patches {
		version = max(version, p.GetVersion().GetVersion())
	}
	return version
}

// follow projects a page that follows a state, and those after it; all is of a collection that is fetched from its beginning.
func (s *states) follow(ctx context.Context, list *appstate.PatchList, state appstate.HashState, all bool) error {
	snapshot := state.Version == 0
	whole, from, named := snapshot, uint64(0), false
	for {
		mutations, next, err := s.apply(ctx, list, state, snapshot, false)
		if err != nil {
			return err
		}
		if snapshot {
			from = list.Snapshot.GetVersion().GetVersion()
		}
		named = named || slices.ContainsFunc(mutations, func(m appstate.Mutation) bool {
			return len(m.Index) > 0 && (m.Index[0] == appstate.IndexContact || m.Index[0] == appstate.IndexLIDContact)
		})
		if state, snapshot = next, false; !list.HasMorePatches {
			break
		}
		if list, err = internals(s.wa).FetchAppStatePatches(ctx, list.Name, state.Version, false); err != nil {
			return fmt.Errorf("fetch app state: %w", err)
		}
	}
	if whole && list.Name == appstate.WAPatchCriticalUnblockLow && (all || named) { // a phone without an address book tells none
		return s.contactsCame(ctx, max(translate.OrderOf(from, 0), translate.AfterHistory))
	}
	return nil
}

// contactsCame takes the address book's names off those whom the whole state doesn't name: their removal was among the patches
// that were passed over, or came after the history was made. Chats that don't show follow with what is told of them next.
func (s *states) contactsCame(ctx context.Context, order int64) error {
	err := s.Accounts.UpdateAccount(ctx, s.account, func(a *chat.Account) error { a.Contacts = order; return nil })
	if err != nil {
		return fmt.Errorf("store that the contacts came: %w", err)
	}
	s.contacts.Store(order)
	return s.dropContacts(ctx, order)
}

// dropContacts has the chats that show forget what was told of contacts before.
func (s *states) dropContacts(ctx context.Context, before int64) error {
	change := chat.Change{Contacts: before, Epoch: s.epoch.Load()}
	return s.throughout(ctx, chat.Filter{Kind: chat.Private}, change, func(c *chat.Chat) bool { return c.TellsContact(before) })
}

// errUnconcerned leaves a chat as it is.
var errUnconcerned = errors.New("unconcerned")

// throughout makes a change to all chats that show and that it concerns.
func (s *states) throughout(ctx context.Context, f chat.Filter, change chat.Change, concerns func(*chat.Chat) bool) error {
	if err := s.settle(); err != nil { // what came before the change was known may make a chat show
		return err
	}
	for cursor := ""; ; {
		views, next, err := s.Chats.Chats(ctx, s.account, f, chat.Page{Limit: renewPage, Cursor: cursor}, s.Now())
		if err != nil {
			return fmt.Errorf("list chats: %w", err)
		}
		for _, v := range views {
			err := s.Chats.Update(ctx, s.account, v.JID, nil, func(t *chat.Thread) error {
				if !concerns(&t.Chat) {
					return errUnconcerned
				}
				c := change
				c.Chat = v.JID
				return t.Apply(c, s.Now())
			})
			if err != nil && !errors.Is(err, errUnconcerned) {
				return fmt.Errorf("change chat: %w", err)
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

func (s *states) state(ctx context.Context, name appstate.WAPatchName) (appstate.HashState, error) {
	version, hash, err := s.guard.GetAppStateVersion(ctx, string(name))
	if err != nil {
		return appstate.HashState{}, fmt.Errorf("get app state version: %w", err)
	}
	return appstate.HashState{Version: version, Hash: hash}, nil
}

// apply stores patches that follow a state, and projects what they say; mine was made here.
func (s *states) apply(
	ctx context.Context, list *appstate.PatchList, state appstate.HashState, snapshot, mine bool,
) (mutations []appstate.Mutation, next appstate.HashState, err error) {
	s.sync.begun()
	mutations, next, unread, err := s.keep(ctx, list, state, snapshot, mine)
	s.sync.ended(err)
	switch {
	case err != nil:
		s.refuse(list, err)
		return nil, next, fmt.Errorf("project app state: %w", err)
	case unread != nil:
		return nil, state, fmt.Errorf("decode app state: %w", unread)
	}
	s.refusals.over(list)
	return mutations, next, nil
}

// keep is apply; unread says why what comes from some patch on can't be read, while what comes before it is kept.
func (s *states) keep(
	ctx context.Context, list *appstate.PatchList, state appstate.HashState, snapshot, mine bool,
) (mutations []appstate.Mutation, next appstate.HashState, unread, err error) {
	mutations, next, unread = s.processor.DecodePatches(ctx, list, state, true)
	if unread != nil {
		switch {
		case errors.Is(unread, appstate.ErrKeyNotFound):
			s.spawn(func() { s.requestKeys(list) })
		case ctx.Err() == nil && s.crash.cause() == nil:
			s.sync.broken(list.Name)
		}
		if mutations, err = s.passed(ctx, list.Name, mutations); err != nil {
			return nil, next, unread, err
		}
	}
	if err = s.remember(ctx, list.Name, mutations, snapshot); err == nil {
		err = s.tell(ctx, mutations, mine)
	}
	s.changed.Add(1)
	return mutations, next, unread, err
}

// passed are the mutations that aren't fetched again, when a patch behind theirs can't be read: the version of theirs is stored.
func (s *states) passed(
	ctx context.Context, name appstate.WAPatchName, mutations []appstate.Mutation,
) ([]appstate.Mutation, error) {
	stored, err := s.state(ctx, name)
	return slices.DeleteFunc(mutations, func(m appstate.Mutation) bool { return m.PatchVersion > stored.Version }), err
}

// storedTogether is how many mutations are written to the key store at a time.
const storedTogether = 100

// remember gives whatsmeow what it keeps of mutations for itself.
func (s *states) remember(ctx context.Context, name appstate.WAPatchName, mutations []appstate.Mutation, snapshot bool) error {
	for some := range slices.Chunk(mutations, storedTogether) {
		err := s.guard.together(ctx, func(ctx context.Context) {
			for _, m := range some {
				if len(m.Index) > 0 {
					_ = internals(s.wa).DispatchAppState(ctx, name, m, snapshot)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keyPause is how long the phone isn't asked again for a key.
const keyPause = 24 * time.Hour

// requestKeys asks the phone for keys that a collection needs.
func (s *states) requestKeys(list *appstate.PatchList) {
	var request waE2E.AppStateSyncKeyRequest
	s.mu.Lock()
	for _, id := range s.processor.GetMissingKeyIDs(s.run.ctx, list) {
		if last, asked := s.keys[string(id)]; !asked || time.Since(last) > keyPause {
			s.keys[string(id)] = time.Now()
			request.KeyIDs = append(request.KeyIDs, &waE2E.AppStateSyncKeyId{KeyID: id})
		}
	}
	s.mu.Unlock()
	if len(request.KeyIDs) == 0 {
		return
	}
	err := s.tellPhone(s.run.ctx, s.wa.GenerateMessageID(), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_REQUEST.Enum(), AppStateSyncKeyRequest: &request,
	}})
	if err == nil {
		return
	}
	s.log.Warn("ask for app state keys", failure(err))
	s.mu.Lock()
	for _, key := range request.KeyIDs {
		delete(s.keys, string(key.GetKeyID()))
	}
	s.mu.Unlock()
	s.sync.again(list.Name, false) // which asks again
}

// projected is how many mutations are projected at a time: they share the waits for the disk, or for DynamoDB.
const projected = 16

// tell projects mutations: what is about the account first, then what is about chats, of which many may come at once.
func (s *states) tell(ctx context.Context, mutations []appstate.Mutation, mine bool) error {
	var chats []translate.Mutation
	ordered := translate.Ordered(mutations)
	if !mine {
		s.others.note(ordered, s.Now())
	}
	for _, m := range ordered {
		if m.CallBefore(s.linkedAt.Load()) {
			continue
		}
		if err := s.tellAccount(ctx, m); err != nil {
			return err
		}
		chats = append(chats, m)
	}
	var group errgroup.Group
	group.SetLimit(projected)
	for _, m := range chats {
		group.Go(func() error {
			b := s.bookFor(ctx)
			changes := b.Mutation(m)
			if m.Index[0] == appstate.IndexMarkChatAsRead && !mine {
				if err := s.withinReach(ctx, changes); err != nil {
					return err
				}
			}
			return s.project(b, changes)
		})
	}
	return group.Wait()
}

// tellAccount stores what a mutation says of the account itself.
func (s *states) tellAccount(ctx context.Context, m translate.Mutation) error {
	if name := m.Value.GetPushNameSetting().GetName(); name != "" {
		s.status.set(func(a *chat.Account) { a.PushName = name })
	}
	if m.Index[0] == appstate.IndexSettingUnarchiveChats && !m.Removed {
		setting := chat.Register[bool]{Value: m.Value.GetUnarchiveChatsSetting().GetUnarchiveChats(), At: m.Order}
		if err := s.unarchives(ctx, setting); err != nil {
			return err
		}
	}
	if all, ok := translate.Label(m); ok {
		if err := s.projector.Label(ctx, s.account, chat.Labels{Epoch: s.epoch.Load(), All: all}); err != nil {
			return fmt.Errorf("store label: %w", err)
		}
	}
	return nil
}

// withinReach leaves of a read that another device made only that the mark goes, where messages that it didn't know of are here:
// what is read is told by receipts. What this API does means what was there when it was called.
func (s *states) withinReach(ctx context.Context, changes []chat.Change) error {
	for i := range changes {
		read := &changes[i].State.Read
		if read.Through == 0 {
			continue
		}
		if err := s.settle(); err != nil {
			return err
		}
		c, err := s.Chats.State(ctx, s.account, changes[i].Chat)
		switch {
		case chat.CodeOf(err) == chat.ChatNotFound: // it waits for its chat
		case err != nil:
			return fmt.Errorf("look at what is to be read: %w", err)
		case c.NewerThan(*read):
			*read = chat.Range{}
		}
	}
	return nil
}

// unarchives stores whether news take chats out of the archive, and has all chats that were put there follow.
func (s *states) unarchives(ctx context.Context, setting chat.Register[bool]) error {
	err := s.Accounts.UpdateAccount(ctx, s.account, func(a *chat.Account) error { a.Unarchive = setting; return nil })
	if err != nil {
		return fmt.Errorf("store archive setting: %w", err)
	}
	s.archive.Store(&setting)
	change := chat.Change{State: chat.Chat{Unarchive: setting}, Epoch: s.epoch.Load()}
	return s.throughout(ctx, chat.Filter{}, change, func(c *chat.Chat) bool { return c.Archived.Value })
}

// refusedPatch is WhatsApp's answer to a change that it doesn't take.
type refusedPatch struct {
	code    int
	patches *appstate.PatchList // that were made meanwhile; nil where it tells none
	state   appstate.HashState  // that they follow
}

func (e *refusedPatch) Error() string {
	return fmt.Sprintf("WhatsApp refuses the app state patch: %d", e.code)
}

// The codes of a change that somebody else's came before, and of one too many for now.
const (
	conflict = 409
	tooMany  = 429
)

// change sends a patch and projects it with whatever came before it. The lock of changes is held.
func (s *states) change(ctx context.Context, key []byte, patch appstate.PatchInfo) error {
	ctx = own(ctx)
	state, err := s.state(ctx, patch.Type)
	if err != nil {
		return err
	}
	err = s.guard.readMACs(ctx, patch.Type, func(ctx context.Context) { _, _ = s.processor.EncodePatch(ctx, key, state, patch) })
	if err != nil {
		return fmt.Errorf("read app state: %w", err)
	}
	encoded, err := s.processor.EncodePatch(ctx, key, state, patch)
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	answer, err := internals(s.wa).SendIQ(ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "w:sync:app:state", Type: "set", To: types.ServerJID,
		Content: []waBinary.Node{{Tag: "sync", Content: []waBinary.Node{{
			Tag:     "collection",
			Attrs:   waBinary.Attrs{"name": string(patch.Type), "version": state.Version, "return_snapshot": false},
			Content: []waBinary.Node{{Tag: "patch", Content: encoded}},
		}}}},
	})
	if err != nil {
		return err
	}
	collection, ok := answer.GetOptionalChildByTag("sync", "collection")
	if !ok {
		return &whatsmeow.ElementMissingError{Tag: "collection", In: "app state send response"}
	}
	if collection.AttrGetter().OptionalString("type") == "error" {
		refused := &refusedPatch{state: state}
		if node, ok := collection.GetOptionalChildByTag("error"); ok {
			refused.code = node.AttrGetter().OptionalInt("code")
		}
		if list, err := appstate.ParsePatchList(ctx, &collection, internals(s.wa).DownloadExternalAppStateBlob); err == nil &&
			len(list.Patches) > 0 {
			refused.patches = list
		}
		return refused
	}
	// WhatsApp has the patch as it was sent, upon the state that it was made for: it is taken from here rather than fetched.
	own := new(waServerSync.SyncdPatch)
	if err := proto.Unmarshal(encoded, own); err != nil {
		return fmt.Errorf("decode patch: %w", err)
	}
	own.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(state.Version + 1)}
	_, _, err = s.apply(ctx, &appstate.PatchList{Name: patch.Type, Patches: []*waServerSync.SyncdPatch{own}}, state, false, true)
	return err
}
