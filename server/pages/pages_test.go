package pages_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/server/pages"
)

// everyPage is each page that there is, by what leads to it.
func everyPage(t *testing.T, accounts *fakeAccounts, dir string) map[string]*httptest.ResponseRecorder {
	t.Helper()
	h := newPages(t, accounts, dir)
	all := map[string]*httptest.ResponseRecorder{
		"confirm":           get(h, "/confirm?code=open"),
		"confirm spent":     get(h, "/confirm?code=spent"),
		"confirm expired":   get(h, "/confirm?code=old"),
		"confirm unknown":   get(h, "/confirm?code=x"),
		"confirm bare":      get(h, "/confirm"),
		"confirm done":      post(h, "/confirm", "code", "open"),
		"confirm resent":    post(h, "/confirm", "code", "old", "resend", "1"),
		"reset":             get(h, "/reset?code=open"),
		"reset spent":       get(h, "/reset?code=spent"),
		"reset expired":     get(h, "/reset?code=old"),
		"reset unknown":     get(h, "/reset?code=x"),
		"reset unlike":      post(h, "/reset", "code", "open", "password", "a", "again", "b"),
		"reset done":        post(h, "/reset", "code", "open", "password", "a", "again", "a"),
		"reset resent":      post(h, "/reset", "code", "spent", "resend", "1"),
		"reset used up":     post(h, "/reset", "code", "spent", "password", "a", "again", "a"),
		"confirm used up":   post(h, "/confirm", "code", "spent"),
		"confirm forgotten": post(h, "/confirm"),
	}
	accounts.do = errors.New("the store is gone")
	all["confirm broken"] = post(h, "/confirm", "code", "open")
	accounts.do = pages.Busy{RetryAfter: 3 * time.Second}
	all["reset busy"] = post(h, "/reset", "code", "open", "password", "a", "again", "a")
	accounts.do = pages.ErrPassword
	all["reset refused"] = post(h, "/reset", "code", "open", "password", "a", "again", "a")
	accounts.do = nil
	return all
}

var statuses = map[string]int{
	"confirm": 200, "confirm spent": 410, "confirm expired": 410, "confirm unknown": 404, "confirm bare": 404,
	"confirm done": 200, "confirm resent": 200, "confirm used up": 410, "confirm forgotten": 404, "confirm broken": 503,
	"reset": 200, "reset spent": 410, "reset expired": 410, "reset unknown": 404, "reset unlike": 422, "reset done": 200,
	"reset resent": 200, "reset used up": 410, "reset busy": 503, "reset refused": 422,
}

func TestEveryPageSaysWhatItIsByItsStatus(t *testing.T) {
	all := everyPage(t, newAccounts(), "")
	if len(all) != len(statuses) {
		t.Fatalf("%d pages, want %d", len(all), len(statuses))
	}
	for name, w := range all {
		if w.Code != statuses[name] {
			t.Errorf("%s: %d, want %d", name, w.Code, statuses[name])
		}
		if wait, err := strconv.Atoi(w.Header().Get("Retry-After")); (w.Code == 503) != (err == nil && wait > 0) {
			t.Errorf("%s: Retry-After %q", name, w.Header().Get("Retry-After"))
		}
	}
	if wait := all["reset busy"].Header().Get("Retry-After"); wait < "3" {
		t.Errorf("busy for 3 s says %s", wait)
	}
}

func TestEveryPageIsClosedToTheOutside(t *testing.T) {
	for name, w := range everyPage(t, newAccounts(), "") {
		t.Run(name, func(t *testing.T) {
			h := w.Header()
			policy := map[string]string{}
			for directive := range strings.SplitSeq(h.Get("Content-Security-Policy"), ";") {
				key, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
				policy[key] = value
			}
			for key, want := range map[string]string{"default-src": "'none'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'"} {
				if policy[key] != want {
					t.Errorf("the policy has %s %q, want %s", key, policy[key], want)
				}
			}
			for key, value := range policy {
				for _, never := range []string{"unsafe", "*", "http:", "https:", "data:"} {
					if strings.Contains(value, never) || key == "script-src" {
						t.Errorf("the policy has %s %s", key, value)
					}
				}
			}
			for key, want := range map[string]string{
				"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
			} {
				if h.Get(key) != want {
					t.Errorf("%s is %q, want %q", key, h.Get(key), want)
				}
			}
			if len(h.Values("Set-Cookie")) != 0 {
				t.Error("the page sets a cookie")
			}
			d := parse(t, w.Body.String())
			d.wantAccessible()
			d.wantContained()
		})
	}
}

