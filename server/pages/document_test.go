package pages_test

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
)

// An element is one of a page's elements, with the text inside it.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// A document is a page as a browser or a screen reader takes it.
type document struct {
	t        *testing.T
	elements []element
}

func parse(t *testing.T, page string) document {
	t.Helper()
	d := document{t: t}
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var inside []int // the elements that are open, as indices
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: strings.ToLower(token.Name.Local), attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[strings.ToLower(a.Name.Local)] = a.Value
			}
			inside = append(inside, len(d.elements))
			d.elements = append(d.elements, e)
		case xml.EndElement:
			inside = inside[:len(inside)-1]
		case xml.CharData:
			for _, i := range inside {
				d.elements[i].text += string(token)
			}
		}
	}
	if len(inside) != 0 {
		t.Errorf("elements are left open in\n%s", page)
	}
	return d
}

// all returns the elements of a name.
func (d document) all(names ...string) (found []element) {
	for _, e := range d.elements {
		if slices.Contains(names, e.name) {
			found = append(found, e)
		}
	}
	return found
}

// one returns the only element of a name.
func (d document) one(name string) element {
	d.t.Helper()
	found := d.all(name)
	if len(found) != 1 {
		d.t.Fatalf("the page has %d <%s>, want one", len(found), name)
	}
	return found[0]
}

// wantAccessible checks what a reader who does not see the page depends on.
func (d document) wantAccessible() {
	d.t.Helper()
	if d.one("html").attrs["lang"] == "" {
		d.t.Error("the page does not say its language")
	}
	title, h1 := strings.TrimSpace(d.one("title").text), strings.TrimSpace(d.one("h1").text)
	if title == "" || h1 == "" {
		d.t.Errorf("the title is %q, the heading %q", title, h1)
	}
	d.one("main")
	ids := map[string]int{}
	for _, e := range d.elements {
		if id := e.attrs["id"]; id != "" {
			ids[id]++
		}
	}
	labelled := map[string]string{}
	for _, l := range d.all("label") {
		labelled[l.attrs["for"]] = strings.TrimSpace(l.text)
	}
	for id, times := range ids {
		if times > 1 {
			d.t.Errorf("%d elements have the id %s", times, id)
		}
	}
	for _, e := range d.all("input", "select", "textarea") {
		if e.attrs["type"] == "hidden" {
			continue
		}
		if e.attrs["id"] == "" || labelled[e.attrs["id"]] == "" {
			d.t.Errorf("an input has no label: %v", e.attrs)
		}
		if by := e.attrs["aria-describedby"]; by != "" && ids[by] == 0 {
			d.t.Errorf("an input is described by %q, which is not there", by)
		}
	}
	for _, b := range d.all("button") {
		if strings.TrimSpace(b.text) == "" {
			d.t.Error("a button has no text")
		}
	}
	for _, i := range d.all("img") {
		if _, ok := i.attrs["alt"]; !ok {
			d.t.Error("an image has no text in its place")
		}
	}
}

// wantContained checks that the page needs nothing that its policy forbids, and
// nothing from elsewhere.
func (d document) wantContained() {
	d.t.Helper()
	for _, e := range d.elements {
		if slices.Contains([]string{"script", "iframe", "object", "embed", "style", "base"}, e.name) {
			d.t.Errorf("the page has a <%s>", e.name)
		}
		for name, value := range e.attrs {
			if strings.HasPrefix(name, "on") || name == "style" {
				d.t.Errorf("<%s> has %s=%q", e.name, name, value)
			}
			switch name {
			case "href", "src", "action", "srcset", "formaction":
				if !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") {
					d.t.Errorf("<%s> leads to %s", e.name, value)
				}
			}
		}
	}
	for _, f := range d.all("form") {
		if f.attrs["method"] != "post" {
			d.t.Errorf("a form's method is %q", f.attrs["method"])
		}
	}
}
