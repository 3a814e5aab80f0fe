// Package npmtest brings tests what they need from npm: packages that are not
// ours to publish, each of one version and checked. They are kept in the user's
// cache folder, so that a machine fetches them once.
package npmtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Package is one version of a package.
type Package struct {
	Name    string
	Version string
	// Integrity is the archive's SHA-512, as npm view NAME@VERSION dist.integrity
	// prints it.
	Integrity string
}

// fileName is the package's name and version as npm pack writes them.
func (p Package) fileName() string {
	return strings.ReplaceAll(strings.TrimPrefix(p.Name, "@"), "/", "-") + "-" + p.Version
}

func (p Package) isArchive(text []byte) bool {
	sum := sha512.Sum512(text)
	return "sha512-"+base64.StdEncoding.EncodeToString(sum[:]) == p.Integrity
}

// Archive returns the package's archive.
func (p Package) Archive(t testing.TB) []byte {
	t.Helper()
	file := filepath.Join(cache(t), p.fileName()+".tgz")
	if text, err := os.ReadFile(file); err == nil && p.isArchive(text) {
		return text
	}
	text := p.fetch(t)
	// By rename, so that a test that runs at the same time sees all of it or nothing.
	if tmp, err := os.CreateTemp(cache(t), "fetch-*"); err == nil {
		_, werr := tmp.Write(text)
		if errors.Join(werr, tmp.Close()) == nil {
			_ = os.Rename(tmp.Name(), file)
		}
	}
	return text
}

func (p Package) fetch(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	npm := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, p.Name+"@"+p.Version)
	npm.Dir = dir
	out, err := npm.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("npm is not found; install it: apt-get install npm")
	}
	if err != nil {
		t.Fatalf("npm pack %s@%s: %v\n%s", p.Name, p.Version, err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, p.fileName()+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	if !p.isArchive(text) {
		t.Fatalf("%s@%s is not the archive that the tests know", p.Name, p.Version)
	}
	return text
}

// File returns one file of the package.
func (p Package) File(t testing.TB, name string) []byte {
	t.Helper()
	var text []byte
	p.each(t, p.Archive(t), func(found string, _ os.FileMode, file io.Reader) error {
		if found != name {
			return nil
		}
		var err error
		text, err = io.ReadAll(file)
		return err
	})
	if text == nil {
		t.Fatalf("%s: no %s in it", p.Name, name)
	}
	return text
}

// Folder returns a folder with the package's files, or with those whose names
// begin with one of the prefixes.
func (p Package) Folder(t testing.TB, prefixes ...string) string {
	t.Helper()
	folder := filepath.Join(cache(t), p.fileName())
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	fresh, err := os.MkdirTemp(cache(t), "unpack-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	p.each(t, p.fetch(t), func(name string, mode os.FileMode, file io.Reader) error {
		if len(prefixes) > 0 && !hasAnyPrefix(name, prefixes) {
			return nil
		}
		target := filepath.Join(fresh, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		out, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, file)
		return errors.Join(err, out.Close())
	})
	if err := os.Rename(fresh, folder); err != nil {
		if _, serr := os.Stat(folder); serr != nil { // nobody else was quicker
			t.Fatal(err)
		}
	}
	return folder
}

func hasAnyPrefix(name string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// each calls f for every regular file of an archive, by its name in the package.
func (p Package) each(t testing.TB, archive []byte, f func(name string, mode os.FileMode, file io.Reader) error) {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		_, name, ok := strings.Cut(header.Name, "/") // all of them stand in a folder "package"
		if header.Typeflag != tar.TypeReg || !ok || !filepath.IsLocal(name) {
			continue
		}
		if err := f(name, header.FileInfo().Mode().Perm(), files); err != nil {
			t.Fatalf("%s: %s: %v", p.Name, name, err)
		}
	}
}

// cache returns the folder where packages are kept, or one for this test alone.
func cache(t testing.TB) string {
	t.Helper()
	if dir, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(dir, "rollcall-tests")
		if os.MkdirAll(dir, 0o755) == nil {
			return dir
		}
	}
	return t.TempDir()
}
