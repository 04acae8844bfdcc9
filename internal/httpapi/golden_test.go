package httpapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
)

var update = flag.Bool("update", false, "write the golden files")

// goldens are calls whose whole answer is kept in testdata, in the file of this name. KEY stands for Toko's key.
var goldens = []struct {
	name   string
	before func(w *world)
	ask    ask
	status int
}{
	{name: "getChats", ask: ask{method: "GET", endpoint: "getChats", body: `"apiKey='KEY'"`}},
	{name: "getChats.empty", ask: ask{endpoint: "getChats", body: "apiKey=KEY&type=newsletter"}},
	{name: "getChats.off", before: turnedOff, ask: ask{method: "GET", endpoint: "getChats", query: "apiKey=KEY&pinned=true"}},
	{name: "getChatById", ask: ask{endpoint: "getChatById", body: `"apiKey='KEY'&phone='0812-3456-7890'"`}},
	{name: "getChatById.lid", ask: ask{endpoint: "getChatById", body: "apiKey=KEY&phone=" + string(lid)}},
	{name: "getChatById.group", ask: ask{method: "GET", endpoint: "getChatById", query: "apiKey=KEY&phone=" + string(family)}},
	{name: "getChatById.unknown", ask: ask{endpoint: "getChatById", body: "apiKey=KEY&phone=0811111111"}, status: 404},
	{name: "fetchMessageById", ask: ask{endpoint: "fetchMessageById", body: `"apiKey='KEY'&limit='100'&phone='6281234567890'"`}},
	{name: "fetchMessageById.group", ask: ask{endpoint: "fetchMessageById", body: `{"apiKey":"KEY","limit":2,"phone":"` + string(family) + `"}`}},
	{name: "fetchOlder", ask: ask{endpoint: "fetchOlder", body: "apiKey=KEY&phone=081234567890&limit=20"}},
	{name: "fetchOlder.bad", ask: ask{endpoint: "fetchOlder", body: "apiKey=KEY&phone=081234567890&limit=501"}, status: 400},
	{name: "getMedia", before: withFile, ask: ask{endpoint: "getMedia", body: "apiKey=KEY&phone=081234567890&id=FILE1"}},
	{name: "getMedia.redirect", before: withFile, ask: ask{endpoint: "getMedia", body: "apiKey=KEY&phone=081234567890&id=FILE1&redirect=true"}, status: 303},
	{name: "getMedia.redirect.bad", ask: ask{endpoint: "getMedia", body: "apiKey=KEY&phone=081234567890&id=FILE1&redirect=maybe"}, status: 400},
	{name: "getMedia.pending", before: withSlowFile, ask: ask{method: "GET", endpoint: "getMedia", query: "apiKey=KEY&phone=081234567890&id=FILE1",
		header: map[string]string{"Idempotency-Key": "file-1"}}, status: 202},
	{name: "getMedia.gone", before: withLostFile, ask: ask{endpoint: "getMedia", body: "apiKey=KEY&phone=081234567890&id=FILE1"}, status: 404},
	{name: "getMedia.none", ask: ask{endpoint: "getMedia", body: "apiKey=KEY&phone=081234567890&id=BUDI1"}, status: 400},
	{name: "getChats.since", ask: ask{endpoint: "getChats", body: "apiKey=KEY&since=mm7p6yo2-tb7yo0"}},
	{name: "getChats.old", ask: ask{endpoint: "getChats", body: "apiKey=KEY&since=1-1"}, status: 410},
	{name: "fetchMessageById.since", ask: ask{endpoint: "fetchMessageById", body: "apiKey=KEY&phone=081234567890&since=mm7p6yo1-tb7yo0"}},
	{name: "getChanges", ask: ask{endpoint: "getChanges", body: "apiKey=KEY&limit=3&since=mm7p6ynz-tb7yo0"}},
	{name: "getChanges.start", ask: ask{method: "GET", endpoint: "getChanges", query: "apiKey=KEY"}},
	{name: "getMessage", ask: ask{endpoint: "getMessage", body: "apiKey=KEY&id=BUDI1&phone=" + string(lid)}},
	{name: "getMessage.unknown", ask: ask{method: "GET", endpoint: "getMessage", query: "apiKey=KEY&id=BUDI3&phone=081234567890"}, status: 404},
	{name: "getPoll", before: polled, ask: ask{endpoint: "getPoll", body: "apiKey=KEY&id=POLL1&phone=" + string(family)}},
	{name: "getPoll.none", ask: ask{endpoint: "getPoll", body: "apiKey=KEY&id=FAM1&phone=" + string(family)}, status: 400},
	{name: "getGroup", before: joined, ask: ask{endpoint: "getGroup", body: "apiKey=KEY&phone=" + string(family)}},
	{name: "getGroup.person", ask: ask{endpoint: "getGroup", body: "apiKey=KEY&phone=081234567890"}, status: 400},
	{name: "getChats.named", ask: ask{endpoint: "getChats", body: "apiKey=KEY&name=SANTÓSO"}},
	{name: "getChats.labelled", before: labelled, ask: ask{endpoint: "getChats", body: "apiKey=KEY&label=7"}},
	{name: "getLabels", before: labelled, ask: ask{method: "GET", endpoint: "getLabels", query: "apiKey=KEY"}},
	{name: "clearMessageById", ask: ask{endpoint: "clearMessageById", body: "apiKey=KEY&phone=0812-3456-7890"}},
	{name: "muteChat", ask: ask{endpoint: "muteChat", body: `"apiKey='KEY'&phone='0812-3456-7890'&second='50'"`}},
	{name: "muteChat.forever", ask: ask{endpoint: "muteChat", body: "apiKey=KEY&second=&phone=" + string(family)}},
	{name: "muteChat.pending", before: silentQueue, ask: ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890&second=50",
		header: map[string]string{"Idempotency-Key": "order-7"}}, status: 202},
	{name: "muteChat.rejected", before: refusing, ask: ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890",
		header: map[string]string{"Accept-Language": "en"}}, status: 502},
	{name: "muteChat.off", before: turnedOff, ask: ask{endpoint: "muteChat", body: "apiKey=KEY&phone=081234567890"}, status: 409},
	{name: "unmuteChat", ask: ask{endpoint: "unmuteChat", body: "apiKey=KEY&phone=081234567890"}},
	{name: "pinChat", ask: ask{endpoint: "pinChat", body: "apiKey=KEY&phone=081234567890"}},
	{name: "unpinChat", ask: ask{endpoint: "unpinChat", body: "apiKey=KEY&phone=081234567890"}},
	{name: "archiveChat", ask: ask{endpoint: "archiveChat", body: "apiKey=KEY&phone=081234567890"}},
	{name: "unarchiveChat", ask: ask{endpoint: "unarchiveChat", body: "apiKey=KEY&phone=081234567890"}},
	{name: "readChat", ask: ask{endpoint: "readChat", body: "apiKey=KEY&phone=081234567890&receipts=false"}},
	{name: "unreadChat", ask: ask{endpoint: "unreadChat", body: "apiKey=KEY&phone=081234567890"}},
	{name: "starMessage", ask: ask{endpoint: "starMessage", body: "apiKey=KEY&phone=081234567890&id=3EB0A1B2C3D4E5F60718"}},
	{name: "unstarMessage", ask: ask{endpoint: "unstarMessage", body: "apiKey=KEY&phone=081234567890&id=3EB0A1B2C3D4E5F60718"}},
	{name: "setDisappearing", ask: ask{endpoint: "setDisappearing", body: "apiKey=KEY&phone=081234567890&seconds=604800"}},
	{name: "setDisappearing.off", ask: ask{endpoint: "setDisappearing", body: `{"apiKey":"KEY","phone":"` + string(family) + `","seconds":0}`}},
	{name: "setDisappearing.bad", ask: ask{endpoint: "setDisappearing", body: "apiKey=KEY&phone=081234567890&seconds=3600",
		header: map[string]string{"Accept-Language": "en"}}, status: 400},
	{name: "setDisappearing.none", ask: ask{endpoint: "setDisappearing", body: "apiKey=KEY&phone=081234567890"}, status: 400},
	{name: "deleteChat", ask: ask{endpoint: "deleteChat", body: "apiKey=KEY&phone=081234567890"}},
	{name: "createBatch", ask: ask{endpoint: "createBatch", body: `{"apiKey":"KEY","operations":[{"op":"mute","phone":"0812-3456-7890","second":50},` +
		`{"op":"archive","phone":"` + string(family) + `"}]}`}, status: 202},
	{name: "createBatch.wrong", ask: ask{endpoint: "createBatch", header: map[string]string{"Accept-Language": "en"},
		body: `{"apiKey":"KEY","operations":[{"op":"mute","phone":"0812-3456-7890"},{"op":"moot","phone":"x"},{"op":"clear"}]}`}, status: 400},
	{name: "createBatch.off", before: turnedOff, ask: ask{endpoint: "createBatch", body: `{"apiKey":"KEY","operations":[{"op":"clear","phone":"081234567890"}]}`},
		status: 409},
	{name: "getBatch", before: withBatch, ask: ask{method: "GET", endpoint: "getBatch", query: "apiKey=KEY&limit=3"}},
	{name: "getBatch.none", ask: ask{method: "GET", endpoint: "getBatch", query: "apiKey=KEY"}, status: 404},
	{name: "listBatches", before: withBatch, ask: ask{endpoint: "listBatches", body: "apiKey=KEY"}},
	{name: "cancelBatch", before: withBatch, ask: ask{endpoint: "cancelBatch", body: "apiKey=KEY&batchId=01JNGKX0T0DDDDDDDDDDDDDDDD"}},
	{name: "retryBatch", before: withEndedBatch, ask: ask{endpoint: "retryBatch", body: "apiKey=KEY&batchId=01JNGKX0T0DDDDDDDDDDDDDDDD"}, status: 202},
	{name: "pinChat.full", before: full, ask: ask{endpoint: "pinChat", body: "apiKey=KEY&phone=081234567890"}, status: 409},
	{name: "starMessage.none", before: without, ask: ask{endpoint: "starMessage", body: "apiKey=KEY&phone=081234567890&id=3EB0"}, status: 404},
	{name: "starMessage.bad", ask: ask{endpoint: "starMessage", body: "apiKey=KEY&phone=081234567890&id="}, status: 400},
	{name: "readChat.bad", ask: ask{endpoint: "readChat", body: "apiKey=KEY&phone=081234567890&receipts=maybe"}, status: 400},
	{name: "clearMessageById.pending", before: silentQueue, ask: ask{endpoint: "clearMessageById", body: "apiKey=KEY&phone=081234567890",
		header: map[string]string{"Idempotency-Key": "order-8"}}, status: 202},
	{name: "getReportApi", before: withReports, ask: ask{method: "GET", endpoint: "getReportApi", header: map[string]string{"X-Api-Key": "KEY"}}},
	{name: "clearReportApi", before: withReports, ask: ask{endpoint: "clearReportApi", body: `"all='all'&apiKey='KEY'"`}},
	{name: "serviceStart", before: unlinked, ask: ask{method: "GET", endpoint: "serviceStart", body: "apiKey=KEY"}},
	{name: "serviceStart.linked", ask: ask{endpoint: "serviceStart", body: "apiKey=KEY"}},
	{name: "serviceDestroy", ask: ask{method: "GET", endpoint: "serviceDestroy", body: "apiKey=KEY"}},
	{name: "getQR", before: scanning, ask: ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}},
	{name: "getQR.code", before: pairing, ask: ask{endpoint: "getQR", body: "apiKey=KEY&phone=0812-3456-7890"}},
	{name: "getQR.connected", ask: ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}},
	{name: "getQR.off", before: turnedOff, ask: ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}, status: 409},
	{name: "getState", before: syncing, ask: ask{method: "GET", endpoint: "getState", header: map[string]string{"Authorization": "Bearer KEY"}}},
	{name: "getState.loggedout", before: loggedOut, ask: ask{method: "GET", endpoint: "getState", header: map[string]string{"Authorization": "Bearer KEY"}}},
	{name: "getPasskey", before: askedForPasskey, ask: ask{method: "GET", endpoint: "getPasskey", body: "apiKey=KEY"}},
	{name: "getPasskey.compare", before: comparing, ask: ask{endpoint: "getPasskey", body: "apiKey=KEY"}},
	{name: "getPasskey.late", before: askedLate, ask: ask{endpoint: "getPasskey", body: "apiKey=KEY", header: map[string]string{"Accept-Language": "en"}}, status: 409},
	{name: "getQR.passkey", before: askedForPasskey, ask: ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}},
	{name: "getState.restricted", before: restricted, ask: ask{method: "GET", endpoint: "getState", body: "apiKey=KEY"}},
	{name: "getState.passkey", before: askedForPasskey, ask: ask{method: "GET", endpoint: "getState", body: "apiKey=KEY"}},
	{name: "sendPasskey", before: askedForPasskey, ask: ask{endpoint: "sendPasskey", body: `{"apiKey":"KEY","credential":{"id":"x"}}`}},
	{name: "confirmPasskey", before: comparing, ask: ask{endpoint: "confirmPasskey", body: "apiKey=KEY"}},
	{name: "setWebhook", ask: ask{endpoint: "setWebhook", body: "apiKey=KEY&url=https://hooks.example.com/pesan&events=message,chat&secret=" + hookSecret}},
	{name: "setWebhook.again", before: hookOff, ask: ask{endpoint: "setWebhook", body: `{"apiKey":"KEY","url":"https://hooks.example.com/","events":["ready"]}`}},
	{name: "setWebhook.bad", ask: ask{endpoint: "setWebhook", body: "apiKey=KEY&url=https://10.0.0.1/"}, status: 400},
	{name: "testWebhook", before: hooked, ask: ask{endpoint: "testWebhook", body: "apiKey=KEY"}},
	{name: "getWebhook", before: hookFailing, ask: ask{method: "GET", endpoint: "getWebhook", query: "apiKey=KEY"}},
	{name: "getWebhook.off", before: hookOff, ask: ask{endpoint: "getWebhook", body: "apiKey=KEY"}},
	{name: "getWebhook.none", ask: ask{endpoint: "getWebhook", body: "apiKey=KEY"}, status: 404},
	{name: "listDeadLetters", before: hookFailing, ask: ask{method: "GET", endpoint: "listDeadLetters", query: "apiKey=KEY"}},
	{name: "listDeadLetters.page", before: hookFailing, ask: ask{endpoint: "listDeadLetters", body: "apiKey=KEY&limit=2"}},
	{name: "redeliverWebhook", before: hookFailing, ask: ask{endpoint: "redeliverWebhook", body: "apiKey=KEY&limit=2"}},
	{name: "deleteWebhook", before: hooked, ask: ask{endpoint: "deleteWebhook", body: "apiKey=KEY"}},
	{name: "addKey", ask: ask{endpoint: "addKey", body: "apiKey=KEY&name=Laporan&scope=commands&until=2027-01-31"}},
	{name: "getUsage", before: used, ask: ask{endpoint: "getUsage", body: "apiKey=KEY"}},
	{name: "setLimit", ask: ask{endpoint: "setLimit", body: "id=01JNGKX0T0AAAAAAAAAAAAAAAA&perSecond=5&perMonth=1000&secret=" + secret}},
	{name: "listKeys", before: withKey, ask: ask{method: "GET", endpoint: "listKeys", query: "apiKey=KEY"}},
	{name: "revokeKey", before: withKey, ask: ask{endpoint: "revokeKey", body: "apiKey=KEY&name=Laporan"}},
	{name: "addDevice", ask: ask{endpoint: "addDevice", body: "name=Cabang+Timur&secret=" + secret}},
	{name: "editDevice", ask: ask{endpoint: "editDevice", body: "id=01JNGKX0T0AAAAAAAAAAAAAAAA&name=Pusat&secret=" + secret}},
	{name: "editDevice.proxy", ask: ask{endpoint: "editDevice", body: "id=01JNGKX0T0AAAAAAAAAAAAAAAA&proxy=socks5://toko:rahasia@10.0.0.7:1080&secret=" + secret}},
	{name: "editDevice.pending", before: silentQueue, ask: ask{endpoint: "editDevice", body: "id=01JNGKX0T0AAAAAAAAAAAAAAAA&shard=7&secret=" + secret,
		header: map[string]string{"Idempotency-Key": "order-9"}}, status: 202},
	{name: "listDevice", ask: ask{method: "GET", endpoint: "listDevice", body: "secret=" + secret}},
	{name: "deleteDevice", ask: ask{endpoint: "deleteDevice", body: "id=01JNGKX0T0AAAAAAAAAAAAAAAA&secret=" + secret}},
	{name: "deleteDevice.pending", before: silentQueue, ask: ask{endpoint: "deleteDevice", body: "id=01JNGKX0T0AAAAAAAAAAAAAAAA&secret=" + secret,
		header: map[string]string{"Idempotency-Key": "order-9"}}, status: 202},
	{name: "changeApiKey", ask: ask{endpoint: "changeApiKey", body: "id=01JNGKX0T0AAAAAAAAAAAAAAAA&secret=" + secret}},
	{name: "error.indonesian", ask: ask{endpoint: "getChats", body: "apiKey=pk_x"}, status: 401},
	{name: "error.english", ask: ask{endpoint: "getChats", body: "apiKey=KEY&unread=maybe", header: map[string]string{"Accept-Language": "en-US,en;q=0.9"}}, status: 400},
}

