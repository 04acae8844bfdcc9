package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T) stacks {
	t.Helper()
	s, err := readStacks("..")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPages: what the documents say is what is computed now.
func TestPages(t *testing.T) {
	blocks := read(t).blocks()
	used := map[string]bool{}
	for _, page := range pages {
		have, err := os.ReadFile(filepath.Join("..", page))
		if err != nil {
			t.Fatal(err)
		}
		want, err := remade(string(have), blocks)
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		if string(have) != want {
			t.Errorf("%s isn't what is computed; go run ./scale -write", page)
		}
		for _, found := range block.FindAllStringSubmatch(string(have), -1) {
			used[found[1]] = true
		}
	}
	for name := range blocks {
		if !used[name] {
			t.Errorf("no page has the block %s", name)
		}
	}
	if _, err := remade("<!-- made: nothing -->\n<!-- /made -->", blocks); err == nil {
		t.Error("a block that nothing makes is left as it is")
	}
}

// TestGoals holds the bill to what it may be.
func TestGoals(t *testing.T) {
	s := read(t)
	now := s.plain.now()
	for i, most := range []float64{12.95, 1.90, 10.5} {
		if now[i] > most {
			t.Errorf("%s costs $%.2f, at most $%.2f", before[i].name, now[i], most)
		}
	}
	if mute := s.plain.million(muteNow); mute > 9.5 {
		t.Errorf("a million %s costs $%.2f", muteNow, mute)
	}
	if spot := total(s.dev.idle()); spot > 7.95 {
		t.Errorf("an idle stack on Spot costs $%.2f", spot)
	}
}

// TestModel: more accounts want more, what is fitted bears its load, and what is over its end is said.
func TestModel(t *testing.T) {
	s := read(t)
	for _, n := range sizes {
		l := loadOf(n)
		d, atOnce := s.prod.fit(l)
		if d.hosts < 2 || d.queues < d.hosts || d.queues > 64 {
			t.Fatalf("%.0f devices: %+v", n, d)
		}
		limits := d.limits(l, atOnce)
		for i := range 3 {
			if limits[i].share() > 1 {
				t.Errorf("%.0f devices: %s is over its end", n, limits[i].name)
			}
		}
		if twice := d.limits(loadOf(2*n), atOnce); twice[0].share() <= limits[0].share() || twice[6].share() <= limits[6].share() {
			t.Errorf("%.0f devices: twice as many want no more", n)
		}
		if d.limits(l, atOnce)[4].share() > 1 || limits[6].share() > 1 {
			t.Errorf("%.0f devices: %+v", n, limits)
		}
	}
	if few := s.prod.limits(loadOf(1000), defaultAtOnce); first(few)[0].share() < few[0].share() {
		t.Error("what is first isn't the most")
	}
	if !strings.Contains(s.firstText(), "hosts' memory") {
		t.Error("at 100,000 devices prod's hosts have memory left")
	}
}

// TestLooks: as httpapi waits.
func TestLooks(t *testing.T) {
	for took, want := range map[float64]float64{0.1: 1, 0.21: 1, 0.3: 1, 0.31: 2, 0.46: 3, 1: 5} {
		if a := answered(duration(took)); a != (answer{duration(took), want}) {
			t.Errorf("a call that takes %g s is %+v, want %g looks", took, a, want)
		}
	}
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
