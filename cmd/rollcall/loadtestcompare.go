package main

import (
	"fmt"
	"os"
	"strings"

	"rollcall/loadtest/report"
)

type loadtestCompare struct {
	outputFlags
	colorFlag
	A string `arg:"" help:"Report, or several of repeated runs, separated by commas."`
	B string `arg:"" help:"Report or reports to compare with them."`
}

// Help describes the command further.
func (loadtestCompare) Help() string {
	return "Prints what b has by what a has. Where both sides were run several times, it says whether a difference is larger than that between the runs of one side."
}

// Run compares.
func (l *loadtestCompare) Run(p Program) error {
	a, err := readReports(l.A)
	if err != nil {
		return err
	}
	b, err := readReports(l.B)
	if err != nil {
		return err
	}
	c := report.Compare(a, b)
	if l.JSON {
		return printJSON(p.Stdout, c)
	}
	return c.WriteTable(p.Stdout, l.painter(p, p.Stdout).report())
}

func readReports(names string) ([]*report.Report, error) {
	var all []*report.Report
	for name := range strings.SplitSeq(names, ",") {
		f, err := os.Open(name)
		if err != nil {
			return nil, usagef("read report: %w", err)
		}
		r, err := report.Read(f)
		_ = f.Close()
		if err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", name, err)}
		}
		all = append(all, r)
	}
	return all, nil
}
