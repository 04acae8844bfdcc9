package store_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"

	"pesan/internal/chat"
	"pesan/internal/render"
	"pesan/internal/store"
)

var rewrite = flag.Bool("rewrite", false, "write the dictionary anew; only before anything is stored with it")

// samples are the texts of the records of made-up chats and messages.
func samples(t *testing.T, seed uint64, chats int) (ofChats, ofMessages [][]byte) {
	r := newInbox(seed)
	none := func(func(chat.MessageView) bool) (*chat.Message, error) { return nil, nil }
	for range chats {
		change := r.chat(1)
		th := chat.Thread{Chat: chat.Chat{JID: change.Chat}, Newest: none}
		if err := th.Apply(change, noon); err != nil {
			t.Fatal(err)
		}
		v := render.View(&th.Chat)
		ofChats = append(ofChats, store.Fold(nil, string(v.Document)+string(v.Last.Document)+v.Last.ID+encoded(t, th.Chat)))
		for _, m := range th.Messages {
			ofMessages = append(ofMessages, store.Fold(nil, string(render.MessageView(&th.Chat, m).Document)+encoded(t, m)))
		}
	}
	return ofChats, ofMessages
}

// TestDictionary makes the dictionary of records with -rewrite: whole records as history, chats behind messages since they
// are larger, and the statistics of others for the entropy coding. Its people aren't those of the other tests.
func TestDictionary(t *testing.T) {
	if !*rewrite {
		return // it stays as it is
	}
	var history []byte
	chats, messages := samples(t, 1977, 16)
	for _, record := range append(messages[:12], chats...) {
		history = append(history, record...)
	}
	otherChats, otherMessages := samples(t, 1978, 200)
	dictionary, err := zstd.BuildDict(zstd.BuildDictOptions{
		ID: 1, Contents: append(otherChats, otherMessages...), History: history, Offsets: [3]int{1, 4, 8}, Level: zstd.SpeedBetterCompression,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("dictionary", dictionary, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(dictionary))
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// marshal is json.Marshal that leaves the JSON inside as it is.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
