package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A screen is what a page is shown on.
type screen struct {
	name          string
	width, height int64 // CSS pixels
	phone         bool
	dark          bool
}

var (
	wide      = screen{name: "wide-light", width: 1280, height: 800}
	wideDark  = screen{name: "wide-dark", width: 1280, height: 800, dark: true}
	phone     = screen{name: "phone-light", width: 390, height: 844, phone: true}
	phoneDark = screen{name: "phone-dark", width: 390, height: 844, phone: true, dark: true}
)

// A browserPage is one tab in a browser context of its own. A test fails at its
// end if the page's script threw, or anything was logged as an error or a
// warning, a violation of the content security policy too, that the test did not
// announce by mayLog.
type browserPage struct {
	t   testing.TB
	ctx context.Context // of chromedp; ends with the test

	mu      sync.Mutex
	faults  []string
	allowed []*regexp.Regexp
}

// newPage opens an empty tab, which is closed when the test ends.
func newPage(t testing.TB, on screen) *browserPage {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browserContext(t), chromedp.WithNewBrowserContext())
	p := &browserPage{t: t, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			p.tellWhatIsShown()
		}
		cancel()
		for _, fault := range p.takeFaults() {
			t.Errorf("the page logged: %s", fault)
		}
	})
	p.must("open a tab", chromedp.Listen(ctx, p.hear))
	command(p, log.Enable, struct{}{})
	// Each tab behaves as the one that has the focus.
	command(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	p.show(on)
	return p
}

// show changes the screen.
func (p *browserPage) show(on screen) {
	p.t.Helper()
	scheme := "light"
	if on.dark {
		scheme = "dark"
	}
	command(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: on.width, Height: on.height, DeviceScaleFactor: 1, Mobile: on.phone,
	})
	command(p, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: on.phone})
	command(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// hear notes what must not happen. It runs on the goroutine that reads from the
// browser.
func (p *browserPage) hear(event any) {
	var fault string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = "uncaught: " + e.ExceptionDetails.Text
		if o := e.ExceptionDetails.Exception; o != nil {
			fault += " " + o.Description
		}
	case *runtime.EventConsoleAPICalled:
		switch e.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
		default:
			return
		}
		fault = "console." + string(e.Type) + ":"
		for _, arg := range e.Args {
			if arg.Description != "" {
				fault += " " + arg.Description
			} else {
				fault += " " + string(arg.Value)
			}
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError && e.Entry.Level != log.EntryLevelWarning {
			return
		}
		fault = string(e.Entry.Source) + " " + string(e.Entry.Level) + ": " + e.Entry.Text + " " + e.Entry.URL
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fault)
}

// mayLog announces what this page may log, as a regular expression.
func (p *browserPage) mayLog(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, regexp.MustCompile(what))
}

// takeFaults returns what was logged and not announced, and forgets it.
func (p *browserPage) takeFaults() (found []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, fault := range p.faults {
		for _, a := range p.allowed {
			if a.MatchString(fault) {
				continue next
			}
		}
		found = append(found, fault)
	}
	p.faults = nil
	return found
}

func (p *browserPage) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// open goes to an address and waits until it has loaded.
func (p *browserPage) open(url string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, uiGuard)
	defer cancel()
	p.must("open "+url, chromedp.Do(ctx, chromedp.Navigate(url)))
}

func (p *browserPage) reload() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, uiGuard)
	defer cancel()
	p.must("reload", chromedp.Do(ctx, chromedp.Reload()))
}

// address is what stands in the address bar.
func (p *browserPage) address() string {
	p.t.Helper()
	return eval[string](p, `location.href`)
}

// eval evaluates an expression in the page and waits for it if it is a promise.
// Only what has no role and no name is asked for by a script.
func eval[T any](p *browserPage, expression string, args ...any) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, uiGuard)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](fill(expression, args), func(e *runtime.EvaluateParams) { e.AwaitPromise = new(true) }))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// fill puts values, as JSON, where an expression has %s.
func fill(expression string, args []any) string {
	if len(args) == 0 {
		return expression
	}
	texts := make([]any, len(args))
	for i, arg := range args {
		text, _ := json.Marshal(arg)
		texts[i] = string(text)
	}
	return fmt.Sprintf(expression, texts...)
}

// text is all that the page shows.
func (p *browserPage) text() string {
	p.t.Helper()
	return eval[string](p, `document.body.innerText`)
}

// shows waits until the page shows a text.
func (p *browserPage) shows(text string) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("the page shows %q", text), func() error {
		if got := p.text(); !strings.Contains(got, text) {
			return fmt.Errorf("it shows\n%s", got)
		}
		return nil
	})
}

// screenshot writes what is seen now into a PNG file, or with whole all of the
// page from its top to its end.
func (p *browserPage) screenshot(file string, whole bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, uiGuard)
	defer cancel()
	image, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &whole,
	})
	p.must("take a screenshot", err)
	p.must("write a screenshot", os.WriteFile(file, image.Data, 0o644))
}

// tellWhatIsShown logs the page's text for a test that has failed, and keeps a
// picture of it where go test is told to keep such things (-artifacts).
func (p *browserPage) tellWhatIsShown() {
	ctx, cancel := context.WithTimeout(p.ctx, uiGuard)
	defer cancel()
	shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	p.t.Logf("the page shows (%v):\n%s", err, shown)
	if image, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{}); err == nil {
		_ = os.WriteFile(filepath.Join(p.t.ArtifactDir(), "page.png"), image.Data, 0o644)
	}
}

// downloads makes the page's downloads end up in a folder of the test, and
// returns a function that does something which downloads one file, and returns
// the file's name and content.
func (p *browserPage) downloads() func(do func()) (name, content string) {
	p.t.Helper()
	dir := p.t.TempDir()
	var mu sync.Mutex
	names := map[string]string{} // GUID to what the page called it
	ended := map[string]browser.DownloadProgressState{}
	p.must("follow downloads", chromedp.ListenBrowser(p.ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *browser.EventDownloadWillBegin:
			names[e.GUID] = e.SuggestedFilename
		case *browser.EventDownloadProgress:
			if e.State != browser.DownloadProgressStateInProgress {
				ended[e.GUID] = e.State
			}
		}
	}))
	_, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior:         browser.SetDownloadBehaviorBehaviorAllowAndName,
		BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
		DownloadPath:     dir,
		EventsEnabled:    new(true),
	})
	p.must("allow downloads", err)
	return func(do func()) (name, content string) {
		p.t.Helper()
		do()
		await(p.t, "a file is downloaded", func() error {
			mu.Lock()
			defer mu.Unlock()
			for guid, state := range ended {
				text, err := os.ReadFile(filepath.Join(dir, guid))
				if state != browser.DownloadProgressStateCompleted || err != nil {
					return fmt.Errorf("%s: %s, %v", names[guid], state, err)
				}
				name, content = names[guid], string(text)
				delete(ended, guid)
				return nil
			}
			return errNotThere
		})
		return name, content
	}
}
