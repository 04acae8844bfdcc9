package httpapi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pesan/internal/chat"
)

// CreateBatch accepts many changes of chats, to be carried out one after the other.
func CreateBatch(d Deps) Endpoint {
	return Endpoint{
		Name: "createBatch", Group: OfBatches, Methods: changing, Needs: []Port{Chats, Batches, Sending},
		begin: createBatch(d.batcher()),
		Params: slices.Concat([]string{"operations", "onInvalid", "dryRun", "rate", "wait", "limit", "cursor"},
			operationParams(), filterParams(),
			[]string{"except", "all"}),
		Example: []string{`operations=[{"op":"mute","phone":"{pinned}","second":3600}]`},
		body:    maxBatchBody, file: true,
	}
}

func createBatch(o batcher) begin {
	return func(ctx context.Context, c *call) (finish, error) {
		dry, err := c.flag("dryRun")
		if err != nil {
			return nil, err
		}
		reject, err := c.rejects()
		if err != nil {
			return nil, err
		}
		page, err := c.page(defaultLimit)
		if err != nil {
			return nil, err
		}
		if dry != nil && *dry {
			return c.rehearse(ctx, o, page)
		}
		b, before, err := c.newBatch(ctx, o)
		if err != nil || before != nil {
			return before, err
		}
		w, err := c.wish(ctx, o)
		if err != nil {
			return nil, err
		}
		if reject && !w.selected && len(w.invalid) > 0 {
			return nil, c.rejected(w)
		}
		return func(ctx context.Context, c *call, a chat.Account) (int, error) {
			return o.submit(ctx, c, a, b, w)
		}, nil
	}
}

// wish is what a call wants of a batch: what is to be done, what can't be, and which lines a later one takes the place of.
type wish struct {
	operations []chat.Operation
	invalid    []invalidLine
	replaced   []replacedLine
	selected   bool
}

// invalidLine is a line that can't be carried out, or a selected chat.
type invalidLine struct {
	Line    int       `json:"line,omitempty"`
	To      string    `json:"to,omitempty"`
	Error   chat.Code `json:"error"`
	Message string    `json:"message"`
}

func (c *call) invalid(number int, to string, err error) invalidLine {
	return invalidLine{number, to, known(err).Code, sentence(err, c.request.header("Accept-Language"))}
}

// replacedLine is one that isn't carried out, since a later line sets the same of its chat.
type replacedLine struct {
	Line int    `json:"line"`
	By   int    `json:"by"`
	To   string `json:"to"`
}

// shownLines is how many lines an answer names.
const shownLines = 1000

type batchResults struct {
	BatchID       string                   `json:"batchId,omitempty"`
	DryRun        bool                     `json:"dryRun,omitempty"`
	Accepted      int                      `json:"accepted"`
	Counts        map[chat.CommandKind]int `json:"counts,omitempty"` // of a dry run, by op
	InvalidCount  int                      `json:"invalidCount"`
	Invalid       []invalidLine            `json:"invalid"` // the first of them
	ReplacedCount int                      `json:"replacedCount"`
	Replaced      []replacedLine           `json:"replaced"`
	Chats         []plannedOperation       `json:"chats,omitzero"` // of a dry run
}

func (w wish) results() batchResults {
	return batchResults{
		Accepted: len(w.operations), InvalidCount: len(w.invalid), ReplacedCount: len(w.replaced),
		Invalid:  append([]invalidLine{}, w.invalid[:min(shownLines, len(w.invalid))]...),
		Replaced: append([]replacedLine{}, w.replaced[:min(shownLines, len(w.replaced))]...),
	}
}

func (c *call) accepted(status int, b chat.Batch, w wish) (int, error) {
	results := w.results()
	if results.Accepted = b.Total; b.Total > 0 {
		results.BatchID = b.ID
	}
	return c.answer(status, results)
}

// rejection refuses a batch for its invalid lines.
type rejection struct {
	refusal
	results batchResults
}

func (r *rejection) Unwrap() error { return &r.refusal }

func (c *call) rejected(w wish) error {
	first, are := w.invalid[0], "lines are"
	if len(w.invalid) == 1 {
		are = "line is"
	}
	r := &rejection{refusal{chat.InvalidParameter,
		fmt.Sprintf("Tidak ada yang dijalankan: %d baris salah. Baris %d: %s", len(w.invalid), first.Line, first.Message),
		fmt.Sprintf("Nothing was begun: %d %s wrong. Line %d: %s", len(w.invalid), are, first.Line, first.Message)}, w.results()}
	r.results.Accepted = 0
	return r
}

// rejects reads the parameter onInvalid.
func (c *call) rejects() (bool, error) {
	switch c.params.get("onInvalid") {
	case "", "reject":
		return true, nil
	case "skip":
		return false, nil
	}
	return false, wrong(chat.InvalidParameter, "onInvalid", "reject atau skip", "reject or skip")
}