// labelled puts one of two labels on Budi's chat; a third was deleted.
func labelled(w *world) {
	projector := chat.NewProjector(w.db, w.clock)
	w.must("label", projector.Label(w.Context(), w.toko.ID, chat.Labels{All: map[string]chat.Register[chat.Label]{
		"7": set(chat.Label{Name: "Lunas", Color: 3}), "10": set(chat.Label{Name: "Pelanggan baru"}), "2": set(chat.Label{Name: "Lama", Deleted: true}),
	}}))
	w.project(w.toko.ID, chat.Change{Chat: budi, State: chat.Chat{Labels: map[string]chat.Register[bool]{"7": set(true)}}})
}

// shelf has no file but those that were asked for.
type shelf map[string]int64

func (s shelf) MediaLink(_ context.Context, account string, m chat.Media, now time.Time) (chat.MediaLink, error) {
	size, ok := s[account+"/"+m.ID()]
	if !ok {
		return chat.MediaLink{}, &chat.Error{Code: chat.MediaNotFound}
	}
	return chat.MediaLink{URL: "/media/" + m.ID()[:8], Size: size, Ends: now.Add(15 * time.Minute)}, nil
}

// withFile has a message with a file, which whoever carries commands out fetches.
func withFile(w *world) {
	m := text("FILE1", budi, noon.Unix()-20, "Nota")
	hash := sha256.Sum256([]byte("nota"))
	m.Content.Type, m.Content.Media = "documentMessage", true
	m.Content.Message = chat.JSON(fmt.Sprintf(`{"documentMessage":{"caption":"Nota","directPath":"/v/x","fileLength":"4","fileName":"../nota\"2.pdf","fileSha256":%q,`+
		`"fileEncSha256":%[1]q,"mediaKey":%[1]q,"mimetype":"text/html"}}`, base64.StdEncoding.EncodeToString(hash[:])))
	w.project(w.toko.ID, chat.Change{Chat: budi, Messages: []chat.Message{m}})
	files := shelf{}
	w.deps.Media = files
	w.onSend(func(ctx context.Context, c chat.Command) error {
		if c.Kind == chat.MediaCommand && c.Chat == budi && c.Message == "FILE1" {
			files[c.Account+"/"+fmt.Sprintf("%x", hash)] = 4
		}
		return w.end(ctx, c, nil)
	})
}

