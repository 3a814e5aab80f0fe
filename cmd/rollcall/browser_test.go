package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The tests of what people see drive Debian's chromium, without a window. One
// process serves the whole test binary; each test has a browser context of its
// own, which shares no cookies, storage or cache with another.

// uiGuard is how long a test waits for what no reply tells: an end to a hang, and
// no promise of the program's.
const uiGuard = 30 * time.Second

var theBrowser struct {
	sync.Mutex
	ctx context.Context // of chromedp; nil until a test needs it
}

// browserContext starts the browser if no test has yet.
func browserContext(t testing.TB) context.Context {
	t.Helper()
	theBrowser.Lock()
	defer theBrowser.Unlock()
	if theBrowser.ctx != nil {
		return theBrowser.ctx
	}
	exe, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not found; install it: apt-get install chromium")
	}
	profile, err := os.MkdirTemp("", "rollcall-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(exe),
		chromedp.UserDataDir(profile),
		chromedp.DisableGPU,
		chromedp.WindowSize(1280, 800),
		chromedp.Flag("lang", "en-US"), // the form of dates and numbers
		// Nothing here needs the world outside, and looking for it takes time.
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("no-pings", true),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses root
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator) // ended by Cancel
	if err := chromedp.Do(ctx); err != nil {
		stopAllocator()
		_ = os.RemoveAll(profile)
		t.Fatalf("start %s: %v", exe, err)
	}
	theBrowser.ctx = ctx
	whenAllHaveRun(func() {
		patient, cancel := context.WithTimeout(ctx, uiGuard)
		_ = chromedp.Cancel(patient)
		cancel()
		stopAllocator()
		chromedp.FromContext(ctx).Allocator.Wait()
		_ = os.RemoveAll(profile)
	})
	return ctx
}

// errNotThere says that a page has not, or not yet, what was looked for.
var errNotThere = errors.New("not there")

// await waits until done says nil, and fails with what it said last.
func await(t testing.TB, what string, done func() error) {
	t.Helper()
	hung := time.Now().Add(uiGuard)
	for {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(hung) {
			t.Fatalf("waited in vain: %s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
