package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
	"rollcall/server/passwords"
	"rollcall/store"
)

// useLink presses the button on the page behind a link.
func useLink(t *testing.T, link string, fields url.Values) (status int) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"code": {u.Query().Get("code")}}
	for k, v := range fields {
		form[k] = v
	}
	u.RawQuery = ""
	// Connections that stay open would be found as leaks.
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := c.PostForm(u.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// asClient makes one call as a client of the scope A.
func asClient[In, Out any](t *testing.T, r *running, m protocol.Method[In, Out], in In) (Out, error) {
	t.Helper()
	c, err := client.Dial(t.Context(), "ws://"+r.address, client.Options{Scope: "A", Key: secretKey})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return client.Call(t.Context(), c, m, in)
}

func TestLinksFromTheCommandLineWork(t *testing.T) {
	r := start(t, admin, "--scope", "A", "--outbox", filepath.Join(t.TempDir(), "mail"))
	first := protocol.Credentials{Password: "first"}
	made, err := asClient(t, r, protocol.UsersCreate, protocol.CreateParams{
		Username: "tina", Credentials: first, Email: "tina@home.example", Confirmation: &protocol.Confirmation{},
	})
	if err != nil {
		t.Fatal(err)
	}
	login := func(password string) error {
		_, err := asClient(t, r, protocol.UsersLogin, protocol.LoginParams{Username: "tina", Credentials: protocol.Credentials{Password: password}})
		return err
	}
	id := made.UserID.String()

	link := r.do("user", "confirm-link", "TINA", "--scope", "A")
	if !strings.HasPrefix(link, "http://"+r.address+"/confirm?code=") || strings.Count(link, "\n") != 1 || !strings.HasSuffix(link, "\n") {
		t.Errorf("confirm-link prints %q", link)
	}
	wants(t, r.do("user", "get", id), "active no")
	if status := useLink(t, strings.TrimSpace(link), nil); status != 200 {
		t.Errorf("the link answers %d", status)
	}
	wants(t, r.do("user", "get", id), "active yes")
	r.fails(protocol.StatusPendingNotFound, "user", "confirm-link", id)

	var printed struct {
		Link      string
		ExpiresAt time.Time `json:"expires_at"`
	}
	if out := r.do("user", "reset-link", id, "--json"); json.Unmarshal([]byte(out), &printed) != nil || time.Until(printed.ExpiresAt) < 50*time.Minute {
		t.Errorf("reset-link prints %q", out)
	}
	if err := login("first"); err != nil {
		t.Errorf("before the link is used: %v", err)
	}
	second := url.Values{"password": {"second"}, "again": {"second"}}
	for _, want := range []int{200, 410} {
		if status := useLink(t, printed.Link, second); status != want {
			t.Errorf("the link answers %d, want %d", status, want)
		}
	}
	if err := login("first"); !isStatus(err, protocol.StatusPasswordInvalid) {
		t.Errorf("the first password again: %v", err)
	}
	if err := login("second"); err != nil {
		t.Errorf("the second password: %v", err)
	}

	r.fails(protocol.StatusUserNotFound, "user", "reset-link", "nobody", "--scope", "A")
	r.fails(protocol.StatusUserNotFound, "user", "confirm-link", "00000000-1111-4222-8333-444444444444")
	if _, _, err := r.try("", "user", "reset-link", "tina"); ExitCode(err) != 2 {
		t.Errorf("a username without its scope: %v", err)
	}
	log := r.stop()
	for _, used := range []string{strings.TrimSpace(link), printed.Link} {
		if _, code, _ := strings.Cut(used, "code="); code == "" || strings.Contains(log, code) {
			t.Errorf("a code is in the log:\n%s", log)
		}
	}
}

func TestLinksAreForOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "users.db")
	roles := map[string]protocol.Status{
		protocol.RoleViewer: protocol.StatusNotPermitted, protocol.RoleOperator: protocol.StatusNotPermitted, protocol.RoleOwner: 0,
	}
	addAdmins(t, data, slices.Sorted(maps.Keys(roles)))
	r := start(t, admin, "--data", data, "--scope", "A", "--outbox", filepath.Join(dir, "mail"))
	id := strings.TrimSpace(r.do("user", "create", "--scope", "A", "--username", "tina", "--password", "first"))
	for role, status := range roles {
		if status == 0 {
			r.do("user", "reset-link", id, "--admin", "the "+role)
			continue
		}
		r.fails(status, "user", "reset-link", id, "--admin", "the "+role)
		r.fails(status, "user", "confirm-link", id, "--admin", "the "+role)
	}
}

// addAdmins puts an account for each role, with the password secretPassword,
// into the data of a server that has not started yet.
func addAdmins(t *testing.T, data string, roles []string) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DataFile: data, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := passwords.NewPool(passwords.Options{Params: passwords.Params{Memory: 64, Time: 1, Threads: 1}, Workers: 1, Queue: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for _, role := range roles {
		record, err := pool.Hash(t.Context(), passwords.Admins, secretPassword)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.CreateAdmin(t.Context(), store.Admin{Name: "the " + role, Role: role, Password: record}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}
