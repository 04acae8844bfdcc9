package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"pesan/internal/chat"
	"pesan/internal/sim"
)

// scanned is the end of a scan.
type scanned struct {
	device *sim.Device
	err    error
}

// askedWorld is one whose phone has scanned the code, and whose WhatsApp asks for a passkey.
func askedWorld(t *testing.T, change func(*sim.Passkey)) (*world, *sim.Authenticator, chat.Account, <-chan scanned) {
	t.Helper()
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	authenticator, err := sim.NewAuthenticator()
	w.ok(err)
	passkey := authenticator.Passkey()
	if change != nil {
		change(passkey)
	}
	w.phone.RequirePasskey(passkey)
	w.run()
	a, result := w.scanForPasskey()
	return w, authenticator, a, result
}

// scanForPasskey scans the code that is shown, and returns the account once it says what WhatsApp asks for.
func (w *world) scanForPasskey() (chat.Account, <-chan scanned) {
	w.t.Helper()
	qr := w.until("a QR code", func(a chat.Account) bool { return a.QR != "" }).QR
	result := make(chan scanned, 1)
	go func() {
		device, err := w.phone.ScanQR(w.soon(), qr)
		result <- scanned{device, err}
	}()
	return w.until("a request", func(a chat.Account) bool { return a.Passkey != nil }), result
}

func (w *world) assert(a *sim.Authenticator, options chat.JSON) chat.JSON {
	w.t.Helper()
	credential, err := a.Assert([]byte(options))
	w.ok(err)
	return chat.JSON(credential)
}

func (w *world) linkedBy(result <-chan scanned) {
	w.t.Helper()
	r := <-result
	w.ok(r.err)
	w.linked = r.device
	a := w.until("connected", func(a chat.Account) bool { return a.State == chat.Connected })
	if a.Passkey != nil || a.QR != "" || !a.CodeExpires.IsZero() {
		w.t.Errorf("account %+v", a)
	}
	w.quiet()
}

func TestPasskey(t *testing.T) {
	compared := func(k *sim.Passkey) {
		k.Compare = func(context.Context, string) bool { t.Error("a code was compared though it was scanned"); return false }
	}
	w, authenticator, a, result := askedWorld(t, compared)
	if left := time.Until(a.Passkey.Expires); a.State != chat.ServiceScan || a.Reason != PasskeyRequired || a.QR != "" ||
		left < 9*time.Minute || left > 10*time.Minute || a.Passkey.Code != "" {
		t.Errorf("account %+v, %v left", a, left)
	}
	var options struct {
		Challenge, RpID, UserVerification string
		AllowCredentials                  []struct{ ID, Type string }
	}
	w.ok(json.Unmarshal([]byte(a.Passkey.Options), &options))
	if len(options.Challenge) != 43 || options.RpID != "whatsapp.com" || options.UserVerification != "required" || len(options.AllowCredentials) != 1 {
		t.Errorf("options %s", a.Passkey.Options)
	}
	w.ok(w.device.Passkey(w.soon(), w.assert(authenticator, a.Passkey.Options)))
	w.linkedBy(result)
	wantCode(t, w.device.Passkey(w.soon(), w.assert(authenticator, a.Passkey.Options)), chat.PasskeyNotAsked)
	wantCode(t, w.device.ConfirmPasskey(w.soon()), chat.PasskeyNotAsked)
}

// TestPasskeyAfterCode links by a pairing code.
func TestPasskeyAfterCode(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	authenticator, err := sim.NewAuthenticator()
	w.ok(err)
	w.phone.RequirePasskey(authenticator.Passkey())
	w.run()
	w.until("a QR code", func(a chat.Account) bool { return a.QR != "" })
	w.ok(w.device.PairingCode(w.soon(), ownNumber))
	a, err := w.store.Account(w.soon(), account)
	w.ok(err)
	result := make(chan scanned, 1)
	go func() {
		device, err := w.phone.EnterCode(w.soon(), a.PairingCode)
		result <- scanned{device, err}
	}()
	a = w.until("a request", func(a chat.Account) bool { return a.Passkey != nil })
	if a.PairingCode != "" {
		t.Errorf("account %+v", a)
	}
	w.ok(w.device.Passkey(w.soon(), w.assert(authenticator, a.Passkey.Options)))
	w.linkedBy(result)
}

