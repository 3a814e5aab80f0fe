package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"rollcall/loadtest/report"
)

// loadtestResults say what becomes of what was measured.
type loadtestResults struct {
	Out        string   `cli:"only" placeholder:"FILE" help:"Write the report as JSON, for compare and other tools."`
	HTML       string   `name:"html" cli:"only" placeholder:"FILE" help:"Write the report as one page with charts."`
	Expect     []string `cli:"only" sep:"none" placeholder:"WHAT" help:"What must hold, such as 'p99(users.get)<20ms', errors=0 or lost=0; see the README. May be repeated."`
	JSON       bool     `name:"json" cli:"only" help:"Print a summary as JSON instead of the table."`
	CPUProfile string   `name:"cpuprofile" cli:"only" placeholder:"FILE" help:"Write a CPU profile of the load test itself."`
}

// check finds mistakes before anything starts, and returns what is expected.
func (l *loadtestResults) check() ([]report.Expected, error) {
	var expected []report.Expected
	for _, text := range l.Expect {
		e, err := report.ParseExpectation(text)
		if err != nil {
			return nil, usageError{err}
		}
		expected = append(expected, e)
	}
	for _, file := range []struct{ flag, path string }{{"out", l.Out}, {"html", l.HTML}} {
		if file.path == "" {
			continue
		}
		folder, err := os.Stat(filepath.Dir(file.path))
		if err != nil {
			return nil, usagef("%s: %w", file.flag, err)
		}
		if there, err := os.Stat(file.path); !folder.IsDir() || err == nil && there.IsDir() {
			return nil, usagef("%s: %s can't be a file", file.flag, file.path)
		}
	}
	return expected, nil
}

// tell holds the report against what is expected, writes the files and prints
// the result. The error says that a file could not be written, or what did not
// hold.
func (l *loadtestRun) tell(p Program, r *report.Report, expected []report.Expected) error {
	failed := 0
	for _, e := range expected {
		result := e.Check(r)
		if !result.Held {
			failed++
		}
		r.Expected = append(r.Expected, result)
	}
	for _, file := range []struct {
		path  string
		write func(io.Writer) error
	}{{l.Out, r.Write}, {l.HTML, r.WriteHTML}} {
		if file.path == "" {
			continue
		}
		var b bytes.Buffer
		err := file.write(&b)
		if err == nil {
			err = replaceFile(file.path, b.Bytes())
		}
		if err != nil {
			return err
		}
	}
	if err := l.print(p, r); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d expectations did not hold", failed, len(expected))
	}
	return nil
}

func (l *loadtestRun) print(p Program, r *report.Report) error {
	if l.JSON {
		return printJSON(p.Stdout, r.Summary())
	}
	return r.WriteTable(p.Stdout, l.painter(p, p.Stdout).report())
}

// report returns the colours of a report.
func (p painter) report() report.Painter {
	colors := map[report.Meaning]color{report.Heading: dim, report.Good: green, report.Bad: red, report.Doubtful: yellow}
	return func(m report.Meaning, text string) string { return p.paint(colors[m], text) }
}

// screenWidth returns how wide the terminal is that stderr goes to, or nil.
func (p Program) screenWidth() func() int {
	file, ok := p.Stderr.(*os.File)
	if kind, _ := p.Env("TERM"); !ok || kind == "dumb" || !isTerminal(file) {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
}
