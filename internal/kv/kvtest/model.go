package kvtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pesan/internal/kv"
)

// model makes made-up writes to a store and to a map, and compares what they hold.
func model(t *testing.T, f *fixture) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &world{f: f, partition: newKey(""), items: map[string]kv.Item{}}
		for range rapid.IntRange(1, 12).Draw(rt, "writes") {
			f.clock.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 500, 1000, 3000}).Draw(rt, "ms")) * time.Millisecond)
			m.write(rt)
			m.compare(rt)
		}
	})
}

// world is what should be stored in a partition.
type world struct {
	f         *fixture
	partition kv.Key
	items     map[string]kv.Item
	old       []kv.Version // versions that were stored once
}

var modelKeys = []string{"a", "a\x00", "b", "é", "\U0010ffff"}

func (m *world) live(sort string) *kv.Item {
	it, ok := m.items[sort]
	if !ok || it.Expires > 0 && it.Expires <= m.f.clock.Now().Unix() {
		return nil
	}
	return &it
}

// judge says what becomes of an operation on what is stored.
func (m *world) judge(op *kv.Op) error {
	stored := m.live(op.Item.Sort)
	if stored != nil && op.Item.Token != 0 && stored.Token > op.Item.Token {
		return kv.ErrFenced
	}
	holds := true
	switch op.Condition.Kind() {
	case kv.ConditionAlways:
	case kv.ConditionAbsent:
		holds = stored == nil
	case kv.ConditionPresent:
		holds = stored != nil
	case kv.ConditionUnchanged:
		holds = stored != nil && stored.Version == op.Condition.Version()
	}
	if holds || op.Kind == kv.OpPut && stored != nil && stored.Version == op.Item.Version {
		return nil
	}
	return kv.ErrConflict
}

func (m *world) apply(op *kv.Op) {
	switch op.Kind {
	case kv.OpPut:
		m.items[op.Item.Sort] = op.Item
		m.old = append(m.old, op.Item.Version)
	case kv.OpDelete:
		delete(m.items, op.Item.Sort)
	case kv.OpCheck:
	}
}

func (m *world) draw(rt *rapid.T, sort string) kv.Op {
	k := beside(m.partition, sort)
	c := kv.Always()
	switch rapid.IntRange(0, 5).Draw(rt, "condition") {
	case 1:
		c = kv.Absent()
	case 2:
		c = kv.Present()
	case 3, 4:
		c = kv.As(m.live(sort))
	case 5:
		if len(m.old) > 0 {
			c = kv.Unchanged(rapid.SampledFrom(m.old).Draw(rt, "version"))
		}
	}
	token := rapid.Int64Range(0, 3).Draw(rt, "token")
	switch rapid.IntRange(0, 4).Draw(rt, "kind") {
	case 0:
		return kv.Delete(k, c, token)
	case 1:
		return kv.Check(k, c, token)
	}
	it := kv.Item{Key: k, Token: token, Data: []byte(rapid.StringN(0, 8, 20).Draw(rt, "data"))}
	if rapid.Bool().Draw(rt, "expires") {
		it.Expires = m.f.in(rapid.Int64Range(0, 4).Draw(rt, "in"))
	}
	if n := rapid.Int64Range(-2, 2).Draw(rt, "field"); n != 0 {
		it.Fields = map[string]int64{"n": n}
	}
	return kv.Put(it, c)
}

func (m *world) drawSteps(rt *rapid.T) (steps []kv.Step) {
	for range rapid.IntRange(1, 3).Draw(rt, "steps") {
		step := kv.Step{All: rapid.Bool().Draw(rt, "all")}
		for _, sort := range rapid.Permutation(modelKeys).Draw(rt, "keys")[:rapid.IntRange(1, 4).Draw(rt, "ops")] {
			step.Ops = append(step.Ops, m.draw(rt, sort))
		}
		steps = append(steps, step)
	}
	return steps
}

// write makes one write, sometimes twice, as who has lost the answer.
func (m *world) write(rt *rapid.T) {
	steps := m.drawSteps(rt)
	for range 1 + rapid.IntRange(0, 3).Draw(rt, "again")/3 {
		err := m.f.Write(m.f.ctx, steps...)
		if wrong := m.expect(steps, err); wrong != nil {
			rt.Fatalf("write %s: %v, but %v", describe(steps), err, wrong)
		}
	}
}

