package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"pesan/internal/chat"
)

// TestList: what assistants see of the tools before they call any.
func TestList(t *testing.T) {
	onAll(t, func(w *world, way way) {
		a := w.assist(way, w.readKey, "")
		if text := a.InitializeResult().Instructions; !strings.Contains(text, "never instructions") {
			w.Errorf("instructions %q", text)
		}
		tools, err := a.ListTools(w.Context(), nil)
		w.must(err)
		reads := []string{"get_batch", "list_chats", "preview_batch", "read_conversation", "whats_new"}
		destroys := []string{"clear_chat", "start_batch"}
		have := map[bool][]string{}
		for _, tool := range tools.Tools {
			h := tool.Annotations
			switch {
			case h.DestructiveHint == nil || h.OpenWorldHint == nil || !*h.OpenWorldHint || tool.Title == "" || tool.Description == "" || tool.OutputSchema == nil:
				w.Errorf("%s has the hints %+v", tool.Name, h)
			case h.ReadOnlyHint:
				have[true] = append(have[true], tool.Name)
			case *h.DestructiveHint:
				have[false] = append(have[false], tool.Name)
			}
			if text := asText(tool.InputSchema) + asText(tool.OutputSchema); strings.Contains(text, `"null"`) {
				w.Errorf("%s takes or gives null: %s", tool.Name, text)
			}
			if of := strings.Contains(tool.Description, "not instructions"); of != slices.Contains(reads, tool.Name) && tool.Name != "get_batch" {
				w.Errorf("%s warns of other people's words: %v", tool.Name, of)
			}
		}
		w.want("what reads", have[true], reads)
		w.want("what destroys", have[false], destroys)
		w.want("tools", len(tools.Tools), 13)
	})
}

func asText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

type chats struct {
	Chats []struct {
		Chat, Name, Kind, LastActivity, MutedUntil string
		Muted, Archived, Pinned                    bool
		Unread                                     int
		Last                                       struct {
			ID, Text, Kind, From string
			FromMe               bool
		}
	}
	NextCursor, NextSince, State, AsOf string
	Deleted, Cleared                   []string
	More                               bool
}

type conversation struct {
	Chat     string
	Messages []struct {
		ID, Time, From, Kind, Text, Status string
		FromMe, Starred                    bool
		Cut                                int
		File                               struct {
			Type  string
			Bytes int
		}
	}
	NextCursor, NextSince string
}

// TestReading calls each tool that reads, with a key that may only do that.
func TestReading(t *testing.T) {
	onAll(t, func(w *world, way way) {
		a := w.assist(way, w.readKey, "")
		var all, found, page chats
		a.tool(&all, "list_chats", nil)
		w.want("chats", len(all.Chats), 3)
		first := all.Chats[0]
		if first.Chat != string(family) || first.Name != "Keluarga" || first.Kind != "group" || !first.Muted || first.MutedUntil != "2026-03-01T13:00:00Z" ||
			first.LastActivity != "2026-03-01T11:59:00Z" || first.Last.ID != "FAM2" || first.Last.Text != "Foto" || first.Last.Kind != "image" || first.Last.From != string(budi) {
			w.Errorf("the first chat is %+v", first)
		}
		w.want("state", all.State, "CONNECTED")
		a.tool(&found, "list_chats", args{"name": "bUDI", "archived": false})
		if len(found.Chats) != 1 || found.Chats[0].Chat != string(budi) || !found.Chats[0].Last.FromMe {
			w.Errorf("found %+v", found)
		}
		a.tool(&page, "list_chats", args{"limit": 2})
		page.Chats = nil
		a.tool(&page, "list_chats", args{"limit": 2, "cursor": page.NextCursor})
		if len(page.Chats) != 1 || page.Chats[0].Chat != string(siti) || !page.Chats[0].Archived {
			w.Errorf("the second page is %+v", page)
		}

		var talk conversation
		a.tool(&talk, "read_conversation", args{"chat": "0812-3456-7890"})
		if len(talk.Messages) != 3 || talk.Messages[0].ID != "BUDI0" || !talk.Messages[0].Starred || talk.Messages[1].Text != "Ada stok?" || talk.Messages[2].Status != "delivery_ack" {
			w.Errorf("the conversation is %+v", talk)
		}
		a.tool(&talk, "read_conversation", args{"chat": string(family), "limit": 1})
		if m := talk.Messages[0]; len(talk.Messages) != 1 || m.Kind != "image" || m.File.Type != "image/jpeg" || m.File.Bytes != 2048 || talk.NextCursor == "" {
			w.Errorf("the newest message is %+v", talk)
		}
		a.tool(&talk, "read_conversation", args{"chat": string(family), "limit": 1, "cursor": talk.NextCursor})
		w.want("the one before", talk.Messages[0].ID, "FAM1")

		var news, again chats
		a.tool(&news, "whats_new", nil)
		w.project(w.toko, chat.Change{Chat: budi, Messages: []chat.Message{text("BUDI3", budi, noon.Unix()-1, "Kak?")}})
		a.tool(&again, "whats_new", args{"since": news.NextSince, "waitSeconds": 20})
		if len(news.Chats) != 0 || len(again.Chats) != 1 || again.Chats[0].Last.Text != "Kak?" {
			w.Errorf("news %+v, then %+v", news, again)
		}
		a.tool(&talk, "read_conversation", args{"chat": string(budi), "since": news.NextSince})
		w.want("new messages", len(talk.Messages), 1)
		again.Chats = nil
		a.tool(&again, "whats_new", args{"since": again.NextSince})
		w.want("news after that", len(again.Chats), 0)
	})
}

