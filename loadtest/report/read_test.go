package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func written(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAReportIsTheSameAfterItWasWrittenAndRead(t *testing.T) {
	for name, r := range map[string]*Report{"full": exampleReport(), "bare": {Format: FormatVersion}} {
		first := written(t, r)
		read, err := Read(strings.NewReader(first))
		if err != nil {
			t.Fatal(err)
		}
		if second := written(t, read); second != first {
			t.Errorf("%s: read as\n%s\nwant\n%s", name, second, first)
		}
	}
	full, err := Read(strings.NewReader(written(t, exampleReport())))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := tableOf(t, full), tableOf(t, exampleReport()); a != b {
		t.Errorf("shown as\n%s\nwant\n%s", a, b)
	}
	if a, b := htmlOf(t, full), htmlOf(t, exampleReport()); a != b {
		t.Error("the page is another one")
	}
}

func TestWhyARunEndedEarlyIsReadAgain(t *testing.T) {
	for _, why := range []string{"interrupted", "worker 2 is gone:\n\tpanic\x1b[2J \xff", strings.Repeat("ü", 1000)} {
		var r Report
		r.Format = FormatVersion
		r.EndEarly(why)
		read, err := Read(strings.NewReader(written(t, &r)))
		if err != nil || read.Partial == "" || read.Partial != r.Partial {
			t.Errorf("%q: %+v, %v", why, read, err)
		}
	}
}

func TestWhatIsNoReportIsRefusedWithItsReason(t *testing.T) {
	for in, want := range map[string]string{
		"":              "it is empty",
		" \n":           "it is empty",
		"{":             "not JSON, at byte 1",
		"hello":         "not JSON, at byte 1",
		"[]":            "a report is an object, and this is a array",
		"{}":            "not a load test's report",
		`{"format":2}`:  "it has format 2, and this program reads 1",
		`{"format":0}`:  "it has format 0, and this program reads 1",
		`{"format":""}`: "format: a string does not belong there",
		`{"format":1,"operations":[{"done":"many"}]}`:                  "operations.done: a string does not belong there",
		`{"format":1,"operations":[{"name":"a"},{"name":"a"}]}`:        `operation "a" is there twice`,
		`{"format":1,"operations":[{"name":"a","done":-1}]}`:           `operation "a" has a number below 0`,
		`{"format":1,"operations":[{"name":"a","errors":{"809":-1}}]}`: `operation "a" has a number below 0`,
		`{"format":1,"operations":[{"name":"a","latency":"x"}]}`:       "histogram: ",
		`{"format":1,"rollcall":"\u001b[2J"}`:                          "a text has a character that can't be shown",
		`{"format":1,"samples":[{"errors":{"\n":1}}]}`:                 "a text has a character that can't be shown",
		`{"format":1,"partial":"` + strings.Repeat("x", 2000) + `"}`:   "a text is too long",
	} {
		_, err := Read(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "read report: ") {
			t.Errorf("%.60q: %v, want %q", in, err, want)
		}
	}
	if _, err := Read(iotest.ErrReader(errors.New("disk gone"))); err == nil || !strings.Contains(err.Error(), "disk gone") {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	r := exampleReport()
	r.Samples, r.Processes = r.Samples[6:9], nil
	if err := r.Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"format":1,"samples":[{"second":1e308,"connections":-1}],"phases":[{"name":"measure","start":5,"end":-5}]}`))
	f.Add([]byte(`{"format":1,"processes":[{"kind":"server","samples":[{"second":1},{"second":0}]}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := Read(bytes.NewReader(in))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := r.Write(&out); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&out); err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if err := r.WriteHTML(&out); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteTable(&out, Plain); err != nil {
			t.Fatal(err)
		}
		c := Compare([]*Report{r}, []*Report{r})
		if err := c.WriteTable(&out, Plain); err != nil {
			t.Fatal(err)
		}
	})
}
