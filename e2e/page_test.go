package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"pesan/internal/testkit/browser"
)

// window is a browser that shows the page.
type window struct {
	*testing.T
	ctx context.Context // bounds all waiting
	tab context.Context
}

// openWindow opens the page in a browser of a language. The test fails where the browser complains of anything: a script's error, or what
// the page's policy forbids.
func openWindow(ctx context.Context, t *testing.T, languages, url string) *window {
	t.Helper()
	w := &window{T: t, ctx: ctx, tab: browser.New(ctx, t, browser.Options{Languages: languages})}
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

// script puts values as JSON where an expression has %s.
func script(expression string, values ...any) string {
	for i, v := range values {
		b, _ := json.Marshal(v) // texts and numbers
		values[i] = string(b)
	}
	return fmt.Sprintf(expression, values...)
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
	w.until(`document.querySelector(%s)?.textContent.includes(%s)`, selector, text)
}

// click clicks what a user sees: it waits until it is there, and is the topmost thing in its place.
func (w *window) click(selector string) {
	w.Helper()
	w.until(`(() => { const e = document.querySelector(%s); if (!e) return false; e.scrollIntoView({block: "nearest"})
		const r = e.getBoundingClientRect(), hit = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2)
		return r.width > 0 && !e.disabled && (e === hit || e.contains(hit)) })()`, selector)
	point := eval[[]float64](w, `(() => { const r = document.querySelector(%s).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`, selector)
	must(w, chromedp.Do(w.tab, chromedp.MouseClickXY(point[0], point[1])))
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
		must(w, chromedp.Do(w.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: mode}},
			})
			return err
		})))
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

// TestPageWay is the way of a new user: from the address that the demo prints to a muted chat and back.
func TestPageWay(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := start(t, nil, "demo", "-listen", "127.0.0.1:0")
	address, err := p.find(ctx, regexp.MustCompile(`^ +(http://\S+/#key=\S+)$`))
	must(t, err)
	w := openWindow(ctx, t, "en-US", address)
	w.until(`document.querySelectorAll("[role=option]").length > 5`)
	if hash := eval[string](w, `location.hash`); strings.Contains(hash, "key") {
		t.Errorf("the key stays in the address: %s", hash)
	}
	w.shows(".count", "chats")
	w.click("[role=option]")
	w.until(`document.querySelectorAll(".message").length > 3`)
	w.shoot("chats")
	w.click("[data-act=mute]")
	w.shoot("mute")
	w.click("dialog button.primary")
	w.shows(".head .who", "muted until")
	w.click(".menu summary")
	w.click(".menu [data-act=unmute]")
	w.until(`!document.querySelector(".head .who").textContent.includes("muted")`)
	w.shows("[role=status].toasts", "Unmute")
}
