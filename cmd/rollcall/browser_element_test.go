package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Elements are found as people find them who don't see the page: by role and
// accessible name, as Chromium itself computes them. What is hidden from them,
// such as all that is behind a modal dialog, is not found.

// An element names one thing on the page. It is looked for anew each time that
// something is done with it, so it may be redrawn in between.
type element struct {
	p      *browserPage
	within *element // nil: all of the page
	role   string
	name   string // "": any
	nth    int    // of those that fit, from 0; -1: it must be the only one
	has    string // a text that it contains; "": any
}

// by names the one element of a role and a name.
func (p *browserPage) by(role, name string) *element {
	return &element{p: p, role: role, name: name, nth: -1}
}

// by names an element within e.
func (e *element) by(role, name string) *element {
	return &element{p: e.p, within: e, role: role, name: name, nth: -1}
}

// with names the one that contains a text.
func (e *element) with(text string) *element {
	c := *e
	c.has = text
	return &c
}

// at names the nth of those that fit, from 0.
func (e *element) at(nth int) *element {
	c := *e
	c.nth = nth
	return &c
}

func (e *element) String() string {
	s := e.role
	if e.name != "" {
		s += fmt.Sprintf(" %q", e.name)
	}
	if e.has != "" {
		s += fmt.Sprintf(" with %q", e.has)
	}
	if e.nth >= 0 {
		s += fmt.Sprintf(" number %d", e.nth)
	}
	if e.within != nil {
		s += " in " + e.within.String()
	}
	return s
}

// command runs a command of the DevTools protocol that must succeed.
func command[P, R any](p *browserPage, c cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, uiGuard)
	defer cancel()
	result, err := chromedp.Call(ctx, c, params)
	p.must(c.Method, err)
	return result
}

