package store

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"pesan/internal/chat"
)

// TestBlocks: persons who come are put into blocks that have room, nobody ever moves, and there is a bound to how many blocks
// there are.
func TestBlocks(t *testing.T) {
	of := func(p *persons) *map[chat.JID]chat.Receipt { return &p.Receipts }
	for _, one := range []struct{ most, persons, blocks int }{
		{32, 1, 1}, {32, 32, 1}, {32, 33, 2}, {32, 3000, 0}, {3, 1000, 0}, {1, 6000, 0}, // 0: any
	} {
		what := fmt.Sprintf("%d persons, %d in a block", one.persons, one.most)
		all, stored := map[chat.JID]chat.Receipt{}, map[string]block{}
		for _, share := range []int{one.persons / 3, one.persons / 2, one.persons} {
			for i := range share {
				all[chat.JID(fmt.Sprintf("62811%07d@s.whatsapp.net", i))] = chat.Receipt{Read: int64(i)}
			}
			into := map[string]*persons{}
			divideKind(into, stored, 'r', one.most, of, all)
			found := map[chat.JID]chat.Receipt{}
			for name, p := range into {
				level, number, _ := strings.Cut(strings.TrimPrefix(name, "r"), ".")
				l, err := strconv.Atoi(level)
				n, err2 := strconv.ParseInt(number, 36, 64)
				if err != nil || err2 != nil || l >= maxLevel || n >= 1<<l {
					t.Errorf("%s: a block is named %q", what, name)
				}
				if l < maxLevel-1 && len(p.Receipts) > one.most {
					t.Errorf("%s: block %s has %d", what, name, len(p.Receipts))
				}
				for jid := range stored[name].Receipts {
					if _, stays := p.Receipts[jid]; !stays {
						t.Errorf("%s: %s has moved", what, jid)
					}
				}
				maps.Copy(found, p.Receipts)
			}
			if !maps.Equal(found, all) {
				t.Errorf("%s: %d of %d are in blocks", what, len(found), len(all))
			}
			clear(stored)
			for name, p := range into {
				stored[name] = block{persons: *p}
			}
		}
		if one.blocks != 0 && len(stored) != one.blocks {
			t.Errorf("%s: %d blocks", what, len(stored))
		}
	}
}
