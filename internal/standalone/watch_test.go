package standalone

import (
	"path/filepath"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/store/storetest"
	"pesan/internal/whatsapp"
)

// TestFailingStores: the account says that its stores fail though none takes a word of it.
func TestFailingStores(t *testing.T) {
	w := newWatch(storetest.Open(t, filepath.Join(t.TempDir(), "pesan.db"), time.Now))
	stored := chat.Account{ID: "01JXAMPZ0000000000000000AB", On: true, State: chat.ServiceOff, Reason: whatsapp.Replaced}
	if err := w.CreateAccount(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		state   chat.State
		failing bool
		want    chat.State
		reason  string
	}{
		{chat.ServiceOff, true, chat.ServiceOff, "x"},
		{chat.Connected, false, chat.Connected, "x"},
		{chat.Connected, true, chat.Pairing, whatsapp.StorageFailing},
		{chat.Pairing, true, chat.Pairing, whatsapp.StorageFailing},
		{chat.Connected, false, chat.Connected, "x"},
	} {
		err := w.UpdateAccount(t.Context(), stored.ID, func(a *chat.Account) error {
			a.State, a.Reason = test.state, "x"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.take()
		w.fails(stored.ID, test.failing)
		a, err := w.Account(t.Context(), stored.ID)
		if err != nil || a.State != test.want || a.Reason != test.reason {
			t.Errorf("%+v: %s %s, %v", test, a.State, a.Reason, err)
		}
		all, _, err := w.Accounts(t.Context(), chat.Page{Limit: 10})
		if err != nil || len(all) != 1 || all[0].State != test.want {
			t.Errorf("%+v: listed as %+v, %v", test, all, err)
		}
		if news := w.take(); (len(news) == 1) != (test.reason == whatsapp.StorageFailing) {
			t.Errorf("%+v: news %+v", test, news)
		}
	}
}