func withSlowFile(w *world) { withFile(w); silentQueue(w) }
func withLostFile(w *world) { withFile(w); failing(w, chat.MediaNotFound) }

// polled has two persons vote in a poll, of whom one took it back, and the account itself.
func polled(w *world) {
	option := func(name string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(name))) }
	vote := func(options string, at int64) chat.Register[chat.Vote] {
		return chat.Register[chat.Vote]{Value: chat.Vote{AddOn: chat.AddOn{ID: "V"}, Options: options}, At: at}
	}
	m := text("POLL1", budi, noon.Unix()-30, "Makan siang di mana?")
	m.Content.Type, m.Content.Options = "pollCreationMessageV3", []string{"Warung", "Kantin"}
	m.Content.Message = `{"pollCreationMessageV3":{"name":"Makan siang di mana?","options":[{"optionName":"Warung"},{"optionName":"Kantin"}],"selectableOptionsCount":1}}`
	m.Votes = map[chat.JID]chat.Register[chat.Vote]{
		budi: vote(option("Warung"), noon.UnixMilli()-9000), siti: vote("", noon.UnixMilli()-8000), me: vote(option("Kantin"), noon.UnixMilli()-7000),
	}
	m.Options = map[string]bool{"Rumah": true}
	w.project(w.toko.ID, chat.Change{Chat: family, Messages: []chat.Message{m}})
}

