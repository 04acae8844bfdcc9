package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pesan/internal/chat"
	"pesan/internal/httpapi"
)

// batchMade is the answer of createBatch.
type batchMade struct {
	Code    int
	Error   chat.Code
	Message string
	Results struct {
		BatchID      string
		DryRun       bool
		Accepted     int
		Counts       map[chat.CommandKind]int
		InvalidCount int
		Invalid      []struct {
			Line    int
			To      string
			Error   chat.Code
			Message string
		}
		ReplacedCount int
		Replaced      []struct {
			Line, By int
			To       string
		}
		Chats []struct {
			Line     int
			Op       chat.CommandKind
			To, Name string
		}
	}
	Next string `json:"nextCursor"`
}

func (w *world) made(a answer) (m batchMade) {
	w.Helper()
	body := a.body
	if a.header.Get("Content-Encoding") == "gzip" {
		r, err := gzip.NewReader(bytes.NewReader(body))
		w.must("unpack", err)
		var plain bytes.Buffer
		_, err = plain.ReadFrom(r)
		w.must("unpack", err)
		body = plain.Bytes()
	}
	w.must("decode "+string(body), json.Unmarshal(body, &m))
	if m.Code != a.status {
		w.Fatalf("answer %d says %d", a.status, m.Code)
	}
	return m
}

// operations are those that a batch has, in one line each.
func (w *world) operations(m batchMade) (all []string) {
	w.Helper()
	if m.Results.BatchID == "" {
		return nil
	}
	b, err := w.db.Batch(w.Context(), w.toko.ID, m.Results.BatchID)
	w.must("get batch", err)
	for n := range b.Chunks() {
		operations, _, err := w.db.Operations(w.Context(), w.toko.ID, b.ID, n)
		w.must("get operations", err)
		for _, o := range operations {
			all = append(all, fmt.Sprintf("%d %s %s %d", o.Line, o.Op, o.Chat.Echo(), o.Seconds))
		}
	}
	if len(all) != b.Total {
		w.Fatalf("%d operations of %d", len(all), b.Total)
	}
	return all
}

// onBinary tries the transports that carry any bytes.
func onBinary(t *testing.T, test func(w *world, call func(ask) answer)) {
	for _, name := range []string{"http", "lambda"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.seed()
			test(w, func(a ask) answer {
				a.endpoint, a.body, a.query = "createBatch", strings.ReplaceAll(a.body, "KEY", w.tokoKey), strings.ReplaceAll(a.query, "KEY", w.tokoKey)
				header := map[string]string{"X-Api-Key": w.tokoKey, "Accept-Language": "en"}
				for k, v := range a.header {
					header[k] = v
				}
				a.header = header
				return transports[name](w, a)
			})
		})
	}
}

func zipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func wide(s string) string {
	out := "\xff\xfe"
	for _, r := range s {
		out += string([]byte{byte(r), byte(r >> 8)})
	}
	return out
}

func form(parts ...string) string {
	var b strings.Builder
	for i := 0; i < len(parts); i += 3 {
		fmt.Fprintf(&b, "--X\r\nContent-Disposition: form-data; name=%q%s\r\n\r\n%s\r\n", parts[i], parts[i+1], parts[i+2])
	}
	return b.String() + "--X--\r\n"
}

