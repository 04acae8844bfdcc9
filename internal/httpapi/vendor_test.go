package httpapi_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pesan/internal/chat"
)

// vendorChat is the chat that the vendor's page shows, as WhatsApp tells of it. The two endpoints show different ones.
func vendorChat(single bool) chat.Change {
	c := chat.Change{Chat: budi}
	if single {
		m := text("WHPIxxxxxxx", me, 1669182672, "Coba")
		m.Status = chat.DeliveryAck
		m.Receipts = map[chat.JID]chat.Receipt{budi: {Received: 1669182677}}
		c.Messages = []chat.Message{m}
		c.State.Activity, c.State.Received = 1669271834, 1669182133
		c.State.Fields = fields("contactPrimaryIdentityKey", `{"type":"Buffer","data":[160,76]}`, "disappearingMode", `{"initiator":"CHANGED_IN_CHAT"}`,
			"ephemeralExpiration", "0", "notSpam", "true", "readOnly", "false", "tcToken", `{"type":"Buffer","data":[1,1]}`,
			"tcTokenTimestamp", `{"low":1667547673,"high":0,"unsigned":true}`)
		return c
	}
	m := text("97857C48913C304E4CA0D330A39AE8EA", budi, 1667809254, "Ini isi pesannya")
	m.Content.Info = `{"ephemeralOutOfSync":false}`
	m.ReadHere = true
	c.Messages = []chat.Message{m}
	c.State.Pin = set(int64(1615539349265000))
	c.State.Fields = fields("contactPrimaryIdentityKey", `{"type":"Buffer","data":[25,192]}`, "disappearingMode", `{"initiator":"CHANGED_IN_CHAT"}`,
		"ephemeralExpiration", "0", "notSpam", "true", "readOnly", "false", "tcToken", `{"type":"Buffer","data":[1,1]}`,
		"tcTokenTimestamp", `{"low":1667802758,"high":0,"unsigned":true}`)
	return c
}

// vendorMessage is the message that the vendor's page shows.
func vendorMessage() chat.Change {
	m := text("WHPIxxxxxxx", me, 1669278146, "Coba")
	m.Status, m.Content.Type, m.Content.Message = chat.Pending, "extendedTextMessage", `{"extendedTextMessage":{"text":"Coba"}}`
	return chat.Change{Chat: budi, Messages: []chat.Message{m}}
}

// TestVendor holds that what the vendor's page answers is in our answer, value for value, with its requests pasted
// verbatim. The files are its samples, with addresses for the obfuscated ones and with shorter keys.
func TestVendor(t *testing.T) {
	phone := budi.User()
	tests := []struct {
		endpoint, method, body string
		change                 chat.Change
	}{
		{"getChats", "GET", `"apiKey='KEY'"`, vendorChat(false)},
		{"getChatById", "POST", `"apiKey='KEY'&phone='` + phone + `'"`, vendorChat(true)},
		{"fetchMessageById", "POST", `"apiKey='KEY'&limit='100'&phone='` + phone + `'"`, vendorMessage()},
		{"clearMessageById", "POST", `"apiKey='KEY'&phone='` + phone + `'"`, vendorMessage()},
		{"muteChat", "POST", `"apiKey='KEY'&phone='` + phone + `'&second='50'"`, vendorMessage()},
		{"unmuteChat", "POST", `"apiKey='KEY'&phone='` + phone + `'"`, vendorMessage()},
		{"clearReportApi", "POST", `"all='all'&apiKey='KEY'"`, vendorMessage()},
	}
	for _, test := range tests {
		for name, call := range transports {
			t.Run(test.endpoint+"/"+name, func(t *testing.T) {
				w := newWorld(t)
				w.project(w.toko.ID, test.change)
				a := ask{method: test.method, endpoint: test.endpoint, body: test.body, header: map[string]string{"Accept": "*/*"}}
				got := call(w, w.fill(a))
				file, err := os.ReadFile(filepath.Join("testdata", "vendor", test.endpoint+".json"))
				w.must("read", err)
				var have, want any
				w.must("decode answer", json.Unmarshal(got.body, &have))
				w.must("decode sample", json.Unmarshal(file, &want))
				contains(t, "", have, want)
				if got.status != 200 {
					t.Errorf("status %d", got.status)
				}
			})
		}
	}
}

// contains checks that have holds all of want; only objects may hold more.
func contains(t *testing.T, path string, have, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, ok := have.(map[string]any)
		if !ok {
			t.Errorf("%s is %v, want an object", path, have)
		}
		for key, value := range want {
			contains(t, path+"."+key, object[key], value)
		}
	case []any:
		list, ok := have.([]any)
		if !ok || len(list) != len(want) {
			t.Fatalf("%s is %v, want %v", path, have, want)
		}
		for i := range want {
			contains(t, fmt.Sprintf("%s[%d]", path, i), list[i], want[i])
		}
	default:
		if have != want {
			t.Errorf("%s is %v, want %v", path, have, want)
		}
	}
}