func joined(w *world) {
	at := noon.UnixMicro()
	w.project(w.toko.ID, chat.Change{Chat: family, State: chat.Chat{
		Members: map[chat.JID]chat.Register[chat.Rank]{siti: {Value: chat.RankMember, At: at}},
		Since:   map[chat.JID]chat.Register[int64]{siti: {Value: noon.Unix() - 60, At: at}},
		Fields:  fields("description", `"Grup keluarga"`, "createdBy", `"`+string(budi)+`"`, "createdAt", `{"low":1700000000,"high":0,"unsigned":true}`),
	}})
}

// used has two processes count.
func used(w *world) {
	withKey(w)
	for _, p := range []struct {
		day, source, key string
		u                chat.Usage
	}{
		{"2026-02-28", "a", chat.MainKey, chat.Usage{Calls: 9}},
		{"2026-03-01", "a", chat.MainKey, chat.Usage{Calls: 5, Failed: 1, Commands: 2, Operations: 40}},
		{"2026-03-01", "b", chat.MainKey, chat.Usage{Calls: 7}},
		{"2026-03-01", "c", "01JNGKX0T0DDDDDDDDDDDDDDDD", chat.Usage{Calls: 1}},
		{"2026-03-01", "d", "", chat.Usage{Messages: 12}},
	} {
		w.must("put usage", w.db.PutUsage(w.Context(), w.toko.ID, p.day, p.source, map[string]chat.Usage{p.key: p.u}))
	}
}

