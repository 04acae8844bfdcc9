package httpapi_test

import (
	"fmt"
	"strconv"

	"pesan/internal/chat"
)

// text is a message of a person.
func text(id string, from chat.JID, at int64, body string) chat.Message {
	return chat.Message{ID: id, Content: chat.Content{
		Sender: from, FromMe: from == me, Time: at, Type: "conversation", Body: body,
		Message: chat.JSON(`{"conversation":` + strconv.Quote(body) + `}`),
	}}
}

func set[T comparable](v T) chat.Register[T] { return chat.Register[T]{Value: v, At: chat.Baseline} }

// fields are what a history sync tells of a chat.
func fields(pairs ...string) map[string]chat.Register[chat.JSON] {
	all := make(map[string]chat.Register[chat.JSON])
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = set(chat.JSON(pairs[i+1]))
	}
	return all
}

// seed gives Toko some chats, newest first: the family, muted; Budi, under both of his addresses; Siti, pinned.
func (w *world) seed() {
	w.Helper()
	fromSiti := text("SITI1", siti, noon.Unix()-3000, "Selamat pagi \"Toko\"")
	media := text("FAM2", budi, noon.Unix()-60, "Foto <keluarga> 👨‍👩‍👧")
	media.Content.Type, media.Content.Media = "imageMessage", true
	media.Content.Message = `{"imageMessage":{"caption":"Foto <keluarga> 👨‍👩‍👧","mimetype":"image/jpeg"}}`
	mine := text("BUDI2", me, noon.Unix()-600, "Siap")
	mine.Status = chat.DeliveryAck
	w.project(w.toko.ID,
		chat.Change{Chat: siti, State: chat.Chat{PushName: set("Siti"), Pin: set(int64(1615539349265000)), Archived: set(true)},
			Messages: []chat.Message{fromSiti}},
		chat.Change{Chat: budi, Alt: lid, State: chat.Chat{Contact: set("Budi Santoso")},
			Messages: []chat.Message{text("BUDI1", budi, noon.Unix()-700, "Ada stok?"), mine}},
		chat.Change{Chat: family, State: chat.Chat{
			Subject: set("Keluarga"), Mute: set(noon.UnixMilli() + 3_600_000),
			Members: map[chat.JID]chat.Register[chat.Rank]{budi: set(chat.RankAdmin), me: set(chat.RankMember)},
		}, Messages: []chat.Message{text("FAM1", siti, noon.Unix()-90, "Halo semua"), media}},
	)
	w.project(w.lain.ID, chat.Change{Chat: budi, Messages: []chat.Message{text("LAIN1", budi, noon.Unix()-5, "RAHASIA-LAIN")}})
}

// seedMany gives Toko n chats with a message of about size bytes each, newest first.
func (w *world) seedMany(n, size int) {
	w.Helper()
	filler := make([]byte, size)
	for i := range filler {
		filler[i] = byte('a' + i%26)
	}
	changes := make([]chat.Change, n)
	for i := range changes {
		jid := chat.NewJID(fmt.Sprintf("62812%08d", i), chat.UserServer)
		changes[i] = chat.Change{Chat: jid, State: chat.Chat{Contact: set(fmt.Sprintf("Orang \"%d\"", i))},
			Messages: []chat.Message{text(fmt.Sprintf("M%06d", i), jid, noon.Unix()-int64(i), string(filler))}}
	}
	w.project(w.toko.ID, changes...)
}

// seedConversation gives Budi's chat n messages of about size bytes each, the oldest first.
func (w *world) seedConversation(n, size int) {
	w.Helper()
	filler := make([]byte, size)
	for i := range filler {
		filler[i] = '"'
		if i%2 == 0 {
			filler[i] = 'b'
		}
	}
	messages := make([]chat.Message, n)
	for i := range messages {
		messages[i] = text(fmt.Sprintf("M%06d", i), budi, noon.Unix()-int64(n-i), string(filler))
	}
	w.project(w.toko.ID, chat.Change{Chat: budi, Messages: messages})
}
