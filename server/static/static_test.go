package static_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"rollcall/server/static"
)

func fetch(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func files() *static.Files {
	return static.New("/x/", static.Tree(fstest.MapFS{
		"y/index.html":    {Data: []byte("<h1>x</h1>")},
		"y/a.js":          {Data: []byte("export {}")},
		"y/css/base.css":  {Data: []byte("body {}")},
		"y/types.d.ts":    {Data: []byte("export {}")},
		"y/icon.svg":      {Data: []byte("<svg/>")},
		"y/package.json":  {Data: []byte("{}")},
		"y/css/empty.css": {},
		"z.js":            {Data: []byte("not below y")},
	}, "y"), http.Header{"X-Own": {"yes"}})
}

func TestAFileIsServedAsWhatItsNameSays(t *testing.T) {
	for path, want := range map[string]struct{ kind, body string }{
		"/x/":              {"text/html; charset=utf-8", "<h1>x</h1>"},
		"/x/index.html":    {"text/html; charset=utf-8", "<h1>x</h1>"},
		"/x/a.js":          {"text/javascript; charset=utf-8", "export {}"},
		"/x/a.js?v=1":      {"text/javascript; charset=utf-8", "export {}"},
		"/x/css/base.css":  {"text/css; charset=utf-8", "body {}"},
		"/x/css/empty.css": {"text/css; charset=utf-8", ""},
		"/x/types.d.ts":    {"application/typescript; charset=utf-8", "export {}"},
		"/x/icon.svg":      {"image/svg+xml", "<svg/>"},
		"/x/package.json":  {"application/json", "{}"},
	} {
		w := fetch(files(), "GET", path)
		if w.Code != 200 || w.Header().Get("Content-Type") != want.kind || w.Body.String() != want.body {
			t.Errorf("%s: %d, %s, %q", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		for name, value := range map[string]string{"X-Own": "yes", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", path, name, got, value)
			}
		}
		head := fetch(files(), "HEAD", path)
		if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Type") != want.kind || head.Header().Get("ETag") != w.Header().Get("ETag") {
			t.Errorf("HEAD %s: %d, %q, %v", path, head.Code, head.Body, head.Header())
		}
	}
}

func TestAnUnchangedFileIsNotSentAgain(t *testing.T) {
	h := files()
	page, script := fetch(h, "GET", "/x/").Header().Get("ETag"), fetch(h, "GET", "/x/a.js").Header().Get("ETag")
	if page == script || len(page) < 10 {
		t.Fatalf("the ETags are %s and %s", page, script)
	}
	if same := fetch(h, "GET", "/x/types.d.ts").Header().Get("ETag"); same != script {
		t.Errorf("the same content has the ETags %s and %s", script, same)
	}
	for ask, status := range map[string]int{script: 304, "W/" + script: 304, `"old", ` + script: 304, "*": 304, page: 200, `"old"`: 200} {
		w := fetch(h, "GET", "/x/a.js", "If-None-Match", ask)
		if w.Code != status || (status == 304) != (w.Body.Len() == 0) || w.Header().Get("ETag") != script {
			t.Errorf("If-None-Match %s: %d with %d bytes and the ETag %s, want %d", ask, w.Code, w.Body.Len(), w.Header().Get("ETag"), status)
		}
	}
	changed := static.New("/x/", map[string][]byte{"a.js": []byte("export { }")}, nil)
	if w := fetch(changed, "GET", "/x/a.js", "If-None-Match", script); w.Code != 200 {
		t.Errorf("a changed file: %d", w.Code)
	}
}

func TestNoOtherPathLeadsToAFile(t *testing.T) {
	for _, path := range []string{
		"/x", "/", "/a.js", "/y/a.js", "/x/b.js", "/x/z.js", "/x/y/a.js", "/x/../z.js", "/x/A.js", "/x/css", "/x/css/", "/x/a.js/", "/x//a.js", "/x/./a.js", "/x/css/../a.js",
		"/x/../x/a.js", "/x/%2e%2e/x/a.js", "/x/..%2fstatic.go", "/x/static.go", "/x/%00", "/x/a.js%00", "/x/css%5cbase.css",
	} {
		w := fetch(files(), "GET", path)
		if w.Code != 404 || w.Header().Get("ETag") != "" || w.Header().Get("X-Own") != "yes" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if w := fetch(static.New("/x/", nil, nil), "GET", "/x/"); w.Code != 404 {
		t.Errorf("without an index: %d", w.Code)
	}
}

func TestFilesThatCannotBeServedAreAMistake(t *testing.T) {
	for name, do := range map[string]func(){
		"of an unknown type": func() { static.New("/x/", map[string][]byte{"notes.txt": nil}, nil) },
		"of no folder":       func() { static.Tree(fstest.MapFS{}, "y") },
		"of a bad name":      func() { static.Tree(fstest.MapFS{}, "../y") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("files %s are taken", name)
				}
			}()
			do()
		}()
	}
}
