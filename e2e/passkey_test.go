package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"pesan/internal/sim"
	"pesan/internal/testkit/browser"
)

// linking is a Pesan whose phone has the pairing code and whose WhatsApp asks for the passkey; linked waits for the end.
func linking(ctx context.Context, t *testing.T) (*world, *sim.Authenticator, func()) {
	t.Helper()
	w := newWorld(t, 1)
	authenticator, err := sim.NewAuthenticator()
	must(t, err)
	w.Phone.RequirePasskey(authenticator.Passkey())
	w.run(ctx, t)
	must(t, w.AddDevice(ctx))
	_, err = w.Call(ctx, "serviceStart")
	must(t, err)
	var code struct{ PairingCode string }
	must(t, Until(ctx, "a pairing code", func() (bool, error) {
		_, err := w.Get(ctx, &code, "getQR", "phone", w.Phone.PN().User)
		return code.PairingCode != "", err
	}))
	result := make(chan error, 1)
	go func() {
		var err error
		w.Device, err = w.Phone.EnterCode(ctx, code.PairingCode)
		result <- err
	}()
	must(t, Until(ctx, "the request", func() (bool, error) {
		state, err := w.State(ctx)
		return state.Reason == "PASSKEY_REQUIRED", err
	}))
	return w, authenticator, func() {
		t.Helper()
		must(t, <-result)
		must(t, w.Connected(ctx))
	}
}

// TestPasskeyByHTTP links with a passkey whose answer is carried by hand.
func TestPasskeyByHTTP(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w, authenticator, linked := linking(ctx, t)
	var asked struct {
		PublicKey json.RawMessage
		ExpiresAt string
	}
	_, err := w.Get(ctx, &asked, "getPasskey")
	must(t, err)
	until, err := time.Parse(time.RFC3339, asked.ExpiresAt)
	if err != nil || time.Until(until) > 10*time.Minute || time.Until(until) < 9*time.Minute {
		t.Errorf("it expires at %q", asked.ExpiresAt)
	}
	for _, bad := range []string{"", "x", "[]", "{}", `"{}"`, "{" + strings.Repeat(" ", 20_000) + "}", `{"id":"x"}`} {
		if answer, err := w.Call(ctx, "sendPasskey", "credential", bad); err != nil || answer.Status != 400 {
			t.Errorf("%.20q is answered %d %s, %v", bad, answer.Status, answer.Body, err)
		}
	}
	if answer, err := w.Call(ctx, "confirmPasskey"); err != nil || answer.Error != "PASSKEY_NOT_ASKED" {
		t.Errorf("a confirmation of nothing is answered %s, %v", answer.Body, err)
	}
	credential, err := authenticator.Assert(asked.PublicKey)
	must(t, err)
	answer, err := w.Call(ctx, "sendPasskey", "credential", string(credential))
	must(t, err)
	if answer.Status != http.StatusOK {
		t.Fatalf("sendPasskey answers %s", answer.Body)
	}
	linked()
	if answer, err := w.Call(ctx, "getPasskey"); err != nil || answer.Status != 409 {
		t.Errorf("afterwards getPasskey answers %s, %v", answer.Body, err)
	}
}

// TestPasskeyExtension links with the extension in a real browser, which has the passkey in an authenticator.
func TestPasskeyExtension(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	folder, err := filepath.Abs("../extras/passkey-extension")
	must(t, err)
	site := browser.Serve(t, "web.whatsapp.com", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; connect-src 'self'") // as strict as the real page is to fetch
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>WhatsApp</title><body>")
	}))
	first := browser.New(ctx, t, browser.Options{Sites: []*browser.Site{site}, Extension: folder})
	w, authenticator, linked := linking(ctx, t)

	// The tab of WhatsApp Web, whose device has the passkey.
	web, closeWeb := chromedp.NewContext(first)
	defer closeWeb()
	key, err := x509.MarshalPKCS8PrivateKey(authenticator.Key)
	must(t, err)
	must(t, chromedp.Do(web, chromedp.Navigate("https://web.whatsapp.com/"), chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		if _, err := cdp.Call(ctx, tab, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		added, err := cdp.Call(ctx, tab, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
			Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			},
		})
		if err != nil {
			return err
		}
		// The library's own type names an extension that this authenticator refuses to hear of.
		var nothing struct{}
		err = tab.Call(ctx, webauthn.CommandAddCredential, map[string]any{
			"authenticatorId": added.AuthenticatorID, "credential": map[string]any{
				"credentialId": authenticator.ID, "rpId": sim.PasskeyRelyingParty, "isResidentCredential": true,
				"privateKey": key, "userHandle": []byte("sari"), "signCount": 1,
			},
		}, &nothing)
		return err
	})))

	popup, closePopup := chromedp.NewContext(first)
	defer closePopup()
	must(t, chromedp.Do(popup, chromedp.Navigate("chrome-extension://"+extensionID(folder)+"/popup.html")))
	_, err = chromedp.Run(popup, chromedp.Evaluate[any](fmt.Sprintf(`{
		const form = document.querySelector("form");
		form.address.value = %q;
		form.key.value = %q;
		form.requestSubmit();
	}`, w.URL, w.Key)))
	must(t, err)
	says(ctx, t, popup, `document.getElementById("status").textContent`, "tab of WhatsApp Web")
	const dialog = `document.querySelector("#pesan-passkey")`
	says(ctx, t, web, dialog+`?.textContent ?? ""`, "wants to be linked")
	must(t, chromedp.Do(web, front))
	_, err = chromedp.Run(web, chromedp.Evaluate[any](dialog+`.querySelector("button").click()`, func(p *runtime.EvaluateParams) { p.UserGesture = new(true) }))
	must(t, err)
	linked()
	says(ctx, t, web, dialog+`?.textContent ?? ""`, "Done.")
}

// front shows a tab: a passkey is given to the one in front alone.
var front = chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
	_, err := cdp.Call(ctx, tab, page.BringToFront, cdp.Empty{})
	return err
})

// says waits until a text of a page has a part.
func says(ctx context.Context, t *testing.T, tab context.Context, expression, want string) {
	t.Helper()
	text := ""
	err := Until(ctx, want, func() (ok bool, err error) {
		text, err = chromedp.Run(tab, chromedp.Evaluate[string](expression))
		return strings.Contains(text, want), err
	})
	if err != nil {
		t.Fatalf("%v; it says %q", err, text)
	}
}

// extensionID is the id that the browser gives an unpacked extension: the first half of its path's hash, in letters from a to p.
func extensionID(folder string) string {
	sum := sha256.Sum256([]byte(folder))
	var id strings.Builder
	for _, b := range sum[:16] {
		id.WriteByte('a' + b>>4)
		id.WriteByte('a' + b&15)
	}
	return id.String()
}
