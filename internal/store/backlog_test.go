package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"pesan/internal/kv"
)

// TestWork: an item of work comes back as it was, whatever its id and its data, and what is none is refused.
func TestWork(t *testing.T) {
	for _, w := range []work{
		{}, {id: "a"}, {data: []byte("d")}, {arrival: ulid.Make(), id: strings.Repeat("i", 300), data: []byte("data")},
		{id: strings.Repeat("i", maxWorkID)},
	} {
		back, err := workOf(&kv.Item{Data: w.encode()})
		if err != nil || back.arrival != w.arrival || back.id != w.id || string(back.data) != string(w.data) {
			t.Errorf("work of the id %.99q comes back as %.99q, %v", w.id, back.id, err)
		}
	}
	whole := (&work{id: "abc"}).encode()
	for n := range whole {
		if w, err := workOf(&kv.Item{Data: whole[:n]}); !errors.Is(err, errCorrupt) {
			t.Errorf("%d bytes of %d are taken for work %q, %v", n, len(whole), w.id, err)
		}
	}
}