func withKey(w *world) {
	w.change(func(a *chat.Account) {
		a.Keys = []chat.APIKey{{ID: "01JNGKX0T0DDDDDDDDDDDDDDDD", Name: "Laporan", Scope: chat.ReadScope, Hash: []byte("hash"), CreatedAt: noon}}
	})
}

func turnedOff(w *world) { w.change(func(a *chat.Account) { a.On, a.State = false, chat.ServiceOff }) }

func loggedOut(w *world) {
	w.change(func(a *chat.Account) { a.State, a.Reason, a.JID, a.PushName = chat.ServiceOff, "LOGGED_OUT", "", "" })
}

func unlinked(w *world) {
	w.change(func(a *chat.Account) { a.On, a.State, a.JID, a.AsOf = false, chat.ServiceOff, "", time.Time{} })
}

func scanning(w *world) {
	w.change(func(a *chat.Account) {
		a.State, a.JID, a.QR, a.CodeExpires = chat.ServiceScan, "", qrText, noon.Add(20*time.Second)
	})
}

// qrText is as long as WhatsApp's.
var qrText = "https://wa.me/settings/linked_devices#2@" + strings.Repeat("Qr7/+cD9", 28) + ",1"

// pairing has a host that makes a pairing code.
func pairing(w *world) {
	scanning(w)
	w.onSend(func(ctx context.Context, c chat.Command) error {
		w.change(func(a *chat.Account) {
			a.QR, a.PairingCode, a.CodeExpires = "", "ABCD-EFGH", w.clock().Add(3*time.Minute)
		})
		return w.end(ctx, c, nil)
	})
}