// plannedOperation is what a dry run shows of an operation.
type plannedOperation struct {
	Line int              `json:"line,omitempty"`
	Op   chat.CommandKind `json:"op"`
	To   string           `json:"to"`
	Name string           `json:"name,omitempty"`
}

// rehearse answers what a batch would do. The operations stand in the order of their lines, or of their chats' addresses, so that
// a page goes on where the one before ended whatever has happened meanwhile.
func (c *call) rehearse(ctx context.Context, o batcher, page chat.Page) (finish, error) {
	if _, err := c.rate(o.most); err != nil {
		return nil, err
	}
	if _, err := c.flag("wait"); err != nil {
		return nil, err
	}
	line, after, ok := 0, "", true
	if page.Cursor != "" {
		var number string
		number, after, ok = strings.Cut(page.Cursor, "/")
		if n, whole := whole(number); whole && ok && n <= 1<<31 {
			line = int(n)
		} else {
			return nil, &chat.Error{Code: chat.InvalidCursor}
		}
	}
	w, err := c.wish(ctx, o)
	if err != nil {
		return nil, err
	}
	results, next := w.results(), ""
	results.DryRun, results.Counts = true, make(map[chat.CommandKind]int)
	slices.SortFunc(w.operations, func(a, b chat.Operation) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Chat, b.Chat))
	})
	results.Chats = []plannedOperation{}
	for i, one := range w.operations {
		results.Counts[one.Op]++
		if cmp.Or(cmp.Compare(one.Line, line), cmp.Compare(string(one.Chat), after)) <= 0 && page.Cursor != "" {
			continue
		}
		switch shown := len(results.Chats); {
		case shown < page.Limit:
			name, err := o.name(ctx, c, one.Chat)
			if err != nil {
				return nil, err
			}
			results.Chats = append(results.Chats, plannedOperation{one.Line, one.Op, one.Chat.Echo(), name})
		case next == "":
			last := w.operations[i-1]
			next = strconv.Itoa(last.Line) + "/" + string(last.Chat)
		}
	}
	return func(_ context.Context, c *call, _ chat.Account) (int, error) {
		c.reported = true // it has changed nothing
		return c.answerPage(results, next)
	}, nil
}

// name is a chat's, for those who look at what a batch would do.
func (o batcher) name(ctx context.Context, c *call, jid chat.JID) (string, error) {
	v, err := o.chats.Chat(ctx, c.claimed, jid)
	if chat.CodeOf(err) == chat.ChatNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var d struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal([]byte(v.Document), &d); err != nil {
		return "", fmt.Errorf("read name: %w", err)
	}
	return d.Name, nil
}

// wish reads what is to be done: a file or a list of operations, or one on all chats that are selected.
func (c *call) wish(ctx context.Context, o batcher) (w wish, err error) {
	text := c.params.object("operations")
	if text != "" && c.file != nil {
		return w, badFile("Kirim operasi sebagai file atau sebagai parameter operations, bukan keduanya.",
			"Send the operations as a file or as the parameter operations, not as both.")
	}
	if c.file == nil && text == "" && c.params.get("phone") == "" {
		return c.selection(ctx, o)
	}
	for _, name := range append(filterParams(), "except", "all") {
		if c.params.object(name) != "" {
			return w, &refusal{chat.InvalidParameter,
				"Parameter " + name + " hanya untuk memilih chat, tanpa operations atau file.",
				"The parameter " + name + " is for selecting chats, without operations or a file."}
		}
	}
	var lines []line
	var broken []wrongLine
	switch {
	case c.file != nil:
		lines, broken, err = readOperations(c.file, c.beside())
	case text != "":
		lines, broken, err = readOperations([]byte(text), c.beside())
	default: // one operation, as its own endpoint would take it
		lines = []line{{1, c.params}}
	}
	if err != nil {
		return w, err
	}
	w, err = o.resolve(ctx, c, lines)
	for _, l := range broken {
		w.invalid = append(w.invalid, c.invalid(l.number, "", l.err))
	}
	slices.SortStableFunc(w.invalid, func(a, b invalidLine) int { return a.Line - b.Line })
	return w, err
}

// beside are the parameters that hold for every line which doesn't say otherwise.
func (c *call) beside() (p params) {
	for _, one := range c.params {
		if one.name != "phone" && slices.Contains(operationParams(), one.name) {
			p = append(p, one)
		}
	}
	return p
}

