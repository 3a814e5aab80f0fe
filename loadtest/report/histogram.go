package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The bounds of a Histogram: from a microsecond to ten minutes, with three
// significant digits, that is to 0.1%.
const (
	lowest  = time.Microsecond
	highest = 10 * time.Minute
	digits  = 3
)

// A Histogram counts latencies. The zero Histogram is empty and ready to use. It
// is not safe for concurrent use. In JSON it is HdrHistogram's own compressed
// form (V2, base64), in microseconds, which tools of other languages read.
type Histogram struct{ h *hdrhistogram.Histogram }

func (h *Histogram) init() {
	if h.h == nil {
		h.h = hdrhistogram.New(int64(lowest/time.Microsecond), int64(highest/time.Microsecond), digits)
	}
}

// Record counts one latency. One outside the bounds counts as the bound.
func (h *Histogram) Record(d time.Duration) {
	h.init()
	_ = h.h.RecordValue(int64(min(max(d, lowest), highest) / time.Microsecond))
}

// Merge adds what other counted.
func (h *Histogram) Merge(other *Histogram) {
	if other == nil || other.h == nil {
		return
	}
	h.init()
	h.h.Merge(other.h)
}

// Reset empties the histogram.
func (h *Histogram) Reset() {
	if h.h != nil {
		h.h.Reset()
	}
}

// Count returns how many were counted.
func (h *Histogram) Count() int64 {
	if h == nil || h.h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// Quantile returns the latency below which a fraction q of all lies, such as
// 0.99; 0 when nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.ValueAtQuantile(q*100)) * time.Microsecond
}

// Mean returns the mean latency, to the histogram's precision.
func (h *Histogram) Mean() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.Mean() * float64(time.Microsecond))
}

// Max returns the longest latency, to the histogram's precision.
func (h *Histogram) Max() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.Max()) * time.Microsecond
}

// MarshalJSON writes the compressed form.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	h.init()
	text, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(text))
}

// UnmarshalJSON reads the compressed form. A histogram with other bounds or
// another precision is an error: it can't be merged or compared to this one
// without loss.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var text *string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	if text == nil { // null, which by custom changes nothing
		return nil
	}
	decoded, err := hdrhistogram.Decode([]byte(*text))
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	if decoded.LowestTrackableValue() != int64(lowest/time.Microsecond) ||
		decoded.HighestTrackableValue() != int64(highest/time.Microsecond) ||
		decoded.SignificantFigures() != digits {
		return errors.New("histogram: its bounds are not those of a load test's")
	}
	h.h = decoded
	return nil
}
