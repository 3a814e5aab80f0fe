package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// serveMarkup serves one page.
func serveMarkup(t *testing.T, policy, markup string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>t</title><link rel="icon" href="data:,">`, markup)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestTheBrowserIsDrivenAsByAPerson(t *testing.T) {
	p := newPage(t, wide)
	p.open(serveMarkup(t, "", `
		<form onsubmit="event.preventDefault(); out.textContent = name.value + ' ' + color.value">
			<label>Name <input id="name"></label>
			<label>Color <select id="color"><option>red<option>green<option>blue</select></label>
			<button>Send</button>
		</form>
		<output id="out"></output>
		<div hidden><button>Hidden</button></div>
		<button onclick="dialog.showModal()">Ask</button>
		<dialog id="dialog" aria-labelledby="q"><h2 id="q">Sure?</h2><button onclick="dialog.close()">Yes</button></dialog>
		<ul><li>one <button>Kick</button></li><li>two <button onclick="this.parentElement.remove()">Kick</button></li></ul>`))
	p.by("textbox", "Name").write("Tïny <b>")
	p.by("textbox", "Name").write("Zoë")
	p.by("combobox", "Color").choose("blue")
	p.by("combobox", "Color").choose("green")
	p.by("button", "Send").click()
	p.shows("Zoë green")
	if n := p.by("button", "Hidden").count(); n != 0 {
		t.Error("a hidden button is found")
	}
	p.by("listitem", "").with("two").by("button", "Kick").click()
	p.by("listitem", "").with("two").isGone()
	p.by("button", "Kick").isThere()

	p.by("button", "Ask").click()
	p.by("dialog", "Sure?").isThere()
	if n := p.by("button", "Send").count(); n != 0 {
		t.Error("what is behind a modal dialog is found")
	}
	p.press(kb.Escape)
	p.by("dialog", "Sure?").isGone()
	p.by("button", "Ask").is("focused", "true")
}

func TestAFaultOfThePageIsHeard(t *testing.T) {
	for name, tt := range map[string]struct{ policy, markup, want string }{
		"an exception":       {"", `<script>setTimeout(() => { throw new Error("oh no") })</script>`, "oh no"},
		"a rejection":        {"", `<script>Promise.reject(new Error("oh no"))</script>`, "oh no"},
		"an error":           {"", `<script>console.error("oh", "no")</script>`, `"oh" "no"`},
		"a missing file":     {"", `<img src="nowhere.png" alt="">`, "404"},
		"an inline style":    {"style-src 'none'", `<p style="color: red">x</p>`, "style-src"},
		"an inline script":   {"script-src 'none'", `<script>1</script>`, "script-src"},
		"a string as markup": {"require-trusted-types-for 'script'", `<script>document.head.innerHTML = "x"</script>`, "TrustedHTML"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPage(t, wide)
			p.open(serveMarkup(t, tt.policy, tt.markup))
			var heard []string
			await(t, "it is heard", func() error {
				heard = append(heard, p.takeFaults()...)
				if len(heard) == 0 {
					return errNotThere
				}
				return nil
			})
			if all := strings.Join(heard, "\n"); !strings.Contains(all, tt.want) {
				t.Errorf("heard %s, want %s", all, tt.want)
			}
			p.mayLog("") // some are told twice
		})
	}
}

func TestEachPageHasAScreenAndAStorageOfItsOwn(t *testing.T) {
	url := serveMarkup(t, "", `<meta name="viewport" content="width=device-width"><p>x`)
	first, second := newPage(t, wide), newPage(t, phoneDark)
	for _, p := range []*browserPage{first, second} {
		p.open(url)
		if kept := eval[*string](p, `localStorage.getItem("x")`); kept != nil {
			t.Errorf("a page has what another one stored: %q", *kept)
		}
		eval[bool](p, `localStorage.setItem("x", "y") === undefined`)
	}
	for p, want := range map[*browserPage]string{first: "1280 800 false", second: "390 844 true"} {
		if got := eval[string](p, "`${innerWidth} ${innerHeight} ${matchMedia('(prefers-color-scheme: dark)').matches}`"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	// Both are drawn, though only one can be in front.
	for _, p := range []*browserPage{first, second} {
		if got := eval[string](p, `new Promise((drawn) => requestAnimationFrame(() => drawn(document.visibilityState)))`); got != "visible" {
			t.Error(got)
		}
	}
}

func TestADownloadIsReceived(t *testing.T) {
	p := newPage(t, wide)
	p.open(serveMarkup(t, "", `<a download="x.csv" href="data:text/csv,a,b">Export</a>`))
	name, content := p.downloads()(func() { p.by("link", "Export").click() })
	if name != "x.csv" || content != "a,b" {
		t.Errorf("%q: %q", name, content)
	}
}
