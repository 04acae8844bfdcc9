package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func label(name string, at int64) Register[Label] { return Register[Label]{Label{Name: name}, at} }

func TestLabelsJoin(t *testing.T) {
	told := func(epoch int64, id string, r Register[Label]) Labels {
		return Labels{Epoch: epoch, All: map[string]Register[Label]{id: r}}
	}
	for name, c := range map[string]struct {
		all  []Labels
		want string
	}{
		"the later counts":        {[]Labels{told(1, "1", label("a", 5)), told(1, "1", label("b", 4))}, "1:a"},
		"two":                     {[]Labels{told(1, "1", label("a", 5)), told(1, "2", label("b", 4))}, "1:a 2:b"},
		"a new link":              {[]Labels{told(1, "1", label("a", 5)), told(2, "2", label("b", 4))}, "2:b"},
		"an old link":             {[]Labels{told(2, "1", label("a", 5)), told(1, "2", label("b", 9))}, "1:a"},
		"no label's id":           {[]Labels{told(1, "a b", label("a", 5)), told(1, "", label("a", 5)), told(1, strings.Repeat("1", maxLabelID+1), label("a", 5))}, ""},
		"the longest id and name": {[]Labels{told(1, strings.Repeat("1", maxLabelID), label(strings.Repeat("x", maxLabelName+1), 5))}, strings.Repeat("1", maxLabelID) + ":" + strings.Repeat("x", maxLabelName)},
	} {
		var l Labels
		for _, o := range c.all {
			l.Join(o)
		}
		var got []string
		for id, r := range l.All {
			got = append(got, id+":"+r.Value.Name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	var full Labels
	for i := range maxLabels + 2 {
		full.Join(told(0, fmt.Sprint(i), label("a", 1)))
	}
	full.Join(told(0, "0", label("b", 2)))
	if len(full.All) != maxLabels || full.All["0"].Value.Name != "b" {
		t.Errorf("%d labels, the first is %+v", len(full.All), full.All["0"])
	}
}

func TestLabelIDs(t *testing.T) {
	on := Register[bool]{true, 1}
	c := Chat{Labels: map[string]Register[bool]{"2": on, "1": on, "3": {}, "a b": on}}
	ids := c.LabelIDs()
	if !slices.Equal(ids.List(), []string{"1", "2"}) || !ids.Has("1") || !ids.Has("2") || ids.Has("3") || LabelIDs("12 ").Has("2") || LabelIDs("12 ").Has("1") {
		t.Errorf("the labels are %q", ids)
	}
}

// labelled is a store of chats that have labels, and can fail.
type labelled struct {
	ChatStore
	labels Labels
	chats  map[JID]*Chat
	fail   string
	page   int
}

var errLabelled = errors.New("fault")

func (s *labelled) fault(what string) error {
	if s.fail == what {
		return errLabelled
	}
	return nil
}

func (s *labelled) Labels(context.Context, string) (Labels, error) { return s.labels, s.fault("read") }

func (s *labelled) JoinLabels(_ context.Context, _ string, told Labels) (Labels, error) {
	s.labels.Join(told)
	return s.labels, s.fault("join")
}

func (s *labelled) Chats(_ context.Context, _ string, f Filter, p Page, now time.Time) (views []View, next string, err error) {
	if err := s.fault("list"); err != nil {
		return nil, "", err
	}
	var all []JID
	for jid, c := range s.chats {
		if v := c.Outline(); f.Accepts(&v, now) && string(jid) > p.Cursor {
			all = append(all, jid)
		}
	}
	slices.Sort(all)
	for _, jid := range all[:min(len(all), s.page)] {
		views = append(views, s.chats[jid].Outline())
	}
	if len(all) > s.page {
		next = string(all[s.page-1])
	}
	return views, next, nil
}

func (s *labelled) Update(_ context.Context, _ string, jid JID, _ []string, change func(*Thread) error) error {
	if err := s.fault("update"); err != nil {
		return err
	}
	th := thread(jid, nil, nil)
	if c := s.chats[jid]; c != nil {
		th.Chat = *c
	}
	if err := change(th); err != nil {
		return err
	}
	s.chats[jid] = &th.Chat
	return nil
}

// TestALabelIsDeleted: it is taken off all chats, whenever they got it, and in the link that tells it only.
func TestALabelIsDeleted(t *testing.T) {
	ctx := t.Context()
	put := func(jid JID, epoch, at int64) Change {
		return Change{Chat: jid, Epoch: epoch, State: Chat{Labels: map[string]Register[bool]{"1": {true, at}, "2": {true, at}}}}
	}
	gone := Labels{Epoch: 2, All: map[string]Register[Label]{"1": {Label{Deleted: true}, 10}}}
	set := func() *labelled { return &labelled{chats: map[JID]*Chat{}, page: 1} }
	for name, order := range map[string][]any{
		"after":                 {put(alice, 2, 5), put(bob, 2, 20), gone},
		"before":                {gone, put(alice, 2, 5), put(bob, 2, 20)},
		"told again":            {put(alice, 2, 5), gone, put(bob, 2, 20), gone},
		"of an earlier link":    {put(alice, 2, 5), put(bob, 2, 20), gone, Labels{Epoch: 1, All: map[string]Register[Label]{"2": {Label{Deleted: true}, 10}}}},
		"another isn't deleted": {put(alice, 2, 5), put(bob, 2, 20), gone, Labels{Epoch: 2, All: map[string]Register[Label]{"2": label("x", 10)}}},
	} {
		s := set()
		p := NewProjector(s, func() time.Time { return noon })
		for _, step := range order {
			var err error
			if c, ok := step.(Change); ok {
				err = p.Apply(ctx, account, c)
			} else {
				err = p.Label(ctx, account, step.(Labels))
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for _, jid := range []JID{alice, bob} {
			if got := s.chats[jid].LabelIDs(); got != "2 " {
				t.Errorf("%s: %s has %q", name, jid, got)
			}
		}
	}

	s := set()
	p := NewProjector(s, func() time.Time { return noon })
	if err := errors.Join(p.Apply(ctx, account, put(alice, 2, 5)), p.Label(ctx, account, gone)); err != nil {
		t.Fatal(err)
	}
	before := s.chats[alice].Labels["1"]
	if err := p.Label(ctx, account, gone); err != nil || s.chats[alice].Labels["1"] != before || before.At < 6 {
		t.Errorf("taken off once and again: %+v, %+v, %v", before, s.chats[alice].Labels["1"], err)
	}
	if err := p.Apply(ctx, account, put(alice, 3, 1)); err != nil || s.chats[alice].LabelIDs() != "1 2 " {
		t.Errorf("in the next link it has %q, %v", s.chats[alice].LabelIDs(), err)
	}
	for _, fault := range []string{"join", "list", "update", "read"} {
		s := set()
		p := NewProjector(s, func() time.Time { return noon })
		if err := p.Apply(ctx, account, put(alice, 2, 5)); err != nil {
			t.Fatal(err)
		}
		s.fail = fault
		err := p.Label(ctx, account, gone)
		if fault == "read" {
			err = p.Apply(ctx, account, put(alice, 2, 6))
		}
		if !errors.Is(err, errLabelled) {
			t.Errorf("a fault of %s: %v", fault, err)
		}
	}
}

// TestSelect makes operations of the chats that a filter lets through.
func TestSelect(t *testing.T) {
	const channel JID = "123456@newsletter"
	s := &labelled{chats: map[JID]*Chat{}, page: 1}
	for _, jid := range []JID{alice, bob, team, channel} {
		s.chats[jid] = &Chat{JID: jid, Activity: 10}
	}
	s.chats[bob].Activity = 0
	r := selecting{s}
	ids := func(all []Operation) (jids []JID) {
		for _, o := range all {
			jids = append(jids, o.Chat)
		}
		slices.Sort(jids)
		return jids
	}
	all, unfit, err := Select(t.Context(), r, account, Operation{Op: ArchiveCommand}, Filter{}, []JID{team, "629999999999@s.whatsapp.net"}, noon)
	if err != nil || !slices.Equal(ids(all), []JID{alice, bob}) || len(unfit) != 1 || unfit[0].Chat != channel || CodeOf(unfit[0].Err) != WhatsAppRejected {
		t.Errorf("selected are %+v, unfit %+v, %v", all, unfit, err)
	}
	for _, o := range all {
		if (o.Through != nil) != (o.Chat != bob) { // in which nothing happened yet
			t.Errorf("%s is archived through %+v", o.Chat, o.Through)
		}
	}
	if all, _, err = Select(t.Context(), r, account, Operation{Op: PinCommand}, Filter{Kind: Group}, nil, noon); err != nil || len(all) != 1 || all[0].Through != nil {
		t.Errorf("pinned are %+v, %v", all, err)
	}
	if _, _, err := Select(t.Context(), r, account, Operation{Op: ConnectCommand}, Filter{}, nil, noon); CodeOf(err) != InvalidParameter {
		t.Errorf("an operation that is none: %v", err)
	}
	for _, fault := range []string{"list", "chat"} {
		s.fail = fault
		if _, _, err := Select(t.Context(), r, account, Operation{Op: PinCommand}, Filter{}, []JID{team}, noon); !errors.Is(err, errLabelled) {
			t.Errorf("a fault of %s: %v", fault, err)
		}
	}
	s.fail, s.page = "", selectPage
	for i := range MaxOperations - 4 {
		jid := NewJID(fmt.Sprint(628000000000+i), UserServer)
		s.chats[jid] = &Chat{JID: jid}
	}
	whole := &labelled{chats: s.chats, page: MaxOperations + 2}
	if all, _, err := Select(t.Context(), selecting{whole}, account, Operation{Op: PinCommand}, Filter{}, nil, noon); err != nil || len(all) != MaxOperations {
		t.Errorf("%d operations, %v", len(all), err)
	}
	s.chats["628999999999@s.whatsapp.net"] = &Chat{JID: "628999999999@s.whatsapp.net"}
	if _, _, err := Select(t.Context(), selecting{whole}, account, Operation{Op: PinCommand}, Filter{}, nil, noon); CodeOf(err) != TooManyOperations {
		t.Errorf("one too many: %v", err)
	}
}

// selecting finds the chats of labelled.
type selecting struct{ *labelled }

func (s selecting) Chat(_ context.Context, _ string, jid JID) (View, error) {
	if err := s.fault("chat"); err != nil {
		return View{}, err
	}
	if c := s.chats[jid]; c != nil {
		return c.Outline(), nil
	}
	return View{}, &Error{Code: ChatNotFound}
}
