package httpapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/png"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"

	"pesan/internal/chat"
)

type pairResults struct {
	APIKey, Message, PairingCode, QRString, State, ExpiresAt string
}

func (w *world) pairing(a answer, status int) pairResults {
	w.Helper()
	w.want(a, status, "")
	var got struct{ Results pairResults }
	w.must("decode", json.Unmarshal(a.body, &got))
	return got.Results
}

// TestQRWaits holds that a code that is about to come is waited for, and that one that has run out isn't shown.
func TestQRWaits(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		scanning(w)
		w.pass(20 * time.Second)
		looks := 0
		w.config.Accounts = accountReader(func(ctx context.Context, id string) (chat.Account, error) {
			if looks++; looks == 4 {
				w.change(func(a *chat.Account) { a.QR, a.CodeExpires = qrText+"2", w.clock().Add(20*time.Second) })
			}
			return w.db.Account(ctx, id)
		})
		got := w.pairing(call(ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}), 200)
		if got.ExpiresAt != "2026-03-01T12:00:40.000Z" || got.APIKey != w.tokoKey {
			w.Errorf("%+v", got)
		}
		w.pass(20 * time.Second)
		w.deps.Wait = 30 * time.Millisecond
		got = w.pairing(call(ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}), 202)
		if got.QRString != "" || got.State != "SERVICE_SCAN" {
			w.Errorf("%+v", got)
		}
		w.change(func(a *chat.Account) { a.State = chat.Pairing })
		w.pairing(call(ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}), 202)
		w.change(func(a *chat.Account) { a.State, a.Reason = chat.ServiceOff, "QR_TIMEOUT" })
		w.want(call(ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}), 409, chat.DeviceNotConnected)
		w.change(func(a *chat.Account) { a.State, a.Reason, a.JID = chat.Pairing, "", me })
		w.pairing(call(ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"}), 200)
	})
}

// TestPairingCode holds that one phone gets one code for a while, another phone another, and a failure no code.
func TestPairingCode(t *testing.T) {
	onAll(t, func(w *world, call func(ask) answer) {
		pairing(w)
		ask := ask{endpoint: "getQR", body: "apiKey=KEY&phone=0812-3456-7890"}
		for range 3 {
			if got := w.pairing(call(ask), 200); got.PairingCode != "ABCD-EFGH" || got.QRString != "" {
				w.Errorf("%+v", got)
			}
		}
		sent := w.commandsSent()
		if len(sent) != 1 || sent[0].Kind != chat.ConnectCommand || sent[0].Phone != "6281234567890" || strings.Contains(sent[0].ID, "812") {
			w.Fatalf("sent %+v", sent)
		}
		w.pass(2 * time.Minute)
		w.pairing(call(ask), 200)
		ask.body = "apiKey=KEY&phone=0812-9998-8877"
		w.pairing(call(ask), 200)
		if sent := w.commandsSent(); len(sent) != 3 || sent[2].Phone != "6281299988877" {
			w.Fatalf("sent %+v", sent)
		}
		w.pass(2 * time.Minute)
		refusing(w)
		w.want(call(ask), 502, chat.WhatsAppRejected)
		pairing(w)
		w.change(func(a *chat.Account) { a.CodeExpires = noon.Add(time.Hour) })
		w.want(call(ask), 200, "") // tried anew
		for _, phone := range []string{string(lid), string(family), "x", "12345@s.whatsapp.net"} {
			ask.body = "apiKey=KEY&phone=" + phone
			w.want(call(ask), 400, chat.InvalidPhone)
		}
		w.change(func(a *chat.Account) { a.On = false })
		before := len(w.commandsSent())
		ask.body = "apiKey=KEY&phone=0812-3456-7890"
		w.want(call(ask), 409, chat.DeviceNotConnected)
		if len(w.commandsSent()) != before {
			w.Error("a command was sent for a service that is off")
		}
	})
}

// TestQRImage holds that the image shows the code: its modules, with a quiet zone of four around.
func TestQRImage(t *testing.T) {
	w := newWorld(t)
	scanning(w)
	got := w.pairing(overHTTP(w, w.fill(ask{method: "GET", endpoint: "getQR", body: "apiKey=KEY"})), 200)
	data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(got.QRString, "data:image/png;base64,"))
	w.must("decode", err)
	picture, err := png.Decode(bytes.NewReader(data))
	w.must("decode", err)
	code, err := qr.Encode(qrText, qr.L)
	w.must("encode", err)
	scale := picture.Bounds().Dx() / (code.Size + 8)
	if scale < 4 || picture.Bounds() != image.Rect(0, 0, scale*(code.Size+8), scale*(code.Size+8)) {
		t.Fatalf("%v for %d modules", picture.Bounds(), code.Size)
	}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			red, _, _, _ := picture.At(x, y).RGBA()
			if black := red == 0; black != code.Black(x/scale-4, y/scale-4) {
				t.Fatalf("pixel %d,%d", x, y)
			}
		}
	}
}