// restricted has WhatsApp limit the account; one of the limits is over.
func restricted(w *world) {
	w.change(func(a *chat.Account) {
		a.Imposed = chat.Imposed{
			TimeLock: &chat.TimeLock{Kind: "RESTRICT_ALL_COMPANIONS", Until: w.now.Add(time.Hour)},
			NewChats: &chat.NewChats{Status: "CAPPED", Used: 50, Total: 50, Until: w.now.Add(24 * time.Hour)},
		}
	})
}

func askedForPasskey(w *world) {
	scanning(w)
	w.change(func(a *chat.Account) {
		a.Reason, a.QR, a.CodeExpires = "PASSKEY_REQUIRED", "", noon.Add(10*time.Minute)
		a.Passkey = &chat.Passkey{
			Options: `{"challenge":"AAAA","timeout":600000,"rpId":"whatsapp.com","userVerification":"required"}`, Expires: a.CodeExpires,
		}
	})
}

func comparing(w *world) {
	askedForPasskey(w)
	w.change(func(a *chat.Account) { a.Reason, a.Passkey.Code = "PASSKEY_COMPARE", "ABCD-EFGH" })
}

func askedLate(w *world) {
	askedForPasskey(w)
	w.pass(10 * time.Minute)
}

func syncing(w *world) {
	w.change(func(a *chat.Account) { a.Sync = &chat.Sync{Percent: 40, Chats: 120, Messages: 3000} })
}

