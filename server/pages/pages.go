// Package pages serves the pages behind the links in mails: /confirm, where a
// user confirms an email address, and /reset, where he sets a new password.
//
// A GET shows a page and changes nothing, for mail scanners follow links. The
// page's form POSTs to the same path, with the code in a hidden input: there is
// no session and no cookie. The pages load nothing from elsewhere and run no
// script.
//
// A folder may brand them: each FILE in its pages folder takes the place of the
// built-in html/FILE. See html/ for their names and what they are given, a [View].
package pages

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Accounts is what the pages do.
type Accounts interface {
	// Look returns whose code it is and changes nothing. With ErrSpent and
	// ErrExpired the Account is filled in too.
	Look(ctx context.Context, kind, code string) (Account, error)
	// Confirm uses a confirm code.
	Confirm(ctx context.Context, code string) error
	// Reset uses a reset code to set a password.
	Reset(ctx context.Context, code, password string) error
	// Resend mails a new link of the kind to whose code it was. It tells nobody
	// whether it did.
	Resend(ctx context.Context, kind, code string) error
}

// An Account is what a page shows of a user.
type Account struct {
	Scope    string
	Username string
	Pending  bool // waits for a confirmation
}

// The kinds of codes, which are also the paths of their pages.
const (
	Confirm = "confirm"
	Reset   = "reset"
)

// What Accounts' methods fail with; anything else shows as "try again later".
var (
	ErrInvalid  = errors.New("no such code")
	ErrSpent    = errors.New("code was used, or is no longer good")
	ErrExpired  = errors.New("code has expired")
	ErrPassword = errors.New("password is not acceptable")
)

// Busy means that the server has too much to do.
type Busy struct{ RetryAfter time.Duration }

// Error implements error.
func (Busy) Error() string { return "busy" }

// A View is what a page's template is given.
type View struct {
	Page    string // the file without .html
	Account Account
	Code    string
	Kind    string // "confirm" or "reset"
	Expired bool   // of the page "spent": by its time, not by use
	Problem string // what was wrong with the form, in words
}

// maxForm bounds a form's size: a password may have 1,024 bytes, each written in
// up to three.
const maxForm = 8 << 10

//go:embed html
var builtin embed.FS

// Pages are the handlers.
type Pages struct {
	accounts Accounts
	log      *slog.Logger
	pages    *template.Template
	style    []byte
}

// New reads the templates: the built-in ones, and in their place those in the
// folder dir/pages, if dir isn't empty and has one.
func New(accounts Accounts, dir string, log *slog.Logger) (*Pages, error) {
	p := &Pages{accounts: accounts, log: log, pages: template.New("")}
	sub, err := fs.Sub(builtin, "html")
	if err != nil {
		return nil, err
	}
	sources := []fs.FS{sub}
	if dir != "" {
		own := filepath.Join(dir, "pages")
		if _, err := os.Stat(own); err == nil {
			sources = append(sources, os.DirFS(own))
		}
	}
	for _, source := range sources {
		if names, _ := fs.Glob(source, "*.html"); len(names) > 0 {
			if _, err := p.pages.ParseFS(source, "*.html"); err != nil {
				return nil, fmt.Errorf("pages: %w", err)
			}
		}
		if style, err := fs.ReadFile(source, "style.css"); err == nil {
			p.style = style
		}
	}
	return p, nil
}

// Register enters the pages into a mux.
func (p *Pages) Register(mux *http.ServeMux) {
	for _, kind := range []string{Confirm, Reset} {
		mux.HandleFunc("GET /"+kind, func(w http.ResponseWriter, r *http.Request) {
			p.look(w, r, kind, r.URL.Query().Get("code"), "")
		})
		mux.HandleFunc("POST /"+kind, func(w http.ResponseWriter, r *http.Request) { p.submit(w, r, kind) })
	}
	mux.HandleFunc("GET /pages.css", func(w http.ResponseWriter, r *http.Request) {
		secure(w)
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = w.Write(p.style)
	})
}

// look shows the form of an open code, or why there is none.
func (p *Pages) look(w http.ResponseWriter, r *http.Request, kind, code, problem string) {
	account, err := p.accounts.Look(r.Context(), kind, code)
	view := View{Page: kind, Kind: kind, Code: code, Account: account, Problem: problem}
	if err != nil {
		p.fail(w, view, err)
		return
	}
	status := http.StatusOK
	if problem != "" {
		status = http.StatusUnprocessableEntity
	}
	p.show(w, status, view)
}

// submit takes a form.
func (p *Pages) submit(w http.ResponseWriter, r *http.Request, kind string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form could not be read", http.StatusBadRequest)
		return
	}
	code := r.PostForm.Get("code")
	view := View{Page: kind + "-done", Kind: kind, Code: code}
	// The account is looked up first: the page that says "done" names it.
	account, err := p.accounts.Look(r.Context(), kind, code)
	view.Account = account
	switch {
	case r.PostForm.Get("resend") != "":
		view.Page = "resent"
		if err == nil || errors.Is(err, ErrSpent) || errors.Is(err, ErrExpired) {
			err = p.accounts.Resend(r.Context(), kind, code)
		}
	case err != nil:
	case kind == Confirm:
		err = p.accounts.Confirm(r.Context(), code)
	case r.PostForm.Get("password") != r.PostForm.Get("again"):
		p.look(w, r, kind, code, "The two passwords are not the same.")
		return
	default:
		err = p.accounts.Reset(r.Context(), code, r.PostForm.Get("password"))
		if errors.Is(err, ErrPassword) {
			p.look(w, r, kind, code, "A password has 1 to 1,024 characters.")
			return
		}
	}
	if err != nil {
		p.fail(w, view, err)
		return
	}
	p.show(w, http.StatusOK, view)
}

// fail shows what went wrong.
func (p *Pages) fail(w http.ResponseWriter, view View, err error) {
	var busy Busy
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, ErrInvalid):
		view.Page, status = "invalid", http.StatusNotFound
	case errors.Is(err, ErrExpired):
		view.Page, view.Expired, status = "spent", true, http.StatusGone
	case errors.Is(err, ErrSpent):
		view.Page, status = "spent", http.StatusGone
	case errors.As(err, &busy):
		view.Page = "busy"
		w.Header().Set("Retry-After", strconv.Itoa(int(busy.RetryAfter/time.Second)+1))
	default:
		p.log.Error("page failed", "page", view.Kind, "error", err)
		view.Page = "busy"
		w.Header().Set("Retry-After", "5")
	}
	p.show(w, status, view)
}

// show writes a page, once all of it could be made.
func (p *Pages) show(w http.ResponseWriter, status int, view View) {
	var page bytes.Buffer
	if err := p.pages.ExecuteTemplate(&page, view.Page+".html", view); err != nil {
		p.log.Error("page could not be made", "page", view.Page, "error", err)
		http.Error(w, "this page could not be made", http.StatusInternalServerError)
		return
	}
	secure(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// secure forbids what the pages don't need: scripts, frames, anything from
// elsewhere, and the code in a Referer.
func secure(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
