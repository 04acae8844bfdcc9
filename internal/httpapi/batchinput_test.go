package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"pesan/internal/chat"
)

// said is what lines ask for, in one line each.
func said(lines []line, wrong []wrongLine) []string {
	var all []string
	for _, l := range lines {
		s := fmt.Sprint(l.number)
		for _, name := range operationParams() {
			if v := l.params.number(name); v != "" {
				s += " " + name + "=" + v
			}
		}
		all = append(all, s)
	}
	for _, w := range wrong {
		all = append(all, fmt.Sprintf("%d wrong: %s", w.number, sentence(w.err, "en")))
	}
	return all
}

// TestOperationFiles: each form says the same, and a line that is wrong is wrong alone.
func TestOperationFiles(t *testing.T) {
	beside := params{{name: "op", value: "mute"}, {name: "second", value: "60"}}
	for name, one := range map[string]struct {
		file   string
		beside params
		want   []string
	}{
		"list":           {`[{"op":"mute","phone":"0812","second":3600},{"op":"archive","phone":628123}]`, nil, []string{"1 op=mute phone=0812 second=3600", "2 op=archive phone=628123"}},
		"empty list":     {` [ ] `, nil, nil},
		"nothing":        {" \r\n", nil, nil},
		"not an object":  {`[{"op":"mute","phone":"1"},"mute",[],null,7]`, nil, []string{"1 op=mute phone=1", "2 wrong: It must be a whole", "3 wrong: It must be a whole", "4 wrong: It must be a whole", "5 wrong: It must be a whole"}},
		"nested":         {`[{"op":"mute","phone":["1","2"]}]`, nil, []string{"1 wrong: phone must be a text"}},
		"twice":          {`[{"op":"mute","phone":"1","op":"unmute"}]`, nil, []string{"1 wrong: op is given twice"}},
		"unknown fields": {`[{"op":"mute","phone":"1","note":{"a":[1]}}]`, nil, []string{"1 op=mute phone=1"}},
		"json lines":     {"{\"op\":\"mute\",\"phone\":\"0812\"}\r\n\n{\"op\":\"pin\"\n{\"op\":\"unmute\",\"phone\":\"0813\"}", nil, []string{"1 op=mute phone=0812", "4 op=unmute phone=0813", "3 wrong: It must be a whole"}},
		"json lines, BOM": {"\ufeff{\"op\":\"mute\",\"phone\":\"0812\"}\n{\"phone\":\"0813\"}", beside, []string{
			"1 op=mute phone=0812 second=60", "2 op=mute phone=0813 second=60"}},
		"csv":            {"op,phone,second\nmute,0812,3600\nunmute,0813,\n", nil, []string{"2 op=mute phone=0812 second=3600", "3 op=unmute phone=0813"}},
		"csv, CRLF, BOM": {"\ufeffOP, Phone ,Seconds,name\r\ndisappear,0812,86400,\"Budi, S.\"\r\n\r\n,,,\r\nmute,0813,,x", nil, []string{"2 op=disappear phone=0812 seconds=86400", "5 op=mute phone=0813"}},
		"csv, CR":        {"op,phone\rmute,0812\rmute,0813\r", nil, []string{"2 op=mute phone=0812", "3 op=mute phone=0813"}},
		"csv, phones":    {"phone\n0812\n0813", beside, []string{"2 op=mute phone=0812 second=60", "3 op=mute phone=0813 second=60"}},
		"csv, beside":    {"phone,second\n0812,\n0813,5", beside, []string{"2 op=mute phone=0812 second=60", "3 op=mute phone=0813 second=5"}},
		"csv, ragged":    {"op,phone\nmute\nmute,0812,x\nmute,0813", nil, []string{"4 op=mute phone=0813", "2 wrong: It has 1 columns instead of 2.", "3 wrong: It has 3 columns instead of 2."}},
		"csv, quotes":    {"op,phone\nmute,08\"12\nmute,\"0813\"x\nmute,0814\nmute,\"0815\n", nil, []string{"4 op=mute phone=0814", "2 wrong: The quotes", "3 wrong: The quotes", "5 wrong: The quotes"}},
		"csv, in quotes": {"\"op\",\"phone\"\n\"mute\",\"+62 812-3\"\n", nil, []string{"2 op=mute phone=+62 812-3"}},
		"csv, two lines": {"op,phone,note\nmute,0812,\"a\nb\"\nmute,0813,c", nil, []string{"2 op=mute phone=0812", "4 op=mute phone=0813"}},
		"csv, rounded":   {"op,phone\nmute,6.28123E+12\nmute,\"6,28123e12\"\n", nil, []string{"2 wrong: The spreadsheet", "3 wrong: The spreadsheet"}},
		"csv, sep":       {"sep=,\r\nop,phone\r\nmute,0812", nil, []string{"3 op=mute phone=0812"}},
		"header alone":   {"op,phone\n", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			lines, wrong, err := readOperations([]byte(one.file), one.beside)
			if err != nil {
				t.Fatal(sentence(err, "en"))
			}
			got := said(lines, wrong)
			if !slices.EqualFunc(got, one.want, strings.HasPrefix) {
				t.Errorf("got %q\nwant %q", got, one.want)
			}
		})
	}
}

