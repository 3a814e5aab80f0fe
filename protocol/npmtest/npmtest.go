// Package npmtest gives tests the files of npm packages that are not ours to
// publish. Only tests import it. A package is pinned by its version and the
// SHA-512 of its archive, fetched once with npm, and kept in the user's cache
// folder. Nothing of it is installed and none of its scripts run.
package npmtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Package is one release of an npm package.
type Package struct {
	Name    string // with its namespace, such as "@asyncapi/specs"
	Version string
	SHA512  string // of the archive, in hexadecimal digits
}

// File returns one file of the package, by its path within it.
func (p Package) File(t testing.TB, path string) []byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(p.fetch(t)))
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			t.Fatalf("%s: %s: %v", p, path, err)
		}
		if header.Name == "package/"+path {
			text, err := io.ReadAll(files)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
}

func (p Package) String() string { return p.Name + "@" + p.Version }

// archive is the file's name that npm pack gives it.
func (p Package) archive() string {
	return strings.ReplaceAll(strings.TrimPrefix(p.Name, "@"), "/", "-") + "-" + p.Version + ".tgz"
}

// fetch returns the package's archive.
func (p Package) fetch(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	if cache, err := os.UserCacheDir(); err == nil {
		cached := filepath.Join(cache, "rollcall-tests")
		if os.MkdirAll(cached, 0o755) == nil {
			dir = cached
		}
	}
	file := filepath.Join(dir, p.archive())
	if text, err := os.ReadFile(file); err == nil && p.is(text) {
		return text
	}
	fresh := t.TempDir()
	npm := exec.Command("npm", "pack", "--silent", "--pack-destination", fresh, p.String())
	npm.Dir = fresh
	out, err := npm.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("npm is not found; install it: apt-get install npm")
	}
	if err != nil {
		t.Fatalf("npm pack %s: %v\n%s", p, err, out)
	}
	text, err := os.ReadFile(filepath.Join(fresh, p.archive()))
	if err != nil {
		t.Fatal(err)
	}
	if !p.is(text) {
		t.Fatalf("%s is not the archive that this test knows", p)
	}
	// By rename, so that a test that runs at the same time sees all of it or nothing.
	if tmp, err := os.CreateTemp(dir, "fetch-*"); err == nil {
		_, werr := tmp.Write(text)
		if errors.Join(werr, tmp.Close()) == nil {
			_ = os.Rename(tmp.Name(), file)
		}
	}
	return text
}

func (p Package) is(archive []byte) bool {
	sum := sha512.Sum512(archive)
	return hex.EncodeToString(sum[:]) == p.SHA512
}