// TestBatchForms: whatever form the operations come in, the batch is the same.
func TestBatchForms(t *testing.T) {
	const csv = "op,phone,second\nmute,0812-3456-7890,60\narchive," + string(family) + ",\n"
	const jsonl = `{"op":"mute","phone":"0812-3456-7890","second":60}` + "\n" + `{"op":"archive","phone":"` + string(family) + `"}` + "\n"
	list := "[" + strings.Replace(strings.TrimSpace(jsonl), "\n", ",", 1) + "]"
	multipart := map[string]string{"Content-Type": "multipart/form-data; boundary=X"}
	one := []string{"1 mute 6281234567890 60", "2 archive " + string(family) + " 0"}
	two := []string{"2 mute 6281234567890 60", "3 archive " + string(family) + " 0"}
	onBinary(t, func(w *world, call func(ask) answer) {
		for name, c := range map[string]struct {
			ask  ask
			want []string
		}{
			"object":         {ask{body: `{"apiKey":"KEY","operations":` + list + `}`}, one},
			"object of text": {ask{body: `{"apiKey":"KEY","operations":` + fmt.Sprintf("%q", csv) + `}`}, two},
			"form":           {ask{body: "apiKey=KEY&operations=" + strings.ReplaceAll(list, " ", "+")}, one},
			"list":           {ask{body: list, header: map[string]string{"Content-Type": "application/json"}}, one},
			"json lines":     {ask{body: jsonl, header: map[string]string{"Content-Type": "application/x-ndjson"}}, one},
			"csv":            {ask{body: csv, header: map[string]string{"Content-Type": "text/csv"}}, two},
			"csv as a form":  {ask{body: csv}, two},
			"csv, defaults":  {ask{body: "phone,op\n0812-3456-7890,\n" + string(family) + ",archive\n", query: "apiKey=KEY&op=mute&second=60"}, two},
			"csv, gzip":      {ask{body: zipped(csv), header: map[string]string{"Content-Type": "text/csv", "Content-Encoding": "gzip"}}, two},
			"multipart":      {ask{body: form("apiKey", "", "KEY", "file", `; filename="a.csv"`, csv), header: multipart}, two},
			"multipart, gz":  {ask{body: form("file", `; filename="a.csv.gz"`, zipped(csv)), header: multipart}, two},
			"single":         {ask{body: "op=mute&second=60&phone=081234567890"}, one[:1]},
		} {
			m := w.made(call(c.ask))
			if got := w.operations(m); m.Code != http.StatusAccepted || m.Results.Accepted != len(c.want) || !slices.Equal(got, c.want) {
				w.Errorf("%s: %+v %v, want %v", name, m, got, c.want)
			}
			w.must("cancel", w.db.UpdateBatch(w.Context(), w.toko.ID, m.Results.BatchID, func(b *chat.Batch) error {
				b.Stop(chat.BatchCancelled, nil, noon)
				return nil
			}))
		}
	})
}

