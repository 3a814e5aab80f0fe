package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds the names and texts of a report that is read, in bytes.
const maxText = 1000

// Write writes the report as JSON, the form that [Read] reads.
func (r *Report) Write(w io.Writer) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// Read reads a report that [Report.Write] has written. A report of another
// format version is an error, and so is one with a text that could do something
// to a terminal: where it comes from nobody knows.
func Read(from io.Reader) (*Report, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	var head struct {
		Format *int `json:"format"`
	}
	r := new(Report)
	switch err := json.Unmarshal(text, &head); {
	case len(bytes.TrimSpace(text)) == 0:
		return nil, errors.New("read report: it is empty")
	case err != nil:
		return nil, fmt.Errorf("read report: %s", plainJSON(err))
	case head.Format == nil:
		return nil, errors.New("read report: this is JSON, but not a load test's report: it has no format")
	case *head.Format != FormatVersion:
		return nil, fmt.Errorf("read report: it has format %d, and this program reads %d", *head.Format, FormatVersion)
	}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read report: %s", plainJSON(err))
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	return r, nil
}

// plainJSON says what is wrong, with its place where that is known.
func plainJSON(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON, at byte %d", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("%s: a %s does not belong there", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return fmt.Sprintf("a report is an object, and this is a %s", kind.Value)
	}
	return err.Error()
}

// check refuses what no run can have written and what must not be shown. The
// plan is not looked at: only the page shows it, escaped.
func (r *Report) check() error {
	texts := []string{r.Rollcall, r.Machine.OS, r.Machine.Arch, r.Machine.Go, r.Partial}
	for _, p := range r.Phases {
		texts = append(texts, p.Name)
	}
	operations := map[string]bool{}
	for _, o := range r.Operations {
		if operations[o.Name] {
			return fmt.Errorf("operation %q is there twice", o.Name)
		}
		operations[o.Name] = true
		if o.Done < 0 || o.Missed < 0 || o.Seconds < 0 {
			return fmt.Errorf("operation %q has a number below 0", o.Name)
		}
		texts = append(texts, o.Name)
		for status, n := range o.Errors {
			if n < 0 {
				return fmt.Errorf("operation %q has a number below 0", o.Name)
			}
			texts = append(texts, status)
		}
	}
	for _, s := range r.Samples {
		texts = append(texts, s.Phase)
		for name := range s.Operations {
			texts = append(texts, name)
		}
		for status := range s.Errors {
			texts = append(texts, status)
		}
	}
	for _, p := range r.Processes {
		texts = append(texts, p.Name, p.Kind)
	}
	for _, e := range r.Expected {
		texts = append(texts, e.Text, e.Got)
	}
	for _, t := range texts {
		if err := checkText(t); err != nil {
			return err
		}
	}
	return nil
}

// EndEarly notes why the run ended before its plan did, in a form that is read
// again.
func (r *Report) EndEarly(why string) {
	text := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, strings.ToValidUTF8(why, " "))
	for len(text) > maxText {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	r.Partial = text
}

func checkText(t string) error {
	if len(t) > maxText || !utf8.ValidString(t) {
		return fmt.Errorf("a text is too long or no text: %.40q", t)
	}
	for _, c := range t {
		if !unicode.IsPrint(c) {
			return fmt.Errorf("a text has a character that can't be shown: %.40q", t)
		}
	}
	return nil
}
