package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"pesan/internal/kv"
	"pesan/internal/testkit/powercut"
)

// TestPowerCut cuts the power again and again while several write. With Sync, everything is there that was acknowledged; without,
// nothing is there without what was acknowledged before it. The file is whole, and what was written together is there together.
func TestPowerCut(t *testing.T) {
	for _, durable := range []bool{true, false} {
		for _, chance := range []float64{0, 0.5, 0.95} {
			t.Run(fmt.Sprintf("sync=%v/chance=%v", durable, chance), func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 2))
				disk := powercut.Use(t)
				p := &powerTest{sync: durable, folder: t.TempDir()}
				for round := range 12 {
					p.open(t)
					next := t.TempDir()
					p.work(t, func() {
						if err := disk.Cut(p.folder, next, chance, random); err != nil {
							t.Error(err)
						}
					}, 5+random.IntN(60))
					p.folder = next
					p.check(t, round)
				}
				if lost := p.lost > 0; durable && lost || !durable && !lost && chance < 0.9 {
					t.Errorf("%d acknowledged writes were lost", p.lost)
				}
			})
		}
	}
}

const powerWriters = 4

type powerTest struct {
	sync   bool
	folder string
	store  *Store

	mu      sync.Mutex
	written [powerWriters]int // the last number that each has written and knows to be stored
	known   [powerWriters]int // the same at the cut
	lost    int
}

func (p *powerTest) open(t *testing.T) {
	t.Helper()
	var err error
	if p.store, err = Open(t.Context(), filepath.Join(p.folder, "pesan.db"), Options{Sync: p.sync}); err != nil {
		t.Fatal(err)
	}
	if err := p.store.writer.conn.script("PRAGMA wal_autocheckpoint = 20"); err != nil {
		t.Fatal(err)
	}
}

func (p *powerTest) close(t *testing.T) {
	t.Helper()
	if err := p.store.Close(); err != nil {
		t.Error(err)
	}
}

// powerKeys are those of a writer's nth write: the mark is written together with the item.
func powerKeys(writer, n int) (item, mark kv.Key) {
	return key(fmt.Sprint("writer", writer), fmt.Sprintf("%06d", n)), key(fmt.Sprint("marks", writer, n%7), "mark")
}

// work writes until so many writes are acknowledged, cuts the power amid it, and goes on as if it hadn't noticed.
func (p *powerTest) work(t *testing.T, cut func(), after int) {
	t.Helper()
	defer p.close(t)
	var group sync.WaitGroup
	ended := make(chan struct{})
	acknowledged := make(chan struct{})
	for w := range powerWriters {
		group.Go(func() {
			for n := p.written[w] + 1; ; n++ {
				item, mark := powerKeys(w, n)
				err := p.store.Write(t.Context(), kv.Together(
					kv.Put(kv.Item{Key: item, Data: make([]byte, 100+n*37%3000)}, kv.Absent()),
					kv.Put(kv.Item{Key: mark, Fields: map[string]int64{"n": int64(n)}}, kv.Always())))
				if err != nil {
					t.Error(err)
					return
				}
				p.mu.Lock()
				p.written[w] = n
				p.mu.Unlock()
				select {
				case acknowledged <- struct{}{}:
				case <-ended:
					return
				}
			}
		})
	}
	for range after {
		<-acknowledged
	}
	p.mu.Lock()
	p.known = p.written
	p.mu.Unlock()
	cut()
	close(ended)
	group.Wait()
}

// check opens what the cut has left, and sets what each writer goes on from.
func (p *powerTest) check(t *testing.T, round int) {
	t.Helper()
	p.open(t)
	defer p.close(t)
	row, err := p.store.writer.conn.row("PRAGMA integrity_check", 1)
	if err != nil || row[0] != "ok" {
		t.Fatalf("round %d: the file is damaged: %v, %v", round, row, err)
	}
	for w := range powerWriters {
		last := 0
		for it, err := range p.store.Query(t.Context(), kv.Query{Collection: kv.Chats, Partition: fmt.Sprint("writer", w)}) {
			if err != nil {
				t.Fatal(err)
			}
			last++
			if it.Sort != fmt.Sprintf("%06d", last) {
				t.Fatalf("round %d: write %d of %d is missing, %s is there", round, last, w, it.Sort)
			}
		}
		for n := max(1, last-6); n <= last+1; n++ {
			_, mark := powerKeys(w, n)
			it, err := p.store.Get(t.Context(), mark, kv.Strong)
			want := int64(n)
			if n > last {
				want -= 7 // the one before in this place
			}
			if err != nil && !(errors.Is(err, kv.ErrNotFound) && want < 1) || err == nil && it.Fields["n"] != want {
				t.Fatalf("round %d: of %d there are %d, but the mark of %d says %d, %v", round, w, last, n, it.Fields["n"], err)
			}
		}
		p.lost += max(0, p.known[w]-last)
		p.written[w] = last
	}
}