// TestBadBatches: each bad input has an answer that says what to do, and nothing is stored or sent.
func TestBadBatches(t *testing.T) {
	csvHeader := map[string]string{"Content-Type": "text/csv"}
	gz := map[string]string{"Content-Type": "text/csv", "Content-Encoding": "gzip"}
	multipart := map[string]string{"Content-Type": "multipart/form-data; boundary=X"}
	const row = "op,phone\nmute,081234567890\n"
	onBinary(t, func(w *world, call func(ask) answer) {
		for name, c := range map[string]struct {
			ask    ask
			status int
			code   chat.Code
			want   string
		}{
			"missing column":   {ask{body: "op,number\nmute,0812\n", header: csvHeader}, 400, chat.InvalidBody, "The column phone is missing; there are: op, number."},
			"wrong separator":  {ask{body: "op;phone\nmute;0812\n", header: csvHeader}, 400, chat.InvalidBody, `separated by ";" instead of commas`},
			"tabs, as a form":  {ask{body: "op\tphone\nmute\t0812\n"}, 400, chat.InvalidBody, "separated by tabs"},
			"UTF-16":           {ask{body: wide(row), header: csvHeader}, 400, chat.InvalidBody, "UTF-16: save it as UTF-8"},
			"not UTF-8":        {ask{body: "op,phone,note\nmute,0812,caf\xe9\n", header: csvHeader}, 400, chat.InvalidBody, "line 2 isn't"},
			"too large":        {ask{body: strings.Repeat("x", 4<<20+1), header: csvHeader}, 413, chat.BodyTooLarge, "over 4 MB"},
			"bomb":             {ask{body: zipped(strings.Repeat("0", 24<<20)), header: gz}, 413, chat.BodyTooLarge, "over 4 MB"},
			"bomb in a file":   {ask{body: form("f", `; filename="a"`, zipped(strings.Repeat("0", 24<<20))), header: multipart}, 413, chat.BodyTooLarge, "over 4 MB"},
			"no gzip":          {ask{body: row, header: gz}, 400, chat.InvalidBody, "isn't whole gzip"},
			"other encoding":   {ask{body: row, header: map[string]string{"Content-Encoding": "br"}}, 400, chat.InvalidBody, "Content-Encoding"},
			"too many":         {ask{body: "op,phone\n" + strings.Repeat("pin,1\n", chat.MaxOperations+1), header: csvHeader}, 413, chat.TooManyOperations, "at most 50000"},
			"too many objects": {ask{body: `{"operations":[` + strings.Repeat(`{},`, chat.MaxOperations) + `{}]}`}, 413, chat.TooManyOperations, "at most 50000"},
			"broken list":      {ask{body: `[{"op":"mute"`}, 400, chat.InvalidBody, "isn't whole JSON"},
			"operations":       {ask{body: `{"operations":7}`}, 400, chat.InvalidBody, "The column phone is missing"},
			"file and list":    {ask{body: row, query: "operations=[]", header: csvHeader}, 400, chat.InvalidBody, "not as both"},
			"two files":        {ask{body: form("f", `; filename="a"`, row, "g", `; filename="b"`, row), header: multipart}, 400, chat.InvalidBody, "one file only"},
			"nothing":          {ask{body: "rate=5"}, 400, chat.InvalidParameter, "operations is missing"},
			"unknown op":       {ask{body: "op,phone\nmoot,081234567890\n", header: csvHeader}, 400, chat.InvalidParameter, "Line 2: The parameter op must be one of mute"},
			"bad phone":        {ask{body: "op,phone\nmute,12x\n", header: csvHeader}, 400, chat.InvalidParameter, "Line 2: The parameter phone must be"},
			"foreign chat":     {ask{body: "op,phone\nmute,0811111111\n", header: csvHeader}, 400, chat.InvalidParameter, "Line 2: The chat was not found."},
			"bad value":        {ask{body: "op,phone,second\nmute,081234567890,0\n", header: csvHeader}, 400, chat.InvalidParameter, "Line 2: The parameter second must be"},
			"bad timer":        {ask{body: `[{"op":"disappear","phone":"081234567890","seconds":5}]`}, 400, chat.InvalidParameter, "Line 1: The parameter seconds must be"},
			"no message":       {ask{body: `[{"op":"star","phone":"081234567890"}]`}, 400, chat.InvalidParameter, "Line 1: The parameter id is missing"},
			"contradiction":    {ask{body: row + "pin," + string(family) + "\nunmute,+62 812 3456 7890\n", header: csvHeader}, 400, chat.InvalidParameter, "2 lines are wrong. Line 2: mute contradicts unmute of the same chat in line 4."},
			"contradiction 3":  {ask{body: "op,phone\npin,081234567890\nmute,081234567890\narchive,081234567890\n", header: csvHeader}, 400, chat.InvalidParameter, "2 lines are wrong. Line 2: pin contradicts archive of the same chat in line 4."},
			"contradiction 2":  {ask{body: row + "unmute," + string(lid) + "\n", header: csvHeader}, 400, chat.InvalidParameter, "mute contradicts unmute"},
			"onInvalid":        {ask{body: row, query: "onInvalid=maybe"}, 400, chat.InvalidParameter, "onInvalid must be reject or skip"},
			"rate":             {ask{body: row, query: "rate=1000"}, 400, chat.InvalidParameter, "rate must be"},
			"dryRun":           {ask{body: row, query: "dryRun=2"}, 400, chat.InvalidParameter, "dryRun must be"},
			"filter beside":    {ask{body: row, query: "type=group"}, 400, chat.InvalidParameter, "type is for selecting chats"},
			"no selection":     {ask{body: "op=mute"}, 400, chat.InvalidParameter, "Select chats with the filters"},
			"unselectable":     {ask{body: "op=star&type=group"}, 400, chat.InvalidParameter, "needs the id of a message"},
			"bad filter":       {ask{body: "op=mute&type=groups"}, 400, chat.InvalidParameter, "type must be"},
			"bad except":       {ask{body: "op=mute&type=group&except=x"}, 400, chat.InvalidParameter, "except must be"},
			"except's list":    {ask{body: `{"op":"mute","type":"group","except":[["0812"]]}`}, 400, chat.InvalidParameter, "except must be"},
			"selected op":      {ask{body: "op=moot&type=group"}, 400, chat.InvalidParameter, "op must be one of"},
			"selected second":  {ask{body: "op=mute&type=group&second=0"}, 400, chat.InvalidSecond, "second must be"},
			"cursor":           {ask{body: "op=mute&type=group&dryRun=1&cursor=x"}, 400, chat.InvalidCursor, "cursor"},
		} {
			a := call(c.ask)
			m := w.made(a)
			if a.status != c.status || m.Error != c.code || !strings.Contains(m.Message, c.want) {
				w.Errorf("%s: answer %d %.500s, want %s", name, a.status, a.body, c.want)
			}
			if c.code == chat.InvalidParameter && strings.HasPrefix(m.Message, "Nothing") && (m.Results.Accepted != 0 || m.Results.InvalidCount == 0 ||
				len(m.Results.Invalid) != m.Results.InvalidCount) {
				w.Errorf("%s: %+v", name, m.Results)
			}
		}
		if all, _, err := w.db.ListBatches(w.Context(), w.toko.ID, chat.Page{Limit: 10}); err != nil || len(all) > 0 || len(w.batches) > 0 {
			w.Errorf("something was stored or sent: %v %v, %v", all, w.batches, err)
		}
		call = func(a ask) answer { // another's key finds nothing of Toko's
			return overHTTP(w, ask{endpoint: "createBatch", body: a.body, query: "apiKey=" + w.lainKey, header: map[string]string{"Accept-Language": "en"}})
		}
		if m := w.made(call(ask{body: "op,phone\nmute," + string(family) + "\n"})); m.Code != 400 || !strings.Contains(m.Message, "The chat was not found") {
			w.Errorf("another account's chat: %+v", m)
		}
	})
}

