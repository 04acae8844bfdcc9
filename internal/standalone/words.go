package standalone

import (
	"pesan/internal/locale"
	"pesan/internal/whatsapp"
)

// words are what the program says to people, in one language. The names in braces of the comments are the arguments.
type words struct {
	listening     string // {url}
	at            string // {path}
	exposed       string // {address}
	wasOpen       string
	secretFile    string // {path}
	secretEnv     string
	firstDevice   string // {name}
	firstName     string
	spareName     string
	keyOnce       string
	linkPage      string // {url}
	scan          string
	refreshes     string
	pairingCode   string // {code}
	passkey       string // {device, time, URL}
	compare       string // {device, code}
	connecting    string // {device}
	connected     string // {device} {number}
	syncing       string // {percent} {chats} {messages}
	synced        string
	unreached     string // {device}
	failing       string // {device}
	off           string // {device} {reason}
	reasons       map[string]string
	tryIt         string
	allCalls      string
	toStop        string
	stopping      string
	stopped       string
	demoStart     string
	demoReady     string // {seconds} {chats} {messages}
	demoPage      string // {url}
	demoKey       string
	demoSecret    string
	demoBatch     string // {url} {key} {program}
	demoNews      string // {line}
	demoMCP       string // {url} {key} {url} {key} {program}
	demoLive      string
	inUse         string // {process} {path}
	addressBad    string // {address} {error}
	otherPort     string // {address} {error} {other address}
	folderBad     string // {path} {error}
	examined      string // {seconds}
	metricsAt     string // {address}
	metricsBad    string // {address} {error}
	isHurt        string // {path}
	getBack       string
	hurtAccount   string // {name} {id}
	hurtChats     string // {name} {id} {count} {chats}
	hurtParts     string
	hurtKeys      string // {fault}
	newerFile     string // {path}
	foreignFile   string // {path}
	unreadable    string // {path}
	cantRead      string // {path} {error}
	cantWrite     string // {path} {error}
	mended        string // {path}
	keysGone      string
	fileExists    string // {path}
	backedUp      string // {path}
	backupHurt    string // {path}
	noBackup      string // {path}
	restored      string // {path}
	notTaken      string // {process} {error}
	restoring     string
	doctorsFolder string // {path}
	readable      string // {path} {path}
	rightsWell    string
	diskFull      string // {MiB} {path}
	diskWell      string // {MiB}
	noData        string
	dataWell      string
	noWhatsApp    string // {error}
	whatsAppWell  string // {seconds}
	wrongClock    string // {difference}
	clockWell     string
	demoHook      string // {type} {chat} {id}
}

// wordsOf finds the words of a locale such as id_ID.UTF-8; English for those that there are no others for.
func wordsOf(of string) words {
	if locale.Indonesian(of) {
		return indonesian
	}
	return english
}

