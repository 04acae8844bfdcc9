package e2e

import (
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

// keys types keys.
func (w *window) keys(keys string) {
	w.Helper()
	must(w, chromedp.Do(w.tab, chromedp.KeyEvent(keys)))
}

// TestPageKeyboard goes by keyboard alone: from the first Tab to a chat at the end of the list, its mute, and back to its place. The line
// beside an action, pasted into a shell, does the same.
func TestPageKeyboard(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := newWorld(t, 0)
	const chats = 300
	var err error
	s.Phone, err = s.WhatsApp.NewPhone("6281299999999", sim.PhoneOptions{PushName: "Sari", Inbox: &media.Inbox{Conversations: inbox(chats), Count: chats}})
	must(t, err)
	s.runLinked(ctx, t)
	must(t, Until(ctx, "the history", func() (bool, error) {
		all, err := s.Chats(ctx)
		return len(all) == chats, err
	}))
	w := openWindow(ctx, t, "en-US", s.URL+"/#key="+s.Key)
	w.shows(".count", "300 chats")
	w.until(`document.querySelector(".news-bar").hidden`) // the history is there

	// Each stop of the Tab key can be seen, and the list is one of them.
	var stops []string
	for !slices.Contains(stops, "listbox") && len(stops) < 40 {
		w.keys(kb.Tab)
		stops = append(stops, eval[string](w, `(() => {
			const e = document.activeElement, seen = e.matches(".filters input") ? e.nextElementSibling : e
			if (getComputedStyle(seen).outlineStyle === "none") return "unseen " + e.outerHTML
			return e.getAttribute("role") || e.type || e.textContent
		})()`))
	}
	if stops[0] != "Skip to content" || !slices.Contains(stops, "search") || stops[len(stops)-1] != "listbox" {
		t.Errorf("Tab stops at %q", stops)
	}
	for _, stop := range stops {
		if len(stop) > 6 && stop[:6] == "unseen" {
			t.Errorf("the focus can't be seen: %s", stop)
		}
	}
	at := `document.getElementById(document.querySelector(".list").getAttribute("aria-activedescendant"))?.getAttribute("aria-posinset")`
	w.keys(kb.End)
	w.until(at + ` === "300"`)
	w.keys(kb.ArrowUp)
	w.until(at + ` === "299"`)
	top := eval[float64](w, `document.querySelector(".list").scrollTop`)
	w.keys(kb.Enter)
	w.until(`document.activeElement.matches(".head h1") && document.activeElement.textContent === "Pelanggan 298"`)
	w.until(`document.querySelector(".message .words")`)
	if now := eval[float64](w, `document.querySelector(".list").scrollTop`); now != top || top == 0 {
		t.Errorf("the list is at %v beside a conversation, before at %v", now, top)
	}

	// The mute: its dialog takes the focus, and gives it back to the conversation.
	w.keys(kb.Tab)
	w.until(`document.activeElement.dataset.act === "mute"`)
	w.keys(kb.Enter)
	w.until(`document.activeElement.matches("dialog input[type=radio]")`)
	w.keys(kb.ArrowDown + kb.ArrowDown + kb.Enter)
	w.shows(".head .who", "muted until it is unmuted")
	w.until(`document.querySelector("dialog") === null && document.querySelector("main").contains(document.activeElement)`)
	w.shows(".toasts[role=status]", "is muted")

	// Each action of the menu has its line. What is copied has the key in it, what is seen hasn't.
	w.click(".menu summary")
	if all := eval[bool](w, `[...document.querySelectorAll(".menu li")].every(li => li.querySelector("[data-curl]"))`); !all {
		t.Error("an action of the menu has no line")
	}
	path := withCurl(t)
	eval[any](w, `navigator.clipboard.writeText = async text => { window.copied = text }; null`)
	for _, endpoint := range []string{"archiveChat", "fetchMessageById", "unmuteChat"} {
		if !eval[bool](w, `document.querySelector(".menu").open`) {
			w.click(".menu summary")
		}
		w.click(".menu [data-curl=" + endpoint + "]")
		if seen := eval[bool](w, `document.querySelector("dialog pre").textContent.includes(?!)`, s.Key); seen {
			t.Error("a line shows the key")
		}
		w.click("dialog .primary")
		w.until(`window.copied?.includes(?!)`, endpoint)
		command := exec.CommandContext(ctx, "bash", "-c", eval[string](w, `window.copied`))
		command.Env = []string{"PATH=" + path}
		out, err := command.Output()
		var answer struct{ Code int }
		if err != nil || json.Unmarshal(out, &answer) != nil || answer.Code != 200 {
			t.Errorf("the line of %s prints %.300s, %v", endpoint, out, err)
		}
		w.close()
	}
	w.until(`!document.querySelector(".head .who").textContent.includes("muted")`)
	w.shows(".head .who", "archived")

	// Back: the list is where it was, and so is the focus.
	w.click(".filters input[value=archivedOnes]") // the archived one
	w.until(`document.querySelectorAll("[role=option]").length === 1`)
	w.click(".filters input[value=all]")
	w.shows(".count", "299 chats")
	eval[any](w, `document.querySelector(".list").scrollTop = 5000; null`)
	w.until(`(() => {
		const { top, height } = document.querySelector(".list").getBoundingClientRect()
		const seen = [...document.querySelectorAll(".row")].filter(r => r.getBoundingClientRect().top > top && r.getBoundingClientRect().bottom < top + height)
		if (document.querySelector(".row.wanted") || seen.length < 3) return document.querySelector(".row.wanted")
		seen[2].classList.add("wanted")
		return true
	})()`)
	w.click(".row.wanted")
	w.until(`document.activeElement.matches(".head h1")`)
	name := eval[string](w, `document.activeElement.textContent`)
	w.size(390, 844) // as on a phone: the list is hidden meanwhile
	w.click(".back")
	w.until(`document.activeElement.matches(".list") && !document.querySelector(".talking")`)
	if now := eval[string](w, `document.getElementById(document.querySelector(".list").getAttribute("aria-activedescendant")).querySelector(".name").textContent`); now != name {
		t.Errorf("the focus is at %s, not %s", now, name)
	}
}
