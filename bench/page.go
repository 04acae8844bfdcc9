package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// runPage measures the web page with an inbox of 10,000 chats in a real browser, by the benchmark that drives one.
func (b *bench) runPage(ctx context.Context) ([]row, error) {
	run := exec.CommandContext(ctx, "go", "test", "./e2e", "-run", "^$", "-bench", "^BenchmarkPage$", "-benchtime", "1x")
	run.Env = append(os.Environ(), "CI=true") // without a browser it fails rather than measuring nothing
	out, err := run.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return pageRows(string(out))
}

// pageRows reads what the benchmark prints: a value before each unit.
func pageRows(out string) (rows []row, err error) {
	for _, m := range []struct {
		unit, what, goal string
		met              func(float64) bool
	}{
		{"ms-first-view", "page: first view of 10,000 chats", "300 ms", func(v float64) bool { return v <= 300 }},
		{"ms-live", "page: a message among 10,000 chats shows", "1000 ms", func(v float64) bool { return v <= 1000 }},
		{"ms-filter", "page: slowest filter of 10,000 chats", "50 ms", func(v float64) bool { return v <= 50 }},
		{"frames/s-scroll", "page: frames a second while 10,000 chats scroll", "50", func(v float64) bool { return v >= 50 }},
		{"KB-loaded", "page: compressed, altogether", "150 KB", func(v float64) bool { return v <= 150 }},
	} {
		found := regexp.MustCompile(`([0-9.e+]+) ` + m.unit + `\b`).FindStringSubmatch(out)
		if found == nil {
			return nil, errors.New("the benchmark prints no " + m.unit + ":\n" + out)
		}
		v, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			return nil, err
		}
		unit := strings.TrimLeft(m.goal, "0123456789")
		rows = append(rows, row{m.what, strconv.FormatFloat(v, 'f', 0, 64) + unit, m.goal, m.met(v)})
	}
	return rows, nil
}
