package e2e

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"

	"pesan/internal/sim"
)

// act does something with the chat that is open, from its menu, and waits until the page says that it is done.
func (w *window) act(name, says string) {
	w.Helper()
	w.click(".menu summary")
	w.click(".menu [data-act=" + name + "]")
	if says != "" {
		w.shows(".toasts[role=status]", says)
	}
}

// pressed presses a row, and releases it when the page has been told what comes meanwhile. It returns whose row was pressed.
func (w *window) pressed(selector string, meanwhile func()) (name string) {
	w.Helper()
	point := eval[[]float64](w, `(() => { performance.clearResourceTimings()
		const r = document.querySelector(?!).getBoundingClientRect()
		return [r.x + r.width / 2, r.y + r.height / 2] })()`, selector)
	mouse := func(event input.DispatchMouseEventType) {
		must(w, chromedp.Do(w.tab, chromedp.MouseEvent(event, point[0], point[1], chromedp.ButtonLeft, chromedp.ClickCount(1))))
	}
	mouse(chromedp.MousePressed)
	name = eval[string](w, `document.querySelector(?!).querySelector(".name").textContent`, selector)
	meanwhile()
	w.until(`performance.getEntriesByType("resource").some(e => e.name.includes("getChats"))`)
	eval[any](w, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))`)
	mouse(chromedp.MouseReleased)
	return name
}

// channel mutes a channel, which takes no more than that and a pin.
func (w *window) channel(news *sim.Newsletter) {
	w.Helper()
	w.shows(".head .who", "saluran")
	if acts := eval[[]string](w, `[...document.querySelectorAll(".menu [data-act]")].map(e => e.dataset.act)`); !slices.Equal(acts, []string{"mute", "pin"}) {
		w.Errorf("a channel is offered %q", acts)
	}
	w.act("mute", "")
	if n := eval[int](w, `document.querySelectorAll("dialog input[type=radio]").length`); n != 1 {
		w.Errorf("a channel's mute has %d ends", n)
	}
	w.click("dialog .primary")
	w.shows(".head .who", "dibisukan sampai dibuka")
	if !news.Muted() {
		w.Error("the channel isn't muted")
	}
}

// acts does with a chat what can be taken back, and looks at the phone each time.
func (w *window) acts(phone *sim.Phone, chat types.JID) {
	w.Helper()
	for _, step := range []struct {
		act, says, index string
		is               func(*waSyncAction.SyncActionValue) bool
	}{
		{"read", "sudah dibaca", "markChatAsRead", func(v *waSyncAction.SyncActionValue) bool { return v.GetMarkChatAsReadAction().GetRead() }},
		{"unread", "belum dibaca", "markChatAsRead", func(v *waSyncAction.SyncActionValue) bool { return !v.GetMarkChatAsReadAction().GetRead() }},
		{"pin", "disematkan", "pin_v1", func(v *waSyncAction.SyncActionValue) bool { return v.GetPinAction().GetPinned() }},
		{"unpin", "dilepas", "pin_v1", func(v *waSyncAction.SyncActionValue) bool { return !v.GetPinAction().GetPinned() }},
		{"archive", "diarsipkan", "archive", func(v *waSyncAction.SyncActionValue) bool { return v.GetArchiveChatAction().GetArchived() }},
		{"unarchive", "dikeluarkan", "archive", func(v *waSyncAction.SyncActionValue) bool { return !v.GetArchiveChatAction().GetArchived() }},
	} {
		w.act(step.act, step.says)
		value, ok := phone.AppState().Lookup(step.index, chat.String())
		if !ok || !step.is(value) {
			w.Errorf("%s: the phone has %v", step.act, value)
		}
		shown := map[string]string{
			"read": `!row.querySelector(".badge")`, "unread": `row.querySelector(".badge")`, "pin": `row.textContent.includes("📌") && row.index === 0`,
			"unpin": `!row.textContent.includes("📌")`, "archive": `!row`, "unarchive": `row`,
		}[step.act]
		w.until(`(() => { const row = document.querySelector(".row.open"); return ` + shown + ` })()`)
	}

	// A mute until a date: not one that has passed.
	w.click("[data-act=mute]")
	w.click("dialog input[value=date]")
	eval[any](w, `document.querySelector("dialog input[type=datetime-local]").value = "2020-01-01T00:00"; null`)
	w.click("dialog .primary")
	w.shows("dialog .wrong", "akan datang")
	end := eval[int64](w, `(() => {
		const when = new Date(Date.now() + 3 * 86400e3)
		when.setSeconds(0, 0)
		document.querySelector("dialog input[type=datetime-local]").value = new Date(when - when.getTimezoneOffset() * 60e3).toISOString().slice(0, 16)
		return when.getTime()
	})()`)
	w.click("dialog .primary")
	w.shows(".head .who", "dibisukan sampai")
	if got, muted := Muted(phone, chat); !muted || time.UnixMilli(got).Sub(time.UnixMilli(end)).Abs() > 5*time.Minute {
		w.Errorf("the phone has mute %v until %v, want %v", muted, time.UnixMilli(got), time.UnixMilli(end))
	}
}

// ends clears a chat, and deletes it.
func (w *window) ends(phone *sim.Phone, chat types.JID) {
	w.Helper()
	w.act("clear", "")
	w.click("dialog .primary")
	w.shows(".toasts[role=status]", "dibersihkan")
	w.until(`document.querySelector(".message") === null`)
	w.shows(".older", "Tidak ada pesan")
	if _, ok := phone.AppState().Lookup("clearChat", chat.String(), "0", "0"); !ok {
		w.Error("the phone knows of no clear")
	}
	w.act("remove", "")
	w.click("dialog .primary")
	w.shows(".toasts[role=status]", "dihapus")
	w.until(`document.querySelector(".row.open") === null && document.querySelector(".talk .menu") === null`)
	if _, ok := phone.AppState().Lookup("deleteChat", chat.String(), "0"); !ok {
		w.Error("the phone still has the chat")
	}
}

// exports saves the log as a file, of what the filters leave.
func (w *window) exports(folder string) {
	w.Helper()
	w.click(`nav a[href="#/log"]`)
	w.shows("tbody", "pinChat")
	w.fill(".tools input[type=search]", "pinChat")
	w.shows(".count", "2 catatan") // and unpinChat
	w.click("[data-act=asCSV]")
	var content []byte
	must(w, Until(w.ctx, "the file", func() (bool, error) {
		content, _ = os.ReadFile(filepath.Join(folder, "pesan-log.csv"))
		return len(content) > 0, nil
	}))
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\ufeff")))).ReadAll()
	must(w, err)
	if len(rows) != 3 || rows[0][1] != "Panggilan" || rows[1][1] != "unpinChat" || rows[2][1] != "pinChat" || !strings.HasPrefix(rows[2][2], "Budi · ") {
		w.Errorf("the file has %q", rows)
	}
}