// selection is one operation on all chats that filters let through.
func (c *call) selection(ctx context.Context, o batcher) (w wish, err error) {
	w.selected = true
	if c.params.get("op") == "" {
		return w, missing(chat.InvalidParameter, "operations",
			"daftar operasi, sebagai parameter atau file; atau op dengan filter getChats",
			"a list of operations, as a parameter or a file; or else op with the filters of getChats")
	}
	what, row, err := c.operation(c.params)
	if err != nil {
		return w, err
	}
	if slices.Contains(row.Takes, chat.TakesID) {
		return w, &refusal{chat.InvalidParameter, "Operasi " + string(row.Kind) + " memerlukan id pesan: kirim operations.",
			"The operation " + string(row.Kind) + " needs the id of a message: send operations."}
	}
	f, err := c.filter()
	if err != nil {
		return w, err
	}
	all, err := c.flag("all")
	if err != nil {
		return w, err
	}
	if f == (chat.Filter{}) && (all == nil || !*all) {
		return w, &refusal{chat.InvalidParameter, "Pilih chat dengan filter getChats, atau kirim all=true untuk semua chat.",
			"Select chats with the filters of getChats, or send all=true for every chat."}
	}
	except, err := c.except()
	if err != nil {
		return w, err
	}
	operations, unfit, err := chat.Select(ctx, o.chats, c.claimed, what, f, except, c.now)
	w.operations = operations
	for _, u := range unfit {
		w.invalid = append(w.invalid, c.invalid(0, u.Chat.Echo(), u.Err))
	}
	return w, err
}

// maxExcept is how many chats a selection may leave out.
const maxExcept = 1000

// except reads the parameter except: chats as a list of JSON, or with commas between them.
func (c *call) except() (all []chat.JID, err error) {
	text := c.params.object("except")
	if text == "" {
		return nil, nil
	}
	bad := wrong(chat.InvalidParameter, "except", "daftar nomor telepon atau JID, paling banyak 1000",
		"a list of phone numbers or JIDs, at most 1000")
	var one []string
	if strings.HasPrefix(text, "[") {
		var list []json.RawMessage
		if json.Unmarshal([]byte(text), &list) != nil {
			return nil, bad
		}
		for _, v := range list {
			p := jsonParam("", v)
			if p.nested {
				return nil, bad
			}
			one = append(one, cmp.Or(p.whole, p.value))
		}
	} else {
		one = strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;\n\r", r) })
	}
	if len(one) > maxExcept {
		return nil, bad
	}
	for _, phone := range one {
		if phone = strings.TrimSpace(phone); phone == "" {
			continue
		}
		address, err := chat.ParseAddress(phone, c.CountryCode)
		if err != nil {
			return nil, bad
		}
		all = append(all, address.JIDs...)
	}
	return all, nil
}

// operation reads what is to be done, but not where.
func (c *call) operation(p params) (o chat.Operation, row chat.ChatCommand, err error) {
	row, ok := chat.ChatCommandOf(chat.CommandKind(p.get("op")))
	if !ok {
		return o, row, wrong(chat.InvalidParameter, "op", "salah satu dari "+operationNames(), "one of "+operationNames())
	}
	own := &call{API: c.API, endpoint: c.endpoint, request: c.request, params: p, now: c.now}
	var cmd chat.Command
	for _, name := range row.Takes {
		if name == chat.TakesID && p.get(name) == "" && p.get("phone") == "" {
			continue // of a selection, which is refused for it
		}
		if err := own.take(name, &cmd); err != nil {
			return o, row, err
		}
	}
	o = chat.Operation{Op: row.Kind, Seconds: cmd.Seconds, Message: cmd.Message, Quiet: cmd.Quiet, Starred: cmd.Starred}
	return o, row, nil
}

func operationNames() string {
	var names []string
	for _, row := range chat.ChatCommands() {
		names = append(names, string(row.Kind))
	}
	return strings.Join(names, ", ")
}

// fewLookups is up to how many operations their chats are looked for one by one, rather than all chats be listed.
const fewLookups = 50

// lookups is how many chats are looked for at a time.
const lookups = 16

// resolve makes operations of lines: each about a chat that the account has, and a ranged one about what is there now.
func (o batcher) resolve(ctx context.Context, c *call, lines []line) (w wish, err error) {
	find, err := o.finder(ctx, c, len(lines))
	if err != nil {
		return w, err
	}
	type resolved struct {
		operation chat.Operation
		err       error
		fault     bool // not the line's
	}
	all := make([]resolved, len(lines))
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(lookups, len(lines)) {
		wg.Go(func() {
			for i := range work {
				r := &all[i]
				r.operation, r.err = c.resolveOne(lines[i], find)
				r.fault = r.err != nil && Status(chat.CodeOf(r.err)) >= http.StatusInternalServerError &&
					chat.CodeOf(r.err) != chat.WhatsAppRejected
			}
		})
	}
	for i := range lines {
		work <- i
	}
	close(work)
	wg.Wait()
	operations := make([]chat.Operation, 0, len(lines))
	for i, r := range all {
		switch {
		case r.fault:
			return w, r.err
		case r.err != nil:
			w.invalid = append(w.invalid, c.invalid(lines[i].number, "", r.err))
		default:
			operations = append(operations, r.operation)
		}
	}
	c.resolveRepeats(&w, operations)
	return w, nil
}