// all finds every element that fits, in the order of the document.
func (e *element) all(ctx context.Context) ([]*accessibility.Node, error) {
	var root cdp.BackendNodeID
	if e.within != nil {
		parent, err := e.within.one(ctx)
		if err != nil {
			return nil, err
		}
		root = parent.BackendDOMNodeID
	} else {
		document, err := chromedp.Call(ctx, dom.GetDocument, dom.GetDocumentParams{Depth: new(int64)})
		if err != nil {
			return nil, err
		}
		root = document.Root.BackendNodeID
	}
	found, err := chromedp.Call(ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{
		BackendNodeID: root, Role: e.role, AccessibleName: e.name,
	})
	if err != nil {
		return nil, err
	}
	var nodes []*accessibility.Node
	for _, n := range found.Nodes {
		if n.Ignored || n.BackendDOMNodeID == 0 || n.BackendDOMNodeID == root {
			continue
		}
		if e.has != "" {
			text, err := ofNode[string](ctx, n, `function() { return this.textContent + " " + (this.innerText ?? "") }`)
			if err != nil {
				return nil, err
			}
			if !strings.Contains(text, e.has) {
				continue
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// one finds the element.
func (e *element) one(ctx context.Context) (*accessibility.Node, error) {
	nodes, err := e.all(ctx)
	switch {
	case err != nil:
		return nil, err
	case e.nth >= 0 && e.nth < len(nodes):
		return nodes[e.nth], nil
	case e.nth < 0 && len(nodes) == 1:
		return nodes[0], nil
	case e.nth < 0 && len(nodes) > 1:
		return nil, fmt.Errorf("%s: there are %d", e, len(nodes))
	default:
		return nil, fmt.Errorf("%s: %w", e, errNotThere)
	}
}

// count is how many elements fit now.
func (e *element) count() int {
	e.p.t.Helper()
	ctx, cancel := context.WithTimeout(e.p.ctx, uiGuard)
	defer cancel()
	nodes, err := e.all(ctx)
	if err != nil && !errors.Is(err, errNotThere) {
		e.p.t.Fatalf("%s: %v", e, err)
	}
	return len(nodes)
}

// isThere waits until the element is there.
func (e *element) isThere() *element {
	e.p.t.Helper()
	e.do("is there", func(context.Context, *accessibility.Node) error { return nil })
	return e
}

// isGone waits until there is none that fits.
func (e *element) isGone() {
	e.p.t.Helper()
	await(e.p.t, fmt.Sprintf("%s is gone", e), func() error {
		if n := e.count(); n > 0 {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
}

// do finds the element and does something with it, again and again until it
// succeeds: the page may be about to show it, or redraw it meanwhile.
func (e *element) do(what string, act func(context.Context, *accessibility.Node) error) {
	e.p.t.Helper()
	await(e.p.t, fmt.Sprintf("%s %s", e, what), func() error {
		ctx, cancel := context.WithTimeout(e.p.ctx, uiGuard)
		defer cancel()
		node, err := e.one(ctx)
		if err != nil {
			return err
		}
		return act(ctx, node)
	})
}

// ofNode calls a function of script with the node as this.
func ofNode[T any](ctx context.Context, node *accessibility.Node, function string, args ...any) (result T, err error) {
	object, err := chromedp.Call(ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node.BackendDOMNodeID})
	if err != nil {
		return result, err
	}
	params := runtime.CallFunctionOnParams{
		FunctionDeclaration: function, ObjectID: object.Object.ObjectID, ReturnByValue: new(true), AwaitPromise: new(true),
	}
	for _, arg := range args {
		value, err := json.Marshal(arg)
		if err != nil {
			return result, err
		}
		params.Arguments = append(params.Arguments, &runtime.CallArgument{Value: value})
	}
	got, err := chromedp.Call(ctx, runtime.CallFunctionOn, params)
	if err != nil {
		return result, err
	}
	_, _ = chromedp.Call(ctx, runtime.ReleaseObject, runtime.ReleaseObjectParams{ObjectID: object.Object.ObjectID})
	if got.ExceptionDetails != nil {
		return result, fmt.Errorf("%s: %s", function, got.ExceptionDetails.Text)
	}
	if len(got.Result.Value) == 0 {
		return result, nil
	}
	return result, json.Unmarshal(got.Result.Value, &result)
}

// of calls a function of script with the element as this.
func of[T any](e *element, function string, args ...any) (result T) {
	e.p.t.Helper()
	e.do("is asked", func(ctx context.Context, node *accessibility.Node) (err error) {
		result, err = ofNode[T](ctx, node, function, args...)
		return err
	})
	return result
}

// text is what the element shows.
func (e *element) text() string {
	e.p.t.Helper()
	return of[string](e, `function() { return this.innerText ?? this.textContent }`)
}

// value is what a control holds.
func (e *element) value() string {
	e.p.t.Helper()
	return of[string](e, `function() { return this.value }`)
}

// shows waits until the element shows a text.
func (e *element) shows(text string) {
	e.p.t.Helper()
	await(e.p.t, fmt.Sprintf("%s shows %q", e, text), func() error {
		if got := e.text(); !strings.Contains(got, text) {
			return fmt.Errorf("it shows %q", got)
		}
		return nil
	})
}

// is waits until one of the element's properties, as the accessibility tree has
// them, is so: "disabled", "checked", "expanded", "focused", "pressed", "invalid".
// One that is not set reads as "false".
func (e *element) is(property, want string) {
	e.p.t.Helper()
	e.do(fmt.Sprintf("is %s: %s", property, want), func(_ context.Context, node *accessibility.Node) error {
		got := "false"
		for _, p := range node.Properties {
			if string(p.Name) == property && p.Value != nil {
				got = strings.Trim(string(p.Value.Value), `"`)
			}
		}
		if got != want {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// errCovered says that a click would hit something else.
var errCovered = errors.New("something else is in front of it")

// click moves the mouse to the middle of the element and presses its button. It
// waits until nothing else is in the way.
func (e *element) click() {
	e.p.t.Helper()
	e.do("is clicked", func(ctx context.Context, node *accessibility.Node) error {
		x, y, err := middle(ctx, node)
		if err != nil {
			return err
		}
		return chromedp.Do(ctx,
			chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y),
			chromedp.MouseClickXY(x, y))
	})
}

// hover moves the mouse onto the element.
func (e *element) hover() {
	e.p.t.Helper()
	e.do("is hovered", func(ctx context.Context, node *accessibility.Node) error {
		x, y, err := middle(ctx, node)
		if err != nil {
			return err
		}
		return chromedp.Do(ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
	})
}

// middle scrolls the node into view and returns a point of it that a click hits.
func middle(ctx context.Context, node *accessibility.Node) (x, y float64, err error) {
	if _, err := chromedp.Call(ctx, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: node.BackendDOMNodeID}); err != nil {
		return 0, 0, err
	}
	shape, err := chromedp.Call(ctx, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: node.BackendDOMNodeID})
	if err != nil {
		return 0, 0, err
	}
	if len(shape.Quads) == 0 {
		return 0, 0, errors.New("it has no shape")
	}
	for corner := range 4 {
		x += shape.Quads[0][2*corner] / 4
		y += shape.Quads[0][2*corner+1] / 4
	}
	// A label's text belongs to its control.
	hits, err := ofNode[bool](ctx, node, `function(x, y) {
		const at = document.elementFromPoint(x, y);
		return this.contains(at) || (at !== null && [...(this.labels ?? [])].some((label) => label.contains(at)));
	}`, x, y)
	if err == nil && !hits {
		err = errCovered
	}
	return x, y, err
}

// write writes a text into a field, in place of what is there.
func (e *element) write(text string) {
	e.p.t.Helper()
	e.focus()
	e.p.press("a", kb.ModifierCtrl)
	if text == "" {
		e.p.press(kb.Delete)
	}
	e.p.press(text)
	if got := e.value(); got != strings.ReplaceAll(text, "\r", "\n") {
		e.p.t.Fatalf("%s holds %q after %q was typed", e, got, text)
	}
}

// focus clicks on a field.
func (e *element) focus() {
	e.p.t.Helper()
	e.do("has the focus", func(ctx context.Context, node *accessibility.Node) error {
		x, y, err := middle(ctx, node)
		if err != nil {
			return err
		}
		if err := chromedp.Do(ctx, chromedp.MouseClickXY(x, y)); err != nil {
			return err
		}
		has, err := ofNode[bool](ctx, node, `function() { return document.activeElement === this }`)
		if err == nil && !has {
			err = errors.New("a click has not given it the focus")
		}
		return err
	})
}

// press presses keys, one after the other.
func (p *browserPage) press(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, uiGuard)
	defer cancel()
	p.must("press keys", chromedp.Do(ctx, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))))
}

// choose goes to an option of a <select>, by its text or its value, with the arrow
// keys.
func (e *element) choose(option string) {
	e.p.t.Helper()
	e.do("is chosen from", func(ctx context.Context, node *accessibility.Node) error {
		steps, err := ofNode[*int](ctx, node, `function(text) {
			this.focus();
			const at = [...this.options].findIndex((o) => o.text === text || o.value === text);
			return at < 0 ? null : at - this.selectedIndex;
		}`, option)
		if err != nil {
			return err
		}
		if steps == nil {
			return fmt.Errorf("it has no %q", option)
		}
		key := kb.ArrowDown
		if *steps < 0 {
			key, *steps = kb.ArrowUp, -*steps
		}
		if err := chromedp.Do(ctx, chromedp.KeyEvent(strings.Repeat(key, *steps))); err != nil {
			return err
		}
		got, err := ofNode[[]string](ctx, node, `function() { return [...this.selectedOptions].flatMap((o) => [o.text, o.value]) }`)
		if err == nil && !slices.Contains(got, option) {
			err = fmt.Errorf("%q is chosen", got)
		}
		return err
	})
}