func TestThePagesStyleIsTheirOwn(t *testing.T) {
	h := newPages(t, newAccounts(), "")
	w := get(h, "/pages.css")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/css; charset=utf-8" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the style: %d %v", w.Code, w.Header())
	}
	for _, elsewhere := range []string{"@import", "http:", "https:", "url("} {
		if strings.Contains(w.Body.String(), elsewhere) {
			t.Errorf("the style has %s", elsewhere)
		}
	}
	for _, l := range parse(t, get(h, "/confirm?code=open").Body.String()).all("link") {
		if l.attrs["href"] != "/pages.css" {
			t.Errorf("a page loads %s", l.attrs["href"])
		}
	}
}

func TestLookingChangesNothing(t *testing.T) {
	accounts := newAccounts()
	h := newPages(t, accounts, "")
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"} {
		for _, path := range []string{"/confirm?code=open", "/reset?code=open&password=a&again=a", "/confirm?code=old&resend=1"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("code=open&password=a&again=a")))
			if look := method == "GET" || method == "HEAD"; look == (w.Code == http.StatusMethodNotAllowed) {
				t.Errorf("%s %s answers %d", method, path, w.Code)
			}
		}
	}
	// What was not sent by the page's form counts as little.
	const form = "application/x-www-form-urlencoded"
	for body, kind := range map[string]string{
		"":                form,
		"code=open;":      form,
		"code=open":       "text/plain",
		`{"code":"open"}`: "application/json",
		"Code=open":       form,
		"--b\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\nopen\r\n--b--": "multipart/form-data; boundary=b",
	} {
		if w := postBody(h, "/confirm?code=open", kind, body); w.Code != 404 && w.Code != 400 {
			t.Errorf("POST of %q as %s: %d", body, kind, w.Code)
		}
	}
	if len(accounts.done) != 0 {
		t.Errorf("it did %q", accounts.done)
	}
}

func TestAFormDoesWhatItSays(t *testing.T) {
	tests := []struct {
		path   string
		fields []string
		done   []string
	}{
		{"/confirm", []string{"code", "open"}, []string{"confirm open"}},
		{"/reset", []string{"code", "open", "password", " a ", "again", " a "}, []string{"reset open  a "}},
		{"/reset", []string{"code", "open", "password", "a", "again", "A"}, nil},
		{"/reset", []string{"code", "open", "password", "a"}, nil},
		{"/confirm", []string{"code", "old", "resend", "1"}, []string{"resend confirm old"}},
		{"/reset", []string{"code", "spent", "resend", "1"}, []string{"resend reset spent"}},
		{"/reset", []string{"code", "x", "resend", "1"}, nil},
		{"/reset", []string{"code", "x", "password", "a", "again", "a"}, nil},
		{"/confirm", []string{"code", "spent"}, nil},
	}
	for _, tt := range tests {
		accounts := newAccounts()
		post(newPages(t, accounts, ""), tt.path, tt.fields...)
		if !slices.Equal(accounts.done, tt.done) {
			t.Errorf("%s %q did %q, want %q", tt.path, tt.fields, accounts.done, tt.done)
		}
	}
}

func TestAFormIsBounded(t *testing.T) {
	accounts := newAccounts()
	h := newPages(t, accounts, "")
	most := strings.Repeat("%C3%BC", 512) // 1,024 bytes, each written in three
	if w := postBody(h, "/reset", "application/x-www-form-urlencoded", "code=open&password="+most+"&again="+most); w.Code != 200 {
		t.Errorf("the longest password: %d", w.Code)
	}
	done := len(accounts.done)
	if w := postBody(h, "/reset", "application/x-www-form-urlencoded", "code=open&password=a&again=a&x="+strings.Repeat("x", 1<<20)); w.Code < 400 || w.Code >= 500 {
		t.Errorf("a form of 1 MiB: %d", w.Code)
	}
	if len(accounts.done) != done {
		t.Error("a form that is too long did something")
	}
}
