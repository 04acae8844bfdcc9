package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"pesan/internal/httpapi"
	"pesan/internal/sim"
)

// elsewhere are the endpoints that the other steps call well.
var elsewhere = []string{
	"addDevice", "clearMessageById", "clearReportApi", "createBatch", "deleteWebhook", "fetchMessageById", "getBatch", "getChanges",
	"getChatById", "getChats", "getMedia", "getQR", "getReportApi", "getState", "getWebhook", "listDeadLetters", "listDevice", "muteChat",
	"redeliverWebhook", "serviceDestroy", "serviceStart", "setWebhook", "testWebhook", "unmuteChat", "health",
}

// every calls each endpoint that no other step calls, with all it needs: one that fails at its start, or lacks a right, is
// noticed.
func every(ctx context.Context, t T, s *System) {
	customer, err := s.WhatsApp.NewContact("6281277777777", "", "Pelanggan")
	must(t, err)
	message, err := customer.Send(ctx, s.Phone, sim.Text("apakah masih ada?"), sim.SendOptions{Time: time.Now()})
	must(t, err)
	must(t, s.Device.WaitAcked(ctx, message))
	phone := customer.PN().User
	var device struct{ ID, APIKey string }
	answer, err := s.Call(ctx, "addDevice", "secret", s.Secret, "name", "lain")
	must(t, err)
	if err := json.Unmarshal(answer.Data, &device); err != nil || device.ID == "" {
		t.Fatalf("addDevice answers %s", answer.Body)
	}
	const wrong, none = "INVALID_PARAMETER", "PASSKEY_NOT_ASKED"
	calls := []struct {
		endpoint, fails string
		params          []string
	}{
		{"getLabels", "", nil}, {"getUsage", "", nil}, {"listKeys", "", nil}, {"listBatches", "", nil},
		{"getMessage", "", []string{"phone", phone, "id", message}},
		{"getPoll", wrong, []string{"phone", phone, "id", message}}, // it is no poll, and no group
		{"getGroup", wrong, []string{"phone", phone}},
		{"fetchOlder", "", []string{"phone", phone}},
		{"pinChat", "", []string{"phone", phone}}, {"unpinChat", "", []string{"phone", phone}},
		{"archiveChat", "", []string{"phone", phone}}, {"unarchiveChat", "", []string{"phone", phone}},
		{"unreadChat", "", []string{"phone", phone}}, {"readChat", "", []string{"phone", phone, "receipts", "false"}},
		{"starMessage", "", []string{"phone", phone, "id", message}},
		{"unstarMessage", "", []string{"phone", phone, "id", message}},
		{"setDisappearing", "", []string{"phone", phone, "seconds", "604800"}},
		{"deleteChat", "", []string{"phone", phone}},
		{"cancelBatch", "BATCH_NOT_FOUND", []string{"batchId", "01JNGKX0T0AAAAAAAAAAAAAAAA"}},
		{"retryBatch", "BATCH_NOT_FOUND", []string{"batchId", "01JNGKX0T0AAAAAAAAAAAAAAAA"}},
		{"getPasskey", none, nil}, {"sendPasskey", none, []string{"credential", `{"id":"x"}`}}, {"confirmPasskey", none, nil},
		{"addKey", "", []string{"name", "laporan", "scope", "read"}}, {"revokeKey", "", []string{"name", "laporan"}},
		{"editDevice", "", []string{"secret", s.Secret, "id", device.ID, "name", "baru"}},
		{"setLimit", "", []string{"secret", s.Secret, "id", device.ID, "perSecond", "5"}},
		{"changeApiKey", "", []string{"secret", s.Secret, "id", device.ID}},
		{"deleteDevice", "", []string{"secret", s.Secret, "id", device.ID}},
	}
	known := slices.Clone(elsewhere)
	for _, c := range calls {
		known = append(known, c.endpoint)
		answer, err := s.Call(ctx, c.endpoint, c.params...)
		must(t, err)
		if good := answer.Status == http.StatusOK || answer.Status == http.StatusAccepted; good != (c.fails == "") ||
			answer.Error != c.fails {
			t.Errorf("%s answers %d %s, want %q", c.endpoint, answer.Status, answer.Body, c.fails)
		}
	}
	for _, e := range httpapi.Endpoints(httpapi.Deps{}) {
		if !slices.Contains(known, e.Name) {
			t.Errorf("no step calls %s well", e.Name)
		}
	}
}
