package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"pesan/internal/chat"
)

// noon is when the tests take place.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// inbox makes up chats such as a history sync brings, always the same for a seed: nine of ten with a person, the others
// groups.
type inbox struct{ *rand.Rand }

func newInbox(seed uint64) inbox { return inbox{rand.New(rand.NewPCG(seed, 1))} }

func (r inbox) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	return string(b)
}

func (r inbox) person() (pn, lid chat.JID) {
	return chat.NewJID("628"+r.digits(10), chat.UserServer), chat.NewJID("1"+r.digits(14), chat.LIDServer)
}

var (
	givenNames = strings.Fields("Siti Budi Agus Dewi Rizky Putri Wahyu Nur Andi Lestari Joko Sri Fajar Intan Bayu Maya Eko Ratna Dimas Yuni")
	lastNames  = strings.Fields("Santoso Wijaya Hidayat Rahmawati Saputra Nugroho Kusuma Pratama Utami Siregar Simanjuntak Halim Gunawan Susanti")
	spoken     = strings.Fields(`pagi kak mau tanya stok barang yang kemarin masih ada nggak ya soalnya saya butuh buat besok siang oke siap
		nanti dikabari lagi terima kasih banyak sudah transfer mohon dicek bisa kirim hari ini alamatnya jalan melati nomor dua belas bandung
		harga berapa totalnya ongkir gratis kalau lebih dari tiga tolong fotonya dong warna merah ukuran besar habis belum sampai paketnya`)
)

func (r inbox) name() string {
	return givenNames[r.IntN(len(givenNames))] + " " + lastNames[r.IntN(len(lastNames))]
}

func (r inbox) say(words int) string {
	said := make([]string, words)
	for i := range said {
		said[i] = spoken[r.IntN(len(spoken))]
	}
	return strings.Join(said, " ")
}

func (r inbox) id() string {
	return fmt.Sprintf("%016X%016X", r.Uint64(), r.Uint64())
}

// buffer prints random bytes as the chats' documents show bytes.
func (r inbox) buffer(n int) chat.JSON {
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = fmt.Sprint(r.IntN(256))
	}
	return chat.JSON(`{"data":[` + strings.Join(numbers, ",") + `],"type":"Buffer"}`)
}

const own chat.JID = "6281111111111@s.whatsapp.net"

// text is a message of a chat, at a time in seconds.
func (r inbox) text(from chat.JID, at int64) chat.Message {
	body := r.say(3 + r.IntN(20))
	m := chat.Message{ID: r.id(), Content: chat.Content{
		Sender: from, FromMe: from == own, Time: at, Order: 1 + r.Int64N(30), Type: "conversation", Body: body,
		Message: chat.JSON(fmt.Sprintf(`{"conversation":%q,"messageContextInfo":{"deviceListMetadata":{},"deviceListMetadataVersion":2}}`, body)),
	}}
	if from == own {
		m.Status = chat.DeliveryAck
		m.Receipts = map[chat.JID]chat.Receipt{}
	}
	return m
}

func asSet[T comparable](v T) chat.Register[T] { return chat.Register[T]{Value: v, At: chat.Baseline} }

// chat is the change that a history sync brings of one chat with so many messages.
func (r inbox) chat(messages int) chat.Change {
	if r.IntN(10) == 0 {
		return r.group(messages)
	}
	pn, lid := r.person()
	c := chat.Change{Chat: pn, Alt: lid, State: chat.Chat{Fields: map[string]chat.Register[chat.JSON]{
		"contactPrimaryIdentityKey": asSet(r.buffer(33)),
		"disappearingMode":          asSet[chat.JSON](`{"initiator":"CHANGED_IN_CHAT"}`),
		"ephemeralExpiration":       asSet[chat.JSON]("0"),
		"endOfHistoryTransfer":      asSet[chat.JSON]("true"),
		"notSpam":                   asSet[chat.JSON]("true"),
		"readOnly":                  asSet[chat.JSON]("false"),
		"tcToken":                   asSet(r.buffer(35)),
		"tcTokenTimestamp":          asSet(chat.JSON(fmt.Sprintf(`{"high":0,"low":%d,"unsigned":true}`, noon.Unix()-r.Int64N(1e7)))),
	}}}
	if r.IntN(3) > 0 {
		c.State.Contact = asSet(r.name())
	}
	if r.IntN(3) > 0 {
		c.State.PushName = chat.Register[string]{Value: r.name(), At: noon.UnixMilli() - r.Int64N(1e10)}
	}
	r.settings(&c)
	at := noon.Unix() - r.Int64N(1e7)
	for i := range messages {
		from := pn
		if r.IntN(2) == 0 {
			from = own
		}
		m := r.text(from, at-int64(messages-i)*r.Int64N(5000))
		if from == own {
			m.Receipts[pn] = chat.Receipt{Received: m.Content.Time + r.Int64N(99), Read: m.Content.Time + 100 + r.Int64N(999)}
		}
		c.Messages = append(c.Messages, m)
	}
	return c
}

func (r inbox) group(messages int) chat.Change {
	c := chat.Change{Chat: chat.NewJID("1203630"+r.digits(11), chat.GroupServer), State: chat.Chat{
		Fields: map[string]chat.Register[chat.JSON]{
			"disappearingMode":     asSet[chat.JSON](`{"initiator":"CHANGED_IN_CHAT"}`),
			"ephemeralExpiration":  asSet[chat.JSON]("0"),
			"endOfHistoryTransfer": asSet[chat.JSON]("true"),
			"notSpam":              asSet[chat.JSON]("true"),
			"readOnly":             asSet[chat.JSON]("false"),
			"createdAt":            asSet(chat.JSON(fmt.Sprintf(`{"high":0,"low":%d,"unsigned":true}`, noon.Unix()-r.Int64N(1e8)))),
			"createdBy":            asSet(chat.JSON(fmt.Sprintf(`"628%s@s.whatsapp.net"`, r.digits(10)))),
		},
		Subject: asSet("Grup " + r.say(2)),
		Members: map[chat.JID]chat.Register[chat.Rank]{own: asSet(chat.RankAdmin)},
	}}
	r.settings(&c)
	members := []chat.JID{own}
	for range 4 + r.IntN(12) {
		pn, _ := r.person()
		c.State.Members[pn] = asSet(chat.RankMember)
		members = append(members, pn)
	}
	at := noon.Unix() - r.Int64N(1e7)
	for i := range messages {
		c.Messages = append(c.Messages, r.text(members[r.IntN(len(members))], at-int64(messages-i)*60))
	}
	return c
}

func (r inbox) settings(c *chat.Change) {
	if r.IntN(8) == 0 {
		c.State.Mute = chat.Register[int64]{Value: noon.UnixMilli() + r.Int64N(1e9), At: noon.UnixMilli() - r.Int64N(1e9)}
	}
	c.State.Archived = asSet(r.IntN(10) == 0)
	if r.IntN(20) == 0 {
		c.State.Pin = asSet(noon.Unix())
	}
	if r.IntN(4) > 0 {
		c.State.Read = chat.RangeOf(noon.Unix()-r.Int64N(1e6), r.id())
	}
}
