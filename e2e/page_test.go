package e2e

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"pesan/internal/sim"
	"pesan/internal/testkit/browser"
)

// window is a browser that shows the page.
type window struct {
	testing.TB
	ctx context.Context // bounds all waiting
	tab context.Context
}

// openWindow opens the page in a browser of a language. The test fails where the browser complains of anything: a script's error, or what
// the page's policy forbids.
func openWindow(ctx context.Context, t testing.TB, languages, url string) *window {
	t.Helper()
	w := &window{TB: t, ctx: ctx, tab: browser.New(t.Context(), t, browser.Options{Languages: languages})}
	must(t, chromedp.Listen(w.tab, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == "error" && e.Entry.Source != "network" { // what the API refuses is the page's to tell
				t.Errorf("the browser complains: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("a script fails: %s", e.ExceptionDetails.Exception.Description)
		}
	}))
	w.size(1280, 800)
	must(t, chromedp.Do(w.tab, chromedp.Navigate(url), front))
	return w
}

// size makes the window one of a desktop or, if it is narrow, of a phone.
func (w *window) size(width, height int64) {
	w.Helper()
	must(w, chromedp.Do(w.tab, chromedp.EmulateViewport(width, height)))
}

// eval evaluates an expression, a promise's too.
func eval[V any](w *window, expression string, values ...any) V {
	w.Helper()
	v, err := chromedp.Run(w.tab, chromedp.Evaluate[V](script(expression, values...), func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
	if err != nil {
		w.Fatalf("%s: %v", expression, err)
	}
	return v
}

// script puts values as JSON where an expression has a ?!.
func script(expression string, values ...any) string {
	for _, v := range values {
		b, _ := json.Marshal(v) // texts and numbers
		expression = strings.Replace(expression, "?!", string(b), 1)
	}
	return expression
}

// until waits for a condition.
func (w *window) until(condition string, values ...any) {
	w.Helper()
	expression := script("!!("+condition+")", values...)
	err := Until(w.ctx, expression, func() (bool, error) { return chromedp.Run(w.tab, chromedp.Evaluate[bool](expression)) })
	if err != nil {
		text, _ := chromedp.Run(w.tab, chromedp.Evaluate[string](`document.body.innerText`))
		w.Fatalf("%v; the page shows:\n%.3000s", err, text)
	}
}

// shows waits until the page, or the part that a selector names, has a text.
func (w *window) shows(selector, text string) {
	w.Helper()
	w.until(`document.querySelector(?!)?.textContent.includes(?!)`, selector, text)
}

// click clicks what a user sees: it waits until it is there, and is the topmost thing in its place. What comes in may move it away
// from under the pointer: then it is clicked again, in its menu if that has closed.
func (w *window) click(selector string) {
	w.Helper()
	for !w.clickOnce(selector) {
		eval[any](w, `(() => { const m = document.querySelector(?!)?.closest("details ul")?.parentNode; if (m) m.open = true })()`, selector)
	}
}

// clickOnce tells whether what was clicked was that.
func (w *window) clickOnce(selector string) bool {
	w.Helper()
	w.until(`(() => { const e = document.querySelector(?!); if (!e) return false; e.scrollIntoView({block: "nearest"})
		const r = e.getBoundingClientRect(), hit = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)
		return r.width > 0 && !e.disabled && (e === hit || e.contains(hit)) })()`, selector)
	point := eval[[]float64](w, `(() => { window.missed = true
		addEventListener("click", e => { window.missed = !e.target.closest(?!) }, {capture: true, once: true})
		const r = document.querySelector(?!).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`, selector, selector)
	must(w, chromedp.Do(w.tab, chromedp.MouseClickXY(point[0], point[1])))
	return !eval[bool](w, `window.missed === true`) // another page has none
}

// shots is the variable that names a folder for pictures of each view.
const shots = "PESAN_SCREENSHOTS"

// shoot keeps a picture of the view: in both modes, as on a desktop and on a phone.
func (w *window) shoot(name string) {
	w.Helper()
	folder := os.Getenv(shots)
	if folder == "" {
		return
	}
	must(w, os.MkdirAll(folder, 0o700))
	for _, mode := range []string{"light", "dark"} {
		w.mode(mode)
		for device, size := range map[string][2]int64{"desktop": {1280, 800}, "phone": {390, 844}} {
			w.size(size[0], size[1])
			eval[any](w, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))`)
			picture, err := chromedp.Run(w.tab, chromedp.CaptureScreenshot())
			must(w, err)
			must(w, os.WriteFile(filepath.Join(folder, strings.Join([]string{name, mode, device}, "-")+".png"), picture, 0o600))
		}
	}
	w.size(1280, 800)
}

// mode makes the browser prefer light or dark pages.
func (w *window) mode(mode string) {
	w.Helper()
	must(w, chromedp.Do(w.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: mode}, {Name: "prefers-reduced-motion", Value: "reduce"},
			},
		})
		return err
	})))
}

// TestPageWay is the way of a new user: from the address that the demo prints to a muted chat and back, and past each page.
func TestPageWay(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	p := start(t, nil, "demo", "-listen", "127.0.0.1:0")
	address, err := p.find(ctx, regexp.MustCompile(`^ +(http://\S+/#key=\S+)$`))
	must(t, err)
	secret, err := p.find(ctx, regexp.MustCompile(`^system secret +(\S+)$`))
	must(t, err)
	w := openWindow(ctx, t, "en-US", address)
	w.until(`document.querySelectorAll("[role=option]").length > 5`)
	if hash := eval[string](w, `location.hash`); strings.Contains(hash, "key") {
		t.Errorf("the key stays in the address: %s", hash)
	}
	w.shows(".count", "chats")
	w.views("chats")
	w.click("[role=option]")
	w.until(`document.querySelectorAll(".message").length > 3`)
	w.views("conversation")
	w.views("mute", func() { w.click("[data-act=mute]"); w.shows("dialog", "") })
	w.click("[data-act=mute]")
	w.click("dialog button.primary")
	w.shows(".head .who", "muted until")
	w.views("actions", func() { w.click(".menu summary") })
	for _, act := range []string{"clear", "remove", "disappear"} {
		w.views(act, func() {
			w.click(".menu summary")
			w.click(".menu [data-act=" + act + "]")
		})
	}
	w.views("curl", func() {
		w.click(".menu summary")
		w.click(".menu [data-curl=archiveChat]")
	})
	w.click(".menu summary")
	w.click(".menu [data-act=unmute]")
	w.until(`!document.querySelector(".head .who").textContent.includes("muted")`)
	w.shows("[role=status].toasts", "is unmuted")

	// Several at once: all 200 chats, those in the archive too.
	w.click(`nav a[href="#/chats"]`)
	w.until(`!document.querySelector(".talking") && document.querySelectorAll("[role=option]").length > 5`)
	eval[any](w, `document.querySelector("[role=listbox]").focus()`)
	must(t, chromedp.Do(w.tab, chromedp.KeyEvent(kb.ArrowDown+" ")))
	w.shows(".marking", "1 marked")
	w.views("marked")
	for marked := 0; marked < 200; { // meanwhile the phone may have put one into the archive, or taken it out
		for _, filter := range []string{"all", "archivedOnes"} {
			w.click(".filters input[value=" + filter + "]")
			w.click(".marking button")
		}
		w.shows(".marking", " marked")
		marked = eval[int](w, `parseInt(document.querySelector(".marking strong").textContent)`)
	}
	w.click(".marking summary")
	for _, width := range []int64{390, 800, 1280} {
		w.size(width, 800)
		w.until(`(() => { const r = document.querySelector(".marking ul").getBoundingClientRect(); return r.width > 100 && r.left >= 0 && r.right <= innerWidth })()`)
	}
	w.click("[data-many=mute]")
	w.click(`dialog input[value=""]`)
	w.click("dialog .primary")
	w.shows(".state", "of 200")
	w.views("batch")
	w.until(`document.querySelector(".state strong").textContent === "Done"`)
	w.until(`document.querySelector("[data-done]").dataset.done === "200"`)
	w.click(`nav a[href="#/batches"]`)
	w.shows("tbody", "Done")
	w.views("batches")

	// A file: what is wrong in it is shown before anything is done.
	first := eval[string](w, `import(document.querySelector("script").src.replace("main.js", "model.js")).then(m => [...m.model.chats.keys()][0])`)
	check := func() {
		w.until(`document.querySelector("input[type=file]")`)
		eval[any](w, `{
			const picked = new DataTransfer()
			picked.items.add(new File(["op,phone,second\n" + ?! + ",\nmute,nobody,\nfly,6281,\n"], "malam.csv", {type: "text/csv"}))
			document.querySelector("input[type=file]").files = picked.files
		}`, "unmute,"+first)
		w.click("form .primary")
		w.shows("dialog tbody", "fly,6281")
	}
	w.views("file", check)
	check()
	w.shows("dialog [role=status]", "1 operation is ready. 2 lines are wrong")
	w.click("dialog .primary")
	w.until(`document.querySelector("h1")?.textContent === "Batch" && document.querySelector(".state strong")?.textContent === "Done"`)
	w.shows("tbody", "Unmute")

	w.click(`nav a[href="#/log"]`)
	w.shows("tbody", "unmuteChat")
	w.views("log")
	w.click(`nav a[href="#/link"]`)
	w.shows(".state", "Connected")
	w.views("linked")
	w.click(`nav a[href="#/settings"]`)
	w.shows("tbody", "main")
	add := func() {
		w.click("[data-act=addKey]")
		w.fill("dialog input", "Laporan")
	}
	w.views("key", add)
	add()
	w.click("dialog .primary")
	further := w.made()
	w.shows("tbody", "Laporan")
	w.click("tbody tr:last-child .danger")
	w.click("dialog .primary")
	w.shows("[role=status].toasts", "is revoked")
	w.until(`!document.querySelector("tbody").textContent.includes("Laporan")`)
	if status := w.opens(further); status != http.StatusUnauthorized {
		t.Errorf("a revoked key is answered %d", status)
	}
	w.shows("section[aria-label=Webhook] .state", "On") // the demo has one
	w.click("[data-act=testWebhook]")
	w.shows("[role=status].toasts", "The test was taken")
	w.views("settings")
	w.click(`nav a[href="#/devices"]`)
	w.fill("form input", secret)
	w.click("form .primary")
	w.shows("tbody", "Spare")
	w.views("devices")
	w.devices()
	w.click("[aria-label$=': Spare'].danger")
	w.fill("dialog input", "another")
	w.click("dialog .primary")
	w.shows("dialog .wrong", "another")
	w.close()
	remove := func() {
		w.click("[aria-label$=': Spare'].danger")
		w.fill("dialog input", "Spare")
	}
	w.views("delete", remove)
	remove()
	w.click("dialog .primary")
	w.until(`!document.querySelector("tbody").textContent.includes("Spare")`)
	w.click(".frame button:last-of-type") // sign out
	w.shows("h1", "Open an inbox")
	w.views("sign-in")
	if kept := eval[string](w, `JSON.stringify([sessionStorage, localStorage])`); strings.Contains(kept, "pk_") || strings.Contains(kept, secret) {
		t.Errorf("who has signed out leaves %s", kept)
	}
}

// made reads a key that was just made, which opens its account, and closes what shows it.
func (w *window) made() string {
	w.Helper()
	w.shows("dialog pre", "pk_")
	key := eval[string](w, `document.querySelector("dialog pre").textContent`)
	if status := w.opens(key); status != http.StatusOK {
		w.Errorf("a new key is answered %d", status)
	}
	w.close()
	return key
}

// opens is what a call with a key is answered.
func (w *window) opens(key string) int {
	w.Helper()
	return eval[int](w, `fetch("api/getState", {headers: {"X-Api-Key": ?!}}).then(r => r.status)`, key)
}

// devices adds a device, gives it another name and another key, and deletes it.
func (w *window) devices() {
	w.Helper()
	w.click("[data-act=addDevice]")
	w.fill("dialog input", "Cabang")
	w.click("dialog .primary")
	first := w.made()
	w.shows("tbody", "Cabang")
	w.click("[aria-label='Rename: Cabang']")
	w.fill("dialog input", "Gudang")
	w.click("dialog .primary")
	w.until(`document.querySelector("tbody").textContent.includes("Gudang") && !document.querySelector("tbody").textContent.includes("Cabang")`)
	w.click("[aria-label='New key: Gudang']")
	w.click("dialog .primary")
	second := w.made()
	if status := w.opens(first); status != http.StatusUnauthorized {
		w.Errorf("a key that was replaced is answered %d", status)
	}
	w.click("[aria-label='Delete: Gudang']")
	w.fill("dialog input", "Gudang")
	w.click("dialog .primary")
	w.until(`!document.querySelector("tbody").textContent.includes("Gudang")`)
	if status := w.opens(second); status != http.StatusUnauthorized {
		w.Errorf("a deleted device's key is answered %d", status)
	}
}

// speak switches the page's language.
func (w *window) speak(language string) {
	w.Helper()
	if eval[bool](w, `document.documentElement.lang === ?!`, language) {
		return
	}
	w.click(".frame button[lang=" + language + "]")
	w.until(`document.documentElement.lang === ?! && document.querySelector(".frame button[lang]").lang !== ?!`, language, language)
	w.until(`!document.querySelector(".count")?.textContent.match(/Loading|Memuat/)`)
	if known := eval[bool](w, `document.querySelector("nav").textContent.includes(?!)`, map[string]string{"id": "Perangkat", "en": "Devices"}[language]); !known {
		w.Errorf("the pages' names are in another language than %s", language)
	}
}

// views looks at a view in both languages: it is accessible, and has its pictures taken. Where the view stands above another, as a
// dialog does, open opens it.
func (w *window) views(name string, open ...func()) {
	w.Helper()
	for _, language := range []string{"id", "en"} { // back to English at the end
		w.speak(language)
		for _, act := range open {
			act()
			if eval[bool](w, `document.querySelector("dialog form") !== null && document.querySelector("dialog form .acts [data-curl]") === null`) {
				w.Errorf("%s has no line for a terminal", name)
			}
		}
		w.accessible(name, language)
		w.shoot(name + "-" + language)
		if len(open) > 0 {
			w.close()
		}
	}
	w.mode("light")
}

// close closes what stands above the view, by the keyboard.
func (w *window) close() {
	w.Helper()
	must(w, chromedp.Do(w.tab, chromedp.KeyEvent(kb.Escape)))
	w.until(`document.querySelector("dialog, details[open]") === null`)
}

// fill writes into a field.
func (w *window) fill(selector, text string) {
	w.Helper()
	w.click(selector)
	eval[any](w, `document.querySelector(?!).select()`, selector)
	must(w, chromedp.Do(w.tab, chromedp.KeyEvent(text)))
}

//go:embed testdata/axe/axe.min.js
var axe string

// accessible holds what the window shows against the rules of WCAG 2.2 AA and axe's own best practices: as on a desktop and on a
// phone, once in each mode, which the other language has the other way round.
func (w *window) accessible(view, language string) {
	w.Helper()
	if !eval[bool](w, `"axe" in window`) {
		eval[any](w, axe+`;null`)
	}
	modes := []string{"light", "dark"}
	if language == "en" {
		slices.Reverse(modes)
	}
	for i, size := range [][2]int64{{1280, 800}, {390, 844}} {
		w.mode(modes[i])
		w.size(size[0], size[1])
		found := eval[[]string](w, `axe.run({resultTypes: ["violations"]}).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.failureSummary + " " + n.html)))`)
		for _, violation := range found {
			w.Errorf("%s, %s, %s, %d wide: %.600s", view, language, modes[i], size[0], violation)
		}
	}
	w.size(1280, 800)
}

// TestPageLink links a phone by the code that is on the screen, and follows what comes from then on.
func TestPageLink(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newWorld(t, 3)
	s.run(ctx, t)
	must(t, s.AddDevice(ctx))
	b := newBetween(t, s.URL)
	var idle atomic.Int32 // answers of the feed without any news
	b.set(nil, func(endpoint string, results any) {
		if news, ok := results.([]any); ok && endpoint == "getChanges" && len(news) == 0 {
			idle.Add(1)
		}
	})
	w := openWindow(ctx, t, "id-ID", b.URL+"/#key="+s.Key)
	w.shows(".empty", "Tautkan ponsel")
	w.click(`nav a[href="#/link"]`)
	w.click(".acts .primary")
	w.showsQR()
	w.views("link")
	w.speak("id")
	var err error
	s.Device, err = s.Phone.ScanQR(ctx, w.readQR())
	must(t, err)
	must(t, s.Connected(ctx))
	w.shows(".state", "Terhubung")

	w.click(`nav a[href="#/chats"]`)
	friend := s.Friends[0]
	arrives := func(m *waE2E.Message) {
		t.Helper()
		id, err := friend.Send(ctx, s.Phone, m, sim.SendOptions{})
		must(t, err)
		must(t, s.Device.WaitAcked(ctx, id))
	}
	shows := func(text string) {
		t.Helper()
		arrives(sim.Text(text))
		w.until(`document.querySelector("[role=option] .line")?.textContent === ?!`, text)
	}
	shows("tes")
	w.until(`document.querySelector(".news-bar").hidden`)

	// What comes shows by the call that waits for it, at once: the page neither asks again and again, nor loads anew. A call that had
	// waited long enough may end meanwhile, but not each time.
	eval[any](w, `window.same = true; null`)
	late := 0
	for _, text := range []string{"satu", "dua", "halo"} {
		before := idle.Load()
		shows(text)
		if idle.Load() > before {
			late++
		}
	}
	if late == 3 || !eval[bool](w, `window.same === true`) {
		t.Error("messages show only when the page asks again")
	}
	w.click("[role=option]")
	w.shows(".message:last-child .words", "halo")

	// A menu that is open stays so, and has the focus, when what the chat is changes.
	w.click(".menu summary")
	answer, err := s.Call(ctx, "readChat", "phone", friend.PN().User)
	if must(t, err); answer.Status != http.StatusOK {
		t.Fatalf("readChat answers %s", answer.Body)
	}
	w.until(`document.querySelector(".menu[open] [data-act=unread]")`)
	if !eval[bool](w, `document.activeElement.matches(".menu summary")`) {
		t.Fatal("a menu loses the focus, and with it the Escape key, when its chat changes")
	}
	w.close()

	// What others write stays a text, whatever it is.
	friend.SetPushName(`<img src=x onerror="window.hacked=1">` + "\u202egnp.exe")
	for _, text := range []string{
		`<script>window.hacked = 1</script>`, `<img src=x onerror="window.hacked=1">`, `javascript:window.hacked=1`, `[a](javascript:window.hacked=1)`,
		`data:text/html,<script>window.hacked=1</script>`, `https://contoh.id/"onmouseover="window.hacked=1`, "\u202eevil\u202c \u2067kanan\u2069", `'"></p><svg onload=window.hacked=1>`,
		strings.Repeat("panjang ", 7500) + "ujung",
	} {
		arrives(sim.Text(text))
		w.until(`[...document.querySelectorAll(".message .words")].at(-1).textContent === ?!.slice(0, 3000)`, text)
	}
	arrives(&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: new("javascript:window.hacked=1"), Title: new("<b>judul</b>"), MatchedText: new("javascript:window.hacked=1"), JPEGThumbnail: []byte(`"><script>`),
	}})
	arrives(&waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{FileName: new(`<script>.html`), Mimetype: new("text/html"), FileLength: new(uint64(1 << 62))}})
	w.until(`document.querySelectorAll(".message").length === 15`)
	if eval[bool](w, `"hacked" in window || document.querySelectorAll("#main script, #main svg, #main iframe, [onerror], [onmouseover], [onload], #main img[src=x]").length > 0`) {
		t.Error("a message became markup")
	}
	links := eval[[]string](w, `[...document.querySelectorAll(".message a")].map(a => a.protocol + a.rel)`)
	if len(links) != 1 || links[0] != "https:noopener noreferrer nofollow" {
		t.Errorf("links: %q", links)
	}
	if n := eval[int](w, `[...document.querySelectorAll(".message .more")].length`); n != 1 {
		t.Errorf("%d long texts", n)
	}
	w.click(".message .more")
	w.until(`[...document.querySelectorAll(".message .words")].some(e => e.textContent.endsWith("ujung"))`)
	w.views("texts")
}

// showsQR waits for a code to be on the screen.
func (w *window) showsQR() {
	w.Helper()
	w.until(`(() => { const e = document.querySelector("img.qr"); return e?.complete && e.naturalWidth > 100 && !e.hidden })()`)
}

// readQR reads the code on the screen, from a picture of it.
func (w *window) readQR() string {
	w.Helper()
	w.showsQR() // another language has made the view anew
	shot, err := chromedp.Run(w.tab, chromedp.CaptureScreenshot())
	must(w, err)
	picture, err := png.Decode(bytes.NewReader(shot))
	must(w, err)
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	must(w, err)
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	must(w, err)
	return result.GetText()
}

// TestPageOrigins: a page of another origin can't frame this one, hold on to its window, or call the API with its key; and a link can't
// replace the key without the user's word.
func TestPageOrigins(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newWorld(t, 0)
	s.run(ctx, t)
	must(t, s.AddDevice(ctx))
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><title>other</title><body><button>open</button>")
	}))
	defer other.Close()
	w := openWindow(ctx, t, "en-US", s.URL)
	w.fill("input[type=password]", s.Key)
	w.click("input[type=checkbox]") // stays for all tabs of this origin
	w.click("form .primary")
	w.shows(".empty", "Link a phone")
	if kept := eval[string](w, `localStorage.getItem("pesan.key")`); kept != s.Key {
		t.Errorf("who asks to stay has kept %q", kept)
	}
	eval[any](w, `location.hash = "#key=pk_another"; null`)
	w.shows("dialog", "Another key is in use")
	if kept := eval[string](w, `localStorage.getItem("pesan.key") + location.hash`); kept != s.Key+"#/chats" {
		t.Errorf("a link has replaced the key: %q", kept)
	}

	w.close()

	// Who signs out in one tab has signed out in all of them.
	second, closeSecond := chromedp.NewContext(w.tab)
	must(t, chromedp.Do(second, chromedp.Navigate(s.URL), front))
	y := &window{TB: t, ctx: ctx, tab: second}
	y.shows(".empty", "Link a phone")
	y.click("[data-act=signOut]")
	y.shows("h1", "Open an inbox")
	must(t, chromedp.Do(w.tab, front))
	w.shows("h1", "Open an inbox")
	closeSecond()

	stranger, closeStranger := chromedp.NewContext(w.tab)
	defer closeStranger()
	refused := make(chan string, 10)
	must(t, chromedp.Listen(stranger, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok {
			refused <- e.Entry.Text
		}
	}))
	must(t, chromedp.Do(stranger, chromedp.Navigate(other.URL), front))
	x := &window{TB: t, ctx: ctx, tab: stranger}
	for credentials, want := range map[string]int{"include": 0, "omit": 401} { // 0: the browser keeps the answer to itself
		call := `fetch(?! + "/api/getChats", {method: "POST", credentials: ?!}).then(r => r.status, () => 0)`
		if status := eval[int](x, call, s.URL, credentials); status != want {
			t.Errorf("a call from another origin, credentials: %s, is answered %d", credentials, status)
		}
	}
	eval[any](x, `document.querySelector("button").onclick = () => { window.opened = window.open(?!) }; null`, s.URL)
	x.click("button")
	x.until(`window.opened?.closed`) // for this page it is
	eval[any](x, `document.body.append(Object.assign(document.createElement("iframe"), {src: ?!})); null`, s.URL)
	for framed := false; !framed; {
		select {
		case text := <-refused:
			framed = strings.Contains(text, "frame-ancestors")
		case <-ctx.Done():
			t.Fatal("the page lets itself be framed")
		}
	}
}
