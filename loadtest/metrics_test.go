package loadtest

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall/loadtest/report"
)

const metricsText = `# HELP go_goroutines Number of goroutines.
# TYPE go_goroutines gauge
go_goroutines 41
# TYPE go_memstats_heap_inuse_bytes gauge
go_memstats_heap_inuse_bytes 2.5e+07
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.25
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1.28e+08
# TYPE rollcall_connections gauge
rollcall_connections 5000
# TYPE rollcall_requests_total counter
rollcall_requests_total{type="users.get",status="0"} 7
`

func TestAServersMetricsAreRead(t *testing.T) {
	got, err := parseMetrics(strings.NewReader(metricsText))
	want := report.ProcessSample{Resident: 128_000_000, Heap: 25_000_000, CPU: 12.25, Goroutines: 41, Connections: 5000}
	if err != nil || got != want {
		t.Errorf("%v, %+v", err, got)
	}
	if got, err := parseMetrics(strings.NewReader("up 1\n")); err != nil || got != (report.ProcessSample{}) {
		t.Errorf("of another program: %v, %+v", err, got)
	}
	if _, err := parseMetrics(strings.NewReader("<html>")); err == nil {
		t.Error("a page is read as metrics")
	}
}

func TestAServerWithoutMetricsIsToldOnceAndNotCounted(t *testing.T) {
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		if r.URL.Path == "/metrics" {
			_, _ = io.WriteString(w, metricsText)
			return
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	var log strings.Builder
	s := scrapeAll(context.Background(), slog.New(slog.NewTextHandler(&log, nil)), []string{server.URL + "/metrics", server.URL + "/none"},
		func() float64 { return 1 })
	for range 4 { // twice each
		select {
		case <-asked:
		case <-time.After(30 * time.Second):
			t.Fatal("not read")
		}
	}
	s.stop()
	if strings.Count(log.String(), "can't be read") != 1 || !strings.Contains(log.String(), "404") {
		t.Errorf("logged:\n%s", log.String())
	}
	all := s.processes()
	if len(all) != 2 || len(all[0].Samples) == 0 || len(all[1].Samples) != 0 || all[0].Samples[0].Goroutines != 41 || all[0].Kind != "server" {
		t.Errorf("%+v", all)
	}
}