// TestBatchTooLargeAtOnce: what is announced to be too large isn't waited for.
func TestBatchTooLargeAtOnce(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodPost, "/api/createBatch?apiKey="+w.tokoKey, neverRead{t})
	r.ContentLength = 1 << 30
	r.Header.Set("Content-Type", "text/csv")
	recorder := httptest.NewRecorder()
	httpapi.New(w.config).Handler(w.endpoints()...).ServeHTTP(recorder, r)
	if recorder.Code != http.StatusRequestEntityTooLarge || recorder.Header().Get("Connection") != "close" {
		t.Errorf("answer %d %v %s", recorder.Code, recorder.Header(), recorder.Body)
	}
}

// TestEndlessBatch: a body whose length nobody announces is read no further than a batch may be.
func TestEndlessBatch(t *testing.T) {
	w := newWorld(t)
	endless := &endless{}
	r := httptest.NewRequest(http.MethodPost, "/api/createBatch?apiKey="+w.tokoKey, io.LimitReader(endless, 1<<30))
	r.ContentLength = -1
	r.Header.Set("Content-Type", "text/csv")
	recorder := httptest.NewRecorder()
	httpapi.New(w.config).Handler(w.endpoints()...).ServeHTTP(recorder, r)
	if recorder.Code != http.StatusRequestEntityTooLarge || endless.read > 8<<20 {
		t.Errorf("answer %d %s after %d bytes", recorder.Code, recorder.Body, endless.read)
	}
}

type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = "mute,0812\n"[(e.read+i)%10]
	}
	e.read += len(b)
	return len(b), nil
}

// TestBatchWhileOff: a batch wants a connected device, or with wait=true a linked one.
func TestBatchWhileOff(t *testing.T) {
	onBinary(t, func(w *world, call func(ask) answer) {
		body := "op,phone\nmute,081234567890\n"
		w.change(func(a *chat.Account) { a.On, a.State = false, chat.ServiceOff })
		if m := w.made(call(ask{body: body})); m.Code != 409 || m.Error != chat.DeviceNotConnected || m.Message == "" {
			w.Errorf("off: %+v", m)
		}
		m := w.made(call(ask{body: body, query: "wait=true"}))
		if m.Code != 202 {
			w.Fatalf("off, waiting: %+v", m)
		}
		if b, err := w.db.Batch(w.Context(), w.toko.ID, m.Results.BatchID); err != nil || !b.Wait {
			w.Errorf("%+v, %v", b, err)
		}
		w.change(func(a *chat.Account) { a.JID = "" })
		if m := w.made(call(ask{body: body, query: "wait=true"})); m.Code != 409 || m.Error != chat.DeviceNotConnected {
			w.Errorf("not linked: %+v", m)
		}
	})
}