var english = words{
	listening:   "Pesan answers at %s",
	at:          "  data folder     %s",
	wasOpen:     "  ! Others could read the data folder and the keys in it; they no longer can. If somebody may have, link each device again",
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
	demoBatch:  "Mute all groups until the morning, and watch it:\n\nPESAN_URL=%s PESAN_API_KEY=%s %s batch mute --type group --until 07:00",
	demoNews:   "Wait for what is new:\n\n%s",
	demoHook:   "A webhook has arrived: %s of %s (%s)",
	demoMCP:    "Let an assistant look after them, by URL or as a program:\n\n%s/mcp with the header Authorization: Bearer %s\nPESAN_URL=%s PESAN_API_KEY=%s %s mcp",
	demoLive:   "All of it is made up, and gone when it stops.",
	inUse:      "another process (%d) uses the data folder %s: stop it, or choose another folder by -data or PESAN_DATA",
	addressBad: "can't listen on %s: %v. Choose another address by -listen or PESAN_LISTEN, such as 127.0.0.1:8081",
	otherPort:  "Can't listen on %s: %v. The demo takes %s instead.",
	folderBad:  "can't use the data folder %s: %v. Choose another by -data or PESAN_DATA",
	examined:   "The data was looked at for %.0f s, since the last end wasn't orderly: all is whole.",
	metricsAt:  "  for Prometheus  http://%s/metrics",
	metricsBad: "can't answer Prometheus on %s: %v. Choose another address by -metrics or PESAN_METRICS",
	isHurt:     "the data in %s isn't as it was written: the disk has changed it, or something else has. Hurt are:",
	getBack: `Put a backup in its place: pesan restore FILE.
Or keep what is whole: pesan doctor -mend. Then, for each device that is named, end its link (serviceDestroy with logout=true) and link
it again (serviceStart): the phone sends its chats anew.`,
	hurtAccount:   "device %q (%s): what belongs to none of its chats: its settings, log or commands",
	hurtChats:     "device %q (%s): %d chats: %s",
	hurtParts:     "parts that belong to no device that can be told",
	hurtKeys:      "the keys of the linked devices (%s): each device whose keys can't be read has to be linked again",
	newerFile:     "%s was made by a newer version of Pesan: run that version, or choose another folder by -data or PESAN_DATA",
	foreignFile:   "%s is another program's, or of an early version of Pesan: move it away, or choose another folder by -data or PESAN_DATA",
	unreadable:    "%s can't be read as a database: it is damaged, or is none. Put a backup in its place (pesan restore FILE), or move it away to begin anew",
	cantRead:      "can't read %s: %v",
	cantWrite:     "can't write in %s: %v. Give the user that runs Pesan the right to (chown), or mount it for writing",
	mended:        "what is whole was kept; what was there before is in %s. Lost is what belongs to:",
	keysGone:      "the keys of the linked devices couldn't be kept: link each device again",
	fileExists:    "%s is there already: choose another name",
	backedUp:      "Chats, messages, devices and log are in %s. The links aren't: after a restore each device is linked again.",
	backupHurt:    "%s isn't as it was written, so it is not used. Try another backup; pesan doctor looks at the data folder",
	noBackup:      "%s is a database in use, or one that was killed, and no backup: make one by pesan backup FILE",
	restored:      "%s is in place. Link each device again: serviceStart, then scan the code. What was there before stays in the data folder, as pesan.db with a date.",
	notTaken:      "process %d uses the data folder and didn't take the backup: %v. Stop it; its next start takes the backup",
	restoring:     "A backup takes the data's place …",
	doctorsFolder: "data folder %s",
	readable:      "others may read %s, with which they can act as the linked accounts: chmod go= %s",
	rightsWell:    "nobody else may read it, and it can be written",
	diskFull:      "only %d MiB are free on the disk of %s: make room, or nothing can be taken from WhatsApp",
	diskWell:      "%d MiB are free",
	noData:        "no data yet",
	dataWell:      "all data is as it was written",
	noWhatsApp:    "WhatsApp can't be reached: %v. Look at the network, the name server and the firewall: outgoing TCP to port 443 of web.whatsapp.com",
	whatsAppWell:  "WhatsApp answers after %.1f s",
	wrongClock:    "the clock is wrong by %v: have it set by a time server (systemd-timesyncd, chrony)",
	clockWell:     "the clock is right",
}

