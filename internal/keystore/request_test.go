package keystore_test

import (
	"testing"

	"go.mau.fi/whatsmeow/appstate"

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
