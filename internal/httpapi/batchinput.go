package httpapi

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"pesan/internal/chat"
)

// The operations of a batch come as a list of JSON, as JSON Lines or as CSV: as the body, as a file of multipart/form-data, or as
// the parameter operations. Which of these it is the text itself tells, as with other bodies: people send files under any
// Content-Type.

// line is an operation as the client asks for it: where it stands in the client's file, or its place in a list, from 1, and its
// parameters.
type line struct {
	number int
	params params
}

// wrongLine is one that is no operation.
type wrongLine struct {
	number int
	err    error
}

// unpackBatch takes the file of operations, nil where there is none, out of a body, and returns what is left of it. Compressed
// bodies and files may have as many bytes as plain ones.
func unpackBatch(body []byte, contentType, encoding string, room int) (rest, file []byte, err error) {
	switch encoding = strings.ToLower(strings.TrimSpace(encoding)); {
	case encoding != "" && encoding != "identity" && encoding != "gzip" && encoding != "x-gzip":
		return nil, nil, badFile("Content-Encoding ini tidak dikenal: kirim tanpa kompresi atau dengan gzip.",
			"The Content-Encoding is unknown: send it uncompressed or as gzip.")
	case strings.HasSuffix(encoding, "gzip") || isGzip(body):
		if body, err = gunzip(body, room); err != nil {
			return nil, nil, err
		}
	}
	mediaType, options, _ := mime.ParseMediaType(contentType)
	if mediaType == "multipart/form-data" {
		if boundary := boundaryOf(body, options["boundary"]); boundary != "" {
			file, err := fileIn(body, boundary, room)
			return body, file, err
		}
	}
	if !isFile(body, mediaType) {
		return body, nil, nil
	}
	return nil, body, nil
}

func badFile(id, en string) error { return &refusal{chat.InvalidBody, id, en} }

// tooMuch is the answer to a body that is too large, said for batches.
func tooMuch() error {
	return &refusal{chat.BodyTooLarge, "Isi permintaan melebihi 4 MB: bagi menjadi beberapa batch.",
		"The request body is over 4 MB: divide it into several batches."}
}

func isGzip(b []byte) bool { return len(b) > 1 && b[0] == 0x1f && b[1] == 0x8b }

// gunzip unpacks no more than there is room for, so that a few bytes can't become many.
func gunzip(b []byte, room int) ([]byte, error) {
	broken := badFile("Isi permintaan bukan gzip yang utuh.", "The request body isn't whole gzip.")
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, broken
	}
	plain, err := io.ReadAll(io.LimitReader(r, int64(room)+1))
	switch {
	case len(plain) > room:
		return nil, tooMuch()
	case err != nil:
		return nil, broken
	}
	return plain, nil
}

// fileIn is the one file of a multipart body.
func fileIn(body []byte, boundary string, room int) (file []byte, err error) {
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParams + 1 {
		part, err := reader.NextRawPart()
		if err != nil {
			return file, nil // decode says what is wrong with it
		}
		if part.FileName() == "" {
			continue
		}
		content, err := io.ReadAll(part)
		switch {
		case err != nil:
			return nil, &chat.Error{Code: chat.InvalidBody}
		case file != nil:
			return nil, badFile("Kirim satu file saja.", "Send one file only.")
		case isGzip(content):
			if content, err = gunzip(content, room); err != nil {
				return nil, err
			}
		}
		file = append([]byte{}, content...)
	}
	return file, nil
}

// isFile tells whether a body is operations as a whole, rather than parameters.
func isFile(body []byte, mediaType string) bool {
	if isUTF16(body) {
		return true
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	first, more, _ := bytes.Cut(text, []byte("\n"))
	switch {
	case len(text) == 0:
		return false
	case text[0] == '[', slices.Contains([]string{"text/csv", "text/tab-separated-values", "application/csv"}, mediaType),
		slices.Contains([]string{"application/jsonl", "application/x-ndjson", "application/x-jsonlines"}, mediaType):
		return true
	case text[0] == '{':
		if _, whole := decodeJSON(text); whole {
			return false
		}
		return bytes.HasSuffix(bytes.TrimSpace(first), []byte("}")) && len(bytes.TrimSpace(more)) > 0
	case strings.HasSuffix(mediaType, "json"):
		return false
	}
	return !bytes.ContainsRune(first, '=') || separatorLine(string(first)) != 0
}

// isUTF16 tells whether a text is of two bytes a character, as spreadsheets save "Unicode text".
func isUTF16(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}) ||
		bytes.IndexByte(b[:min(len(b), 100)], 0) >= 0
}

