package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

// BenchmarkPage measures the page as its users meet it: an inbox of 10,000 chats, in a real browser, over loopback.
//
//	go test ./e2e -run '^$' -bench Page -benchtime 1x
func BenchmarkPage(b *testing.B) {
	const chats = 10_000
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	s := newWorld(b, 0)
	var err error
	s.Phone, err = s.WhatsApp.NewPhone("6281299999999", sim.PhoneOptions{PushName: "Sari", Inbox: &media.Inbox{Conversations: inbox(chats), Count: chats}})
	must(b, err)
	s.runLinked(ctx, b)
	must(b, Until(ctx, "the history", func() (bool, error) {
		state, err := s.State(ctx)
		all, e := s.Chats(ctx, "limit", "1000")
		return err == nil && state.Sync == nil && len(all) == 1000, e
	}))
	friend, err := s.WhatsApp.NewContact("6281200000002", "", "Teman")
	must(b, err)
	w := openWindow(ctx, b, "id-ID", s.URL)
	must(b, chromedp.Do(w.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
			new MutationObserver((_, o) => { if (document.querySelector("[role=option] .name:not(:empty)")) { window.firstView = performance.now(); o.disconnect() } })
				.observe(document, {childList: true, subtree: true, characterData: true})`})
		return err
	})))
	for b.Loop() {
		must(b, chromedp.Do(w.tab, chromedp.Navigate("about:blank"), chromedp.Navigate(s.URL+"/#key="+s.Key)))
		w.until(`window.firstView`)
		b.ReportMetric(eval[float64](w, `window.firstView`), "ms-first-view")
		w.until(`document.querySelector(".count")?.textContent === "10.000 chat"`)
		b.ReportMetric(eval[float64](w, `performance.now()`), "ms-all-chats")
		b.ReportMetric(eval[float64](w, `performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
			.filter(e => !e.name.includes("/api/")).reduce((sum, e) => sum + e.encodedBodySize, 0) / 1000`), "KB-loaded")
		eval[any](w, `new Promise(done => setTimeout(done, 1000, null))`) // until somebody types
		b.ReportMetric(eval[float64](w, `(() => {
			const search = document.querySelector("input[type=search]")
			let worst = 0
			for (const text of ["", "p", "pe", "pesan 9", "pesan 99", "pesan 999", "xyz", ""]) {
				const began = performance.now()
				search.value = text
				search.dispatchEvent(new Event("input"))
				document.querySelector(".count").getBoundingClientRect() // lays out
				worst = Math.max(worst, performance.now() - began)
			}
			return worst
		})()`), "ms-filter")
		b.ReportMetric(eval[float64](w, `new Promise(done => {
			const list = document.querySelector(".list")
			let frames = 0, began
			const step = now => {
				began ??= now
				if (now - began > 3000) return done(1000 * frames / (now - began))
				frames++
				list.scrollTop += 700
				requestAnimationFrame(step)
			}
			requestAnimationFrame(step)
		})`), "frames/s-scroll")

		// From the moment when Pesan has taken a message until the list shows it.
		eval[any](w, `document.querySelector(".list").scrollTop = 0; null`)
		text := fmt.Sprint("halo ", time.Now().UnixNano())
		eval[any](w, `new MutationObserver((_, o) => {
			if ([...document.querySelectorAll(".row .line")].some(e => e.textContent === ?!)) { window.heard = Date.now(); o.disconnect() }
		}).observe(document, {childList: true, subtree: true, characterData: true})`, text)
		id, err := friend.Send(ctx, s.Phone, sim.Text(text), sim.SendOptions{})
		must(b, err)
		must(b, s.Device.WaitAcked(ctx, id))
		acked := time.Now()
		w.until(`window.heard`)
		b.ReportMetric(max(0, eval[float64](w, `window.heard`)-float64(acked.UnixMilli())), "ms-live")
	}
}

// inbox yields chats with a message each, newest first.
func inbox(chats int) func(func(*waHistorySync.Conversation) bool) {
	return func(yield func(*waHistorySync.Conversation) bool) {
		now := uint64(time.Now().Unix())
		for i := range chats {
			jid := fmt.Sprintf("62891%07d@s.whatsapp.net", i)
			c := &waHistorySync.Conversation{
				ID: &jid, ConversationTimestamp: proto.Uint64(now - uint64(i*100)), Name: proto.String(fmt.Sprint("Pelanggan ", i)),
				Messages: []*waHistorySync.HistorySyncMsg{{
					MsgOrderID: proto.Uint64(uint64(chats - i)),
					Message: &waWeb.WebMessageInfo{
						Key:              &waCommon.MessageKey{RemoteJID: &jid, FromMe: proto.Bool(false), ID: proto.String(fmt.Sprintf("3EB0%012X", i))},
						Message:          &waE2E.Message{Conversation: proto.String(fmt.Sprint("Pesan ", i, ": sudah kami kirim ya Kak", strings.Repeat(" terima kasih", i%5)))},
						MessageTimestamp: proto.Uint64(now - uint64(i*100)),
					},
				}},
			}
			if !yield(c) {
				return
			}
		}
	}
}
