package sqlite

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pesan/internal/kv"
	"pesan/internal/kv/kvtest"
)

func TestMain(m *testing.M) {
	// A check makes some hundred calls; -rapid.checks asks for more of them.
	if err := flag.Set("rapid.checks", "30"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "pesan.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	for name, sync := range map[string]bool{"sync": true, "no sync": false} {
		t.Run(name, func(t *testing.T) {
			kvtest.Contract(t, func(t *testing.T, now func() time.Time) kv.Store {
				return open(t, Options{Now: now, Sync: sync})
			})
		})
	}
}

func TestFaults(t *testing.T) {
	kvtest.Faults(t, func(t *testing.T, now func() time.Time) (faulty, sound kv.Store) {
		s := open(t, Options{Now: now})
		f := kvtest.NewFaulty(s, 0.3, 1)
		t.Cleanup(func() {
			if f.Failed() == 0 {
				t.Error("nothing has failed")
			}
		})
		return f, s
	})
}
