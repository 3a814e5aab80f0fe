package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"rollcall/store"
)

// masked stands for a secret wherever one would be shown.
const masked = "***"

// A secret is a setting that is never shown, whichever way it is printed.
type secret string

// String implements fmt.Stringer.
func (s secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// GoString implements fmt.GoStringer.
func (s secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// secret returns the value of a setting that may also be given as the name of a
// file, by the setting of the same name with -file. The one from the higher
// source counts; both from the same one are a mistake. Line ends at the file's
// end don't belong to the secret.
func (s *settings) secret(name string, value secret, path string) (secret, error) {
	direct, file := s.from[name], s.from[name+"-file"]
	switch {
	case path == "" || value != "" && direct.source > file.source:
		return value, nil
	case value != "" && direct.source == file.source:
		return "", usagef("%s and %s-file are both set (%s, %s): set one", name, name, direct, file)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", usagef("read %s-file: %w", name, err)
	}
	read := secret(strings.TrimRight(string(data), "\r\n"))
	if read == "" {
		return "", usagef("%s-file: %s is empty", name, path)
	}
	s.from[name] = origin{fromFile, path}
	return read, nil
}

// maskURL returns a storage URL without what is secret in it. One that is not
// well formed is not shown at all, as nobody knows where its password is.
func maskURL(raw secret) string {
	if raw == "" {
		return ""
	}
	if store.CheckURL(string(raw)) != nil {
		return masked
	}
	base, query, hasQuery := strings.Cut(string(raw), "?")
	scheme, rest, _ := strings.Cut(base, "://")
	authority, path, hasPath := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, _, hasPassword := strings.Cut(authority[:at], ":")
		if hasPassword {
			user += ":" + masked
		}
		authority = user + authority[at:]
	}
	shown := scheme + "://" + authority
	if hasPath {
		shown += "/" + path
	}
	if hasQuery {
		shown += "?" + maskQuery(query)
	}
	return shown
}

// maskQuery masks every value but a user's name.
func maskQuery(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		if name, _, ok := strings.Cut(part, "="); ok && name != "sentinel_user" {
			parts[i] = fmt.Sprintf("%s=%s", name, masked)
		}
	}
	return strings.Join(parts, "&")
}
