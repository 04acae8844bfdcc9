package demo

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed scenes_*.txt
var scripts embed.FS

// scene is a short conversation as it stands in the scripts.
type scene []line

// line is one utterance.
type line struct {
	by   int    // 0 is the owner, others are numbered from 1; byNobody for what isn't said
	kind string // empty for plain text
	text string
}

const (
	byNobody = -1
	reaction = "reaksi" // kind of a line that reacts to the one before
)

// scenes are all scenes by theme. It fails on a script that can't be read, which a test makes sure of.
var scenes = sync.OnceValue(func() map[string][]scene {
	out := map[string][]scene{}
	for _, file := range []string{"scenes_private.txt", "scenes_group.txt", "scenes_other.txt"} {
		text, err := scripts.ReadFile(file)
		if err != nil {
			panic(err) // it is part of the binary
		}
		if err := parse(string(text), out); err != nil {
			panic(fmt.Errorf("%s: %w", file, err))
		}
	}
	return out
})

var utterance = regexp.MustCompile(`^([<>^1-9]) ?(?:\[([a-z]+)\] ?)?(.*)$`)

// parse adds the scenes of a script.
func parse(text string, to map[string][]scene) error {
	var theme string
	for i, row := range strings.Split(text, "\n") {
		switch {
		case row == "" || strings.HasPrefix(row, "#"):
			continue
		case strings.HasPrefix(row, "== "):
			theme = strings.TrimPrefix(row, "== ")
			to[theme] = append(to[theme], nil)
			continue
		}
		m := utterance.FindStringSubmatch(row)
		if m == nil || theme == "" {
			return fmt.Errorf("line %d: %q", i+1, row)
		}
		l := line{kind: m[2], text: m[3]}
		switch m[1] {
		case ">":
		case "<":
			l.by = 1
		case "^":
			l.by, l.kind = byNobody, reaction
		default:
			l.by = int(m[1][0] - '0')
		}
		last := len(to[theme]) - 1
		to[theme][last] = append(to[theme][last], l)
	}
	return nil
}

var (
	places = strings.Fields("Solo Jogja Semarang Klaten Salatiga Boyolali Sragen Karanganyar Sukoharjo Wonogiri Magelang Madiun Surabaya Bandung Bogor Malang")
	words  = map[string][]string{
		"makanan": {"soto", "nasi liwet", "tahu kupat", "gudeg", "bakso", "lotek", "timlo", "serabi", "pecel", "rawon",
			"gado-gado", "klepon"},
		"bahan": {"gula jawa", "santan", "bawang merah", "cabai rawit", "tempe", "telur", "kelapa parut", "daun salam",
			"tepung beras", "kecap"},
		"barang": {"kain batik cap", "batik tulis parang", "kemeja batik", "daster batik", "selendang", "sarung batik",
			"tas lurik", "outer tenun",
			"blangkon", "syal lurik", "taplak batik", "bros kain"},
		"hari":   {"Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"},
		"kereta": {"Prameks", "Argo Dwipangga", "Lodaya", "Senja Utama", "Gajayana"},
		"kota":   places,
		"nama":   slices.Concat(women, men),
		"wanita": women,
		"pria":   men,
	}
	placeholder = regexp.MustCompile(`\{([a-z]+)\d?\}`)
)

// fill replaces the placeholders of a text; known keeps what each became in this scene.
func fill(rng *rand.Rand, text string, known map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if v, ok := known[name]; ok {
			return v
		}
		known[name] = value(rng, placeholder.FindStringSubmatch(name)[1])
		return known[name]
	})
}

func value(rng *rand.Rand, name string) string {
	switch name {
	case "harga":
		return fmt.Sprintf("Rp%d.%03d", 15+rng.IntN(485), 500*rng.IntN(2))
	case "jam":
		return fmt.Sprintf("%02d.%02d", 7+rng.IntN(14), 15*rng.IntN(4))
	case "menit":
		return fmt.Sprint(5 * (1 + rng.IntN(8)))
	case "jumlah":
		return fmt.Sprint(3 + rng.IntN(37))
	case "angka":
		return number(rng, 6)
	case "resi":
		return "CK" + number(rng, 10)
	}
	if from := words[name]; from != nil {
		return pick(rng, from)
	}
	return "{" + name + "}" // a test looks for it
}
