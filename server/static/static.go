// Package static hands out files that are part of the program: the dashboard's
// and the SDK's. It serves what it was made of and nothing else; no path leads
// to a file of the machine.
//
// A file is known by an ETag of its content, and a browser asks each time
// whether that still holds (304): a new version of the program is seen at once,
// and an unchanged file costs one round trip.
package static

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strings"
	"time"
)

// types are the media types that files have by their names. The machine's own
// table is not asked: it differs from one to the next, and may call a script
// plain text, which no browser would run.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8", // RFC 9239
	".ts":   "application/typescript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".ico":  "image/vnd.microsoft.icon",
}

// index is what a path that names no file leads to.
const index = "index.html"

// Files is a handler of GET and HEAD for a set of files.
type Files struct {
	prefix string
	header http.Header
	files  map[string]file // by path below prefix
}

type file struct {
	kind, etag string
	content    []byte
}

// New returns a handler of files by their paths below prefix, which ends in a
// slash. Each answer has the header's fields. The files are the program's own, so
// one of a type that this package doesn't know is a mistake in the program: New
// panics.
func New(prefix string, files map[string][]byte, header http.Header) *Files {
	f := &Files{prefix: prefix, header: header, files: make(map[string]file, len(files))}
	for name, content := range files {
		kind := types[path.Ext(name)]
		if kind == "" {
			panic("static: " + name + " is of no known type")
		}
		sum := sha256.Sum256(content)
		f.files[name] = file{kind, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, content}
	}
	return f
}

// Tree reads all files below a folder of an embedded file system. It panics where
// there is none, which is a mistake in the program too.
func Tree(fsys fs.FS, folder string) map[string][]byte {
	files := map[string][]byte{}
	sub, err := fs.Sub(fsys, folder)
	if err == nil {
		err = fs.WalkDir(sub, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			files[name], err = fs.ReadFile(sub, name)
			return err
		})
	}
	if err != nil {
		panic("static: " + err.Error())
	}
	return files
}

// ServeHTTP implements http.Handler.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	maps.Copy(h, f.header)
	h.Set("X-Content-Type-Options", "nosniff")
	name, below := strings.CutPrefix(r.URL.Path, f.prefix)
	if name == "" {
		name = index
	}
	found, ok := f.files[name]
	if !below || !ok {
		http.NotFound(w, r)
		return
	}
	h.Set("Content-Type", found.kind)
	h.Set("ETag", found.etag)
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(found.content))
}
