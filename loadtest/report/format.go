package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bytes are told in units of 1,024: a KB is 1,024 bytes.
const (
	kilobyte = 1 << 10
	megabyte = 1 << 20
	gigabyte = 1 << 30
)

// absent stands where there is no number.
const absent = "-"

// countText returns a whole number with commas between its thousands.
func countText(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// threeDigits returns a number to three significant digits, or all digits of
// its whole part.
func threeDigits(x float64) string {
	switch a := math.Abs(x); {
	case a == 0:
		return "0"
	case a >= 99.95:
		return countText(int64(math.Round(x)))
	case a >= 9.995:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case a >= 0.9995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case a >= 0.09995:
		return strconv.FormatFloat(x, 'f', 3, 64)
	}
	return strconv.FormatFloat(x, 'f', 4, 64)
}

// latencyText returns a latency in the unit that suits it.
func latencyText(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 ms"
	case d < 999500*time.Nanosecond:
		return threeDigits(float64(d)/float64(time.Microsecond)) + " µs"
	case d < 9995*time.Millisecond:
		return threeDigits(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return threeDigits(d.Seconds()) + " s"
}

// rateText returns a rate in units a second.
func rateText(perSecond float64) string { return threeDigits(perSecond) + "/s" }

// secondsText returns a time in seconds.
func secondsText(s float64) string { return threeDigits(s) + " s" }

// bytesText returns a size in the unit that suits it.
func bytesText(n float64) string {
	switch a := math.Abs(n); {
	case a >= gigabyte:
		return threeDigits(n/gigabyte) + " GB"
	case a >= megabyte:
		return threeDigits(n/megabyte) + " MB"
	case a >= kilobyte:
		return threeDigits(n/kilobyte) + " KB"
	}
	return fmt.Sprintf("%.0f B", n)
}

// percentText returns a share of a whole. What is not quite all, or not quite
// nothing, does not look as if it were.
func percentText(share float64) string {
	p := share * 100
	switch {
	case p == 0 || p == 100:
		return fmt.Sprintf("%.0f%%", p)
	case p < 0.001:
		return "<0.001%"
	case p > 99.999 && p < 100:
		return ">99.999%"
	case p < 0.1 || p > 99.9:
		return fmt.Sprintf("%.3f%%", p)
	}
	return fmt.Sprintf("%.1f%%", p)
}

// milliseconds returns a latency in milliseconds.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// plural returns a count with its noun.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return countText(n) + " " + many
}
