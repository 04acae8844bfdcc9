package store

import (
	"encoding/binary"
	"testing"

	"pesan/internal/chat"
)

// TestRecordsFromBefore: a record that has no name beside the place is found by the name in its document.
func TestRecordsFromBefore(t *testing.T) {
	v := chat.View{Document: `{"id":"1@g.us","name":"Élan"}`}
	before := binary.AppendVarint(binary.AppendVarint(nil, 7), -3)
	if err := placeOf(before, &v); err != nil || v.Name != "elan" || v.Labels != "" || v.Last.Time != 7 || v.Last.Order != -3 {
		t.Errorf("%+v, %v", v, err)
	}
	if err := placeOf(append(before, "toko\n1 12 "...), &v); err != nil || v.Name != "toko" || !v.Labels.Has("12") || !v.Labels.Has("1") || v.Labels.Has("2") {
		t.Errorf("%+v, %v", v, err)
	}
}
