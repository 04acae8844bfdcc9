package mcp_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"pesan/internal/chat"
)

type cleared struct {
	Status, Chat, ConfirmationToken string
	WillGo                          struct {
		Chat, Name, Oldest, Newest string
		Messages, StarredStay      int
		Accepted                   int
		Chats                      []struct{ Chat, Name string }
	}
}

// TestAsked: where the client can ask, the person is asked before anything goes, and told what.
func TestAsked(t *testing.T) {
	onAll(t, func(w *world, way way) {
		if !way.asks {
			return
		}
		for _, answer := range []string{"decline", "cancel"} {
			a := w.assist(way, w.tokoKey, answer)
			var c cleared
			a.tool(&c, "clear_chat", args{"chat": string(budi)})
			if c.Status != "declined" || len(a.asked) != 1 || len(w.did()) > 0 {
				w.Errorf("%s: %+v, asked %q", answer, c, a.asked)
			}
		}
		a := w.assist(way, w.tokoKey, "accept,news")
		a.fails("clear_chat", args{"chat": string(budi)}, "nothing was done", "has changed")
		if did := w.did(); len(did) > 0 || len(w.ids(w.tokoKey)) != 4 {
			w.Errorf("what came meanwhile: did %v", did)
		}
		a = w.assist(way, w.tokoKey, "accept")
		var c cleared
		a.tool(&c, "clear_chat", args{"chat": string(budi)})
		w.want("status", c.Status, "done")
		w.want("did", w.did(), []chat.CommandKind{chat.ClearCommand})
		if len(a.asked) != 1 || !strings.Contains(a.asked[0], "“Budi Santoso” (6281234567890)") || !strings.Contains(a.asked[0], "Known are 3, from 2026-03-01 11:48 UTC to 2026-03-01 12:00 UTC") ||
			!strings.Contains(a.asked[0], "Starred ones stay") {
			w.Errorf("asked %q", a.asked)
		}
		c = cleared{}
		a.tool(&c, "start_batch", args{"op": "deleteChat", "type": "group"})
		w.want("a batch", c.Status, "started")
		if len(a.asked) != 2 || !strings.Contains(a.asked[1], "Delete 1 chat: “Keluarga”?") {
			w.Errorf("asked %q", a.asked)
		}
	})
}

// TestToken: where the client can't ask, the first call hands out a token, and the second does just what was named.
func TestToken(t *testing.T) {
	onAll(t, func(w *world, way way) {
		a, b := w.assist(way, w.tokoKey, ""), w.assist(way, w.lainKey, "")
		first := func(arguments args) cleared {
			var c cleared
			a.tool(&c, "clear_chat", arguments)
			if c.Status != "needs_confirmation" || c.ConfirmationToken == "" {
				w.Fatalf("the first call answers %+v", c)
			}
			return c
		}
		c := first(args{"chat": string(budi)})
		if g := c.WillGo; g.Name != "Budi Santoso" || g.Messages != 2 || g.StarredStay != 1 || g.Oldest != "2026-03-01T11:48:20Z" || g.Newest != "2026-03-01T11:50:00Z" {
			w.Errorf("would go %+v", g)
		}
		all := first(args{"chat": string(budi), "starred": "delete"})
		w.want("with starred ones", all.WillGo.Messages, 3)
		with := func(token string, arguments args) args {
			return args{"chat": string(budi), "confirmationToken": token, "starred": arguments["starred"]}
		}
		keep, burn := args{"starred": "keep"}, args{"starred": "delete"}
		for what, arguments := range map[string]args{
			"other arguments":  with(c.ConfirmationToken, burn),
			"fewer arguments":  with(all.ConfirmationToken, keep),
			"another chat":     {"chat": string(siti), "confirmationToken": c.ConfirmationToken},
			"a changed token":  {"chat": string(budi), "confirmationToken": flip(c.ConfirmationToken, 2)},
			"another state":    {"chat": string(budi), "confirmationToken": flip(c.ConfirmationToken, 14)},
			"another mark":     {"chat": string(budi), "confirmationToken": flip(c.ConfirmationToken, 40)},
			"nothing of one":   {"chat": string(budi), "confirmationToken": "AAAA"},
			"a longer one":     {"chat": string(budi), "confirmationToken": c.ConfirmationToken + "AAAA"},
			"another writing":  {"chat": "081234567890", "confirmationToken": c.ConfirmationToken},
			"one in a letter…": {"chat": string(budi), "confirmationToken": strings.Repeat("A", 10_000)},
		} {
			a.fails("clear_chat", arguments, "nothing was done", "another call")
			_ = what
		}
		b.fails("clear_chat", args{"chat": string(budi), "confirmationToken": c.ConfirmationToken}, "of another call")
		a.fails("start_batch", args{"op": "clear", "chats": []string{string(budi)}, "confirmationToken": c.ConfirmationToken}, "of another call")

		w.pass(5*time.Minute + time.Second)
		a.fails("clear_chat", args{"chat": string(budi), "confirmationToken": c.ConfirmationToken}, "older than five minutes")
		w.pass(-5*time.Minute - time.Second)
		if did := w.did(); len(did) > 0 {
			w.Errorf("wrong tokens did %v", did)
		}

		var done cleared
		a.tool(&done, "clear_chat", args{"chat": string(budi), "confirmationToken": c.ConfirmationToken})
		w.want("agreed", done.Status, "done")
		w.want("did", w.did(), []chat.CommandKind{chat.ClearCommand})
		w.want("left", w.ids(w.tokoKey), []string{"BUDI0"})
		a.fails("clear_chat", args{"chat": string(budi), "confirmationToken": c.ConfirmationToken}, "has changed")
		w.project(w.toko, chat.Change{Chat: budi, Messages: []chat.Message{text("BUDI5", budi, noon.Unix()+5, "Lagi")}})
		fresh := first(args{"chat": string(budi)})
		w.project(w.toko, chat.Change{Chat: budi, Messages: []chat.Message{text("BUDI6", budi, noon.Unix()+6, "Tunggu")}})
		a.fails("clear_chat", args{"chat": string(budi), "confirmationToken": fresh.ConfirmationToken}, "has changed")
		if did := w.did(); len(did) > 0 {
			w.Errorf("used tokens did %v", did)
		}
	})
}

