package server_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"rollcall/server/wiretest"
)

// A visit is a page as a browser got it.
type visit struct {
	t      testing.TB
	url    *url.URL
	status int
	header http.Header
	body   string
}

// browse fetches a page, with a form's fields where there are some.
func browse(t testing.TB, method, address string, fields url.Values) visit {
	t.Helper()
	var body io.Reader
	if fields != nil {
		body = strings.NewReader(fields.Encode())
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if fields != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: wiretest.Guard}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return visit{t, req.URL, resp.StatusCode, resp.Header, string(text)}
}

// open follows a mailed link, as a click does.
func open(t testing.TB, link string) visit {
	t.Helper()
	return browse(t, "GET", link, nil)
}

var (
	formElement  = regexp.MustCompile(`(?s)<form\b([^>]*)>(.*?)</form>`)
	inputElement = regexp.MustCompile(`<input\b[^>]*>`)
	attribute    = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

func attributes(tag string) map[string]string {
	all := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
		all[m[1]] = html.UnescapeString(m[2])
	}
	return all
}

// form returns where the page's one form goes and what its inputs hold already.
func (v visit) form() (address string, fields url.Values) {
	v.t.Helper()
	forms := formElement.FindAllStringSubmatch(v.body, -1)
	if len(forms) != 1 {
		v.t.Fatalf("the page %d has %d forms, want one:\n%s", v.status, len(forms), v.body)
	}
	form := attributes(forms[0][1])
	if form["method"] != "post" {
		v.t.Fatalf("the form's method is %q, want post", form["method"])
	}
	to, err := v.url.Parse(form["action"])
	if err != nil {
		v.t.Fatal(err)
	}
	if to.Host != v.url.Host || to.Path != v.url.Path || to.RawQuery != "" {
		v.t.Errorf("the form goes to %s, want the same path without the code", to)
	}
	fields = url.Values{}
	for _, input := range inputElement.FindAllString(forms[0][2], -1) {
		a := attributes(input)
		fields.Set(a["name"], a["value"])
	}
	return to.String(), fields
}

// submit presses the form's button, with these fields filled in: name, value, ….
func (v visit) submit(filled ...string) visit {
	v.t.Helper()
	address, fields := v.form()
	for i := 0; i < len(filled); i += 2 {
		if !fields.Has(filled[i]) {
			v.t.Fatalf("the form has no input %q: %v", filled[i], fields)
		}
		fields.Set(filled[i], filled[i+1])
	}
	return browse(v.t, "POST", address, fields)
}

// want checks a page's status and that it says something.
func (v visit) want(status int, words ...string) visit {
	v.t.Helper()
	if v.status != status {
		v.t.Errorf("%s answers %d, want %d:\n%s", v.url.Path, v.status, status, v.body)
	}
	for _, w := range words {
		if !strings.Contains(v.body, w) {
			v.t.Errorf("the page does not say %q:\n%s", w, v.body)
		}
	}
	return v
}

// logged reports whether the log has a text.
func (n *node) logged(text string) bool {
	n.logs.mu.Lock()
	defer n.logs.mu.Unlock()
	return strings.Contains(n.logs.buf.String(), text)
}

// wantUnlogged checks that the log shows none of these.
func (n *node) wantUnlogged(texts ...string) {
	n.t.Helper()
	for _, text := range texts {
		if n.logged(text) {
			n.t.Errorf("the log shows %q", text)
		}
	}
}
