package store_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
	"pesan/internal/kv/sqlite"
	"pesan/internal/store"
)

// What hosts of the last release write to agree with one another, and with these: changed with a release, and only then.
var (
	releasedBeat = kv.Item{
		Key: kv.Key{Collection: kv.Commands, Partition: "hosts", Sort: "host-1"}, Fields: map[string]int64{"until": noonMS(15)},
		Expires: noon.Add(15*time.Second + time.Hour).Unix(),
	}
	releasedLease = kv.Item{Key: kv.Key{Collection: kv.Work, Partition: "leases", Sort: "000003"}, Data: []byte(`{"host":"host-1","epoch":5}`)}
)

func noonMS(seconds int) int64 { return noon.Add(time.Duration(seconds) * time.Second).UnixMilli() }

// TestHostsOfTheLastRelease: a host of this release sees the heartbeat and the lease of one of the last, and writes its own as they are
// read there.
func TestHostsOfTheLastRelease(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), openFile(t, sqlite.Options{Now: func() time.Time { return noon }})
	s := store.New(db, store.Options{Now: func() time.Time { return noon }})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.Write(ctx, kv.Each(kv.Put(releasedBeat, kv.Always()), kv.Put(releasedLease, kv.Always()))))
	if hosts, err := s.Hosts(ctx, noon); err != nil || len(hosts) != 1 || hosts[0] != "host-1" {
		t.Errorf("hosts %v, %v", hosts, err)
	}
	if _, err := s.AcquireLease(ctx, []int{3}, "host-2", noon); !errors.Is(err, &chat.Error{Code: chat.LeaseHeld}) {
		t.Errorf("a lease of the last release's host: %v", err)
	}
	later := noon.Add(16 * time.Second) // it has died
	lease, err := s.AcquireLease(ctx, []int{3}, "host-2", later)
	if must(err); lease.Epoch != 6 {
		t.Errorf("epoch %d after the last release's 5", lease.Epoch)
	}
	_, err = s.Beat(ctx, chat.Heartbeat{Host: "host-2"}, noon, 15*time.Second)
	must(err)
	for _, want := range []kv.Item{releasedBeat, releasedLease} {
		key := want.Key
		if key.Collection == kv.Commands {
			key.Sort = "host-2"
		} else {
			want.Data = []byte(`{"host":"host-2","epoch":6}`)
		}
		have, err := db.Get(ctx, key, kv.Strong)
		must(err)
		fields := maps.Clone(have.Fields)
		maps.DeleteFunc(fields, func(name string, _ int64) bool { _, read := want.Fields[name]; return !read }) // it passes over others
		if !maps.Equal(fields, want.Fields) || string(have.Data) != string(want.Data) || have.Expires != want.Expires {
			t.Errorf("%v is written as %+v, the last release reads %+v", key, have, want)
		}
	}
}
