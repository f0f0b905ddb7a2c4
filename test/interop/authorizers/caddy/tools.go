//go:build tools

// Package tools pins what is built.
package tools

import _ "github.com/caddyserver/caddy/v2/cmd/caddy"
