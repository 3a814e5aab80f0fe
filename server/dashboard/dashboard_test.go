package dashboard_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"rollcall/server/dashboard"
)

func fetch(method, target string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	dashboard.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// pageFiles are the files of page/, by their paths below it.
func pageFiles(t *testing.T) map[string]string {
	t.Helper()
	all, root := map[string]string{}, os.DirFS("page")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var content []byte
			content, err = fs.ReadFile(root, name)
			all[name] = string(content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryFileOfThePageIsServedAndClosedToTheOutside(t *testing.T) {
	paths := map[string]string{"/admin/": pageFiles(t)["index.html"]}
	for name, content := range pageFiles(t) {
		paths["/admin/"+name] = content
	}
	for path, content := range paths {
		w := fetch("GET", path)
		if w.Code != 200 || w.Body.String() != content {
			t.Errorf("%s: %d with %d bytes, want %d", path, w.Code, w.Body.Len(), len(content))
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
				"form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy":              "no-referrer",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"X-Robots-Tag":                 "noindex",
			"Cache-Control":                "no-cache",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if w.Header().Get("ETag") == "" || w.Header().Get("Permissions-Policy") == "" || len(w.Header().Values("Set-Cookie")) != 0 {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
}

// What the policy would keep from running is not in the page to begin with, nor
// what makes markup of text.
func TestThePageHasNothingInline(t *testing.T) {
	inline := map[string]*regexp.Regexp{
		".html": regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script(?:>|\s+type="module">)|(?:src|href)="(?:https?:)?//`),
		".js":   regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\("(?:style|on)|(?:from|import) *\(?"(?:https?:)?//`),
		".css":  regexp.MustCompile(`@import|url\(["']?(?:https?:)?//`),
	}
	for name, content := range pageFiles(t) {
		for ending, never := range inline {
			if strings.HasSuffix(name, ending) {
				for _, found := range never.FindAllString(content, -1) {
					t.Errorf("%s has %s", name, found)
				}
			}
		}
	}
}

func TestTheBarePathLeadsToTheDashboard(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		w := fetch(method, "/admin")
		if w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "/admin/" {
			t.Errorf("%s: %d to %s", method, w.Code, w.Header().Get("Location"))
		}
	}
}

func TestTheDashboardIsOnlyRead(t *testing.T) {
	for _, path := range []string{"/admin", "/admin/", "/admin/index.html"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if w := fetch(method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, allowed are %s", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
		if w := fetch("HEAD", path); w.Code >= 400 || w.Body.Len() != 0 && path != "/admin" {
			t.Errorf("HEAD %s: %d", path, w.Code)
		}
	}
}

func TestNothingOutsideThePageIsServed(t *testing.T) {
	for _, path := range []string{
		"/admin/none.js", "/admin/page/index.html", "/admin/dashboard.go", "/admin/css", "/admin/css/",
		"/admin/../dashboard.go", "/admin/%2e%2e/dashboard.go", "/admin/..%2fdashboard.go", "/admin/%2e%2e%2fdashboard.go", "/admin//etc/passwd",
	} {
		w := fetch("GET", path)
		for w.Code/100 == 3 { // to the path without dots, which is served no more
			path = w.Header().Get("Location")
			w = fetch("GET", path)
		}
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
