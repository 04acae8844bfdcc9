package store

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/kv"
)

// TestResults: how operations ended is stored as one piece as long as they ended at one time in one way.
func TestResults(t *testing.T) {
	s := New(nil, Options{Compression: S2})
	at := time.UnixMilli(1_772_000_000_000)
	done := chat.Result{State: chat.OperationDone, At: at}
	failed := func(code chat.Code) chat.Result {
		return chat.Result{State: chat.OperationFailed, Failure: &chat.Error{Code: code}, At: at}
	}
	later := chat.Result{State: chat.OperationDone, At: at.Add(time.Millisecond)}
	overtaken := chat.Result{State: chat.OperationOvertaken, At: at}
	for _, one := range []struct {
		runs int
		all  []chat.Result
	}{
		{0, nil}, {0, make([]chat.Result, 3)}, {1, []chat.Result{done}}, {1, slices.Repeat([]chat.Result{done}, chat.BatchChunk)},
		{2, []chat.Result{done, {}, done}}, {2, []chat.Result{done, done, later, later}}, {2, []chat.Result{done, overtaken}},
		{1, []chat.Result{failed(chat.Internal), failed(chat.Internal)}},
		{2, []chat.Result{failed(chat.Internal), failed(chat.Unavailable)}},
		{2, []chat.Result{failed(chat.Internal), {State: chat.OperationFailed, At: at}}},
		{2, []chat.Result{{State: chat.OperationFailed, At: at}, failed(chat.Internal)}},
		{1, []chat.Result{{}, {}, done, done}},
	} {
		data, err := s.encodeResults(one.all)
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		var runs []ended
		if err := new(decoder).decode(data, &text); err != nil || json.Unmarshal(text, &runs) != nil || len(runs) != one.runs {
			t.Errorf("%v is stored as %s, %v", one.all, text, err)
		}
		back, err := resultsOf(&kv.Item{Data: data}, len(one.all))
		got, _ := json.Marshal(back)
		want, _ := json.Marshal(one.all)
		if len(one.all) > 0 && (err != nil || string(got) != string(want)) {
			t.Errorf("%s comes back as %s, %v", want, got, err)
		}
	}
	for text, want := range map[string]error{
		`[{"p":0,"n":500,"s":"done"}]`: nil, `[{"p":499,"n":1,"s":"done"}]`: nil, `[{"p":500,"n":0,"s":"done"}]`: nil,
		`[{"p":-1,"n":1,"s":"done"}]`: errCorrupt, `[{"p":5,"n":-1,"s":"done"}]`: errCorrupt,
		`[{"p":1,"n":500,"s":"done"}]`: errCorrupt,
	} {
		if _, err := resultsOf(&kv.Item{Data: S2.encode(text)}, 0); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := resultsOf(&kv.Item{Data: S2.encode(strings.Repeat("[", 3))}, 0); err == nil {
		t.Error("what is no result is read")
	}
}