// silentQueue takes commands, and nobody carries them out.
func silentQueue(w *world) {
	w.deps.Wait = 20 * time.Millisecond
	w.onSend(func(context.Context, chat.Command) error { return nil })
}

func refusing(w *world) {
	w.onSend(func(ctx context.Context, c chat.Command) error {
		return w.end(ctx, c, &chat.Error{Code: chat.WhatsAppRejected, Message: "409 conflict"})
	})
}

// full has a host that finds as many chats pinned as may be, without one that finds no message.
func full(w *world)    { failing(w, chat.PinLimit) }
func without(w *world) { failing(w, chat.MessageNotFound) }

func failing(w *world, code chat.Code) {
	w.onSend(func(ctx context.Context, c chat.Command) error { return w.end(ctx, c, &chat.Error{Code: code}) })
}

func withReports(w *world) {
	at := noon
	for i, r := range []chat.Report{
		{Endpoint: "getChats", Status: 400, Error: chat.InvalidLimit},
		{Endpoint: "muteChat", Target: "6281234567890", Status: 200, CommandID: "c1", Command: chat.CommandDone, EndedAt: noon.Add(time.Second)},
		{Endpoint: "unmuteChat", Target: string(family), Status: 502, Error: chat.WhatsAppRejected, CommandID: "c2", Command: chat.CommandFailed,
			EndedAt: noon.Add(2 * time.Second)},
		{Endpoint: "clearMessageById", Target: "6281234567890", Status: 202, CommandID: "c3", Command: chat.CommandPending},
	} {
		at = at.Add(time.Second)
		r.ID, r.Account, r.At = "01JNGKX0T0CCCCCCCCCCCCCCC"+string(rune('0'+i)), w.toko.ID, at
		w.must("add report", w.db.AddReport(w.Context(), r))
	}
}

