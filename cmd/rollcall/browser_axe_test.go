package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"rollcall/protocol/npmtest"
)

// axe checks roles, names, contrast and much else of a page.
var axe = npmtest.Package{
	Name: "axe-core", Version: "4.14.1",
	Integrity: "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
}

// axeRules are WCAG 2.2, levels A and AA, and what axe's authors hold for good
// practice beside it.
const axeRules = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`

// isAccessible fails the test for each of axe's rules that the page, as it is
// shown now, breaks. axe runs in a world of its own: it sees the document, while
// the page's script and its content security policy see nothing of axe.
func (p *browserPage) isAccessible(where string) {
	p.t.Helper()
	for _, broken := range p.brokenRules() {
		p.t.Errorf("%s: %s", where, broken)
	}
}

func (p *browserPage) brokenRules() (broken []string) {
	p.t.Helper()
	frames := command(p, page.GetFrameTree, struct{}{})
	world := command(p, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: frames.FrameTree.Frame.ID, WorldName: "axe"})
	inWorld := func(e *runtime.EvaluateParams) {
		e.ContextID, e.AwaitPromise = world.ExecutionContextID, new(true)
	}
	ctx, cancel := context.WithTimeout(p.ctx, uiGuard)
	defer cancel()
	p.must("load axe", chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](string(axe.File(p.t, "axe.min.js"))+";0", inWorld)))
	type violation struct {
		ID, Help string
		Nodes    []struct {
			HTML, FailureSummary string
		}
	}
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]violation](
		`axe.run(document, {runOnly: `+axeRules+`, resultTypes: ["violations"]}).then((r) => r.violations)`, inWorld))
	p.must("run axe", err)
	for _, v := range found {
		text := fmt.Sprintf("%s: %s", v.ID, v.Help)
		for _, n := range v.Nodes {
			text += fmt.Sprintf("\n  %s\n    %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n    "))
		}
		broken = append(broken, text)
	}
	return broken
}

func TestAxeSeesWhatIsBroken(t *testing.T) {
	p := newPage(t, wide)
	p.open(serveMarkup(t, "default-src 'none'; img-src data:; require-trusted-types-for 'script'",
		`<main><h1>x</h1><input><p><font color="#ccc" bgcolor="#fff">pale</font></p></main>`))
	all := strings.Join(p.brokenRules(), "\n")
	for _, rule := range []string{"label: ", "color-contrast: "} {
		if !strings.Contains(all, rule) {
			t.Errorf("axe does not see the breach of %q:\n%s", rule, all)
		}
	}
	if n := strings.Count(all, "\n    Fix"); n > 3 {
		t.Errorf("axe sees %d breaches:\n%s", n, all)
	}
}
