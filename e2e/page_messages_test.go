package e2e

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"pesan/internal/sim"
	"pesan/internal/sim/media"
)

// thumbnail is a small picture, as messages carry them.
func thumbnail() []byte {
	picture := image.NewRGBA(image.Rect(0, 0, 32, 24))
	for x := range 32 {
		for y := range 24 {
			picture.Set(x, y, color.RGBA{uint8(8 * x), uint8(10 * y), 120, 255})
		}
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, picture, nil) // a buffer doesn't fail
	return b.Bytes()
}

// TestPageMessages looks at messages of every kind as a person reads them, opens their files, and stars one.
func TestPageMessages(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	s, _ := linkedWorld(ctx, t, 3)
	budi, ani := s.Friends[0], s.Friends[1]
	budi.SetPushName("Budi")
	ani.SetPushName("Ani")
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	next := func() sim.SendOptions {
		at = at.Add(time.Second)
		return sim.SendOptions{Time: at}
	}
	send := func(m *waE2E.Message) string {
		t.Helper()
		id, err := budi.Send(ctx, s.Phone, m, next())
		must(t, err)
		must(t, s.Device.WaitAcked(ctx, id))
		return id
	}
	key := func(id string) *waCommon.MessageKey {
		return &waCommon.MessageKey{RemoteJID: proto.String(s.Phone.PN().String()), FromMe: proto.Bool(true), ID: &id}
	}
	put := func(kind media.Kind, content string) media.File {
		t.Helper()
		file, err := s.WhatsApp.Media().Put(kind, []byte(content))
		must(t, err)
		return file
	}
	pdf, lost := put(media.Document, "%PDF-1.7 isi"), put(media.Document, "hilang")
	s.WhatsApp.Media().Remove(lost.DirectPath)
	s.WhatsApp.Media().Forget(lost.DirectPath)
	document := func(f media.File, kind, name string) *waE2E.Message {
		return &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
			Mimetype: &kind, FileName: &name, FileLength: proto.Uint64(f.FileLength), DirectPath: &f.DirectPath, MediaKey: f.MediaKey,
			FileSHA256: f.FileSHA256, FileEncSHA256: f.FileEncSHA256, MediaKeyTimestamp: proto.Int64(at.Unix()),
		}}
	}
	webpage := put(media.Document, "<script>window.hacked=1</script>")
	secret := sim.NewSecret()

	// What each message is to show, in the order in which they came.
	type line struct{ id, says string }
	var lines []line
	says := func(id, text string) string {
		lines = append(lines, line{id, text})
		return id
	}
	hello := says(send(sim.Text("Halo, lihat https://contoh.id/katalog ya")), "https://contoh.id/katalog")
	says(send(&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("masih ada?"), ContextInfo: &waE2E.ContextInfo{StanzaID: &hello, Participant: proto.String(budi.PN().String()), QuotedMessage: sim.Text("Halo, lihat katalog")},
	}}), "BudiHalo, lihat katalogmasih ada?")
	photo := says(send(&waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		Caption: proto.String("Batik tulis"), Mimetype: proto.String("image/jpeg"), JPEGThumbnail: thumbnail(), FileLength: proto.Uint64(120_000),
	}}), "Batik tulis")
	says(send(&waE2E.Message{AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true), Seconds: proto.Uint32(65), Mimetype: proto.String("audio/ogg; codecs=opus")}}), "Pesan suara")
	says(send(&waE2E.Message{LocationMessage: &waE2E.LocationMessage{DegreesLatitude: proto.Float64(-7.25), DegreesLongitude: proto.Float64(112.75), Name: proto.String("Pasar Genteng")}}), "-7.25000, 112.75000")
	says(send(&waE2E.Message{ContactMessage: &waE2E.ContactMessage{DisplayName: proto.String("Pak Ardi"), Vcard: proto.String("BEGIN:VCARD\nTEL;waid=6281:+62 812-3456\nEND:VCARD")}}), "+62 812-3456")
	says(send(&waE2E.Message{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{ViewOnce: proto.Bool(true), Mimetype: proto.String("image/jpeg")}}}}), "Sekali lihat")
	edited := says(send(sim.Text("salah ketk")), "salah ketik")
	send(sim.Edit(s.Phone.PN(), edited, sim.Text("salah ketik")))
	revoked := says(send(sim.Text("rahasia")), "Pesan ini dihapus")
	send(sim.Revoke(s.Phone.PN(), revoked))
	send(sim.React(key(hello), "👍"))
	poll := says(send(sim.Poll(secret, "Warna apa?", "Merah", "Biru")), "Warna apa?")
	send(sim.Vote(sim.Target{Key: key(poll), Secret: secret, Sender: budi.PN(), Author: budi.PN()}, "Biru"))
	says(send(sim.Newer("baru")), "jenis baru")
	pinned := send(sim.Pin(key(hello), time.Hour))
	says(pinned, "menyematkan sebuah pesan")
	says(budi.ViewOnce(ctx, s.Phone, next()), "Buka di ponsel")
	absent := next()
	absent.Absent, absent.Why = true, "hosted_unavailable"
	id, err := budi.Send(ctx, s.Phone, sim.Text(""), absent)
	must(t, err)
	says(id, "Menunggu pesan ini")
	call := sim.Call{Video: true, Time: next().Time}
	call.ID = budi.Ring(ctx, s.Phone, call)
	budi.HangUp(ctx, s.Phone, call, "timeout")
	says(call.ID, "Panggilan video tak terjawab")
	album := func(by *sim.Contact) string {
		t.Helper()
		id, err := by.Send(ctx, s.Phone, &waE2E.Message{AlbumMessage: &waE2E.AlbumMessage{ExpectedImageCount: proto.Uint32(2)}}, next())
		must(t, err)
		for _, caption := range []string{"Motif parang", "Motif kawung"} {
			file := put(media.Image, caption)
			picture := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
				Caption: &caption, Mimetype: proto.String("image/jpeg"), FileLength: proto.Uint64(file.FileLength), DirectPath: &file.DirectPath,
				MediaKey: file.MediaKey, FileSHA256: file.FileSHA256, FileEncSHA256: file.FileEncSHA256,
			}}
			part, err := by.Send(ctx, s.Phone, sim.PartOf(picture, waE2E.MessageAssociation_MEDIA_ALBUM, key(id)), next())
			must(t, err)
			must(t, s.Device.WaitAcked(ctx, part))
		}
		return id
	}
	pictures := says(album(budi), "Motif parang")
	album(s.Friends[2])
	file := says(send(document(pdf, "application/pdf", "faktur.pdf")), "faktur.pdf")
	hostile := says(send(document(webpage, "text/html", "../<b>halaman</b>.html")), "halaman")
	gone := says(send(document(lost, "application/pdf", "hilang.pdf")), "hilang.pdf")

	group, err := s.WhatsApp.NewGroup("Arisan", ani, sim.GroupOptions{ByLID: true}, s.Phone.Contact, budi)
	must(t, err)
	must(t, group.SetSubject(ctx, ani, "Arisan RT 5"))
	id, err = ani.SendGroup(ctx, group, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("siapa @" + budi.LID().User), ContextInfo: &waE2E.ContextInfo{MentionedJID: []string{budi.LID().String()}},
	}}, sim.SendOptions{})
	must(t, err)
	must(t, s.Device.WaitAcked(ctx, id))

	w := openWindow(ctx, t, "id-ID", s.URL+"/#key="+s.Key)
	mark := func(name string) {
		t.Helper()
		w.until(`(() => {
			const row = [...document.querySelectorAll("[role=option]")].find(r => r.querySelector(".name").textContent === ?!)
			if (!row) return false
			document.querySelector(".row.wanted")?.classList.remove("wanted")
			row.classList.add("wanted")
			row.onclick = () => { window.opened = row.querySelector(".name").textContent }
			return true
		})()`, name)
	}
	row := func(name string) {
		t.Helper()
		for opened := ""; opened != name; opened = eval[string](w, `window.opened`) { // what comes in may change whose row it is
			mark(name)
			w.click(".row.wanted")
		}
		// A browser may put off what the click leads to, and that closes dialogs.
		w.until(`document.querySelector(".head h1")?.textContent === ?!`, name)
	}
	row("Budi")
	shows := func(id, text string) {
		t.Helper()
		w.until(`document.querySelector("[data-id=" + CSS.escape(?!) + "]")?.textContent.replace(/[\u2068\u2069]/g, "").includes(?!)`, id, text)
	}
	for _, line := range lines {
		shows(line.id, line.says)
	}
	if order := eval[[]string](w, `[...document.querySelectorAll("[data-id]")].map(e => e.dataset.id)`); len(order) != len(lines) {
		t.Errorf("%d messages show, want %d", len(order), len(lines))
	}
	within := func(id, selector, text string) {
		t.Helper()
		w.until(`document.querySelector("[data-id=" + CSS.escape(?!) + "] " + ?!)?.textContent.includes(?!)`, id, selector, text)
	}
	within(pictures, ".part:nth-of-type(3)", "Motif kawung")
	within(hello, ".reactions", "👍")
	within(edited, ".foot", "Diedit")
	within(poll, ".poll li:nth-child(2)", "1 suara")
	w.until(`(() => { const s = document.querySelector(".scroller"); return s.scrollTop > 0 && s.scrollHeight - s.scrollTop - s.clientHeight < 5 })()`) // at the newest
	eval[any](w, `document.querySelector("[data-id=" + CSS.escape(?!) + "]").scrollIntoView(); null`, photo)
	w.until(`document.querySelector("[data-id=" + CSS.escape(?!) + "] img.picture")?.naturalWidth === 32`, photo)
	w.views("kinds")
	w.speak("id")

	// A star, and the line for it; then it goes again.
	starred := func() bool {
		value, ok := s.Phone.AppState().Lookup("star", budi.PN().String(), hello, "0", "0")
		return ok && value.GetStarAction().GetStarred()
	}
	about := func(id string) { w.click(`[data-act="about ` + id + `"]`) }
	w.views("about", func() { about(hello) })
	w.speak("id")
	about(hello)
	w.click("dialog [data-act=star]")
	within(hello, ".foot", "★")
	if !starred() {
		t.Error("the phone has no star")
	}
	about(hello)
	w.click("dialog [data-act=unstar]")
	w.until(`!document.querySelector("[data-id=" + CSS.escape(?!) + "] .foot").textContent.includes("★")`, hello)
	if starred() {
		t.Error("the phone still has the star")
	}

	// Files: one that is there, one that claims to be a page, one that is gone.
	folder := t.TempDir()
	must(t, chromedp.Do(w.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: folder})
		return err
	})))
	for button, want := range map[string]string{
		"[data-id='" + file + "'] .file": "%PDF-1.7 isi", "[data-id='" + hostile + "'] .file": "<script>window.hacked=1</script>",
		"[data-id='" + pictures + "'] .part:nth-of-type(3) .file": "Motif kawung",
	} {
		asked := time.Time{}
		must(t, Until(ctx, "the file", func() (bool, error) {
			// A browser asks before it loads a second file for a page whose click is long ago: a person would click again.
			if free := eval[bool](w, `!document.querySelector(?!).disabled`, button); free && time.Since(asked) > 10*time.Second {
				asked = time.Now()
				w.click(button)
			}
			files, err := filepath.Glob(filepath.Join(folder, "*"))
			for _, name := range files {
				if b, e := os.ReadFile(name); e == nil && string(b) == want && filepath.Ext(name) != ".crdownload" {
					return true, nil
				}
			}
			return false, err
		}))
	}
	if eval[bool](w, `"hacked" in window || location.pathname !== "/"`) {
		t.Error("a file was run")
	}
	w.click("[data-id='" + gone + "'] .file")
	w.shows(".toasts.urgent", "sudah tidak ada")
	w.until(`!document.querySelector("[data-id=" + CSS.escape(?!) + "] .file").disabled`, gone)

	// The group: who says what, who is meant, what happened, who is in it.
	row("Arisan RT 5")
	within(id, ".sender", "Ani")
	shows(id, "siapa @Budi")
	w.until(`[...document.querySelectorAll("[role=option]")].some(r => r.querySelector(".line").textContent === "Ani: siapa @Budi")`)
	w.views("members", func() {
		w.click(".menu summary")
		w.click(".menu [data-act=members]")
		w.until(`document.querySelectorAll("dialog tbody tr").length === 3`)
	})
	w.speak("id")
	w.until(`[...document.querySelectorAll("[role=option]")].some(r => r.querySelector(".line").textContent === "🖼️ Album")`)

	// What can be done with a channel, with a person, with a group.
	news := s.Phone.Follow("120363111111111111", "Kabar Toko")
	row("Kabar Toko")
	w.channel(news)
	row("Budi")
	w.acts(s.Phone, budi.PN())

	// What comes while a row is pressed may move others to its place: the chat that was pressed is opened.
	mark("Arisan RT 5")
	name := w.pressed(".row.wanted", func() {
		id, err := s.Friends[2].Send(ctx, s.Phone, sim.Text("Kak?"), sim.SendOptions{})
		must(t, err)
		must(t, s.Device.WaitAcked(ctx, id))
	})
	w.until(`document.querySelectorAll("[role=option]")[0].querySelector(".line").textContent.includes("Kak?")`)
	w.until(`document.querySelector(".head h1")?.textContent === ?!`, name)
	row("Arisan RT 5")
	w.ends(s.Phone, group.JID())
	w.exports(folder)
}