// TestEleventhBatch: ten batches wait for each other; one more has to wait until one of them has ended.
func TestEleventhBatch(t *testing.T) {
	onBinary(t, func(w *world, call func(ask) answer) {
		ask := ask{body: "op,phone\nmute,081234567890\n"}
		var last batchMade
		for i := range chat.MaxOpenBatches {
			if last = w.made(call(ask)); last.Code != 202 {
				w.Fatalf("batch %d: %+v", i, last)
			}
		}
		sent := len(w.batches)
		if m := w.made(call(ask)); m.Code != 409 || m.Error != chat.TooManyBatches || m.Results.BatchID != "" || m.Message == "" {
			w.Errorf("the eleventh: %+v", m)
		}
		if len(w.batches) != sent {
			w.Errorf("the refused one is on the queue, where others wait behind it: %+v", w.batches[sent:])
		}
		w.must("cancel", w.db.UpdateBatch(w.Context(), w.toko.ID, last.Results.BatchID, func(b *chat.Batch) error {
			b.Stop(chat.BatchCancelled, nil, noon)
			return nil
		}))
		if m := w.made(call(ask)); m.Code != 202 {
			w.Errorf("after one has ended: %+v", m)
		}
	})
}

type neverRead struct{ t *testing.T }

func (n neverRead) Read([]byte) (int, error) {
	n.t.Error("the body is read")
	return 0, http.ErrBodyReadAfterClose
}

// TestBatchSkips: with onInvalid=skip the lines that are right are taken, and the others named; of lines that say the same of a chat
// the last one counts.
func TestBatchSkips(t *testing.T) {
	onBinary(t, func(w *world, call func(ask) answer) {
		file := "\ufeffop,phone,second\r\n" + strings.Join([]string{
			"mute,081234567890,60", "mute,0811111111,60", "mute," + string(lid) + ",120", "moot,081234567890,", "archive,+62 812-3456-7890,",
			"pin," + string(family) + ",", "unpin," + string(family) + ",", "mute,081299988877", "mute,081299988877,5",
		}, "\r\n")
		m := w.made(call(ask{body: file, query: "onInvalid=skip", header: map[string]string{"Content-Type": "text/csv"}}))
		want := []string{"4 mute 6281234567890 120", "6 archive 6281234567890 0", "10 mute 6281299988877 5"}
		if got := w.operations(m); m.Code != 202 || !slices.Equal(got, want) || m.Results.Accepted != 3 {
			w.Fatalf("%+v: %v", m, got)
		}
		var invalid []string
		for _, l := range m.Results.Invalid {
			invalid = append(invalid, fmt.Sprint(l.Line, l.Error))
		}
		if fmt.Sprint(invalid) != "[3CHAT_NOT_FOUND 5INVALID_PARAMETER 7INVALID_PARAMETER 8INVALID_PARAMETER 9INVALID_BODY]" || m.Results.InvalidCount != 5 {
			w.Errorf("invalid: %v", invalid)
		}
		if r := m.Results.Replaced; len(r) != 1 || r[0].Line != 2 || r[0].By != 4 || r[0].To != "6281234567890" || m.Results.ReplacedCount != 1 {
			w.Errorf("replaced: %+v", r)
		}
		many := w.made(call(ask{body: "op,phone\n" + strings.Repeat("moot,1\n", 3000), query: "onInvalid=skip"}))
		if many.Code != 200 || many.Results.InvalidCount != 3000 || len(many.Results.Invalid) != 1000 || many.Results.BatchID != "" {
			w.Errorf("%d: %d of %d lines are named", many.Code, len(many.Results.Invalid), many.Results.InvalidCount)
		}
	})
}

