package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"pesan/internal/budget"
	"pesan/internal/stack"
)

// table is one of Markdown.
func table(head string, rows ...string) string {
	var b strings.Builder
	b.WriteString(head + "\n|" + strings.Repeat("---|", strings.Count(head, "|")-1) + "\n")
	for _, r := range rows {
		b.WriteString(r + "\n")
	}
	return b.String()
}

func dollars(d float64) string {
	switch {
	case d == 0:
		return "–"
	case d < 9.95:
		return fmt.Sprintf("%.2f", d)
	case d < 99.5:
		return fmt.Sprintf("%.1f", d)
	}
	return fmt.Sprintf("%.0f", d)
}

// Accounts of the tables.
var (
	bills = []float64{0, 1, 100, 10_000}
	sizes = []float64{1_000, 10_000, 100_000}
)

// stacks are those of samconfig.toml, and the one of the template's defaults.
type stacks struct{ plain, dev, prod deployment }

func readStacks(folder string) (s stacks, err error) {
	t, err := stack.Read(folder)
	if err != nil {
		return s, err
	}
	defaults := map[string]string{}
	for name, p := range t.Parameters {
		defaults[name] = p.Default
	}
	if s.plain, err = deploy(t, defaults); err != nil {
		return s, err
	}
	for name, d := range map[string]*deployment{"dev": &s.dev, "prod": &s.prod} {
		settings, err := t.Settings(folder, name)
		if err != nil {
			return s, err
		}
		if *d, err = deploy(t, settings); err != nil {
			return s, err
		}
	}
	return s, nil
}

// blocks are the parts of the documents that are made, by name.
func (s stacks) blocks() map[string]string {
	return map[string]string{
		"bill": s.bill(), "idle": s.idleTable(), "millions": s.millionsTable(), "mute": s.muteTable(),
		"before": s.beforeTable(), "free": s.freeText(), "second": s.secondText(), "prices": pricesTable(),
		"assumptions": assumptions(), "limits": s.limitsTable(), "fitted": s.fittedTable(), "single": singleTable(), "first": s.firstText(),
	}
}

// fitted is a stack for so many accounts; a few fit the smallest.
func (s stacks) fitted(accounts float64) (deployment, float64) {
	if accounts <= 100 {
		return s.plain, defaultAtOnce
	}
	return s.plain.fit(loadOf(accounts))
}

func (s stacks) bill() string {
	var rows []string
	sums := "| **altogether** |"
	lines := map[string]string{}
	var names []string
	head := "| |"
	for _, n := range bills {
		switch d, _ := s.fitted(n); n {
		case 0:
			head += " idle |"
		case bills[len(bills)-1]:
			head += fmt.Sprintf(" %s, %d hosts of %g vCPU, %g GB |", count(n), d.hosts, d.processor, d.memory)
		default:
			head += " " + count(n) + " |"
		}
		d, _ := s.fitted(n)
		parts := d.monthly(n)
		for _, p := range parts {
			if lines[p.name] == "" {
				names = append(names, p.name)
			}
			lines[p.name] += " " + dollars(p.dollars) + " |"
		}
		sums += " **" + dollars(total(parts)) + "** |"
	}
	for _, name := range names {
		rows = append(rows, "| "+name+" |"+lines[name])
	}
	return table(head, append(rows, sums)...)
}

func (s stacks) idleTable() string {
	all := []deployment{s.plain, s.dev, s.prod}
	lines := map[string]string{}
	var names []string
	sums := "| **altogether** |"
	for i, d := range all {
		for _, p := range d.idle() {
			if !slices.Contains(names, p.name) {
				names = append(names, p.name)
			}
			lines[p.name] += strings.Repeat(" – |", i-strings.Count(lines[p.name], "|")) + " " + dollars(p.dollars) + " |"
		}
		sums += " **" + dollars(total(d.idle())) + "** |"
	}
	var rows []string
	for _, name := range names {
		rows = append(rows, "| "+name+" |"+lines[name]+strings.Repeat(" – |", len(all)-strings.Count(lines[name], "|")))
	}
	what := func(d deployment) string { return fmt.Sprintf("%d × %g vCPU, %g GB", d.hosts, d.processor, d.memory) }
	return table(fmt.Sprintf("| idle, a month | as the template is: %s | `make deploy`: %s, Spot | `ENV=prod`: %s, all alarms |", what(s.plain), what(s.dev), what(s.prod)),
		append(rows, sums)...)
}

func (s stacks) millionsTable() string {
	var rows []string
	for _, m := range s.plain.millions() {
		rows = append(rows, fmt.Sprintf("| %s | $%s | %s |", m.name, dollars(m.dollars), m.most))
	}
	return table("| a million of | costs | most of it |", rows...)
}