// resolveOne makes the operation of one line.
func (c *call) resolveOne(l line, find func(chat.JID) (chat.View, error)) (o chat.Operation, err error) {
	o, row, err := c.operation(l.params)
	if err != nil {
		return o, err
	}
	own := &call{API: c.API, endpoint: c.endpoint, request: c.request, params: l.params, now: c.now}
	address, err := own.phone()
	if err != nil {
		return o, err
	}
	v, err := lookup(address, find)
	if err != nil {
		return o, err
	}
	o.Line = l.number
	o = o.About(v, row)
	return o, row.Fits(chat.Command{Chat: o.Chat, Seconds: o.Seconds})
}

// resolveRepeats finds lines about the same setting of the same chat. Where they ask for the same change, the last one counts;
// where for opposite ones, nobody can tell what is meant.
func (c *call) resolveRepeats(w *wish, operations []chat.Operation) {
	type place struct {
		chat    chat.JID
		setting chat.Setting
		message string
	}
	of := func(o chat.Operation) place {
		row, _ := chat.ChatCommandOf(o.Op)
		return place{o.Chat, row.Setting, o.Message}
	}
	last, opposite := make(map[place]chat.Operation), make(map[place][2]chat.Operation)
	oppose := func(o chat.Operation, before chat.Operation) {
		if _, found := opposite[of(o)]; !found {
			opposite[of(o)] = [2]chat.Operation{before, o}
		}
	}
	for _, o := range operations {
		if before, known := last[of(o)]; known && before.Op != o.Op {
			oppose(o, before)
		}
		last[of(o)] = o
	}
	for _, o := range last { // what takes off what another line puts on
		row, _ := chat.ChatCommandOf(o.Op)
		if other, known := last[place{o.Chat, row.Undoes, ""}]; row.Undoes != "" && known {
			if theirs, _ := chat.ChatCommandOf(other.Op); theirs.On {
				oppose(o, other)
				oppose(other, o)
			}
		}
	}
	for _, o := range operations {
		pair, found := opposite[of(o)]
		switch by := last[of(o)]; {
		case found:
			other := pair[0]
			if other.Op == o.Op {
				other = pair[1]
			}
			w.invalid = append(w.invalid, c.invalid(o.Line, "", &refusal{chat.InvalidParameter,
				fmt.Sprintf("%s bertentangan dengan %s untuk chat yang sama di baris %d.", o.Op, other.Op, other.Line),
				fmt.Sprintf("%s contradicts %s of the same chat in line %d.", o.Op, other.Op, other.Line)}))
		case by.Line != o.Line:
			w.replaced = append(w.replaced, replacedLine{o.Line, by.Line, o.Chat.Echo()})
		default:
			w.operations = append(w.operations, o)
		}
	}
}

// finder finds chats by either address: one by one where it is asked for few, else among all, and one that isn't there once.
func (o batcher) finder(ctx context.Context, c *call, count int) (func(chat.JID) (chat.View, error), error) {
	single := func(jid chat.JID) (chat.View, error) { return o.chats.Chat(ctx, c.claimed, jid) }
	if count <= fewLookups {
		return single, nil
	}
	all := make(map[chat.JID]chat.View)
	for cursor := ""; ; {
		views, next, err := o.chats.Chats(ctx, c.claimed, chat.Filter{}, chat.Page{Limit: listStep, Cursor: cursor}, c.now)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			v.Document, v.Last.Document = "", "" // many, and not needed
			all[v.JID] = v
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	type looked struct {
		once sync.Once
		view chat.View
		err  error
	}
	var others sync.Map // by their address
	return func(jid chat.JID) (chat.View, error) {
		if v, ok := all[jid]; ok {
			return v, nil
		}
		if !jid.IsPN() && !jid.IsLID() {
			return chat.View{}, &chat.Error{Code: chat.ChatNotFound}
		}
		found, _ := others.LoadOrStore(jid, new(looked))
		l := found.(*looked)
		l.once.Do(func() { l.view, l.err = single(jid) }) // the other address of a person, perhaps
		return l.view, l.err
	}, nil
}

// digest tells what is asked for from anything else.
func (c *call) digest() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", c.endpoint.Name)
	for _, name := range c.endpoint.Params {
		if v := c.params.object(name); v != "" {
			fmt.Fprintf(h, "%q=%q\n", name, v)
		}
	}
	h.Write(c.file)
	return h.Sum(nil)
}