// readOperations reads a file of operations. What the parameters beside it say holds for every line that doesn't say otherwise.
func readOperations(file []byte, beside params) (lines []line, wrong []wrongLine, err error) {
	switch {
	case isUTF16(file):
		return nil, nil, badFile("File ini UTF-16: simpan sebagai UTF-8 (di Excel: \"CSV UTF-8\").",
			"The file is UTF-16: save it as UTF-8 (in Excel: \"CSV UTF-8\").")
	case !utf8.Valid(file):
		n := 1 + bytes.Count(file[:firstInvalid(file)], []byte("\n"))
		return nil, nil, badFile(fmt.Sprintf("File harus UTF-8; baris %d bukan.", n),
			fmt.Sprintf("The file must be UTF-8; line %d isn't.", n))
	}
	text := string(bytes.TrimPrefix(file, []byte("\ufeff")))
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n") // as old Macs end lines
	}
	switch start := strings.TrimSpace(text); {
	case start == "":
		return nil, nil, nil
	case start[0] == '[':
		lines, wrong, err = readList(start)
	case start[0] == '{':
		lines, wrong, err = readJSONLines(text)
	default:
		lines, wrong, err = readCSV(text, beside)
	}
	for i := range lines {
		lines[i].params = append(lines[i].params, beside...)
	}
	return lines, wrong, err
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

// readList reads a list of objects.
func readList(text string) (lines []line, wrong []wrongLine, err error) {
	broken := badFile("Daftar operasi bukan JSON yang utuh.", "The list of operations isn't whole JSON.")
	decoder := json.NewDecoder(strings.NewReader(text))
	if _, err := decoder.Token(); err != nil { // [
		return nil, nil, broken
	}
	for n := 1; decoder.More(); n++ {
		if n > chat.MaxOperations {
			return nil, nil, &chat.Error{Code: chat.TooManyOperations}
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, nil, broken
		}
		if p, err := readObject(value); err != nil {
			wrong = append(wrong, wrongLine{n, err})
		} else {
			lines = append(lines, line{n, p})
		}
	}
	if _, err := decoder.Token(); err != nil { // ]
		return nil, nil, broken
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, broken
	}
	return lines, wrong, nil
}

// readJSONLines reads an object a line.
func readJSONLines(text string) (lines []line, wrong []wrongLine, err error) {
	n, found := 0, 0
	for one := range strings.SplitSeq(text, "\n") {
		n++
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		if found++; found > chat.MaxOperations {
			return nil, nil, &chat.Error{Code: chat.TooManyOperations}
		}
		if p, err := readObject([]byte(one)); err != nil {
			wrong = append(wrong, wrongLine{n, err})
		} else {
			lines = append(lines, line{n, p})
		}
	}
	return lines, wrong, nil
}

func readObject(value []byte) (params, error) {
	broken := badFile("Harus berupa objek JSON yang utuh, misalnya {\"op\":\"mute\",\"phone\":\"08123456789\"}.",
		"It must be a whole JSON object, such as {\"op\":\"mute\",\"phone\":\"08123456789\"}.")
	if len(value) == 0 || value[0] != '{' {
		return nil, broken
	}
	p, ok := decodeJSON(value)
	if !ok {
		return nil, broken
	}
	for _, name := range operationParams() {
		switch {
		case p.contradicts(name):
			return nil, badFile(name+" dikirim dua kali dengan nilai yang berbeda.",
				name+" is given twice with different values.")
		case slices.ContainsFunc(p, func(p param) bool { return p.name == name && p.nested }):
			return nil, badFile(name+" harus berupa teks, angka, true atau false.",
				name+" must be a text, a number, true or false.")
		}
	}
	return p, nil
}

