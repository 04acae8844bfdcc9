// Package locale tells which language a person reads, from the environment of a terminal.
package locale

import "strings"

// Indonesian tells whether Indonesian is read in a locale such as id_ID.UTF-8; others get English.
func Indonesian(locale string) bool {
	language := strings.ToLower(locale)
	if end := strings.IndexAny(language, "_.-@"); end >= 0 {
		language = language[:end]
	}
	switch language {
	case "id", "in", "jv", "ms", "su":
		return true
	}
	return false
}
