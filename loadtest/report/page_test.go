package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
)

func htmlOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePageHasAChartAndATableOfEverythingMeasured(t *testing.T) {
	text := htmlOf(t, exampleReport())
	for _, id := range []string{"throughput", "connections", "latency-0", "latency-4", "percentiles", "memory", "cpu", "errors", "lost"} {
		if !strings.Contains(text, `<h2 id="`+id+`">`) || !strings.Contains(text, `aria-labelledby="`+id+`-t `+id+`-d"`) {
			t.Errorf("no chart %s", id)
		}
	}
	charts := strings.Count(text, `class="plot"`)
	for what, n := range map[string]int{"<title id=": charts, "<desc id=": charts, "<details>": charts, `<path class="axis"`: charts} {
		if got := strings.Count(text, what); got != n {
			t.Errorf("%d times %s, want %d", got, what, n)
		}
	}
	for _, want := range []string{"1 of 2 expectations held", "errors=0", "99,950", "users.get", "http://127.0.0.1:7600", "duration</th><td>20s", "idle 8", "✗ failed"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestThePageNeedsNothingFromElsewhereAndRunsNothing(t *testing.T) {
	text := htmlOf(t, exampleReport())
	for _, bad := range []string{"<script", "<link", "<img", "<iframe", " src=", " href=", " style=", "url(", "@import", " on"} {
		if bad == " on" {
			if m := regexp.MustCompile(`<[^>]*\son[a-z]+=`).FindString(text); m != "" {
				t.Errorf("has %q", m)
			}
		} else if strings.Contains(text, bad) {
			t.Errorf("has %q", bad)
		}
	}
	m := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("no policy")
	}
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(text)
	if style == nil || strings.Count(text, "<style") != 1 {
		t.Fatal("not one style")
	}
	hash := sha256.Sum256([]byte(style[1]))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'"
	if got := html.UnescapeString(m[1]); got != want {
		t.Errorf("policy %s, want %s", got, want)
	}
	if strings.Index(text, m[0]) > strings.Index(text, "<style>") {
		t.Error("the policy comes after the style")
	}
}

func TestNoTextOfAReportIsMarkup(t *testing.T) {
	evil := `ws://x/"><script>alert(1)</script><svg onload='x'>`
	r := exampleReport()
	r.Rollcall, r.Partial, r.Machine.OS = evil, evil, evil
	r.Plan = map[string]any{evil: evil, "servers": []any{evil}, "map": map[string]any{evil: evil}}
	r.Operations[0].Name = evil
	r.Operations[0].Errors = map[string]int64{evil: 1}
	r.Phases[3].Name = evil
	r.Processes[0].Name = evil
	r.Expected[0] = Expectation{Text: evil, Got: evil}
	r.Samples[9].Operations[evil] = OpSample{Done: 1, P50: 1, P99: 1, Max: 1}
	r.Samples[9].Errors = map[string]int64{evil: 1}
	text := htmlOf(t, r)
	if strings.Contains(text, "<script") || strings.Contains(text, "<svg onload") {
		t.Error("a text became markup")
	}
	if !strings.Contains(text, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the text is not shown")
	}
}

// The page is written so that it is XML as well, but for its void elements.
func TestThePagesElementsAreClosed(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(htmlOf(t, exampleReport())))
	d.Strict, d.AutoClose, d.Entity = true, xml.HTMLAutoClose, xml.HTMLEntity
	d.Strict = false
	depth := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%d elements are not closed", depth)
	}
}

func TestEveryNumberThatIsDrawnIsOne(t *testing.T) {
	whole, empty, odd := exampleReport(), &Report{Format: FormatVersion}, exampleReport()
	odd.Samples = []Sample{{Second: -5, Connections: -3}, {Second: 1e300}, {Second: 3, Operations: map[string]OpSample{"x": {Done: 5, P50: 0, P99: 0, Max: 0}}}}
	odd.Processes[0].Samples = []ProcessSample{{Second: 2, CPU: 1e300, Resident: math.MaxInt64}, {Second: 2, CPU: -1e300}, {Second: 1}}
	odd.Phases = []Phase{{Name: "back to front", Start: 9, End: 2}}
	long := exampleReport()
	for i := range 10000 {
		long.Samples = append(long.Samples, Sample{Second: float64(31 + i), Connections: int64(i)})
	}
	for name, r := range map[string]*Report{"whole": whole, "empty": empty, "odd": odd, "long": long} {
		text := htmlOf(t, r)
		if m := regexp.MustCompile(`(?: [xywd]|width|height)="[^"]*(?:NaN|Inf)[^"]*"`).FindString(text); m != "" {
			t.Errorf("%s: draws %s", name, m)
		}
		if len(text) > 1e6 {
			t.Errorf("%s: %d bytes", name, len(text))
		}
	}
}

func TestALongRunHasSeveralSecondsInEachPoint(t *testing.T) {
	r := &Report{}
	for i := range 3600 {
		r.Samples = append(r.Samples, Sample{Second: float64(i + 1), Operations: map[string]OpSample{"a": {Done: 10, P50: 1, P99: float64(i%15 + 1), Max: 100}}})
	}
	c := newTimeline(r).latency("a", 0)
	if n := len(c.Lines[0].values); n != 240 || !strings.Contains(c.Note, "Each point is 15 seconds.") {
		t.Errorf("%d points, note %q", n, c.Note)
	}
	if p50, p99 := c.Lines[0].values[7], c.Lines[1].values[7]; p50 != 1 || p99 != 15 {
		t.Errorf("p50 %v, p99 %v; want the mean and the highest", p50, p99)
	}
}

func TestAxesHaveRoundNumbers(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		log    bool
		want   string
	}{
		{[]float64{0, 0}, false, "[0 1]"},
		{[]float64{4870}, false, "[0 2000 4000 6000]"},
		{[]float64{100000}, false, "[0 50k 100k]"},
		{[]float64{0.7}, false, "[0.0 0.2 0.4 0.6 0.8]"},
		{[]float64{3, 7}, true, "[1 2 5 10]"},
		{[]float64{0.002, 1500}, true, "[0.001 0.01 0.1 1 10 100 1000 10k]"},
		{[]float64{0, math.NaN()}, true, "[1 2 5 10]"},
	} {
		c := chart{Lines: []line{{values: tt.values}}}
		c.fitY(tt.log)
		var got []string
		for _, k := range c.YTicks {
			got = append(got, k.Text)
			if k.At < plotTop-0.01 || k.At > plotBottom+0.01 {
				t.Errorf("%v: %s is outside of the plot", tt.values, k.Text)
			}
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%v: %v, want %s", tt.values, got, tt.want)
		}
	}
}
