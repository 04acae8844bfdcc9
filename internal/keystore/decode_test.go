package keystore

import (
	"fmt"
	"testing"

	"pesan/internal/kv"
)

// FuzzDecode reads what could stand in an item. It must not panic, and what it reads must survive being written.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(ratchet{hasSession: true, hasIdentity: true, session: []byte("session")}.bytes())
	f.Add(encodePreKeys([]preKey{{id: 1 << 30, uploaded: true}, {id: 7}}))
	f.Add(eventRecord{plaintext: []byte("text"), waits: true, server: 1700000000, inserted: 1700000000000}.bytes())
	f.Add(eventRecord{server: -1}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeRatchet(b); err == nil {
			again, err := decodeRatchet(r.bytes())
			if (r.hasSession || r.hasIdentity) && (err != nil || fmt.Sprint(again) != fmt.Sprint(r)) {
				t.Errorf("ratchet: %v, %v", again, err)
			}
		}
		if ks, err := decodePreKeys(b); err == nil {
			if again, err := decodePreKeys(encodePreKeys(ks)); err != nil || fmt.Sprint(again) != fmt.Sprint(ks) {
				t.Errorf("pre keys: %v, %v", again, err)
			}
		}
		if e, err := decodeEvent(b); err == nil {
			if again, err := decodeEvent(e.bytes()); err != nil || fmt.Sprint(again) != fmt.Sprint(e) {
				t.Errorf("event: %v, %v", again, err)
			}
		}
		if again, err := expand(compress(b)); err != nil || string(again) != string(b) {
			t.Errorf("compressed: %x, %v", again, err)
		}
		_, _ = expand(b)
		_, _ = decodeJSON[mutation](b)
		_, _ = decodeJSON[accountRecord](b)
	})
}

func TestCacheStaysSmall(t *testing.T) {
	const limit = 10_000
	c, k := newCache(limit), &deviceKeys{}
	for i := range 1000 {
		c.put(cacheKey{k, fmt.Sprint(i)}, &kv.Item{Data: make([]byte, i)})
		if c.size > limit {
			t.Fatalf("%d bytes after %d", c.size, i)
		}
	}
	if _, found := c.get(cacheKey{k, "0"}); found {
		t.Error("the oldest is still there")
	}
	if _, found := c.get(cacheKey{k, "999"}); !found {
		t.Error("the latest isn't there")
	}
	for i := range 1000 {
		c.remove(cacheKey{k, fmt.Sprint(i)})
	}
	if c.size != 0 || len(c.entries) != 0 || c.order.Len() != 0 {
		t.Errorf("%d bytes, %d entries after all were removed", c.size, len(c.entries))
	}
}