// TestChanging calls each tool that changes one chat.
func TestChanging(t *testing.T) {
	onAll(t, func(w *world, way way) {
		a := w.assist(way, w.tokoKey, "")
		var done struct{ Chat, Status string }
		for _, test := range []struct {
			tool      string
			arguments args
			kind      chat.CommandKind
			seconds   int64
			quiet     bool
		}{
			{"mute_chat", args{"seconds": 3600}, chat.MuteCommand, 3600, false}, {"mute_chat", nil, chat.MuteCommand, 0, false},
			{"unmute_chat", nil, chat.UnmuteCommand, 0, false}, {"archive_chat", nil, chat.ArchiveCommand, 0, false},
			{"unarchive_chat", nil, chat.UnarchiveCommand, 0, false}, {"mark_read", nil, chat.ReadCommand, 0, false},
			{"mark_read", args{"noReceipts": true}, chat.ReadCommand, 0, true},
		} {
			arguments := args{"chat": string(budi)}
			for k, v := range test.arguments {
				arguments[k] = v
			}
			a.tool(&done, test.tool, arguments)
			if len(w.sent) != 1 || w.sent[0].Kind != test.kind || w.sent[0].Chat != budi || w.sent[0].Seconds != test.seconds || w.sent[0].Quiet != test.quiet {
				w.Errorf("%s sends %+v", test.tool, w.sent)
			}
			w.want(test.tool, done.Status, "done")
			w.did()
		}
		w.mu.Lock()
		w.pending = true
		w.mu.Unlock()
		a.tool(&done, "mute_chat", args{"chat": string(budi)})
		w.want("while WhatsApp doesn't answer", done.Status, "pending")
	})
}

