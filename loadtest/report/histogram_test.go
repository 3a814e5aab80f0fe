package report

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestAHistogramTellsLatenciesToThreeDigits(t *testing.T) {
	var h Histogram
	for i := 1; i <= 1000; i++ {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	for name, tt := range map[string]struct{ got, want time.Duration }{
		"p50":   {h.Quantile(0.5), 500 * time.Millisecond},
		"p99":   {h.Quantile(0.99), 990 * time.Millisecond},
		"p99.9": {h.Quantile(0.999), 999 * time.Millisecond},
		"all":   {h.Quantile(1), time.Second},
		"max":   {h.Max(), time.Second},
		"mean":  {h.Mean(), 500500 * time.Microsecond},
	} {
		if off := (tt.got - tt.want).Abs(); off > tt.want/500 {
			t.Errorf("%s is %v, want %v", name, tt.got, tt.want)
		}
	}
	if h.Count() != 1000 {
		t.Errorf("%d counted", h.Count())
	}
}

func TestALatencyOutsideOfTheBoundsCountsAsTheBound(t *testing.T) {
	var h Histogram
	h.Record(-time.Second)
	h.Record(0)
	h.Record(time.Hour)
	if got := h.Quantile(0.5); got != time.Microsecond {
		t.Errorf("shortest %v", got)
	}
	if got := h.Max(); h.Count() != 3 || got < 10*time.Minute || got > 10*time.Minute+time.Second {
		t.Errorf("%d counted, longest %v", h.Count(), got)
	}
}

func TestAnEmptyHistogramSaysNothing(t *testing.T) {
	var none *Histogram
	for name, h := range map[string]*Histogram{"nil": none, "zero": new(Histogram)} {
		if h.Count() != 0 || h.Quantile(0.99) != 0 || h.Mean() != 0 || h.Max() != 0 {
			t.Errorf("%s: says something", name)
		}
		new(Histogram).Merge(h)
	}
	new(Histogram).Reset()
}

func TestMergedHistogramsCountWhatBothDid(t *testing.T) {
	var a, b, both Histogram
	for i := range 500 {
		d := time.Duration(i+1) * 37 * time.Microsecond
		both.Record(d)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	a.Merge(&b)
	if got, want := text(t, &a), text(t, &both); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	a.Reset()
	if got, want := text(t, &a), text(t, new(Histogram)); got != want {
		t.Errorf("after Reset %s, want %s", got, want)
	}
}

func text(t *testing.T, h *Histogram) string {
	t.Helper()
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAHistogramIsTheSameAfterItWasWrittenAndRead(t *testing.T) {
	for name, h := range map[string]*Histogram{"empty": new(Histogram), "full": histogram(5000, time.Microsecond, 10*time.Minute)} {
		var read Histogram
		if err := json.Unmarshal([]byte(text(t, h)), &read); err != nil {
			t.Fatal(err)
		}
		if text(t, &read) != text(t, h) || read.Count() != h.Count() || read.Quantile(0.99) != h.Quantile(0.99) {
			t.Errorf("%s: read as %s", name, text(t, &read))
		}
	}
}

func TestWhatIsNoHistogramOfALoadTestIsRefused(t *testing.T) {
	other, err := hdrhistogram.New(1, 1000, 2).Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]string{"number": `5`, "empty": `""`, "not base64": `"%%"`, "short": `"SElTVA=="`, "other bounds": `"` + string(other) + `"`} {
		if err := json.Unmarshal([]byte(in), new(Histogram)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	h := histogram(3, time.Millisecond, time.Second)
	if err := json.Unmarshal([]byte("null"), h); err != nil || h.Count() != 3 {
		t.Errorf("null: %v, %d counted", err, h.Count())
	}
}

func FuzzHistogram(f *testing.F) {
	for _, h := range []*Histogram{{}, histogram(1000, time.Microsecond, time.Minute)} {
		b, err := json.Marshal(h)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`"HISTFAAAAB4="`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var h Histogram
		if json.Unmarshal(in, &h) != nil {
			return
		}
		_, _, _ = h.Quantile(0.999), h.Mean(), h.Max()
		out, err := json.Marshal(&h)
		if err != nil {
			t.Fatal(err)
		}
		var again Histogram
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(&again); err != nil || !bytes.Equal(second, out) {
			t.Errorf("%s becomes %s, %v", out, second, err)
		}
	})
}
