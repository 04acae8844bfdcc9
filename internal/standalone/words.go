package standalone

import (
	"strings"

	"pesan/internal/whatsapp"
)

// words are what the program says to people, in one language. The names in braces of the comments are the arguments.
type words struct {
	listening   string // {url}
	at          string // {path}
	exposed     string // {address}
	secretFile  string // {path}
	secretEnv   string
	firstDevice string // {name}
	firstName   string
	spareName   string
	keyOnce     string
	linkPage    string // {url}
	scan        string
	refreshes   string
	pairingCode string // {code}
	passkey     string // {device, time, URL}
	compare     string // {device, code}
	connecting  string // {device}
	connected   string // {device} {number}
	syncing     string // {percent} {chats} {messages}
	synced      string
	unreached   string // {device}
	failing     string // {device}
	off         string // {device} {reason}
	reasons     map[string]string
	tryIt       string
	allCalls    string
	toStop      string
	stopping    string
	stopped     string
	demoStart   string
	demoReady   string // {seconds} {chats} {messages}
	demoPage    string // {url}
	demoKey     string
	demoSecret  string
	demoLive    string
	inUse       string // {process} {path}
	addressBad  string // {address} {error}
	otherPort   string // {address} {error} {other address}
	folderBad   string // {path} {error}
}

// wordsOf finds the words of a locale such as id_ID.UTF-8; English for those that there are no others for.
func wordsOf(locale string) words {
	language := strings.ToLower(locale)
	if end := strings.IndexAny(language, "_.-@"); end >= 0 {
		language = language[:end]
	}
	switch language {
	case "id", "in", "jv", "ms", "su":
		return indonesian
	}
	return english
}

var english = words{
	listening:   "Pesan answers at %s",
	at:          "  data folder     %s",
	exposed:     "  ! Whoever reaches %s can call it, and what is sent isn't encrypted: put a proxy with TLS before it, or listen on 127.0.0.1",
	secretFile:  "  system secret   in %s",
	secretEnv:   "  system secret   as set",
	firstDevice: "The first device, %q, was added. Its API key, shown only now:",
	firstName:   "Device 1",
	spareName:   "Spare",
	keyOnce:     "Keep it: it can be replaced (changeApiKey), but not shown again.",
	linkPage:    "Or link the phone on the page:\n\n    %s",
	scan:        "Scan this with the phone: WhatsApp > Linked devices > Link a device",
	refreshes:   "The code changes by itself.",
	pairingCode: "Or enter this code on the phone: %s",
	passkey: `%s: WhatsApp asks for your passkey, until %s. Only a browser can give it:
  1. load the folder extras/passkey-extension into Chromium, Chrome, Edge or Brave (chrome://extensions, Load unpacked)
  2. click it, enter %s and the device's API key, and go on in the tab that opens
docs/passkey.md says how to do it by hand, and what the extension can see.`,
	compare:    "%s: does the phone show this code? %s  If so, call confirmPasskey.",
	connecting: "%s: connecting",
	connected:  "%s: connected (%s)",
	syncing:    "  history: %d %%, %d chats, %d messages",
	synced:     "  history: complete",
	unreached:  "%s: WhatsApp can't be reached yet; it is tried again and again",
	failing:    "%s: the data folder can't be written, so nothing is taken from WhatsApp; look at the disk. It goes on by itself",
	off:        "%s: off: %s",
	reasons: map[string]string{
		whatsapp.LoggedOut:      "the link was ended; serviceStart begins a new one",
		whatsapp.Locked:         "WhatsApp has locked the account",
		whatsapp.Banned:         "WhatsApp has banned the account",
		whatsapp.Replaced:       "another program uses the same device keys; serviceStart connects again",
		whatsapp.ClientOutdated: "WhatsApp wants a newer version of this program",
		whatsapp.QRTimeout:      "nobody scanned the code; serviceStart shows new ones",
		whatsapp.PairingFailed:  "the phone's answer was wrong; serviceStart tries again",
		whatsapp.ConnectRefused: "WhatsApp refuses the connection",
	},
	tryIt:      "Once it is connected, try it in another terminal:",
	allCalls:   "Every endpoint once; paste any line into another terminal:",
	toStop:     "Ctrl-C stops it.",
	stopping:   "Stopping …",
	stopped:    "Stopped.",
	demoStart:  "Starting a simulated WhatsApp, a phone with a full inbox, and Pesan linked to it …",
	demoReady:  "Ready after %.1f s: %d chats, %d messages, and more keep coming in.",
	demoPage:   "Open the inbox in a browser:\n\n  %s",
	demoKey:    "API key         %s",
	demoSecret: "system secret   %s",
	demoLive:   "All of it is made up, and gone when it stops.",
	inUse:      "another process (%d) uses the data folder %s: stop it, or choose another folder by -data or PESAN_DATA",
	addressBad: "can't listen on %s: %v. Choose another address by -listen or PESAN_LISTEN, such as 127.0.0.1:8081",
	otherPort:  "Can't listen on %s: %v. The demo takes %s instead.",
	folderBad:  "can't use the data folder %s: %v. Choose another by -data or PESAN_DATA",
}

