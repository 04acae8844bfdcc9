package keystore

import (
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow/types"
)

// FuzzDecode reads what could stand in an item. It must not panic, and what it reads must survive being written.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(record{hasSession: true, hasIdentity: true, session: []byte("session")}.bytes())
	f.Add(encodePreKeys([]preKey{{id: 1 << 20, uploaded: true}, {id: 7}}))
	f.Add(pack{map[string][]byte{"a": []byte("1"), "": nil, "bc": []byte("23")}}.bytes())
	f.Add(collection{round: 3, version: 1 << 40}.bytes())
	f.Add((&eventRecord{plaintext: []byte("text"), server: 1700000000, inserted: 1700000000000}).bytes())
	f.Add(encodeContact(types.ContactInfo{FirstName: "Sari", PushName: "S"}))
	f.Add(settings{pinned: true, muted: -1}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeRecord(b); err == nil {
			again, err := decodeRecord(r.bytes())
			if r.hasSession && (err != nil || fmt.Sprint(again) != fmt.Sprint(r)) {
				t.Errorf("record: %v, %v", again, err)
			}
		}
		if ks, err := decodePreKeys(b); err == nil {
			if again, err := decodePreKeys(encodePreKeys(ks)); err != nil || fmt.Sprint(again) != fmt.Sprint(ks) {
				t.Errorf("pre keys: %v, %v", again, err)
			}
		}
		if p, err := unpack(b); err == nil {
			for k, v := range p.entries {
				if found, err := inPack(p.bytes(), k); err != nil || string(found) != string(v) {
					t.Errorf("pack: %q: %q, %v", k, found, err)
				}
			}
		}
		if c, err := decodeCollection(b); err == nil {
			if again, err := decodeCollection(c.bytes()); err != nil || again.version != c.version || again.round != c.round {
				t.Errorf("collection: %v, %v", again, err)
			}
		}
		if e, err := decodeEvent(b); err == nil {
			if again, err := decodeEvent(e.bytes()); err != nil || fmt.Sprint(again) != fmt.Sprint(e) {
				t.Errorf("event: %v, %v", again, err)
			}
		}
		_, _ = inPack(b, "a")
		_, _ = decodeAppStateKey(b)
		_, _ = decodeToken(b)
		_ = decodeContact(b)
		_ = decodeSettings(b)
		_, _ = cutMAC(b)
	})
}

func TestCacheStaysSmall(t *testing.T) {
	const limit = 10_000
	c, p := newCache(limit), &partition{}
	for i := range 1000 {
		c.put(cacheKey{p, fmt.Sprint(i)}, make([]byte, i))
		if c.size > limit {
			t.Fatalf("%d bytes after %d", c.size, i)
		}
	}
	if _, found := c.get(cacheKey{p, "0"}); found {
		t.Error("the oldest is still there")
	}
	if _, found := c.get(cacheKey{p, "999"}); !found {
		t.Error("the latest isn't there")
	}
	c.removeAll(p)
	if c.size != 0 || len(c.entries) != 0 || c.order.Len() != 0 {
		t.Errorf("%d bytes, %d entries after all were removed", c.size, len(c.entries))
	}
}
