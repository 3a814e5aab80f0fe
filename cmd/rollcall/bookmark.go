package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rollcall/protocol"
)

// A bookmark is a file that keeps how far a watch has come, for the next one.
type bookmark struct {
	path    string
	SavedAt protocol.Time                    `json:"saved_at"`
	At      map[string]protocol.FeedPosition `json:"positions"`
}

// openBookmark reads a file. One that does not exist yet is a bookmark without
// positions.
func openBookmark(path string) (*bookmark, error) {
	b := &bookmark{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, usagef("read positions: %w", err)
	}
	if err := json.Unmarshal(text, b); err != nil || b.At == nil {
		return nil, usagef("read positions: %s is no file of positions", path)
	}
	return b, nil
}

// save writes the positions, those of scopes that are not among them as they
// were. Where nothing changed nothing is written. A crash at any moment leaves
// the file as it was before or as it is then.
func (b *bookmark) save(at map[string]protocol.FeedPosition) error {
	now := maps.Clone(b.At)
	if now == nil {
		now = map[string]protocol.FeedPosition{}
	}
	maps.Copy(now, at)
	if b.At != nil && maps.Equal(now, b.At) {
		return nil
	}
	next := bookmark{path: b.path, SavedAt: protocol.Time{Time: time.Now()}, At: now}
	text, err := json.Marshal(next, json.Deterministic(true), jsontext.WithIndent("  "))
	if err == nil {
		err = replaceFile(b.path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("save positions: %w", err)
	}
	*b = next
	return nil
}
