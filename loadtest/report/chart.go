package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// The size of a chart, and the room for what stands around the plot, in the
// units of its own drawing. The page scales it.
const (
	chartWidth, chartHeight = 640, 268
	plotLeft, plotRight     = 66, 604
	plotTop, plotBottom     = 30, 240
	colors                  = 8 // in the page's palette
)

// A chart is lines over time, or over percentiles, as an SVG drawing and as a
// table of the same numbers.
type chart struct {
	id       string // within the page
	Title    string
	Unit     string // of the values, such as "ms"
	Note     string // how the numbers were gathered
	XTitle   string
	Lines    []line
	Shades   []shade
	XTicks   []tick
	YTicks   []tick
	XCells   []string // heading of each row of the table
	x        scale
	y        scale
	cellText func(float64) string
}

// A line is one series. Values are at the same places as the chart's; one that
// is not a number is a gap.
type line struct {
	Name   string
	Color  int // 0 to colors-1
	Dashed int // 0: solid; 1 and 2: dashed
	Path   string
	Dots   string // the path of values between two gaps
	values []float64
}

// A shade is a part of the time.
type shade struct {
	Name  string
	X, W  float64
	Plain bool // the measured phase, which the others frame
	Odd   bool
	Named bool // there is room for the name
}

// A tick is a place on an axis.
type tick struct {
	At    float64
	Text  string
	Minor bool // left out where there is little room
}

// A scale maps values to places on an axis.
type scale struct {
	from, to float64 // values at the ends
	a, b     float64 // places at the ends
	log      bool
}

func (s scale) at(v float64) float64 {
	from, to := s.from, s.to
	if s.log {
		from, to, v = math.Log10(from), math.Log10(to), math.Log10(max(v, s.from))
	}
	if to <= from {
		return s.a
	}
	return s.a + (v-from)/(to-from)*(s.b-s.a)
}

// ID returns the chart's name within the page.
func (c *chart) ID() string { return c.id }

// Summary is what the chart shows, for those who don't see it.
func (c *chart) Summary() string {
	var parts []string
	for i, l := range c.Lines {
		least, most := math.Inf(1), math.Inf(-1)
		for _, v := range l.values {
			if !math.IsNaN(v) {
				least, most = min(least, v), max(most, v)
			}
		}
		if i == colors {
			parts = append(parts, "and others")
			break
		}
		if least <= most {
			parts = append(parts, fmt.Sprintf("%s from %s to %s", l.Name, c.cellText(least), c.cellText(most)))
		}
	}
	return fmt.Sprintf("%s, %s. %s. The numbers are in the table below.", c.Title, c.Unit, strings.Join(parts, "; "))
}

// Rows are the table's, each with the cell that heads it.
func (c *chart) Rows() [][]string {
	var rows [][]string
	for i, head := range c.XCells {
		row := []string{head}
		for _, l := range c.Lines {
			if v := l.values[i]; math.IsNaN(v) {
				row = append(row, absent)
			} else {
				row = append(row, c.cellText(v))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// Size is the drawing's.
func (c *chart) Size() (box struct{ Width, Height, Left, Right, Top, Bottom int }) {
	box.Width, box.Height = chartWidth, chartHeight
	box.Left, box.Right, box.Top, box.Bottom = plotLeft, plotRight, plotTop, plotBottom
	return box
}

// draw computes what is drawn from what is known, at the places xs.
func (c *chart) draw(xs []float64) {
	for i := range c.Lines {
		c.Lines[i].Path, c.Lines[i].Dots = paths(xs, c.Lines[i].values, c.x, c.y)
	}
}

// paths returns a line as SVG path data, and apart from that its values between
// two gaps, which would not be seen otherwise.
func paths(xs, values []float64, x, y scale) (lines, dots string) {
	var b, single strings.Builder
	pen := false
	for i, v := range values {
		if math.IsNaN(v) {
			pen = false
			continue
		}
		at := place(x.at(xs[i])) + " " + place(y.at(v))
		switch last := i+1 == len(values) || math.IsNaN(values[i+1]); {
		case pen:
			b.WriteString("L" + at)
		case last:
			single.WriteString("M" + at + "h0.01") // with round ends, a dot
		default:
			b.WriteString("M" + at)
		}
		pen = true
	}
	return b.String(), single.String()
}

func place(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// fitY chooses the y axis for the values of all lines.
func (c *chart) fitY(log bool) {
	least, most := math.Inf(1), 0.0
	for _, l := range c.Lines {
		for _, v := range l.values {
			if math.IsNaN(v) {
				continue
			}
			most = max(most, v)
			if v > 0 {
				least = min(least, v)
			}
		}
	}
	c.y = scale{a: plotBottom, b: plotTop}
	if log {
		c.fitLog(least, most)
		return
	}
	step := niceStep(most / 4)
	c.y.to = step * math.Ceil(max(most, step)/step-1e-9)
	for i := 0; float64(i)*step <= c.y.to*(1+1e-9); i++ {
		v := float64(i) * step
		c.YTicks = append(c.YTicks, tick{At: c.y.at(v), Text: axisText(v, step)})
	}
}

// fitLog gives a logarithmic y axis, with a line at each power of ten and, where
// these are few, at 2 and 5 of it.
func (c *chart) fitLog(least, most float64) {
	if least > most { // nothing above 0
		least, most = 1, 10
	}
	c.y.log = true
	from, to := math.Floor(math.Log10(least)+1e-9), math.Ceil(math.Log10(most)-1e-9)
	if from == to {
		to++
	}
	c.y.from, c.y.to = math.Pow(10, from), math.Pow(10, to)
	for e := from; e <= to; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if v > c.y.to*1.001 || m != 1 && to-from > 2 {
				continue
			}
			c.YTicks = append(c.YTicks, tick{At: c.y.at(v), Text: axisText(v, v)})
		}
	}
}

// niceStep returns 1, 2 or 5 times a power of ten that is not below a step.
func niceStep(step float64) float64 {
	if step <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= step*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// axisText returns a number in the few characters that an axis has room for.
func axisText(v, step float64) string {
	suffix := ""
	switch {
	case v >= 1e6:
		v, step, suffix = v/1e6, step/1e6, "M"
	case v >= 1e4:
		v, step, suffix = v/1e3, step/1e3, "k"
	}
	decimals := 0
	if step < 1 {
		decimals = int(math.Ceil(-math.Log10(step) - 1e-9))
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if suffix != "" && strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + suffix
}

// Viewbox is the drawing's, as the attribute wants it.
func (c *chart) Viewbox() template.HTMLAttr {
	return template.HTMLAttr(fmt.Sprintf(`viewBox="0 0 %d %d"`, chartWidth, chartHeight))
}

// PlotHeight is the plot's, without what stands around it.
func (c *chart) PlotHeight() int { return plotBottom - plotTop }
