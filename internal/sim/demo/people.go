package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// kin are the chats that every such person has, with what is talked about there.
var kin = []struct {
	name, push string
	themes     []string
}{
	{"Ibu", "Sri Lestari", []string{"keluarga"}},
	{"Mas Bayu ❤️", "Bayu", []string{"keluarga", "teman", "rahasia"}},
	{"Bapak", "Pak Harjo", []string{"keluarga"}},
	{"Dik Wening", "wening", []string{"keluarga", "teman"}},
	{"Bude Tutik", "Tutik", []string{"keluarga"}},
	{"Rina SMA", "Rina 🌸", []string{"teman", "rahasia"}},
	{"Dewi Kos", "dewi", []string{"teman"}},
	{"Bu Guru Ani", "Ani Rahmawati", []string{"sekolah"}},
	{"Pak Joko Tukang", "Joko", []string{"tukang"}},
	{"Pak Hendra Kantor", "Hendra W", []string{"kantor"}},
	{"Mas Kurir", "Andi Kurir", []string{"kurir"}},
}

// firms talk like machines.
var firms = []struct{ name, theme string }{
	{"Internet Lancar", "tagihan"}, {"Listrik Pintar", "tagihan"}, {"Klinik Sehat Sentosa", "klinik"}, {"Apotek Waras", "promo"},
	{"Cepat Kirim", "kirim"}, {"Bank Contoh", "bank"}, {"Toko Kain Jaya", "promo"}, {"Kedai Kopi Tepi Kali", "promo"},
}

// circles are the groups, with what is talked about there and how many members they have.
var circles = []struct {
	subject, topic, theme string
	members               int
}{
	{"RT 05 / RW 02 Laweyan", "Info warga. Dilarang jualan di grup ini.", "rt", 38},
	{"Keluarga Besar Mbah Wiro", "Silaturahmi keluarga", "keluarga_besar", 27},
	{"Kelas 4B SD Harapan", "Wali murid kelas 4B", "kelas", 31},
	{"Tim Batik Melati 🌼", "Koordinasi toko", "kantor_grup", 8},
	{"Arisan Ibu-ibu Blok C", "Tiap tanggal 10", "arisan", 22},
	{"Alumni SMA 3 Angkatan 2006", "", "alumni", 64},
	{"Pengajian An-Nur", "Kajian malam Jumat", "pengajian", 41},
	{"Futsal Selasa", "Lapangan 2", "futsal", 16},
	{"Jual Beli Solo Raya", "WTS WTB WTT", "jualbeli", 80},
	{"UMKM Solo Naik Kelas", "Pelatihan dan pameran", "umkm", 55},
}

var (
	women = strings.Fields(`Ajeng Anisa Ayu Citra Dewi Dian Dina Eka Endang Farah Fitri Hana Ida Indah Intan Kartika Lina Maya Mega Nia Ningsih
		Nurul Putri Rahma Rani Ratna Rini Siti Sri Susi Umi Vina Wati Widya Yanti Yuni Zahra`)
	men = strings.Fields(`Adi Agus Ahmad Andi Ardi Arif Bagas Bambang Bima Budi Cahyo Dani Dimas Dwi Eko Fajar Galih Gilang Hari Hendra Iwan Joko
		Lukman Nur Putra Reza Rizki Rudi Satria Slamet Surya Taufik Tri Wahyu Wawan Yoga Yusuf`)
	lastNames = strings.Fields(`Anggraini Aryanto Astuti Cahyono Firmansyah Gunawan Hakim Handayani Hartono Hidayat Irawan Kurniawan Kusuma Lestari
		Maharani Mulyani Nugroho Permana Prasetyo Pratama Purnomo Puspita Rahayu Rahman Ramadhan Safitri Saputra Setiawan Siregar Suharto Sulistyo
		Susanto Suryani Utami Wardani Wibowo Widodo Wijaya Wulandari Yulianto`)
	herTitles = []string{"Bu", "Bu", "Mbak", "Mbak", "Kak", "Tante", "Teh", "Dik"}
	hisTitles = []string{"Pak", "Pak", "Mas", "Mas", "Kak", "Om", "Bang", "Dik"}
	tags      = []string{"", "", "", " Reseller", " Pelanggan", " Kain", " RT", " Solo", " Jogja", " Pasar Klewer", " SMA",
		" Kampus"}
	marks = []string{"", "", "", "", " ✨", " 🌷", " 🇮🇩", " ⚽", " ☕", " 🐈"}
)

func owner() *Person {
	return &Person{
		Name: "Sari Wulandari", PushName: "Sari · Batik Melati",
		PN: types.NewJID("6289012345678", types.DefaultUserServer), LID: types.NewJID("100012345678901", types.HiddenUserServer),
	}
}

