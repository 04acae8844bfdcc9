// Package pesan holds what describes Pesan as a whole.
package pesan

import _ "embed"

// OpenAPI is openapi.yaml, the description of the HTTP API.
//
//go:embed openapi.yaml
var OpenAPI []byte
