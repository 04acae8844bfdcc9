package whatsapp

import (
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

// TestLimitsOfTheAccount: what WhatsApp limits of the account is stored before it is acknowledged, and what it told before doesn't come back.
func TestLimitsOfTheAccount(t *testing.T) {
	w := linkedWorld(t)
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	w.phone.LockTime("RESTRICT_ALL_COMPANIONS", ends)
	w.until("a lock", func(a chat.Account) bool {
		lock := a.Imposed.TimeLock
		return lock != nil && lock.Kind == "RESTRICT_ALL_COMPANIONS" && lock.Until.Equal(ends)
	})
	w.phone.LockTime("", time.Time{})
	w.until("no lock", func(a chat.Account) bool { return a.Imposed.TimeLock == nil })

	w.phone.CapNewChats(sim.Quota{Status: "CAPPED", Used: 50, Total: 50, Until: ends, Sent: time.Unix(2_000_000_010, 0)})
	w.phone.CapNewChats(sim.Quota{Status: "NONE", Used: 1, Total: 50, Until: ends, Sent: time.Unix(2_000_000_009, 0)})
	w.phone.LockTime("DEFAULT", ends)
	w.until("all", func(a chat.Account) bool { return a.Imposed.TimeLock != nil })
	a, err := w.store.Account(w.soon(), account)
	w.ok(err)
	if n := a.Imposed.NewChats; n == nil || n.Status != "CAPPED" || n.Used != 50 || n.Total != 50 || !n.Until.Equal(ends) {
		t.Errorf("new chats: %+v", n)
	}
	if now := a.Imposed.At(ends); now != (chat.Imposed{}) {
		t.Errorf("at its end it holds %+v", now)
	}
	if now := a.Imposed.At(ends.Add(-time.Second)); now.TimeLock == nil || now.NewChats == nil {
		t.Errorf("before its end it holds %+v", now)
	}
}