// operationParams are the parameters of an operation.
func operationParams() []string {
	names := []string{"op", "phone"}
	for _, row := range chat.ChatCommands() {
		for _, name := range row.Takes {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// separators are what stands between the columns of files that aren't CSV in the end.
const separators = ";\t|"

// separatorLine is what Excel's first line says that the separator is: sep=;
func separatorLine(first string) rune {
	first = strings.ToLower(strings.Trim(first, "\ufeff\" \r\n"))
	rest, ok := strings.CutPrefix(first, "sep=")
	if r, n := utf8.DecodeRuneInString(rest); ok && n > 0 && n == len(rest) {
		return r
	}
	return 0
}

// roundedNumber is how a spreadsheet writes a long number that it took for a quantity.
var roundedNumber = regexp.MustCompile(`^[0-9]([.,][0-9]+)?[eE]\+?[0-9]+$`)

// readCSV reads rows under a header that names the columns. Columns that aren't known are passed over.
func readCSV(text string, beside params) (lines []line, wrong []wrongLine, err error) {
	skipped := 0
	if first, rest, _ := strings.Cut(text, "\n"); separatorLine(first) != 0 {
		if sep := separatorLine(first); sep != ',' {
			return nil, nil, wrongSeparator(sep)
		}
		text, skipped = rest, 1
	}
	reader := csv.NewReader(strings.NewReader(text))
	reader.FieldsPerRecord, reader.ReuseRecord = -1, false
	header, err := reader.Read()
	if err != nil {
		return nil, nil, badFile("Baris pertama CSV harus berisi nama kolom, misalnya op,phone,second.",
			"The first line of the CSV must name the columns, such as op,phone,second.")
	}
	if err := checkHeader(header, beside); err != nil {
		return nil, nil, err
	}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return lines, wrong, nil
		}
		if len(lines)+len(wrong) == chat.MaxOperations {
			return nil, nil, &chat.Error{Code: chat.TooManyOperations}
		}
		var quotes *csv.ParseError
		if errors.As(err, &quotes) {
			wrong = append(wrong, wrongLine{skipped + quotes.StartLine, badFile("Tanda kutip di baris ini tidak berpasangan.",
				"The quotes in this line don't match.")})
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		n, _ := reader.FieldPos(0)
		n += skipped
		if !slices.ContainsFunc(record, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue
		}
		if len(record) != len(header) {
			wrong = append(wrong, wrongLine{n, badFile(fmt.Sprintf("Ada %d kolom, bukan %d.", len(record), len(header)),
				fmt.Sprintf("It has %d columns instead of %d.", len(record), len(header)))})
			continue
		}
		p := make(params, 0, len(record)+len(beside))
		for i, cell := range record {
			p = append(p, param{name: header[i], value: cell})
		}
		if roundedNumber.MatchString(p.get("phone")) {
			wrong = append(wrong, wrongLine{n, &refusal{chat.InvalidPhone,
				"Nomor ini dibulatkan oleh spreadsheet: jadikan kolom phone teks dan isi lagi.",
				"The spreadsheet has rounded this number: format the column phone as text and fill it in again."}})
			continue
		}
		lines = append(lines, line{n, p})
	}
}

// checkHeader makes the names of columns those of parameters.
func checkHeader(header []string, beside params) error {
	known := operationParams()
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		for _, k := range known {
			if strings.EqualFold(header[i], k) {
				header[i] = k
			}
		}
	}
	for i, name := range header {
		if slices.Contains(known, name) && slices.Contains(header[:i], name) {
			return badFile("Kolom "+name+" ada dua kali.", "There are two columns "+name+".")
		}
	}
	if slices.Contains(header, "phone") && (slices.Contains(header, "op") || beside.get("op") != "") {
		return nil
	}
	for _, sep := range separators {
		for _, cell := range header {
			for name := range strings.SplitSeq(cell, string(sep)) {
				if name = strings.Trim(name, "\" "); strings.Contains(cell, string(sep)) &&
					slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
					return wrongSeparator(sep)
				}
			}
		}
	}
	missing := "phone"
	if slices.Contains(header, "phone") {
		missing = "op"
	}
	found := clip(strings.Join(header, ", "), 200)
	return badFile("Kolom "+missing+" tidak ada; yang ada: "+found+".",
		"The column "+missing+" is missing; there are: "+found+".")
}

func wrongSeparator(sep rune) error {
	id, en := "\""+string(sep)+"\"", "\""+string(sep)+"\""
	if sep == '\t' {
		id, en = "tab", "tabs"
	}
	return badFile("Kolom dipisahkan "+id+", bukan koma: simpan sebagai CSV dengan koma.",
		"The columns are separated by "+en+" instead of commas: save it as CSV with commas.")
}

// clip bounds a text that comes from the client.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
