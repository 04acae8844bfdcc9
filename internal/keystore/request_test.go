package keystore_test

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/store"

	"pesan/internal/keystore"
	"pesan/internal/testkit/dynamolocal"
)

// TestVersionsInOneRequest: after a login whatsmeow asks for the version of every collection, one after another.
func TestVersionsInOneRequest(t *testing.T) {
	var meter dynamolocal.Meter
	b := newKeys(t, table(t, meter.Attach), keystore.Options{})
	hash := [128]byte{1, 2, 3}
	if err := b.device.AppState.PutAppStateVersion(t.Context(), string(appstate.WAPatchRegular), 7, hash); err != nil {
		t.Fatal(err)
	}
	d := b.reopen(t)
	meter.Take()
	for _, name := range appstate.AllPatchNames {
		version, got, err := d.AppState.GetAppStateVersion(t.Context(), string(name))
		if err != nil {
			t.Fatal(err)
		}
		if known := name == appstate.WAPatchRegular; known != (version == 7) || known != (got == hash) {
			t.Errorf("%s has version %d", name, version)
		}
	}
	if n := meter.Take().Requests; n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestMutationsInOneRequest: the MACs of a patch are read together, and those of a collection that isn't there aren't read.
func TestMutationsInOneRequest(t *testing.T) {
	var meter dynamolocal.Meter
	b := newKeys(t, table(t, meter.Attach), keystore.Options{})
	const name = string(appstate.WAPatchRegular)
	indexes, macs := make([][]byte, 60), make([]store.AppStateMutationMAC, 50)
	for i := range indexes {
		indexes[i] = fill(32, byte(i))
	}
	for i := range macs {
		macs[i] = store.AppStateMutationMAC{IndexMAC: indexes[i], ValueMAC: fill(32, byte(100+i))}
	}
	must(t, b.device.AppState.PutAppStateVersion(t.Context(), name, 7, [128]byte{1}))
	must(t, b.device.AppState.PutAppStateMutationMACs(t.Context(), name, 7, macs))
	read := func(d *store.Device, name string) {
		t.Helper()
		reader := d.AppState.(interface {
			ReadAppStateMutationMACs(ctx context.Context, name string, indexMACs [][]byte) error
		})
		must(t, reader.ReadAppStateMutationMACs(t.Context(), name, append(indexes, indexes[0])))
	}
	d := b.reopen(t)
	meter.Take()
	read(d, name)
	read(d, string(appstate.WAPatchRegularLow))
	for i, index := range indexes {
		mac, err := d.AppState.GetAppStateMutationMAC(t.Context(), name, index)
		if want := i < len(macs); err != nil || want != (mac != nil) || want && mac[0] != byte(100+i) {
			t.Errorf("MAC %d is %x, %v", i, mac, err)
		}
	}
	if n := meter.Take().Requests; n != 2 {
		t.Errorf("%d requests", n)
	}
}