// muteTable says what a million mutes consist of, waited for and not.
func (s stacks) muteTable() string {
	var rows []string
	sums := "| **altogether** |"
	for _, a := range []answer{usual, slow, async} {
		parts := s.plain.mute(a)
		for i, p := range parts {
			if len(rows) == i {
				rows = append(rows, "| "+p.name+" |")
			}
			rows[i] += " " + dollars(1e6*p.dollars) + " |"
		}
		sums += " **" + dollars(1e6*total(parts)) + "** |"
	}
	return table(fmt.Sprintf("| a million `muteChat` | done after %g s | after a second | `Prefer: respond-async` |",
		budget.MuteTook.Seconds()), append(rows, sums)...)
}

func (s stacks) beforeTable() string {
	var rows []string
	for i, now := range s.plain.now() {
		rows = append(rows, fmt.Sprintf("| %s | $%.2f | $%.2f |", before[i].name, before[i].dollars, now))
	}
	rows = append(rows, fmt.Sprintf("| a million %s | – | $%.2f |", muteNow, s.plain.million(muteNow)),
		fmt.Sprintf("| the same stack idle, on Spot | – | $%.2f |", total(s.dev.idle())))
	return table("| | at first | now |", rows...)
}

func (s stacks) freeText() string {
	return fmt.Sprintf("AWS takes a million requests to SQS, ten metrics and ten alarms off each month's bill for ever: $%.2f of an idle stack's $%.2f. "+
		"So a first bill\nis about $%.2f a month on demand and $%.2f on Spot, before any use.\n",
		s.plain.free(), total(s.plain.idle()), total(s.plain.idle())-s.plain.free(), total(s.dev.idle())-s.dev.free())
}

func (s stacks) secondText() string {
	two := s.plain
	two.hosts = 2
	one := total(s.prod.idle())
	alone := s.prod
	alone.hosts = 1
	return fmt.Sprintf("A second host (`Hosts=2`) is $%.2f a month more, with which the devices of a host that dies are taken over within 15 s. Of the $%.2f\n"+
		"of `ENV=prod`, which has two, the second makes $%.2f.\n", total(two.idle())-total(s.plain.idle()), one, one-total(alone.idle()))
}

func pricesTable() string {
	var rows []string
	for _, p := range prices {
		host := regexp.MustCompile(`^https://(?:www\.)?([^/]+)/.*`).ReplaceAllString(p.by, "$1")
		rows = append(rows, fmt.Sprintf("| [%s](%s) | $%s | %s | [%s](%s), %s |", p.what, p.page, plain(p.dollars), p.each,
			host, p.by, p.date))
	}
	return table("| | price | each | found |", rows...)
}

// plain is a number with as many digits as it has.
func plain(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.10f", f), "0"), ".")
}