// TestWrongPasskeys: each is refused with a reason, and the right one is taken afterwards.
func TestWrongPasskeys(t *testing.T) {
	w, good, a, result := askedWorld(t, nil)
	wrong := func(change func(*sim.Authenticator), options chat.JSON) chat.JSON {
		bad := *good
		change(&bad)
		return w.assert(&bad, options)
	}
	nothing := func(*sim.Authenticator) {}
	foreign, err := sim.NewAuthenticator()
	w.ok(err)
	right := string(w.assert(good, a.Passkey.Options))
	for name, c := range map[string]struct {
		credential chat.JSON
		code       chat.Code
		says       string
	}{
		"no JSON":             {"x", chat.InvalidParameter, "toJSON"},
		"no object":           {`"x"`, chat.InvalidParameter, "toJSON"},
		"empty":               {"{}", chat.InvalidParameter, "clientDataJSON"},
		"base64 that isn't":   {chat.JSON(strings.Replace(right, `"signature":"`, `"signature":"***`, 1)), chat.InvalidParameter, "toJSON"},
		"no signature":        {chat.JSON(strings.Replace(right, `"signature"`, `"other"`, 1)), chat.InvalidParameter, "assertion"},
		"a registration":      {chat.JSON(strings.Replace(right, `"type":"public-key"`, `"type":"password"`, 1)), chat.InvalidParameter, "assertion"},
		"another challenge":   {wrong(nothing, `{"challenge":"AAAA","rpId":"whatsapp.com"}`), chat.InvalidParameter, "another request"},
		"another origin":      {wrong(func(b *sim.Authenticator) { b.Origin = "https://whatsapp.com.example" }, a.Passkey.Options), chat.InvalidParameter, "origin"},
		"an insecure origin":  {wrong(func(b *sim.Authenticator) { b.Origin = "http://web.whatsapp.com" }, a.Passkey.Options), chat.InvalidParameter, "origin"},
		"another key":         {wrong(func(b *sim.Authenticator) { b.Key = foreign.Key }, a.Passkey.Options), chat.WhatsAppRejected, "this account"},
		"another passkey":     {w.assert(foreign, a.Passkey.Options), chat.WhatsAppRejected, "this account"},
		"a user not verified": {wrong(func(b *sim.Authenticator) { b.Unverified = true }, a.Passkey.Options), chat.WhatsAppRejected, "this account"},
	} {
		err := w.device.Passkey(w.soon(), c.credential)
		if e := chat.AsError(err); e.Code != c.code || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v, want %s: … %s", name, err, c.code, c.says)
		}
	}
	if now, err := w.store.Account(w.soon(), account); err != nil || now.Passkey == nil || now.Passkey.Options != a.Passkey.Options {
		t.Errorf("account %+v, %v", now, err)
	}
	w.ok(w.device.Passkey(w.soon(), chat.JSON(right)))
	w.linkedBy(result)
}

// TestLatePasskey: what comes too late is refused, and linking begins again.
func TestLatePasskey(t *testing.T) {
	w, authenticator, a, result := askedWorld(t, func(k *sim.Passkey) { k.Timeout = 2 * time.Second })
	if r := <-result; !errors.Is(r.err, sim.ErrPasskey) && !errors.Is(r.err, sim.ErrLinking) {
		t.Errorf("the scan ended with %v", r.err)
	}
	late := w.assert(authenticator, a.Passkey.Options)
	w.until("another code", func(a chat.Account) bool { return a.QR != "" && a.Passkey == nil && a.Reason == "" })
	wantCode(t, w.device.Passkey(w.soon(), late), chat.PasskeyNotAsked)
	w.phone.RequirePasskey(authenticator.Passkey())
	again, result := w.scanForPasskey()
	wantCode(t, w.device.Passkey(w.soon(), late), chat.InvalidParameter) // it answers the request before
	w.ok(w.device.Passkey(w.soon(), w.assert(authenticator, again.Passkey.Options)))
	w.linkedBy(result)
}

// TestPasskeyCompared: five minutes after the scan the phone no longer takes the client's word for what was scanned.
func TestPasskeyCompared(t *testing.T) {
	for _, same := range []bool{true, false} {
		shown, asked := make(chan string, 1), atomic.Int32{}
		w, authenticator, a, result := askedWorld(t, func(k *sim.Passkey) {
			k.Compare = func(_ context.Context, code string) bool { asked.Add(1); shown <- code; return same }
		})
		r, err := w.device.(*device).current()
		w.ok(err)
		forgetScan(r)
		wantCode(t, w.device.ConfirmPasskey(w.soon()), chat.PasskeyNotAsked)
		credential := w.assert(authenticator, a.Passkey.Options)
		w.ok(w.device.Passkey(w.soon(), credential))
		onPhone := <-shown
		if !same {
			if r := <-result; !errors.Is(r.err, sim.ErrPasskey) {
				t.Errorf("the scan ended with %v", r.err)
			}
			w.until("another code", func(a chat.Account) bool { return a.QR != "" && a.Passkey == nil })
			continue
		}
		a = w.until("a code", func(a chat.Account) bool { return a.Passkey != nil && a.Passkey.Code != "" })
		if a.Passkey.Code != onPhone || a.Reason != PasskeyCompare {
			t.Errorf("code %q with %s; the phone shows %q", a.Passkey.Code, a.Reason, onPhone)
		}
		wantCode(t, w.device.Passkey(w.soon(), credential), chat.PasskeyNotAsked) // it was taken
		w.ok(w.device.ConfirmPasskey(w.soon()))
		w.linkedBy(result)
		if asked.Load() != 1 {
			t.Errorf("the phone asked %d times", asked.Load())
		}
	}
}

// forgetScan has whatsmeow forget when the code was scanned, as it does five minutes later.
func forgetScan(r *run) {
	field := reflect.ValueOf(r.wa).Elem().FieldByName("passkeyHandoffKey")
	store := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).MethodByName("Store")
	store.Call([]reflect.Value{reflect.Zero(store.Type().In(0))})
}

// TestPasskeyNotAsked: nothing has asked.
func TestPasskeyNotAsked(t *testing.T) {
	w := newWorld(t, sim.Options{}, sim.PhoneOptions{})
	w.run()
	w.until("a QR code", func(a chat.Account) bool { return a.QR != "" })
	wantCode(t, w.device.Passkey(w.soon(), "{}"), chat.PasskeyNotAsked)
	wantCode(t, w.device.ConfirmPasskey(w.soon()), chat.PasskeyNotAsked)
	w.ok(w.halt())
	wantCode(t, w.device.Passkey(w.soon(), "{}"), chat.PasskeyNotAsked)
	wantCode(t, w.device.ConfirmPasskey(w.soon()), chat.PasskeyNotAsked)
}