// cast makes the people, the groups and the chats between them: three quarters are private, a fifth of these by LID, a fifth
// of these of people whose number isn't known.
func (a *Account) cast(rng *rand.Rand, chats int) {
	private := chats * 3 / 4
	byLID := private / 5
	hidden := byLID / 5
	seen := map[string]bool{a.Owner.PN.User: true, a.Owner.LID.User: true}
	unique := func(prefix string, digits int) string {
		for {
			n := prefix + number(rng, digits)
			if !seen[n] {
				seen[n] = true
				return n
			}
		}
	}
	person := func() *Person {
		p := &Person{
			PN:    types.NewJID(unique(fmt.Sprintf("6289%d", rng.IntN(5)), 8), types.DefaultUserServer),
			LID:   types.NewJID(unique("1", 14), types.HiddenUserServer),
			lower: rng.IntN(3) == 0, long: rng.IntN(6) == 0,
		}
		names, titles := women, herTitles
		if rng.IntN(2) == 0 {
			names, titles = men, hisTitles
		}
		first, last := pick(rng, names), pick(rng, lastNames)
		p.PushName = pick(rng, []string{first + pick(rng, marks), first + " " + last, strings.ToLower(first), ""})
		if p.PushName == "" && rng.IntN(3) > 0 {
			p.PushName = first
		}
		p.Name = pick(rng, []string{first + " " + last, pick(rng, titles) + " " + first + pick(rng, tags)})
		a.People = append(a.People, p)
		return p
	}
	for i := range private {
		p := person()
		c := &chat{jid: p.PN, people: []*Person{p},
			themes: []string{pick(rng, []string{"pelanggan", "pelanggan", "pelanggan", "teman", "kurir", "kantor"})}}
		switch firm := i - len(kin); {
		case i < len(kin):
			p.Name, p.PushName, c.themes = kin[i].name, kin[i].push, kin[i].themes
		case firm < len(firms):
			p.Name, p.PushName, p.Business, c.themes = "", firms[firm].name, true, []string{firms[firm].theme}
		case i >= private-byLID:
			c.jid, c.byLID = p.LID, true
			p.HidesPN = i >= private-hidden
		}
		if c.byLID && p.HidesPN || i > len(kin)+len(firms) && rng.IntN(4) == 0 {
			p.Name = ""
		}
		a.chats = append(a.chats, c)
	}
	for range 90 { // who are in groups only
		if p := person(); rng.IntN(3) > 0 {
			p.Name = ""
		}
	}
	a.gather(rng, unique, chats-3)
	a.chats = append(a.chats,
		newsletter("1203634"+number(rng, 11), "Info Batik Nusantara"),
		newsletter("1203634"+number(rng, 11), "Resep Dapur Harian"),
		&chat{jid: types.NewJID("1655"+number(rng, 6), types.BroadcastServer), subject: "Pelanggan setia",
			themes: []string{"siaran"}, people: a.People[20:40]},
	)
}

// newsletter is a channel, which speaks with its own voice.
func newsletter(id, subject string) *chat {
	jid := types.NewJID(id, types.NewsletterServer)
	voice := &Person{PushName: subject, PN: jid, LID: jid, Business: true}
	return &chat{jid: jid, subject: subject, people: []*Person{voice}, themes: []string{"kanal"}}
}

// gather makes the groups: the circles first, then as many small ones as are needed for so many chats in all.
func (a *Account) gather(rng *rand.Rand, unique func(string, int) string, chats int) {
	members := func(n int) []*Person {
		var out []*Person
		for _, i := range rng.Perm(len(a.People))[:n] {
			if !a.People[i].Business {
				out = append(out, a.People[i])
			}
		}
		return out
	}
	add := func(subject, topic, theme string, n int) {
		g := &Group{
			JID:     types.NewJID(unique("1203630", 11), types.GroupServer),
			Subject: subject, Topic: topic, ByLID: rng.IntN(3) > 0, Members: members(n),
			Created: a.now.AddDate(0, -rng.IntN(20)-3, -rng.IntN(28)),
		}
		if rng.IntN(5) == 0 { // as groups were named in the old days
			g.JID.User = unique(a.People[rng.IntN(len(a.People))].PN.User+"-15", 8)
		}
		g.Admin = g.Members[0]
		a.Groups = append(a.Groups, g)
		a.chats = append(a.chats, &chat{jid: g.JID, subject: subject, group: g, people: g.Members, byLID: g.ByLID,
			themes: []string{theme}})
	}
	for _, c := range circles {
		add(c.subject, c.topic, c.theme, c.members)
	}
	kinds := []struct{ theme, form string }{
		{"kelas", "Wali Murid TK %s"}, {"rt", "Warga %s Indah"}, {"alumni", "Alumni SMP %s"}, {"kantor_grup", "Pameran %s"},
		{"umkm", "Bazar %s"},
		{"keluarga_besar", "Sepupu %s"}, {"futsal", "Badminton %s"}, {"jualbeli", "Preloved %s"}, {"arisan", "Arisan %s"},
		{"pengajian", "Majelis %s"},
	}
	for len(a.chats) < chats {
		k := kinds[len(a.Groups)%len(kinds)]
		add(fmt.Sprintf(k.form, pick(rng, places)), "", k.theme, 5+rng.IntN(20))
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

func number(rng *rand.Rand, digits int) string {
	b := make([]byte, digits)
	for i := range b {
		b[i] = byte('0' + rng.IntN(10))
	}
	return string(b)
}

// between is a random duration.
func between(rng *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rng.Int64N(int64(most-least)+1))
}
