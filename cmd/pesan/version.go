package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// version says what the program was built of: its own version, commit and date, Go's, and that of what speaks WhatsApp's
// protocol.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "pesan, built without its version"
	}
	return describe(info)
}

func describe(info *debug.BuildInfo) string {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := cmp.Or(settings["vcs.revision"], "unknown")
	if settings["vcs.modified"] == "true" {
		commit += ", changed since"
	}
	library := "unknown"
	for _, m := range info.Deps {
		if m.Path == "go.mau.fi/whatsmeow" {
			library = m.Version
		}
	}
	return fmt.Sprintf("pesan %s\ncommit %s\ndate %s\nwhatsmeow %s\n%s",
		info.Main.Version, commit, cmp.Or(settings["vcs.time"], "unknown"), library, info.GoVersion)
}
