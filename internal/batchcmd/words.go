package batchcmd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"pesan/internal/locale"
)

// words are what the command says, in one language; the names in braces of the comments are the arguments. Its help is in
// English, as that of all of pesan.
type words struct {
	language string // for the server's own sentences

	begun    string // {id} {operations}
	nothing  string
	notDone  string // {line}
	givesWay string // {line} {line} {chat}
	more     string // {count}
	would    string // {operations} {counts}
	moreJSON string // {count}
	failed   string // {line} {op} {chat} {error}
	line     string // {number}
	ask      string
	goesOn   string // {id}

	states               map[string]string
	left                 string // {duration}
	perSecond            string // {rate}
	point, comma         string // of numbers
	hours, minutes, secs string // {number} …

	noURL, noKey         string
	tooMuch              string // {argument}
	needs                string // {command} {what}
	file, batchID        string
	noTime               string // {text}
	oneOf, ofMute        string
	tooLarge             string // {file}
	cantRead             string // {file} {error}
	interrupted          string
	unreached, brokeOff  string // {server} {error}
	stranger             string // {server} {status}
	answers, strangeness string // {server} {status}; {state}
}

func wordsOf(lookup func(string) (string, bool)) *words {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v, ok := lookup(name); ok && v != "" {
			if locale.Indonesian(v) {
				return &indonesian
			}
			break
		}
	}
	return &english
}

var english = words{
	language: "en",
	begun:    "Batch %s: %s operations",
	nothing:  "Nothing is to be done.",
	notDone:  "  not done: %s",
	givesWay: "  line %d gives way to line %d, about the same of %s",
	more:     "  … and %s more",
	would:    "Would do %s operations%s; nothing was done.",
	moreJSON: "  … and %s more; --json lists all",
	failed:   "  failed: %s%s %s: %s",
	line:     "line %d: ",
	ask:      "Cancel the batch (c), leave it running (l), or go on watching (Enter)? ",
	goesOn:   "The batch goes on. pesan batch status %s shows it, pesan batch cancel %[1]s cancels it.",

	states: map[string]string{
		"queued": "queued", "running": "running", "done": "done", "cancelled": "cancelled", "failed": "failed", "overtaken": "overtaken",
	},
	left: "%s left", perSecond: "%s/s", point: ".", comma: ",", hours: "%dh%02dm", minutes: "%dm%02ds", secs: "%ds",

	noURL:       "%q is no URL of a server; set PESAN_URL",
	noKey:       "set PESAN_API_KEY to the account's key",
	tooMuch:     "%q is too much",
	needs:       "%s needs %s",
	file:        "a file",
	batchID:     "the id of a batch",
	noTime:      "--until %s is no time of the day such as 07:00",
	oneOf:       "--until, --for and --second say the same thing: give one",
	ofMute:      "--until, --for and --second are of mute",
	tooLarge:    "%s is over 4 MB: divide it into several files",
	cantRead:    "read %s: %v",
	interrupted: "interrupted; pesan batch list shows whether a batch was made",
	unreached:   "%s can't be reached: %v",
	brokeOff:    "%s broke off: %v",
	stranger:    "%s doesn't answer as Pesan does (%d): set PESAN_URL to its address",
	answers:     "%s answers %s",
	strangeness: "the server says that the batch is %s",
}

var indonesian = words{
	language: "id",
	begun:    "Batch %s: %s operasi",
	nothing:  "Tidak ada yang perlu dikerjakan.",
	notDone:  "  tidak dikerjakan: %s",
	givesWay: "  baris %d digantikan baris %d, tentang hal yang sama dari %s",
	more:     "  … dan %s lagi",
	would:    "Akan mengerjakan %s operasi%s; belum ada yang dikerjakan.",
	moreJSON: "  … dan %s lagi; --json menampilkan semua",
	failed:   "  gagal: %s%s %s: %s",
	line:     "baris %d: ",
	ask:      "Batalkan batch (b), biarkan berjalan (j), atau lanjut melihat (Enter)? ",
	goesOn:   "Batch tetap berjalan. pesan batch status %s menampilkannya, pesan batch cancel %[1]s membatalkannya.",

	states: map[string]string{
		"queued": "antre", "running": "berjalan", "done": "selesai", "cancelled": "dibatalkan", "failed": "gagal", "overtaken": "didahului",
	},
	left: "sisa %s", perSecond: "%s/dtk", point: ",", comma: ".", hours: "%d jam %02d mnt", minutes: "%d mnt %02d dtk", secs: "%d dtk",

	noURL:       "%q bukan URL server; atur PESAN_URL",
	noKey:       "atur PESAN_API_KEY dengan kunci akun",
	tooMuch:     "%q berlebih",
	needs:       "%s memerlukan %s",
	file:        "file",
	batchID:     "id batch",
	noTime:      "--until %s bukan jam seperti 07:00",
	oneOf:       "--until, --for, dan --second menyatakan hal yang sama: beri satu saja",
	ofMute:      "--until, --for, dan --second hanya untuk mute",
	tooLarge:    "%s lebih dari 4 MB: bagi menjadi beberapa file",
	cantRead:    "membaca %s: %v",
	interrupted: "dihentikan; pesan batch list menampilkan apakah batch dibuat",
	unreached:   "%s tidak terjangkau: %v",
	brokeOff:    "%s terputus: %v",
	stranger:    "%s tidak menjawab seperti Pesan (%d): atur PESAN_URL dengan alamatnya",
	answers:     "%s menjawab %s",
	strangeness: "menurut server, batch ini %s",
}

// state is how a batch stands, as people say it.
func (w *words) state(s string) string {
	if said, ok := w.states[s]; ok {
		return said
	}
	return s
}

// grouped is a count as people read it: 12,345.
func (w *words) grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + w.comma + s[i:]
	}
	return s
}

// rate is how many operations end a second.
func (w *words) rate(n float64) string {
	return fmt.Sprintf(w.perSecond, strings.Replace(strconv.FormatFloat(n, 'f', 1, 64), ".", w.point, 1))
}

func (w *words) spoken(d time.Duration) string {
	switch d = max(d, 0).Round(time.Second); {
	case d >= time.Hour:
		return fmt.Sprintf(w.hours, int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf(w.minutes, int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf(w.secs, int(d.Seconds()))
}
