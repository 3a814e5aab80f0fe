package report

import (
	"math"
	"strconv"
	"time"
)

// percentileChart shows the whole distribution of each operation's latencies: a
// nine more at each step to the right.
func percentileChart(r *Report) *chart {
	c := chart{id: "percentiles", Title: "Latency by percentile", Unit: "ms, logarithmic", XTitle: "percentile",
		Note:     "Of the measured phase: the latency that so many of all don't exceed.",
		cellText: func(ms float64) string { return latencyText(fromMilliseconds(ms)) }}
	nines := 1.0 // how far the axis goes: 1 is 90%, 2 is 99%
	for _, o := range r.Operations {
		if n := o.Latency.Count(); n > 0 {
			nines = max(nines, math.Ceil(math.Log10(float64(n))-1e-9))
		}
	}
	nines = min(nines, 6)
	c.x = scale{from: 0, to: nines, a: plotLeft, b: plotRight}
	// Ten places to each nine. The table has one row for each tick.
	const perNine = 10
	n := int(nines)*perNine + 1
	xs, at := make([]float64, n), make([]float64, n)
	for i := range xs {
		xs[i] = float64(i) / perNine
		at[i] = 1 - math.Pow(10, -xs[i])
	}
	for place, name := range r.operationNames() {
		o := r.operation(name)
		if o == nil || o.Latency.Count() == 0 {
			continue
		}
		values := make([]float64, n)
		for i, q := range at {
			values[i] = math.NaN()
			// The last of N is at 1-1/N; beyond it there is nothing.
			if 1-q >= 0.999/float64(o.Latency.Count()) || i == 0 {
				values[i] = milliseconds(max(o.Latency.Quantile(q), time.Microsecond))
			}
		}
		c.Lines = append(c.Lines, color(line{Name: name, values: values}, place))
	}
	for i, q := range at {
		if i%perNine == 0 {
			c.XTicks = append(c.XTicks, tick{At: c.x.at(xs[i]), Text: strconv.FormatFloat(100*q, 'f', max(0, i/perNine-2), 64) + "%", Minor: i/perNine%2 == 1})
		}
		c.XCells = append(c.XCells, strconv.FormatFloat(100*q, 'f', max(1, i/perNine), 64)+"%")
	}
	c.XTicks[0].Text = "least"
	c.XCells[0] = "least"
	c.fitY(true)
	c.draw(xs)
	return &c
}