var indonesian = words{
	listening:   "Pesan menjawab di %s",
	at:          "  folder data      %s",
	exposed:     "  ! Siapa pun yang dapat mencapai %s dapat memanggilnya, tanpa enkripsi: pasang proxy dengan TLS di depannya, atau dengarkan di 127.0.0.1",
	secretFile:  "  rahasia sistem   di %s",
	secretEnv:   "  rahasia sistem   seperti yang diatur",
	firstDevice: "Perangkat pertama, %q, telah ditambahkan. Kunci API-nya, hanya ditampilkan sekarang:",
	firstName:   "Perangkat 1",
	spareName:   "Cadangan",
	keyOnce:     "Simpanlah: kunci ini dapat diganti (changeApiKey), tetapi tidak ditampilkan lagi.",
	linkPage:    "Atau tautkan ponsel di halaman ini:\n\n    %s",
	scan:        "Pindai dengan ponsel: WhatsApp > Perangkat tertaut > Tautkan perangkat",
	refreshes:   "Kode berganti sendiri.",
	pairingCode: "Atau masukkan kode ini di ponsel: %s",
	passkey: `%s: WhatsApp meminta passkey Anda, sampai %s. Hanya peramban yang dapat memberikannya:
  1. muat folder extras/passkey-extension ke Chromium, Chrome, Edge, atau Brave (chrome://extensions, Load unpacked)
  2. klik ekstensi itu, isi %s dan kunci API perangkat, lalu lanjutkan di tab yang terbuka
docs/passkey.md menjelaskan cara manualnya, dan apa yang dapat dilihat ekstensi itu.`,
	compare:    "%s: apakah ponsel menampilkan kode ini? %s  Jika ya, panggil confirmPasskey.",
	connecting: "%s: menghubungkan",
	connected:  "%s: terhubung (%s)",
	syncing:    "  riwayat: %d %%, %d chat, %d pesan",
	synced:     "  riwayat: lengkap",
	unreached:  "%s: WhatsApp belum terjangkau; akan terus dicoba",
	failing:    "%s: folder data tidak dapat ditulis, jadi tidak ada yang diambil dari WhatsApp; periksa disk. Akan berlanjut sendiri",
	off:        "%s: mati: %s",
	reasons: map[string]string{
		whatsapp.LoggedOut:      "tautan telah diakhiri; serviceStart memulai yang baru",
		whatsapp.Locked:         "WhatsApp mengunci akun ini",
		whatsapp.Banned:         "WhatsApp memblokir akun ini",
		whatsapp.Replaced:       "program lain memakai kunci perangkat yang sama; serviceStart menghubungkan lagi",
		whatsapp.ClientOutdated: "WhatsApp menuntut versi program yang lebih baru",
		whatsapp.QRTimeout:      "kode tidak dipindai; serviceStart menampilkan yang baru",
		whatsapp.PairingFailed:  "jawaban ponsel salah; serviceStart mencoba lagi",
		whatsapp.ConnectRefused: "WhatsApp menolak koneksi",
	},
	tryIt:      "Setelah terhubung, cobalah di terminal lain:",
	allCalls:   "Setiap endpoint sekali; tempelkan salah satu baris ke terminal lain:",
	toStop:     "Ctrl-C untuk berhenti.",
	stopping:   "Menghentikan …",
	stopped:    "Berhenti.",
	demoStart:  "Memulai WhatsApp tiruan, ponsel dengan kotak masuk yang penuh, dan Pesan yang tertaut …",
	demoReady:  "Siap setelah %.1f detik: %d chat, %d pesan, dan pesan baru terus masuk.",
	demoPage:   "Buka kotak masuknya di peramban:\n\n  %s",
	demoKey:    "kunci API        %s",
	demoSecret: "rahasia sistem   %s",
	demoLive:   "Semuanya rekaan, dan hilang ketika berhenti.",
	inUse:      "proses lain (%d) memakai folder data %s: hentikan, atau pilih folder lain dengan -data atau PESAN_DATA",
	addressBad: "tidak dapat mendengarkan di %s: %v. Pilih alamat lain dengan -listen atau PESAN_LISTEN, misalnya 127.0.0.1:8081",
	otherPort:  "Tidak dapat mendengarkan di %s: %v. Demo memakai %s.",
	folderBad:  "folder data %s tidak dapat dipakai: %v. Pilih yang lain dengan -data atau PESAN_DATA",
}
