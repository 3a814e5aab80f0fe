package report

import (
	"strings"
	"testing"
	"time"
)

func tableOf(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteTable(&b, Plain); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheTableShowsTheWholeReport(t *testing.T) {
	golden(t, "table.txt", tableOf(t, exampleReport()))
}

func TestTheTableSaysThatARunIsNotComplete(t *testing.T) {
	r := exampleReport()
	r.Partial = "interrupted"
	if got := tableOf(t, r); !strings.HasPrefix(got, "The run is not complete: interrupted.\n\n") {
		t.Errorf("%s", got)
	}
}

func TestColoursDoNotMoveColumns(t *testing.T) {
	var b strings.Builder
	paint := func(m Meaning, text string) string { return "«" + text + "»" }
	if err := exampleReport().WriteTable(&b, paint); err != nil {
		t.Fatal(err)
	}
	colored := b.String()
	if got := strings.NewReplacer("«", "", "»", "").Replace(colored); got != tableOf(t, exampleReport()) {
		t.Errorf("without its colours\n%s", got)
	}
	for _, want := range []string{"«50»", "«12»", "«FAILED»", "«held»", "«operation»"} {
		if !strings.Contains(colored, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestAReportOfNothingIsATable(t *testing.T) {
	if got := tableOf(t, &Report{}); !strings.Contains(got, "measured for 0 s with 0 connections at its end") {
		t.Errorf("%s", got)
	}
}

func TestNumbersAreShownInTheUnitThatSuitsThem(t *testing.T) {
	for want, got := range map[string]string{
		"0 ms": latencyText(0), "1.00 µs": latencyText(time.Microsecond), "999 µs": latencyText(999400 * time.Nanosecond),
		"1.00 ms": latencyText(999600 * time.Nanosecond), "12.3 ms": latencyText(12345 * time.Microsecond),
		"9,990 ms": latencyText(9990 * time.Millisecond), "10.0 s": latencyText(9996 * time.Millisecond), "600 s": latencyText(10 * time.Minute),
		"0/s": rateText(0), "0.500/s": rateText(0.5), "12,346/s": rateText(12345.6),
		"0": countText(0), "999": countText(999), "1,000": countText(1000), "-1,234,567": countText(-1234567),
		"512 B": bytesText(512), "11.5 KB": bytesText(11.5 * 1024), "40.0 MB": bytesText(40 << 20), "1.50 GB": bytesText(1.5 * (1 << 30)),
		"0%": percentText(0), "100%": percentText(1), "<0.001%": percentText(1e-9), ">99.999%": percentText(1 - 1e-9),
		"0.052%": percentText(0.00052), "99.950%": percentText(0.9995), "12.3%": percentText(0.123),
		"1 admin": plural(1, "admin", "admins"), "2,000 admins": plural(2000, "admin", "admins"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestCPUAndMemoryAreThoseOfTheMeasuredPhase(t *testing.T) {
	s := exampleReport().Summary()
	server := s.Processes[0]
	// 0.7 cores for 20 s, over 99,950+1,000+998 operations.
	if got, want := s.CPU, 14/101948.0*1e6; got < want*0.999 || got > want*1.001 {
		t.Errorf("CPU per million operations %v, want %v", got, want)
	}
	if server.Connections != 1000 || server.Growth != 10*kilobyte || server.PerConnection != (30*megabyte+10*kilobyte*1000)/1000.0 {
		t.Errorf("%+v", server)
	}
}

func TestWhatIsNotKnownOfAProcessIsNot0(t *testing.T) {
	r := exampleReport()
	restarted := &r.Processes[0]
	restarted.Samples[25].CPU, restarted.Samples[26].CPU = 0.1, 0.2 // less than when the phase began
	if got := r.Summary(); got.CPU != 0 || got.Processes[0].CPU != 0 {
		t.Errorf("CPU %v, %v", got.CPU, got.Processes[0].CPU)
	}
	restarted.Samples = nil
	if got := r.Summary().Processes[0]; got.Resident != 0 || got.PerConnection != 0 {
		t.Errorf("%+v", got)
	}
	r.Phases = r.Phases[:2]
	if got := r.Summary(); got.Seconds != 0 || got.Processes[1].Resident != 0 {
		t.Errorf("of a run that never measured: %+v", got)
	}
}
