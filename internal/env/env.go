// Package env reads a typed configuration from the environment and reports all that is wrong with it at once, so that
// who sets it up needn't try again for each mistake.
package env

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Reader reads variables. A variable that is empty counts as unset. What is wrong is kept for Err, and the reading method
// returns the fallback.
type Reader struct {
	lookup   func(string) (string, bool)
	problems []error
}

// New makes a reader; lookup is os.LookupEnv or alike.
func New(lookup func(string) (string, bool)) *Reader { return &Reader{lookup: lookup} }

// Err is everything that was wrong, a line each; nil when all was well.
func (r *Reader) Err() error { return errors.Join(r.problems...) }

// Reject adds what the caller found wrong.
func (r *Reader) Reject(name, why string) {
	r.problems = append(r.problems, fmt.Errorf("%s: %s", name, why))
}

// Get reads a variable by parse, whose error says what is expected: it never holds the value, which may be a secret.
func Get[T any](r *Reader, name string, fallback T, parse func(string) (T, error)) T {
	text, _ := r.lookup(name)
	if text = strings.TrimSpace(text); text == "" {
		return fallback
	}
	v, err := parse(text)
	if err != nil {
		r.Reject(name, err.Error())
		return fallback
	}
	return v
}

// String reads a text.
func (r *Reader) String(name, fallback string) string {
	return Get(r, name, fallback, func(s string) (string, error) { return s, nil })
}

// Required reads a text that must be there; what says what it is.
func (r *Reader) Required(name, what string) string {
	v := r.String(name, "")
	if v == "" {
		r.Reject(name, "is not set; it is "+what)
	}
	return v
}

// Int reads a whole number from least to most.
func (r *Reader) Int(name string, fallback, least, most int) int {
	return Get(r, name, fallback, func(s string) (int, error) {
		v, err := strconv.Atoi(s)
		if err != nil || v < least || v > most {
			return 0, fmt.Errorf("must be a whole number from %d to %d", least, most)
		}
		return v, nil
	})
}

// Duration reads a time such as 8s or 1m30s, from least to most.
func (r *Reader) Duration(name string, fallback, least, most time.Duration) time.Duration {
	return Get(r, name, fallback, func(s string) (time.Duration, error) {
		v, err := time.ParseDuration(s)
		if err != nil || v < least || v > most {
			return 0, fmt.Errorf("must be a duration from %v to %v, such as %v", least, most, fallback)
		}
		return v, nil
	})
}

// Address reads host:port; port 0 is any free one.
func (r *Reader) Address(name, fallback string) string {
	return Get(r, name, fallback, ParseAddress)
}

// ParseAddress checks that s is host:port.
func ParseAddress(s string) (string, error) {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", errors.New("must be host:port, such as 127.0.0.1:8080")
	}
	return s, nil
}

// Key reads 32 bytes in hex; nil when there are none.
func (r *Reader) Key(name string) *[32]byte {
	return Get(r, name, nil, func(s string) (*[32]byte, error) {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != 32 {
			return nil, errors.New("must be 32 bytes in hex: 64 digits")
		}
		return (*[32]byte)(b), nil
	})
}

// Digits reads a text of at most so many digits that doesn't begin with 0, such as a country code.
func (r *Reader) Digits(name, fallback string, most int) string {
	return Get(r, name, fallback, func(s string) (string, error) {
		if len(s) > most || s[0] == '0' || strings.Trim(s, "0123456789") != "" {
			return "", fmt.Errorf("must be 1 to %d digits, without a 0 in front", most)
		}
		return s, nil
	})
}
