package wajson

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestNamesAreThePublishedOnes holds every field and enum value that can be inside a chat or a message against the
// published .proto, by message and number. What that doesn't have must be listed in testdata/unpublished.txt with
// the name that it gets, and nothing else may.
func TestNamesAreThePublishedOnes(t *testing.T) {
	c := comparison{
		t:           t,
		published:   readPublished(t),
		counterpart: map[protoreflect.FullName]string{},
		unpublished: map[string]bool{},
		renamed:     map[protoreflect.FullName]bool{},
	}
	c.message(descriptorOf(&waHistorySync.Conversation{}), "Conversation")
	c.message(descriptorOf(&waWeb.WebMessageInfo{}), "WebMessageInfo")
	c.message(descriptorOf(&waE2E.Message{}), "Message")
	for len(c.later) > 0 { // after all that has a counterpart
		d := c.later[0]
		c.later = c.later[1:]
		c.message(d, "")
	}
	if c.fields < 1600 || c.values < 800 {
		t.Errorf("only %d fields and %d enum values were compared", c.fields, c.values)
	}
	listed := map[string]bool{}
	for line := range lines(t, "testdata/unpublished.txt") {
		listed[line] = true
	}
	for line := range c.unpublished {
		if !listed[line] {
			t.Errorf("not published and not listed: %s", line)
		}
	}
	for line := range listed {
		if !c.unpublished[line] {
			t.Errorf("listed, but published or gone: %s", line)
		}
	}
	for _, full := range slices.Concat(slices.Collect(maps.Keys(renamedFields)), slices.Collect(maps.Keys(renamedValues))) {
		if !c.renamed[full] {
			t.Errorf("exception without use: %s", full)
		}
	}
}

// comparison walks whatsmeow's descriptors and the published .proto side by side. Their message names differ
// (WAWebProtobufsE2E.ImageMessage, Message.ImageMessage), so it follows the fields from the roots.
type comparison struct {
	t              *testing.T
	published      published
	counterpart    map[protoreflect.FullName]string // of each type met, its published name or ""
	later          []protoreflect.MessageDescriptor // met below what isn't published
	unpublished    map[string]bool
	renamed        map[protoreflect.FullName]bool // the exceptions met
	fields, values int
}

func (c *comparison) message(d protoreflect.MessageDescriptor, as string) {
	if was, ok := c.counterpart[d.FullName()]; ok {
		if as != "" && was != as {
			c.t.Errorf("%s is published both as %s and as %s", d.FullName(), was, as)
		}
		return
	}
	c.counterpart[d.FullName()] = as
	for i := range d.Fields().Len() {
		c.field(d.Fields().Get(i), as)
	}
}

func (c *comparison) field(fd protoreflect.FieldDescriptor, owner string) {
	name := fieldName(fd)
	fact, ok := c.published.fields[owner][fd.Number()]
	if !ok {
		c.unpublished[fmt.Sprintf("%s %s", fd.FullName(), name)] = true
		if fd.Message() != nil {
			c.later = append(c.later, fd.Message())
		}
		return
	}
	c.fields++
	if name != fact.name {
		c.t.Errorf("%s (%d) prints as %s, published as %s", fd.FullName(), fd.Number(), name, fact.name)
	}
	if name != camelCase(string(fd.Name())) {
		c.renamed[fd.FullName()] = true
	}
	if fd.IsList() != fact.list {
		c.t.Errorf("%s: a list here %v, published %v", fd.FullName(), fd.IsList(), fact.list)
	}
	switch {
	case fd.Message() != nil:
		c.message(fd.Message(), fact.kind)
	case fd.Enum() != nil:
		c.enum(fd.Enum(), fact.kind)
	case fd.Kind().String() != fact.kind:
		c.t.Errorf("%s is %s, published as %s", fd.FullName(), fd.Kind(), fact.kind)
	}
}

func (c *comparison) enum(d protoreflect.EnumDescriptor, as string) {
	if c.counterpart[d.FullName()] == as {
		return
	}
	c.counterpart[d.FullName()] = as
	for i := range d.Values().Len() {
		v := d.Values().Get(i)
		want, ok := c.published.values[as][v.Number()]
		if !ok {
			c.unpublished[fmt.Sprintf("%s %s", d.FullName(), v.Name())] = true
			continue
		}
		c.values++
		if got := valueName(v); got != want {
			c.t.Errorf("%s %d prints as %s, published as %s", d.FullName(), v.Number(), got, want)
		}
		if valueName(v) != string(v.Name()) {
			c.renamed[v.FullName()] = true
		}
	}
}

func TestCamelCase(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"ID":                    "id",
		"key":                   "key",
		"remoteJID":             "remoteJid",
		"JPEGThumbnail":         "jpegThumbnail",
		"fileSHA256":            "fileSha256",
		"imageURLs":             "imageUrls",
		"URLs":                  "urls",
		"URLstring":             "urLstring",
		"senderTimestampMS":     "senderTimestampMs",
		"nonJIDMentions":        "nonJidMentions",
		"userJIDString":         "userJidString",
		"messageC2STimestamp":   "messageC2STimestamp",
		"is1PBizBotMessage":     "is1PBizBotMessage",
		"thumbnailCDNURL":       "thumbnailCdnUrl",
		"pHash":                 "pHash",
		"sequenceS":             "sequenceS",
		"encryptedIDsOfDevices": "encryptedIdsOfDevices",
		"postalZIP":             "postalZip",
		"fooURLat":              "fooUrLat",
		"fooURLzone":            "fooUrLzone",
		"IDs":                   "ids",
	} {
		if got := camelCase(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// published is what testdata/waproto.txt says; it tells its origin and form itself.
type published struct {
	fields map[string]map[protoreflect.FieldNumber]publishedField
	values map[string]map[protoreflect.EnumNumber]string
}

type publishedField struct {
	name string
	kind string // a scalar's kind or a type's published name
	list bool
}

func readPublished(t *testing.T) published {
	p := published{
		fields: map[string]map[protoreflect.FieldNumber]publishedField{},
		values: map[string]map[protoreflect.EnumNumber]string{},
	}
	for line := range lines(t, "testdata/waproto.txt") {
		words := strings.Fields(line)
		fields := map[protoreflect.FieldNumber]publishedField{}
		values := map[protoreflect.EnumNumber]string{}
		for _, word := range words[2:] {
			number, fact, _ := strings.Cut(word, "=")
			n, err := strconv.ParseInt(number, 10, 32)
			if err != nil {
				t.Fatalf("%s: %v", words[1], err)
			}
			name, kind, _ := strings.Cut(fact, ":")
			kind, list := strings.CutSuffix(kind, "*")
			fields[protoreflect.FieldNumber(n)] = publishedField{name, kind, list}
			values[protoreflect.EnumNumber(n)] = name
		}
		if words[0] == "enum" {
			p.values[words[1]] = values
		} else {
			p.fields[words[1]] = fields
		}
	}
	return p
}

// lines yields the lines of a file without the comments.
func lines(t *testing.T, file string) func(func(string) bool) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return func(yield func(string) bool) {
		s := bufio.NewScanner(f)
		for s.Scan() {
			if line := s.Text(); line != "" && line[0] != '#' && !yield(line) {
				return
			}
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func descriptorOf(m proto.Message) protoreflect.MessageDescriptor {
	return m.ProtoReflect().Descriptor()
}
