package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// runOf is a run in which users.get was done so often, each time this fast.
func runOf(done int64, latency time.Duration, failed int64) *Report {
	o := Operation{Name: "users.get", Done: done, Seconds: 10, Latency: new(Histogram)}
	o.Latency.Record(latency)
	if failed > 0 {
		o.Errors = map[string]int64{"timeout": failed}
	}
	return &Report{Operations: []Operation{o}}
}

func rowOf(t *testing.T, c Comparison, m Measure) Row {
	t.Helper()
	for _, row := range c.Rows {
		if row.Measure == m {
			return row
		}
	}
	t.Fatalf("no %s in %+v", m, c)
	return Row{}
}

func TestARepeatedRunIsComparedByItsSpread(t *testing.T) {
	a := []*Report{runOf(1000, 10*time.Millisecond, 0), runOf(1200, 12*time.Millisecond, 0), runOf(1100, 11*time.Millisecond, 0)}
	for name, tt := range map[string]struct {
		b       []*Report
		measure Measure
		ratio   Spread
		verdict Verdict
	}{
		"higher rate":       {[]*Report{runOf(2200, 1, 0), runOf(2400, 1, 0)}, MeasureRate, Spread{220.0 / 120, 230.0 / 110, 2.4}, Better},
		"lower rate":        {[]*Report{runOf(500, 1, 0), runOf(600, 1, 0)}, MeasureRate, Spread{50.0 / 120, 0.5, 0.6}, Worse},
		"rates overlap":     {[]*Report{runOf(1150, 1, 0), runOf(2000, 1, 0)}, MeasureRate, Spread{115.0 / 120, 157.5 / 110, 2}, Noise},
		"rates touch":       {[]*Report{runOf(1200, 1, 0), runOf(2000, 1, 0)}, MeasureRate, Spread{1, 160.0 / 110, 2}, Noise},
		"lower latency":     {[]*Report{runOf(1, 5*time.Millisecond, 0), runOf(1, 5*time.Millisecond, 0)}, MeasureP99, Spread{5.0 / 12, 5.0 / 11, 0.5}, Better},
		"higher latency":    {[]*Report{runOf(1, 24*time.Millisecond, 0), runOf(1, 22*time.Millisecond, 0)}, MeasureP50, Spread{22.0 / 12, 23.0 / 11, 2.4}, Worse},
		"latencies overlap": {[]*Report{runOf(1, 9*time.Millisecond, 0), runOf(1, 11*time.Millisecond, 0)}, MeasureP50, Spread{0.75, 10.0 / 11, 1.1}, Noise},
	} {
		row := rowOf(t, Compare(a, tt.b), tt.measure)
		if row.Verdict != tt.verdict || row.Ratio == nil || !near(row.Ratio.Min, tt.ratio.Min) || !near(row.Ratio.Median, tt.ratio.Median) || !near(row.Ratio.Max, tt.ratio.Max) {
			t.Errorf("%s: %s, ratio %+v; want %s, %+v", name, row.Verdict, row.Ratio, tt.verdict, tt.ratio)
		}
	}
}

// near allows for the histogram's precision.
func near(a, b float64) bool { return a > b*0.998 && a < b*1.002 }

func TestASingleRunOfEachHasARatioAndNoVerdict(t *testing.T) {
	c := Compare([]*Report{runOf(1000, time.Millisecond, 2)}, []*Report{runOf(2000, time.Millisecond, 0)})
	if row := rowOf(t, c, MeasureRate); row.Verdict != Single || *row.Ratio != (Spread{2, 2, 2}) {
		t.Errorf("%+v", row)
	}
	if row := rowOf(t, c, MeasureErrors); row.Verdict != Single || *row.Ratio != (Spread{}) {
		t.Errorf("%+v", row)
	}
	if row := rowOf(t, c, MeasureP50); row.Verdict != Same {
		t.Errorf("%+v", row)
	}
}

func TestNoRatioIsMadeOf0(t *testing.T) {
	c := Compare([]*Report{runOf(1, 1, 0)}, []*Report{runOf(1, 1, 5)})
	if row := rowOf(t, c, MeasureErrors); row.Ratio != nil || row.B.Median != 5 {
		t.Errorf("%+v", row)
	}
	if _, err := json.Marshal(c); err != nil {
		t.Error(err)
	}
}

func TestWhatOneSideDoesNotHaveIsSaid(t *testing.T) {
	full, none := exampleReport(), &Report{Partial: "interrupted"}
	c := Compare([]*Report{full}, []*Report{none})
	if !c.Partial || len(c.Rows) == 0 {
		t.Errorf("%+v", c)
	}
	for _, row := range c.Rows {
		if row.Verdict != MissingIn || row.B != nil || row.Ratio != nil {
			t.Errorf("%+v", row)
		}
	}
	if c := Compare([]*Report{none}, []*Report{none}); len(c.Rows) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestAComparisonIsATable(t *testing.T) {
	slow, fast := exampleReport(), exampleReport()
	fast.Operations[3].Done, fast.Operations[3].Latency = 199900, histogram(100, 100*time.Microsecond, time.Millisecond)
	fast.Operations = fast.Operations[1:]
	for i := range fast.Processes[0].Samples {
		fast.Processes[0].Samples[i].CPU /= 2
	}
	c := Compare([]*Report{slow, slow}, []*Report{fast, exampleReport()})
	var b strings.Builder
	if err := c.WriteTable(&b, Plain); err != nil {
		t.Fatal(err)
	}
	c = Compare([]*Report{slow}, []*Report{fast})
	b.WriteByte('\n')
	if err := c.WriteTable(&b, Plain); err != nil {
		t.Fatal(err)
	}
	golden(t, "compare.txt", b.String())
}