// withBatch has a batch that is running: of four operations one was done, one was refused, and one failed for now.
func withBatch(w *world) {
	b := chat.Batch{
		ID: "01JNGKX0T0DDDDDDDDDDDDDDDD", Account: w.toko.ID, Rate: 10, Total: 4, Chunk: chat.BatchChunk,
		State: chat.BatchQueued, RequestedAt: noon.Add(-time.Second),
	}
	var all []chat.Operation
	for i, jid := range []chat.JID{family, budi, siti, budi} {
		all = append(all, chat.Operation{Op: chat.MuteCommand, Chat: jid, Line: i + 1})
	}
	w.must("put operations", w.db.PutOperations(w.Context(), w.toko.ID, b.ID, all))
	_, _, err := w.db.CreateBatch(w.Context(), b, noon)
	w.must("create batch", err)
	_, err = w.db.EndOperations(w.Context(), w.toko.ID, b.ID, 0, map[int]chat.Result{
		0: {State: chat.OperationDone, At: noon},
		1: {State: chat.OperationFailed, Failure: &chat.Error{Code: chat.WhatsAppRejected, Message: "406"}, At: noon},
		2: {State: chat.OperationFailed, Failure: &chat.Error{Code: chat.Unavailable}, At: noon},
	})
	w.must("end operations", err)
}

func withEndedBatch(w *world) {
	withBatch(w)
	w.must("stop", w.db.UpdateBatch(w.Context(), w.toko.ID, "01JNGKX0T0DDDDDDDDDDDDDDDD", func(b *chat.Batch) error {
		b.Stop(chat.BatchFailed, &chat.Error{Code: chat.DeviceNotConnected}, noon)
		return nil
	}))
}

func TestGolden(t *testing.T) {
	for _, g := range goldens {
		for _, name := range []string{"http", "lambda"} {
			call := transports[name]
			t.Run(g.name+"/"+name, func(t *testing.T) {
				w := newWorld(t)
				w.seed()
				if g.before != nil {
					g.before(w)
				}
				got := call(w, w.fill(g.ask))
				if status := got.status; status != max(g.status, 200) {
					t.Errorf("status %d: %s", status, got.body)
				}
				if got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" {
					t.Errorf("headers %v", got.header)
				}
				w.compare(filepath.Join("testdata", g.name+".json"), w.normal(got.body))
			})
		}
	}
}

// fill puts Toko's key into a call.
func (w *world) fill(a ask) ask {
	a.body, a.query = strings.ReplaceAll(a.body, "KEY", w.tokoKey), strings.ReplaceAll(a.query, "KEY", w.tokoKey)
	header := make(map[string]string)
	for name, value := range a.header {
		header[name] = strings.ReplaceAll(value, "KEY", w.tokoKey)
	}
	a.header = header
	return a
}

var (
	dataURI = regexp.MustCompile(`data:image/png;base64,[A-Za-z0-9+/=]+`)
	noonID  = regexp.MustCompile(`01KJMMA2G0[0-9A-Z]{16}`) // a ULID made at noon
	shardOf = regexp.MustCompile(`"shard": ?[0-9]+`)       // made from the id
	someKey = regexp.MustCompile(`pk_[0-9A-Z]{26}_[a-z2-7]{52}`)
)

// normal makes an answer comparable: an image is checked for being one, and keys are checked for their form.
func (w *world) normal(body []byte) []byte {
	body = dataURI.ReplaceAllFunc(body, func(uri []byte) []byte {
		data, err := base64.StdEncoding.DecodeString(string(uri[len("data:image/png;base64,"):]))
		w.must("decode image", err)
		if image, err := png.Decode(bytes.NewReader(data)); err != nil || image.Bounds().Dx() < 300 {
			w.Errorf("image: %v", err)
		}
		return []byte("data:image/png;base64,PNG")
	})
	body = shardOf.ReplaceAll(body, []byte(`"shard": 0`))
	return noonID.ReplaceAll(someKey.ReplaceAll(body, []byte("KEY")), []byte("ID"))
}

func (w *world) compare(file string, got []byte) {
	w.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		w.Fatalf("%s: %v", got, err)
	}
	pretty.WriteByte('\n')
	if *update {
		w.must("write", os.WriteFile(file, pretty.Bytes(), 0o666))
	}
	want, err := os.ReadFile(file)
	w.must("read", err)
	if !bytes.Equal(pretty.Bytes(), want) {
		w.Errorf("%s:\n got %s\nwant %s", file, pretty.Bytes(), want)
	}
}