var indonesian = words{
	listening:   "Pesan menjawab di %s",
	at:          "  folder data      %s",
	wasOpen:     "  ! Orang lain tadinya dapat membaca folder data dan kunci di dalamnya; kini tidak lagi. Jika mungkin sudah terbaca, tautkan ulang tiap perangkat",
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
	demoBatch:  "Bisukan semua grup sampai pagi, dan lihat kemajuannya:\n\nPESAN_URL=%s PESAN_API_KEY=%s %s batch mute --type group --until 07:00",
	demoNews:   "Tunggu kabar terbaru:\n\n%s",
	demoHook:   "Sebuah webhook tiba: %s dari %s (%s)",
	demoMCP:    "Biarkan asisten mengurusnya, lewat URL atau sebagai program:\n\n%s/mcp dengan header Authorization: Bearer %s\nPESAN_URL=%s PESAN_API_KEY=%s %s mcp",
	demoLive:   "Semuanya rekaan, dan hilang ketika berhenti.",
	inUse:      "proses lain (%d) memakai folder data %s: hentikan, atau pilih folder lain dengan -data atau PESAN_DATA",
	addressBad: "tidak dapat mendengarkan di %s: %v. Pilih alamat lain dengan -listen atau PESAN_LISTEN, misalnya 127.0.0.1:8081",
	otherPort:  "Tidak dapat mendengarkan di %s: %v. Demo memakai %s.",
	folderBad:  "folder data %s tidak dapat dipakai: %v. Pilih yang lain dengan -data atau PESAN_DATA",
	examined:   "Data diperiksa selama %.0f detik, karena penghentian terakhir tidak tertib: semuanya utuh.",
	metricsAt:  "  untuk Prometheus http://%s/metrics",
	metricsBad: "tidak dapat menjawab Prometheus di %s: %v. Pilih alamat lain dengan -metrics atau PESAN_METRICS",
	isHurt:     "data di %s tidak seperti ketika ditulis: disk atau sesuatu yang lain telah mengubahnya. Yang rusak:",
	getBack: `Pasang cadangan sebagai gantinya: pesan restore FILE.
Atau simpan yang masih utuh: pesan doctor -mend. Lalu, untuk setiap perangkat yang disebut, akhiri tautannya (serviceDestroy dengan
logout=true) dan tautkan lagi (serviceStart): ponsel mengirim chatnya lagi.`,
	hurtAccount:   "perangkat %q (%s): yang bukan bagian dari chat: pengaturan, log, atau perintahnya",
	hurtChats:     "perangkat %q (%s): %d chat: %s",
	hurtParts:     "bagian yang tidak diketahui perangkatnya",
	hurtKeys:      "kunci perangkat tertaut (%s): setiap perangkat yang kuncinya tidak terbaca harus ditautkan lagi",
	newerFile:     "%s dibuat oleh versi Pesan yang lebih baru: jalankan versi itu, atau pilih folder lain dengan -data atau PESAN_DATA",
	foreignFile:   "%s milik program lain, atau dari versi awal Pesan: pindahkan, atau pilih folder lain dengan -data atau PESAN_DATA",
	unreadable:    "%s tidak dapat dibaca sebagai basis data: rusak, atau memang bukan. Pasang cadangan (pesan restore FILE), atau pindahkan untuk mulai baru",
	cantRead:      "tidak dapat membaca %s: %v",
	cantWrite:     "tidak dapat menulis di %s: %v. Beri hak kepada pengguna yang menjalankan Pesan (chown), atau mount agar dapat ditulis",
	mended:        "yang utuh disimpan; yang sebelumnya ada di %s. Yang hilang milik:",
	keysGone:      "kunci perangkat tertaut tidak dapat disimpan: tautkan lagi setiap perangkat",
	fileExists:    "%s sudah ada: pilih nama lain",
	backedUp:      "Chat, pesan, perangkat, dan log ada di %s. Tautannya tidak: setelah restore setiap perangkat ditautkan lagi.",
	backupHurt:    "%s tidak seperti ketika ditulis, jadi tidak dipakai. Coba cadangan lain; pesan doctor memeriksa folder data",
	noBackup:      "%s adalah basis data yang sedang dipakai, atau yang dihentikan paksa, bukan cadangan: buat dengan pesan backup FILE",
	restored:      "%s sudah dipasang. Tautkan lagi setiap perangkat: serviceStart, lalu pindai kodenya. Yang sebelumnya tetap di folder data, sebagai pesan.db dengan tanggal.",
	notTaken:      "proses %d memakai folder data dan tidak mengambil cadangan: %v. Hentikan; saat dijalankan lagi cadangan akan diambil",
	restoring:     "Cadangan menggantikan data …",
	doctorsFolder: "folder data %s",
	readable:      "orang lain dapat membaca %s, dan dengannya bertindak sebagai akun yang tertaut: chmod go= %s",
	rightsWell:    "tidak ada orang lain yang dapat membacanya, dan dapat ditulis",
	diskFull:      "hanya %d MiB yang kosong di disk %s: kosongkan, atau tidak ada yang dapat diambil dari WhatsApp",
	diskWell:      "%d MiB kosong",
	noData:        "belum ada data",
	dataWell:      "semua data seperti ketika ditulis",
	noWhatsApp:    "WhatsApp tidak terjangkau: %v. Periksa jaringan, server nama, dan firewall: TCP keluar ke port 443 web.whatsapp.com",
	whatsAppWell:  "WhatsApp menjawab setelah %.1f detik",
	wrongClock:    "jam salah %v: atur dengan server waktu (systemd-timesyncd, chrony)",
	clockWell:     "jam benar",
}