func utf16Of(s string, bom bool) string {
	var b []byte
	if bom {
		b = []byte{0xff, 0xfe}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// TestBrokenFiles: a file that can't be read is refused with what is wrong with it.
func TestBrokenFiles(t *testing.T) {
	for name, one := range map[string]struct{ file, want string }{
		"missing column":     {"op,number,second\nmute,0812,1", "The column phone is missing; there are: op, number, second."},
		"missing op":         {"phone,second\n0812,1", "The column op is missing; there are: phone, second."},
		"no header":          {"mute,0812\nmute,0813", "The column phone is missing; there are: mute, 0812."},
		"semicolons":         {"op;phone;second\nmute;0812;1", "separated by \";\" instead of commas"},
		"tabs":               {"op\tphone\nmute\t0812", "separated by tabs instead of commas"},
		"bars":               {"op|phone\nmute|0812", "separated by \"|\" instead of commas"},
		"mixed":              {"note,op;phone\nx,mute;0812", "separated by \";\" instead of commas"},
		"sep=;":              {"sep=;\nop;phone\nmute;0812", "separated by \";\" instead of commas"},
		"two columns":        {"op,phone,Phone\nmute,1,2", "two columns phone"},
		"UTF-16":             {utf16Of("op,phone\nmute,0812", true), "is UTF-16: save it as UTF-8"},
		"UTF-16 unmarked":    {utf16Of("op,phone\nmute,0812", false), "is UTF-16: save it as UTF-8"},
		"Latin-1":            {"op,phone,note\nmute,0812,x\nmute,0813,caf\xe9", "line 3 isn't"},
		"quotes in header":   {"\"op,phone\nmute,0812", "must name the columns"},
		"half a list":        {`[{"op":"mute","phone":"0812"},`, "isn't whole JSON"},
		"list and more":      {`[{"op":"mute","phone":"0812"}] x`, "isn't whole JSON"},
		"too many in a list": {"[" + strings.Repeat(`{},`, chat.MaxOperations) + "{}]", "at most 50000"},
		"too many lines":     {strings.Repeat("{}\n", chat.MaxOperations+1), "at most 50000"},
		"too many rows":      {"op,phone\n" + strings.Repeat("a,b\n", chat.MaxOperations+1), "at most 50000"},
	} {
		_, _, err := readOperations([]byte(one.file), nil)
		if err == nil || !strings.Contains(sentence(err, "en"), one.want) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(sentence(err, "id"), one.want) {
			t.Errorf("%s has no Indonesian: %s", name, sentence(err, "id"))
		}
	}
	for _, most := range []string{"[" + strings.Repeat(`{},`, chat.MaxOperations-1) + "{}]", "op,phone\n" + strings.Repeat("a,b\n", chat.MaxOperations)} {
		if lines, _, err := readOperations([]byte(most), nil); err != nil || len(lines) != chat.MaxOperations {
			t.Errorf("%d operations: %v", len(lines), err)
		}
	}
}

func gz(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func multi(parts ...string) (body []byte, contentType string) {
	var b bytes.Buffer
	for _, p := range parts {
		name, content, _ := strings.Cut(p, ":")
		file := ""
		if rest, ok := strings.CutPrefix(name, "@"); ok {
			name, file = "file", `; filename="`+rest+`"`
		}
		fmt.Fprintf(&b, "--B0\r\nContent-Disposition: form-data; name=%q%s\r\n\r\n%s\r\n", name, file, content)
	}
	b.WriteString("--B0--\r\n")
	return b.Bytes(), "multipart/form-data; boundary=B0"
}

// TestUnpackBatch: what is the file and what are parameters, in each form of body.
func TestUnpackBatch(t *testing.T) {
	const csv = "op,phone\nmute,0812\n"
	file, mixed := multi("apiKey:pk", "@a.csv:"+csv)
	zipped, _ := multi("@a.csv.gz:"+string(gz([]byte(csv))), "op:mute")
	two, _ := multi("@a.csv:x", "@b.csv:y")
	bombed, _ := multi("@a.csv.gz:" + string(gz(make([]byte, 8<<20))))
	for name, one := range map[string]struct {
		body           []byte
		kind, encoding string
		file           string // "-": none
		code           chat.Code
	}{
		"form":                {[]byte("op=mute&type=group"), "application/x-www-form-urlencoded", "", "-", ""},
		"vendor's form":       {[]byte(`"apiKey='k'&op='mute'"`), "application/x-www-form-urlencoded", "", "-", ""},
		"object":              {[]byte("{\n\"op\":\"mute\",\n\"type\":\"group\"}\n"), "application/json", "", "-", ""},
		"broken object":       {[]byte(`{"op":`), "application/json", "", "-", ""},
		"nothing":             {nil, "", "", "-", ""},
		"list":                {[]byte(` [{}]`), "application/json", "", " [{}]", ""},
		"csv":                 {[]byte(csv), "text/csv; charset=utf-8", "", csv, ""},
		"csv, curl's type":    {[]byte(csv), "application/x-www-form-urlencoded", "", csv, ""},
		"csv, sep":            {[]byte("sep=;\n" + csv), "", "", "sep=;\n" + csv, ""},
		"jsonl":               {[]byte("{\"op\":\"mute\"}\n{}"), "", "", "{\"op\":\"mute\"}\n{}", ""},
		"one line of jsonl":   {[]byte(`{"op":"mute","phone":"1"}`), "application/x-ndjson", "", `{"op":"mute","phone":"1"}`, ""},
		"gzip":                {gz([]byte(csv)), "text/csv", "gzip", csv, ""},
		"gzip, unsaid":        {gz([]byte(csv)), "", "", csv, ""},
		"gzip of a form":      {gz([]byte("op=mute")), "", "GZIP", "-", ""},
		"no gzip":             {[]byte(csv), "", "gzip", "", chat.InvalidBody},
		"half of gzip":        {gz([]byte(csv))[:20], "", "gzip", "", chat.InvalidBody},
		"other encoding":      {[]byte(csv), "", "br", "", chat.InvalidBody},
		"bomb":                {gz(make([]byte, 24<<20)), "text/csv", "gzip", "", chat.BodyTooLarge},
		"multipart":           {file, mixed, "", csv, ""},
		"multipart, gzip":     {zipped, mixed, "", csv, ""},
		"multipart, all gzip": {gz(file), mixed, "gzip", csv, ""},
		"multipart, bomb":     {bombed, mixed, "", "", chat.BodyTooLarge},
		"two files":           {two, mixed, "", "", chat.InvalidBody},
		"UTF-16":              {[]byte(utf16Of("op,phone", true)), "", "", utf16Of("op,phone", true), ""},
	} {
		rest, file, err := unpackBatch(one.body, one.kind, one.encoding, 4<<20)
		switch {
		case one.code != "" || err != nil:
			if chat.CodeOf(err) != one.code {
				t.Errorf("%s: %v", name, err)
			}
		case one.file == "-" && file != nil, one.file != "-" && string(file) != one.file:
			t.Errorf("%s: the file is %q", name, file)
		case one.file == "-" && len(rest) == 0 && len(one.body) > 0:
			t.Errorf("%s: nothing is left", name)
		}
	}
}

// FuzzOperations: whatever is read, every line has one answer and its own number, and the three forms of the same lines say the same.
func FuzzOperations(f *testing.F) {
	for _, seed := range []string{
		"op,phone\nmute,0812\n", "\ufeffop,phone,second\r\nmute,\"0812\n\",1\r\n", "sep=,\nop,phone\nmute,\"\"\"\"", "[{\"op\":\"mute\"},1]",
		"{\"op\":\"mute\"}\n{", "op;phone\n", "op\tphone", "\xff\xfe", "[", "\"", "phone\r0812\r", "op,phone\nmute,6.2E+12", "op,phone\n,\n\"a",
	} {
		f.Add([]byte(seed), "text/csv", "")
	}
	f.Add(gz([]byte("op,phone\nmute,1")), "", "gzip")
	body, kind := multi("@a.csv:op,phone\nmute,1", "op:mute")
	f.Add(body, kind, "")
	f.Fuzz(func(t *testing.T, body []byte, contentType, encoding string) {
		const room = 1 << 16
		rest, file, err := unpackBatch(body, contentType, encoding, room)
		if err != nil {
			if chat.CodeOf(err) != chat.InvalidBody && chat.CodeOf(err) != chat.BodyTooLarge {
				t.Fatalf("%v", err)
			}
			return
		}
		if len(file) > max(room, len(body)) || len(rest) > max(room, len(body)) {
			t.Fatalf("%d and %d bytes out of %d", len(rest), len(file), len(body))
		}
		if file == nil {
			return
		}
		lines, wrong, err := readOperations(file, params{{name: "op", value: "mute"}})
		if own := (*refusal)(nil); err != nil && !errors.As(err, &own) {
			t.Fatalf("%v", err)
		}
		seen := map[int]bool{}
		most := 1 + bytes.Count(file, []byte("\n")) + bytes.Count(file, []byte("\r")) + bytes.Count(file, []byte(","))
		mark := func(n int) {
			if n < 1 || n > most || seen[n] {
				t.Fatalf("line %d of %d in %q", n, most, file)
			}
			seen[n] = true
		}
		for _, l := range lines {
			mark(l.number)
			if l.params.get("op") == "" {
				t.Fatalf("line %d has no op", l.number)
			}
		}
		for _, w := range wrong {
			mark(w.number)
		}
	})
}
