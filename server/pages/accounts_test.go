package pages_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"rollcall/server/pages"
)

// fakeAccounts answer with what they are told, by code, and note what was done.
type fakeAccounts struct {
	account pages.Account
	look    map[string]error // by code; a code that is not here is invalid
	do      error            // of Confirm, Reset and Resend
	done    []string
}

func (f *fakeAccounts) Look(_ context.Context, kind, code string) (pages.Account, error) {
	err, known := f.look[kind+" "+code]
	if !known {
		return pages.Account{}, pages.ErrInvalid
	}
	return f.account, err
}

func (f *fakeAccounts) note(what ...string) error {
	f.done = append(f.done, strings.Join(what, " "))
	return f.do
}

func (f *fakeAccounts) Confirm(_ context.Context, code string) error { return f.note("confirm", code) }
func (f *fakeAccounts) Reset(_ context.Context, code, password string) error {
	return f.note("reset", code, password)
}
func (f *fakeAccounts) Resend(_ context.Context, kind, code string) error {
	return f.note("resend", kind, code)
}

// newAccounts knows one code of each kind and state.
func newAccounts() *fakeAccounts {
	return &fakeAccounts{
		account: pages.Account{Scope: "Space Race", Username: "tina", Pending: true},
		look: map[string]error{
			"confirm open": nil, "confirm spent": pages.ErrSpent, "confirm old": pages.ErrExpired,
			"reset open": nil, "reset spent": pages.ErrSpent, "reset old": pages.ErrExpired,
		},
	}
}

// newPages returns the pages as a server serves them.
func newPages(t *testing.T, accounts pages.Accounts, dir string) http.Handler {
	t.Helper()
	p, err := pages.New(accounts, dir, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	p.Register(mux)
	return mux
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

// post sends a form: name, value, ….
func post(h http.Handler, path string, fields ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return postBody(h, path, "application/x-www-form-urlencoded", form.Encode())
}

func postBody(h http.Handler, path, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