// TestFailing calls tools badly: each says what is wrong and what to do, and changes nothing.
func TestFailing(t *testing.T) {
	onAll(t, func(w *world, way way) {
		a := w.assist(way, w.tokoKey, "")
		for _, test := range []struct {
			tool      string
			arguments args
			parts     []string
		}{
			{"no_such_tool", nil, []string{"unknown tool"}},
			{"mute_chat", nil, []string{"Nothing was done", "inputSchema", "chat"}},
			{"mute_chat", args{"chat": 7}, []string{"chat", "string"}},
			{"mute_chat", args{"chat": string(budi), "minutes": 5}, []string{"minutes"}},
			{"mute_chat", args{"chat": string(budi), "seconds": "long"}, []string{"seconds", "integer"}},
			{"mute_chat", args{"chat": string(budi), "seconds": -1}, []string{"seconds", "minimum"}},
			{"mute_chat", args{"chat": string(budi), "seconds": 0}, []string{"seconds", "minimum"}},
			{"mute_chat", args{"chat": string(budi), "seconds": 1 << 40}, []string{"The parameter seconds must be a whole number"}},
			{"mute_chat", args{"chat": "nonsense"}, []string{"The parameter chat", "phone number", "as list_chats lists it"}},
			{"mute_chat", args{"chat": ""}, []string{"list_chats"}},
			{"mute_chat", args{"chat": "0899999999"}, []string{"not found", "list_chats"}},
			{"list_chats", args{"type": "channel"}, []string{"type"}},
			{"list_chats", args{"cursor": "x"}, []string{"cursor", "Begin again"}},
			{"list_chats", args{"limit": -1}, []string{"limit", "minimum"}},
			{"read_conversation", args{"chat": "0899999999"}, []string{"not found"}},
			{"whats_new", args{"since": "x"}, []string{"since", "without since"}},
			{"clear_chat", args{"chat": string(budi), "starred": "burn"}, []string{"starred"}},
			{"clear_chat", args{"chat": string(budi), "confirmationToken": "x"}, []string{"nothing was done"}},
			{"start_batch", args{"op": "mute"}, []string{"all=true"}},
			{"start_batch", args{"op": "burn", "all": true}, []string{"op"}},
			{"start_batch", args{"op": "mute", "chats": slices.Repeat([]string{string(budi)}, 1001)}, []string{"at most 1000"}},
			{"preview_batch", args{"op": "mute", "chats": []string{string(budi)}, "type": "group"}, []string{"type"}},
			{"get_batch", args{"batchId": "01JNGKX0T0ZZZZZZZZZZZZZZZZ"}, []string{"not found"}},
			{"cancel_batch", args{"batchId": ""}, []string{"batchId"}},
		} {
			a.fails(test.tool, test.arguments, test.parts...)
		}
		w.must(w.db.UpdateAccount(w.Context(), w.toko, func(a *chat.Account) error { a.State = chat.Pairing; return nil }))
		a.fails("mute_chat", args{"chat": string(budi)}, "not connected", "Pesan's page")
		if did := w.did(); len(did) > 0 {
			w.Errorf("bad calls did %v", did)
		}
		w.mu.Lock()
		w.broken = true
		w.mu.Unlock()
		a.fails("list_chats", nil, "can't be reached")
	})
}

// TestScopes: a key that only reads changes nothing, and no key shows another account's chats.
func TestScopes(t *testing.T) {
	onAll(t, func(w *world, way way) {
		a := w.assist(way, w.readKey, "accept")
		for _, tool := range []string{"mute_chat", "unmute_chat", "archive_chat", "unarchive_chat", "mark_read"} {
			a.fails(tool, args{"chat": string(budi)}, "scope commands", "only read")
		}
		a.fails("start_batch", args{"op": "mute", "all": true}, "scope commands")
		a.fails("preview_batch", args{"op": "mute", "all": true}, "scope commands")
		a.fails("clear_chat", args{"chat": string(budi)}, "scope commands")
		a.fails("start_batch", args{"op": "clear", "all": true}, "scope commands")
		if len(a.asked) > 0 {
			w.Errorf("a person is asked for what the key may not: %q", a.asked)
		}
		stranger := w.assist(way, w.lainKey, "")
		var all chats
		stranger.tool(&all, "list_chats", nil)
		if len(all.Chats) != 1 || all.Chats[0].Name != "RAHASIA" {
			w.Errorf("Lain sees %+v", all)
		}
		stranger.fails("read_conversation", args{"chat": string(family)}, "not found")
		stranger.fails("mute_chat", args{"chat": string(siti)}, "not found")
		var talk conversation
		a.tool(&talk, "read_conversation", args{"chat": string(budi)})
		if strings.Contains(asText(talk), "RAHASIA") {
			w.Errorf("Toko sees %+v", talk)
		}
		if did := w.did(); len(did) > 0 {
			w.Errorf("who may only read did %v", did)
		}
	})
}

// TestStops: a call that the client gives up ends, the API's with it where the protocol says so.
func TestStops(t *testing.T) {
	for _, way := range ways() {
		if way.name == "Lambda" || way.name == "HTTP" && way.protocol == shaking {
			continue // a function is never told, nor is a server that keeps nothing by the older protocol
		}
		t.Run(way.name+" "+way.protocol, func(t *testing.T) {
			w := newWorld(t)
			a := w.assist(way, w.readKey, "")
			w.mu.Lock()
			w.hold = make(chan struct{}) // never closed: only giving up ends it
			w.mu.Unlock()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := a.CallTool(ctx, &sdk.CallToolParams{Name: "list_chats"})
				ended <- err
			}()
			<-w.held
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("a call that is given up ends with %v", err)
			}
			w.mu.Lock()
			w.hold = nil
			w.mu.Unlock()
			var all chats
			a.tool(&all, "list_chats", nil)
			w.want("chats after that", len(all.Chats), 3)
		})
	}
}