// TestBatchSelection: one operation on the chats that getChats' filters let through, but for some.
func TestBatchSelection(t *testing.T) {
	onBinary(t, func(w *world, call func(ask) answer) {
		w.project(w.toko.ID, chat.Change{Chat: "120363000000000077@newsletter", State: chat.Chat{Subject: set("Kabar Kota"), Activity: noon.Unix() - 40*86400}})
		for filter, want := range map[string][]string{
			"type=private": {"0 mute 6281234567890 60", "0 mute 6281299988877 60"},
			"type=group":   {"0 mute " + string(family) + " 60"},
			"all=true":     {"0 mute " + string(family) + " 60", "0 mute 6281234567890 60", "0 mute 6281299988877 60"},
			"all=true&except=" + string(lid) + ",0812 9998 8877": {"0 mute " + string(family) + " 60"},
			"all=true&except=0811111111":                         {"0 mute " + string(family) + " 60", "0 mute 6281234567890 60", "0 mute 6281299988877 60"},
			"archived=true":                                      {"0 mute 6281299988877 60"},
			"name=budi":                                          {"0 mute 6281234567890 60"},
			"idleDays=1":                                         nil,
			"type=broadcast":                                     nil,
			"type=private&name=nobody":                           nil,
			"muted=false&type=private&pinned=0":                  {"0 mute 6281234567890 60"},
		} {
			m := w.made(call(ask{body: "op=mute&second=60&" + filter}))
			got := w.operations(m)
			if !slices.Equal(got, want) || m.Results.Accepted != len(want) || (m.Code == 202) != (len(want) > 0) || m.Code != 202 && m.Code != 200 {
				w.Errorf("%s: %d %v, want %v", filter, m.Code, got, want)
			}
			channels := 0
			if strings.HasPrefix(filter, "all") || filter == "idleDays=1" {
				channels = 1
			}
			if len(m.Results.Invalid) != channels || channels == 1 && (m.Results.Invalid[0].To != "120363000000000077@newsletter" || m.Results.Invalid[0].Error != chat.InvalidSecond) {
				w.Errorf("%s: invalid %+v", filter, m.Results.Invalid)
			}
			if m.Results.BatchID != "" {
				w.must("cancel", w.db.UpdateBatch(w.Context(), w.toko.ID, m.Results.BatchID, func(b *chat.Batch) error {
					b.Stop(chat.BatchCancelled, nil, noon)
					return nil
				}))
			}
		}
		m := w.made(call(ask{body: `{"op":"clear","starred":"delete","all":true,"except":["` + string(family) + `",6281299988877]}`}))
		b, err := w.db.Batch(w.Context(), w.toko.ID, m.Results.BatchID)
		w.must("get batch", err)
		operations, _, err := w.db.Operations(w.Context(), w.toko.ID, b.ID, 0)
		w.must("get operations", err)
		if len(operations) != 1 || operations[0].Chat != budi || operations[0].Starred != chat.DeleteStarred || operations[0].Through == nil ||
			operations[0].Through.ID != "BUDI2" {
			w.Errorf("cleared: %+v", operations)
		}
	})
}

// TestBatchDryRun: a dry run says what would be done, in pages, and touches nothing, not even the log; a device that is off is no matter.
func TestBatchDryRun(t *testing.T) {
	onBinary(t, func(w *world, call func(ask) answer) {
		w.seedMany(250, 10)
		w.change(func(a *chat.Account) { a.On, a.State = false, chat.ServiceOff })
		for _, c := range []struct {
			ask   ask
			total int
		}{
			{ask{body: "op=archive&type=private&dryRun=true&limit=100"}, 252},
			{ask{body: "phone,name\n" + strings.Repeat("0811111111,x\n", 3) + string(family) + ",y\n" + string(budi) + ",z\n", query: "op=mute&dryRun=1&limit=1"}, 2},
			{ask{body: "op=archive&type=group&idleDays=3&dryRun=true"}, 0},
		} {
			var seen []string
			for pages, cursor := 0, ""; pages == 0 || cursor != ""; pages++ {
				a := c.ask
				a.query += "&cursor=" + cursor
				m := w.made(call(a))
				if m.Code != 200 || !m.Results.DryRun || m.Results.Accepted != c.total || m.Results.BatchID != "" {
					w.Fatalf("%+v", m)
				}
				for _, one := range m.Results.Chats {
					seen = append(seen, fmt.Sprintf("%d %s %s %s", one.Line, one.Op, one.To, one.Name))
				}
				cursor = m.Next
				w.project(w.toko.ID, chat.Change{Chat: siti, Messages: []chat.Message{text("x"+cursor, siti, noon.Unix(), "x")}}) // the order changes
			}
			if len(seen) != c.total || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != c.total {
				w.Errorf("%s: saw %d of %d: %.300v", c.ask.body[:20], len(seen), c.total, seen)
			}
			if want := []string{"5 mute " + string(family) + " Keluarga", "6 mute 6281234567890 Budi Santoso"}; c.total == 2 && !slices.Equal(seen, want) {
				w.Errorf("saw %v", seen)
			}
		}
		if len(w.batches) > 0 || len(w.log(w.toko)) > 0 {
			w.Errorf("a dry run leaves %v, %v", w.batches, w.log(w.toko))
		}
		if all, _, err := w.db.ListBatches(w.Context(), w.toko.ID, chat.Page{Limit: 10}); err != nil || len(all) > 0 {
			w.Errorf("batches %v, %v", all, err)
		}
	})
}