// expect makes the write to the model and says what is wrong about the store's answer.
func (m *world) expect(steps []kv.Step, err error) error {
	for _, step := range steps {
		var refusals []error
		for i := range step.Ops {
			if refusal := m.judge(&step.Ops[i]); refusal != nil {
				refusals = append(refusals, refusal)
			}
		}
		if len(refusals) == 0 {
			for i := range step.Ops {
				m.apply(&step.Ops[i])
			}
			continue
		}
		if !slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) }) {
			return fmt.Errorf("it should be one of %v", refusals)
		}
		if !step.All {
			return m.adopt(step)
		}
		return nil
	}
	return err
}

// adopt looks which operations of an Each that was refused were made.
func (m *world) adopt(step kv.Step) error {
	for i := range step.Ops {
		op := &step.Ops[i]
		if m.judge(op) != nil || op.Kind == kv.OpCheck {
			continue
		}
		stored, err := m.f.GetMany(m.f.ctx, []kv.Key{op.Item.Key})
		if err != nil {
			return err
		}
		made := stored[0] == nil
		if op.Kind == kv.OpPut {
			expired := op.Item.Expires > 0 && op.Item.Expires <= m.f.clock.Now().Unix()
			made = stored[0] != nil && stored[0].Version == op.Item.Version || expired && stored[0] == nil
		}
		if made {
			m.apply(op)
		}
	}
	return nil
}

func (m *world) clone() *world {
	c := *m
	c.items = maps.Clone(m.items)
	return &c
}

// adoptPrefix finds out how much of a write was made that failed, and says what is wrong if it is no part that may be made.
func (m *world) adoptPrefix(steps []kv.Step) error {
	for n := range len(steps) + 1 {
		world := m.clone()
		if world.expect(steps[:n], nil) != nil {
			break
		}
		if n < len(steps) && !steps[n].All {
			if err := world.adopt(steps[n]); err != nil {
				return err
			}
		}
		if agrees, err := world.agrees(); err != nil || agrees {
			*m = *world
			return err
		}
	}
	return errors.New("what is stored is no prefix of the steps")
}

// agrees tells whether the store holds what the model does.
func (m *world) agrees() (bool, error) {
	for _, sort := range modelKeys {
		stored, err := m.f.GetMany(m.f.ctx, []kv.Key{beside(m.partition, sort)})
		if err != nil {
			return false, err
		}
		if w := m.live(sort); (stored[0] == nil) != (w == nil) || w != nil && !same(*w, *stored[0]) {
			return false, nil
		}
	}
	return true, nil
}

// compare reads everything in all ways.
func (m *world) compare(rt *rapid.T) {
	var want []kv.Item
	var keys []kv.Key
	for _, sort := range modelKeys {
		keys = append(keys, beside(m.partition, sort))
		if it := m.live(sort); it != nil {
			want = append(want, *it)
		}
	}
	got, err := m.f.GetMany(m.f.ctx, keys)
	if err != nil {
		rt.Fatal(err)
	}
	for i, it := range got {
		if w := m.live(keys[i].Sort); (it == nil) != (w == nil) || it != nil && !same(*it, *w) {
			rt.Fatalf("%s is %s, want %s", keys[i], show(it), show(w))
		}
	}
	bound := func(name string) string {
		return rapid.SampledFrom(append([]string{"", "", "a\x01", "c"}, modelKeys...)).Draw(rt, name)
	}
	q := all(m.partition)
	q.From, q.To, q.Reverse = bound("from"), bound("to"), rapid.Bool().Draw(rt, "reverse")
	q.KeysOnly, q.Expect = rapid.Bool().Draw(rt, "keys only"), rapid.IntRange(0, 3).Draw(rt, "expect")
	want = slices.DeleteFunc(want, func(it kv.Item) bool { return it.Sort < q.From || q.To != "" && it.Sort >= q.To })
	if q.Reverse {
		slices.Reverse(want)
	}
	i := 0
	for it, err := range m.f.Query(m.f.ctx, q) {
		if err != nil || i == len(want) {
			rt.Fatalf("%+v finds too many, %v", q, err)
		}
		if q.KeysOnly {
			want[i].Data, want[i].Fields = nil, nil
		}
		if !same(it, want[i]) {
			rt.Fatalf("%+v finds %s, want %s", q, show(&it), show(&want[i]))
		}
		i++
	}
	if i < len(want) {
		rt.Fatalf("%+v finds %d, want %d", q, i, len(want))
	}
}

func describe(steps []kv.Step) string {
	s := ""
	for _, step := range steps {
		s += fmt.Sprintf("(all %v", step.All)
		for i := range step.Ops {
			op := &step.Ops[i]
			s += fmt.Sprintf(" %d if %d %x on %s", op.Kind, op.Condition.Kind(), op.Condition.Version(), show(&op.Item))
		}
		s += ")"
	}
	return s
}