// count is a number with commas.
func count(n float64) string {
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func assumptions() string {
	rate := func(n float64) string { return fmt.Sprintf("%.1f", n) }
	m := measured
	return table("| taken for granted | | from |",
		fmt.Sprintf("| an account's day | %g messages, %g `getChats`, %g `fetchMessageById`, %g mutes | a shop's inbox |",
			day.messages, day.getChats, day.fetches, day.mutes),
		fmt.Sprintf("| the busiest hour | %g times the day's mean | office hours of one time zone |", peak),
		fmt.Sprintf("| CPU to connect a device | %s ms of a core | `make bench BENCH=fleet` |", rate(1000*m.connecting)),
		fmt.Sprintf("| CPU of a message, of a mute | %s and %s ms of a core, at most | the goals of `make bench BENCH=incoming`; a mute as two and a half messages |", rate(1000*m.message), rate(1000*m.mute)),
		fmt.Sprintf("| memory of a device, connected | %.0f KB, and %.0f KB where it is at work; %.0f MB of the host itself | `make bench BENCH=fleet`; what chats add is a guess |", 1e6*m.device, 1e6*m.account, 1e3*m.host),
		fmt.Sprintf("| a vCPU of Fargate's | %g of such a core | half, to be safe |", m.core),
		fmt.Sprintf("| a host is full | at %.0f %% of its memory, %.0f %% of its CPU | `HostScalingPolicy` |",
			100*fullMemory, 100*fullCPU),
		fmt.Sprintf("| a command holds its function | %g s, as long as a call waits | WhatsApp is slow just then |", slowAnswer),
		fmt.Sprintf("| a webhook's endpoint answers | after %g ms | – |", 1000*delivering),
		fmt.Sprintf("| devices behind one address | %d | nobody but WhatsApp knows |", perAddress),
		fmt.Sprintf("| DynamoDB, a partition | %s write units, %s read units a second | AWS |", count(writes), count(reads)),
		fmt.Sprintf("| DynamoDB, a table | %s write units on its first day, then %s | AWS |", count(newWrites),
			count(tableWrites)),
		fmt.Sprintf("| SQS, a FIFO queue | %s requests of a kind a second, %d for an account | AWS, Jakarta; 70,000 in us-east-1 |", count(perQueue), perGroup),
		fmt.Sprintf("| Lambda, of an AWS account | %s functions at a time; 10 when it is new | AWS |", count(concurrent)),
		fmt.Sprintf("| Fargate, of an AWS account | %d vCPUs when it is new | AWS |", vCPUs),
	)
}

func (s stacks) limitsTable() string {
	head := "| how much is used of |"
	var all [][]limit
	for _, n := range sizes {
		head += " " + count(n) + " |"
		all = append(all, s.prod.limits(loadOf(n), defaultAtOnce))
	}
	var rows []string
	for _, l := range first(all[len(all)-1]) {
		row := "| " + l.name + " |"
		for _, limits := range all {
			row += " " + limits[slices.IndexFunc(limits, func(o limit) bool { return o.name == l.name })].shown() + " |"
		}
		rows = append(rows, row+" "+l.moves+" |")
	}
	return table(head+" what moves it |", rows...)
}

func (s stacks) firstText() string {
	var b strings.Builder
	for _, n := range sizes {
		limits := first(s.prod.limits(loadOf(n), defaultAtOnce))
		over := slices.IndexFunc(limits, func(l limit) bool { return l.share() < 1 })
		if over <= 0 {
			fmt.Fprintf(&b, "- **%s devices**: nothing. Nearest to its end: %s, at %s (%s).\n", count(n), limits[0].name,
				strings.Trim(limits[0].shown(), "*"), limits[0].moves)
			continue
		}
		var names []string
		for _, l := range limits[:over] {
			names = append(names, fmt.Sprintf("%s (%s)", l.name, l.moves))
		}
		fmt.Fprintf(&b, "- **%s devices**: %s.\n", count(n), strings.Join(names, ", then "))
	}
	return b.String()
}

func (s stacks) fittedTable() string {
	head := "| |"
	rows := map[string]string{}
	var names []string
	add := func(name, format string, args ...any) {
		if rows[name] == "" {
			names = append(names, name)
		}
		rows[name] += " " + fmt.Sprintf(format, args...) + " |"
	}
	for _, n := range sizes {
		head += " " + count(n) + " |"
		l := loadOf(n)
		d, atOnce := s.prod.fit(l)
		power := d.processor * measured.core
		add("`Hosts`, each of `HostCpu`, `HostMemory`", "%d of %g, %s", d.hosts, 1024*d.processor, count(1024*d.memory))
		add("`Queues`", "%d", d.queues)
		add("`CallsPerSecond`", "%.0f", d.calls)
		add("`WebhooksAtOnce`, if all accounts have one", "%.0f", atOnce)
		add("messages a second, in the busiest hour", "%.0f", l.messages)
		add("calls a second, of them commands", "%.0f, %.1f", l.reads+l.commands, l.commands)
		add("functions at a time, with a slow WhatsApp", "%.0f", math.Ceil(l.reads*chatsTook.Seconds()+l.commands*slowAnswer))
		add("all devices are connected again after", "%.0f s", n*measured.connecting/(float64(d.hosts)*power))
		add("a queue's devices, when they go to another host, after", "%.0f s", n/float64(d.queues)*measured.connecting/power)
		add("a host's devices, when it dies: the same, after its lease of 15 s", "%.0f s",
			15+n/float64(d.hosts)*measured.connecting/(power*float64(d.hosts-1)))
		still := first(d.limits(l, atOnce))[0]
		add("nearest to its end", "%s, %s", still.name, strings.Trim(still.shown(), "*"))
		sum := total(d.monthly(n))
		add("dollars a month", "%s", count(sum))
		add("by device", "%.3f", sum/n)
	}
	var all []string
	for _, name := range names {
		all = append(all, "| "+name+" |"+rows[name])
	}
	return table(head, all...)
}

func singleTable() string {
	var rows []string
	for _, l := range single() {
		rows = append(rows, fmt.Sprintf("| %s | %.0f | %.0f | %s |", l.name, l.wanted, l.most, l.moves))
	}
	return table("| of one account, a second | | at most | what moves it |", rows...)
}

var block = regexp.MustCompile(`(?s)<!-- made: (\w+) -->\n.*?<!-- /made -->`)

// pages have blocks that are made.
var pages = []string{"docs/aws.md", "docs/scale.md"}

// remade is a page with its blocks made anew.
func remade(page string, blocks map[string]string) (string, error) {
	var unknown error
	made := block.ReplaceAllStringFunc(page, func(old string) string {
		name := block.FindStringSubmatch(old)[1]
		text, ok := blocks[name]
		if !ok {
			unknown = fmt.Errorf("nothing makes the block %s", name)
			return old
		}
		return "<!-- made: " + name + " -->\n" + text + "<!-- /made -->"
	})
	return made, unknown
}

// write makes the pages anew.
func write(folder string, s stacks) error {
	for _, page := range pages {
		file := filepath.Join(folder, page)
		old, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		made, err := remade(string(old), s.blocks())
		if err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
		if err := os.WriteFile(file, []byte(made), 0o644); err != nil {
			return err
		}
	}
	return nil
}
