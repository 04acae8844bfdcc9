package chat

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

var record = flag.Bool("record", false, "write what this release writes as the last release's; when a version is released, and only then")

// written is what the functions and hosts of a release leave for those of another: on the queues, and in the tables.
func written(t *testing.T) map[string]any {
	file, err := os.ReadFile(filepath.Join("..", "..", "docs", "command.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct{ Kind struct{ Enum []CommandKind } }
	}
	if err := json.Unmarshal(file, &schema); err != nil {
		t.Fatal(err)
	}
	kinds := map[CommandKind]bool{} // that a host carries out
	for _, kind := range schema.Properties.Kind.Enum {
		kinds[kind] = true
	}
	return map[string]any{
		"kinds": kinds, "command": filled[Command](), "record": filled[CommandRecord](), "report": filled[Report](), "account": filled[Account](),
		"batch": filled[Batch](), "batchmessage": filled[BatchMessage](), "operation": filled[Operation](), "result": filled[Result](),
	}
}

// filled has a value in every field, so that none is left out.
func filled[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem(), "")
	return v
}

var someTime = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("some " + name)
		if v.Type() == reflect.TypeFor[JSON]() {
			v.SetString(`{"some":"json"}`)
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64, reflect.Uint32, reflect.Uint8:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, name)
		fill(value, name)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(someTime))
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				fill(v.Field(i), f.Name)
			}
		}
	}
}

// TestLastRelease: while one release takes the place of another both run. What the last one wrote is understood to the last field,
// and what this one writes has every field that the last one reads, in its form; others may have been added.
func TestLastRelease(t *testing.T) {
	now := written(t)
	for name, v := range now {
		file := filepath.Join("testdata", "release", name+".json")
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if *record {
			if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		last, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // the last release has no such thing
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, lost := range missing("", decoded(t, last), decoded(t, b)) {
			t.Errorf("the last release doesn't understand %s: %s", name, lost)
		}
		understood := reflect.New(reflect.TypeOf(v))
		if err := json.Unmarshal(last, understood.Interface()); err != nil {
			t.Errorf("%s of the last release: %v", name, err)
			continue
		}
		again, err := json.Marshal(understood.Interface())
		if err != nil {
			t.Fatal(err)
		}
		for _, lost := range missing("", decoded(t, last), decoded(t, again)) {
			t.Errorf("%s of the last release isn't understood: %s", name, lost)
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "release", "*.json"))
	if err != nil || len(files) < 9 {
		t.Fatalf("%d things of the last release: %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file[:len(file)-len(".json")])
		if now[name] == nil {
			t.Errorf("%s of the last release is nothing that this one knows", name)
		}
	}
}

func decoded(t *testing.T, b []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// missing are the values of one document that another hasn't.
func missing(path string, want, have any) (all []string) {
	switch want := want.(type) {
	case map[string]any:
		of, ok := have.(map[string]any)
		if !ok {
			return []string{path + " is no object"}
		}
		for name, v := range want {
			all = append(all, missing(path+"."+name, v, of[name])...)
		}
	case []any:
		of, ok := have.([]any)
		if !ok || len(of) != len(want) {
			return []string{path + " is another list"}
		}
		for i, v := range want {
			all = append(all, missing(fmt.Sprintf("%s[%d]", path, i), v, of[i])...)
		}
	default:
		if want != have {
			all = []string{fmt.Sprintf("%s is %v, not %v", path, have, want)}
		}
	}
	slices.Sort(all)
	return all
}