// TestBatch: a batch is looked at first, made, followed and cancelled.
func TestBatch(t *testing.T) {
	onAll(t, func(w *world, way way) {
		a := w.assist(way, w.tokoKey, "")
		var plan struct {
			Accepted, InvalidCount int
			Chats                  []struct{ Chat, Name string }
		}
		a.tool(&plan, "preview_batch", args{"op": "archive", "archived": false, "except": []string{string(family)}})
		if plan.Accepted != 1 || plan.Chats[0].Name != "Budi Santoso" {
			w.Errorf("the plan is %+v", plan)
		}
		var started struct {
			Status, BatchID string
			Accepted        int
			Invalid         []struct{ Reason string }
		}
		a.tool(&started, "start_batch", args{"op": "mute", "chats": []string{string(budi), "0899999999"}, "seconds": 3600})
		if started.Status != "started" || started.Accepted != 1 || len(started.Invalid) != 1 {
			w.Errorf("started %+v", started)
		}
		type state struct {
			BatchID, State               string
			Total, Pending, Done, Failed int
			Failures                     []struct{ Chat, Reason string }
		}
		var s state
		a.tool(&s, "get_batch", nil)
		if s.BatchID != started.BatchID || s.State != "queued" || s.Total != 1 || s.Pending != 1 {
			w.Errorf("the batch is %+v", s)
		}
		_, err := w.db.EndOperations(w.Context(), w.toko, started.BatchID, 0, map[int]chat.Result{
			0: {State: chat.OperationFailed, Failure: &chat.Error{Code: chat.WhatsAppRejected, Message: "401"}, At: noon},
		})
		w.must(err)
		s = state{}
		a.tool(&s, "get_batch", args{"batchId": started.BatchID, "waitSeconds": 20})
		if s.State != "done" || s.Failed != 1 || len(s.Failures) != 1 || s.Failures[0].Reason != "WHATSAPP_REJECTED" {
			w.Errorf("the batch is %+v", s)
		}
		a.tool(&started, "start_batch", args{"op": "read", "all": true, "noReceipts": true})
		s = state{}
		a.tool(&s, "cancel_batch", args{"batchId": started.BatchID})
		w.want("a cancelled batch", s.State, "cancelled")
		started.Status = ""
		a.tool(&started, "start_batch", args{"op": "mute", "type": "broadcast"})
		w.want("a batch of nothing", started.Status, "nothing_to_do")
	})
}

// TestCost: a tool costs no more calls of the API than it needs, and a key is looked at where nothing else does it.
func TestCost(t *testing.T) {
	w := newWorld(t)
	a := w.assist(way{"HTTP", stateless, true, overHTTP}, w.readKey, "")
	w.called("getState")
	var all chats
	a.tool(&all, "list_chats", nil)
	w.want("getChats", w.called("getChats"), 1)
	w.want("getState", w.called("getState"), 0)
	_, err := a.ListTools(t.Context(), nil)
	w.must(err)
	w.want("getState for a list", w.called("getState"), 1)
}

// TestProgress: who waits for a batch hears how it goes, where the way to it has room for that.
func TestProgress(t *testing.T) {
	for _, protocol := range []string{shaking, stateless} {
		t.Run(protocol, func(t *testing.T) {
			w := newWorld(t)
			heard := make(chan float64, 100)
			client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, &sdk.ClientOptions{
				ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { heard <- r.Params.Total },
			})
			session, err := client.Connect(t.Context(), overPipe(w, w.tokoKey), &sdk.ClientSessionOptions{ProtocolVersion: protocol})
			w.must(err)
			defer session.Close()
			a := &assistant{world: w, ClientSession: session}
			var started struct{ BatchID string }
			a.tool(&started, "start_batch", args{"op": "mute", "all": true})
			ended := make(chan *sdk.CallToolResult, 1)
			go func() {
				p := &sdk.CallToolParams{Name: "get_batch", Arguments: args{"waitSeconds": 20}}
				p.SetProgressToken("here")
				result, err := session.CallTool(context.Background(), p)
				if err != nil {
					t.Error(err)
				}
				ended <- result
			}()
			w.want("of how many", <-heard, 3)
			results := map[int]chat.Result{}
			for i := range 3 {
				results[i] = chat.Result{State: chat.OperationDone, At: noon}
			}
			_, err = w.db.EndOperations(t.Context(), w.toko, started.BatchID, 0, results)
			w.must(err)
			if result := <-ended; result == nil || !strings.Contains(said(result), `"done":3`) {
				t.Errorf("ends with %+v", result)
			}
		})
	}
}
