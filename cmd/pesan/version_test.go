package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	got := describe(&debug.BuildInfo{
		GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"},
		Deps:     []*debug.Module{{Path: "go.mau.fi/whatsmeow", Version: "v0.0.0-2026"}, {Path: "x", Version: "v9"}},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-03-01T12:00:00Z"}, {Key: "vcs.modified", Value: "true"}},
	})
	for _, part := range []string{"v1.2.3", "abc, changed since", "2026-03-01T12:00:00Z", "whatsmeow v0.0.0-2026", "go1.26.0"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q lacks %s", got, part)
		}
	}
	if bare := describe(&debug.BuildInfo{}); strings.Contains(bare, "%!") || !strings.Contains(bare, "unknown") {
		t.Errorf("without anything: %q", bare)
	}
}