// flip changes a character of a token.
func flip(token string, i int) string {
	b := []byte(token)
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

// TestBatchToken: a batch that destroys is about just the chats that were named, and is made once.
func TestBatchToken(t *testing.T) {
	onAll(t, func(w *world, way way) {
		a := w.assist(way, w.tokoKey, "")
		for _, op := range []args{{"op": "clear"}, {"op": "deleteChat"}, {"op": "disappear", "seconds": 86400}} {
			var c cleared
			op["type"] = "private"
			a.tool(&c, "start_batch", op)
			if c.Status != "needs_confirmation" || c.WillGo.Accepted != 2 || len(c.WillGo.Chats) != 2 {
				w.Errorf("%v: %+v", op, c)
			}
		}
		select1 := args{"op": "clear", "type": "private"}
		var c cleared
		a.tool(&c, "start_batch", select1)
		select1["confirmationToken"] = c.ConfirmationToken
		a.fails("start_batch", args{"op": "deleteChat", "type": "private", "confirmationToken": c.ConfirmationToken}, "of another call")
		a.fails("start_batch", args{"op": "clear", "confirmationToken": c.ConfirmationToken, "all": true}, "of another call")
		var started, again struct{ Status, BatchID string }
		a.tool(&started, "start_batch", select1)
		select1["confirmationToken"] = c.ConfirmationToken[:20] + "\n" + c.ConfirmationToken[20:] // the same, written otherwise
		a.tool(&again, "start_batch", select1)
		if started.Status != "started" || again.BatchID != started.BatchID {
			w.Errorf("started %+v, again %+v", started, again)
		}
		operations, _, err := w.db.Operations(w.Context(), w.toko, started.BatchID, 0)
		w.must(err)
		var about []string
		for _, o := range operations {
			about = append(about, string(o.Op)+" "+string(o.Chat))
		}
		slices.Sort(about)
		w.want("operations", about, []string{"clear " + string(budi), "clear " + string(siti)})

		a.tool(&c, "start_batch", args{"op": "clear", "type": "private"})
		stranger := chat.JID("6281200000009@s.whatsapp.net")
		w.project(w.toko, chat.Change{Chat: stranger, Messages: []chat.Message{text("NEW1", stranger, noon.Unix(), "Halo")}})
		a.fails("start_batch", args{"op": "clear", "type": "private", "confirmationToken": c.ConfirmationToken}, "has changed")
	})
}

// TestForgedAnswer: what a client says the person has agreed to is no more than it was asked.
func TestForgedAnswer(t *testing.T) {
	w := newWorld(t)
	plain := way{"HTTP", stateless, true, overHTTP}
	a := w.assist(plain, w.tokoKey, "")
	var c cleared
	a.tool(&c, "clear_chat", args{"chat": string(budi)})
	for _, state := range []string{"", "x", c.ConfirmationToken} {
		result, err := a.CallTool(t.Context(), &sdk.CallToolParams{
			Name: "clear_chat", Arguments: args{"chat": string(budi)}, RequestState: state,
			InputResponses: sdk.InputResponseMap{"confirm": &sdk.ElicitResult{Action: "accept"}},
		})
		if err != nil || !result.IsError || !strings.Contains(said(result), "of another call") {
			t.Errorf("with the state %q: %v %v", state, result, err)
		}
	}
	if did := w.did(); len(did) > 0 {
		t.Errorf("did %v", did)
	}
}

// TestLanguage: people are asked in Indonesian where their client says so.
func TestLanguage(t *testing.T) {
	w := newWorld(t)
	indonesian := way{"HTTP", stateless, true, func(w *world, key string) sdk.Transport {
		transport := overHTTP(w, key).(*sdk.StreamableClientTransport)
		transport.HTTPClient.Transport = speaking{transport.HTTPClient.Transport}
		return transport
	}}
	a := w.assist(indonesian, w.tokoKey, "decline")
	var c cleared
	a.tool(&c, "clear_chat", args{"chat": string(budi), "starred": "delete"})
	for _, op := range []string{"clear", "deleteChat", "disappear"} {
		a.tool(&c, "start_batch", args{"op": op, "all": true})
	}
	for i, part := range []string{"Hapus semua pesan di chat “Budi Santoso”", "Hapus semua pesan di 3 chat", "Hapus 3 chat", "menghilang setelah 0 detik"} {
		if !strings.Contains(a.asked[i], part) {
			t.Errorf("asked %q, which lacks %q", a.asked[i], part)
		}
	}
	a.fails("read_conversation", args{"chat": "0899999999"}, "tidak ditemukan")
}