// TestBatchRepeats: under one Idempotency-Key the same file is the same batch, and another one is refused.
func TestBatchRepeats(t *testing.T) {
	onBinary(t, func(w *world, call func(ask) answer) {
		header := map[string]string{"Idempotency-Key": "tonight", "Content-Type": "text/csv"}
		const csv = "op,phone\nmute,081234567890\n"
		first := w.made(call(ask{body: csv, header: header}))
		again := w.made(call(ask{body: csv, header: header}))
		if first.Results.BatchID == "" || again.Results.BatchID != first.Results.BatchID || len(w.batches) != 1 {
			w.Errorf("%+v, again %+v; %d were sent", first, again, len(w.batches))
		}
		for _, other := range []ask{
			{body: csv + "mute," + string(family) + "\n", header: header}, {body: csv, header: header, query: "rate=5"}, {body: "op=mute&type=group", header: header},
		} {
			if m := w.made(call(other)); m.Error != chat.IdempotencyConflict {
				w.Errorf("%+v", m)
			}
		}
	})
}

// TestBatchOfMany: 50,000 operations are read and resolved, in a time that grows no faster than they do. Each against each would
// take an hour; what it takes `make bench BENCH=awsbatch` measures.
func TestBatchOfMany(t *testing.T) {
	w := newWorld(t)
	w.seedMany(1500, 10)
	var b strings.Builder
	b.WriteString("op,phone,second\n")
	for i := range chat.MaxOperations {
		fmt.Fprintf(&b, "%s,62812%08d,\n", []string{"mute", "archive", "read", "clear", "pin", "disappear", "deleteChat"}[i/1500%7], i%1500)
	}
	began := time.Now()
	m := w.made(overHTTP(w, ask{endpoint: "createBatch", query: "onInvalid=skip&apiKey=" + w.tokoKey, body: b.String()}))
	took, r := time.Since(began), m.Results
	if m.Code != 202 || r.Accepted+r.InvalidCount+r.ReplacedCount != chat.MaxOperations || took > 2*time.Minute {
		t.Errorf("%d, %d accepted, %d invalid, %d replaced in %v", m.Code, r.Accepted, r.InvalidCount, r.ReplacedCount, took)
	}
}

// TestBatchTable: how the operations ended as CSV, whole or in parts, which createBatch takes again.
func TestBatchTable(t *testing.T) {
	onBinary(t, func(w *world, call func(ask) answer) {
		made := w.made(call(ask{body: "op,phone\nmute,081234567890\narchive," + string(family) + "\nunread,081299988877\n"}))
		_, err := w.db.EndOperations(w.Context(), w.toko.ID, made.Results.BatchID, 0, map[int]chat.Result{
			0: {State: chat.OperationDone, At: noon}, 1: {State: chat.OperationFailed, Failure: &chat.Error{Code: chat.WhatsAppRejected}, At: noon},
		})
		w.must("end", err)
		get := func(query string) answer {
			a := ask{endpoint: "getBatch", body: "x=1", query: "apiKey=" + w.tokoKey + query, header: map[string]string{"Accept": "text/csv"}}
			for name, transport := range transports {
				if strings.HasSuffix(w.Name(), name) {
					return transport(w, a)
				}
			}
			return answer{}
		}
		const head = "line,op,phone,id,outcome,code,error,time\n"
		const first, second = "2,mute,6281234567890,,done,200,,2026-03-01T12:00:00.000Z\n", "3,archive," + string(family) + ",,failed,502,WHATSAPP_REJECTED,2026-03-01T12:00:00.000Z\n"
		const third = "4,unread,6281299988877,,pending,,,\n"
		for query, want := range map[string]string{"": head + first + second + third, "&only=failed": head + second, "&limit=2": head + first + second, "&cursor=2": head + third} {
			a := get(query)
			if string(a.body) != want || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || (a.header.Get("X-Next-Cursor") == "2") != (query == "&limit=2") {
				w.Errorf("%s: %v %s", query, a.header, a.body)
			}
		}
		w.config.MaxAnswer = len(head + first + second)
		if a := get(""); string(a.body) != head+first+second || a.header.Get("X-Next-Cursor") != "2" {
			w.Errorf("a short answer: %v %s", a.header, a.body)
		}
		w.config.MaxAnswer = 0
		again := w.made(call(ask{body: string(get("").body), header: map[string]string{"Content-Type": "text/csv"}}))
		if got := w.operations(again); len(got) != 3 {
			w.Errorf("again: %+v %v", again, got)
		}
	})
}
