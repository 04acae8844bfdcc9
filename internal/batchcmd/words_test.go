package batchcmd

import (
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"
)

// TestWords: both languages say everything, with the same arguments.
func TestWords(t *testing.T) {
	verbs := regexp.MustCompile(`%(\[\d\])?0?\d?[a-z]`)
	en, id := reflect.ValueOf(english), reflect.ValueOf(indonesian)
	for i := range en.NumField() {
		name := en.Type().Field(i).Name
		switch a, b := en.Field(i), id.Field(i); a.Kind() {
		case reflect.Map:
			for _, key := range a.MapKeys() {
				if v := b.MapIndex(key); !v.IsValid() || v.String() == "" {
					t.Errorf("%s lacks %v", name, key)
				}
			}
		default:
			if a.String() == "" || b.String() == "" || !slices.Equal(verbs.FindAllString(a.String(), -1), verbs.FindAllString(b.String(), -1)) {
				t.Errorf("%s: %q, %q", name, a, b)
			}
		}
	}
	for _, one := range []struct{ got, want string }{
		{english.grouped(1234567), "1,234,567"}, {indonesian.grouped(1234567), "1.234.567"}, {indonesian.grouped(999), "999"},
		{english.rate(12.34), "12.3/s"}, {indonesian.rate(12.34), "12,3/dtk"},
		{english.spoken(65 * time.Minute), "1h05m"}, {indonesian.spoken(65 * time.Second), "1 mnt 05 dtk"}, {english.spoken(-time.Second), "0s"},
	} {
		if one.got != one.want {
			t.Errorf("%q, want %q", one.got, one.want)
		}
	}
}
