package loadtest

import (
	"context"
	"fmt"
	"io"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"rollcall/loadtest/report"
)

// maxMetrics bounds what is read of one answer, in bytes.
const maxMetrics = 4 << 20

// scrape reads a server's /metrics once.
func scrape(ctx context.Context, c *http.Client, url string) (report.ProcessSample, error) {
	var s report.ProcessSample
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return s, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("read %s: HTTP %d", url, resp.StatusCode)
	}
	return parseMetrics(io.LimitReader(resp.Body, maxMetrics))
}

// parseMetrics reads the Prometheus text format. The names are those of the
// client library's process and Go collectors, and of a server of ours.
func parseMetrics(text io.Reader) (report.ProcessSample, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return report.ProcessSample{}, err
	}
	return report.ProcessSample{
		Resident:    int64(valueOf(families["process_resident_memory_bytes"])),
		Heap:        int64(valueOf(families["go_memstats_heap_inuse_bytes"])),
		CPU:         valueOf(families["process_cpu_seconds_total"]),
		Goroutines:  int64(valueOf(families["go_goroutines"])),
		Connections: int64(valueOf(families["rollcall_connections"])),
	}, nil
}

// valueOf returns the value of a gauge or counter without labels; 0 where it is
// absent.
func valueOf(f *dto.MetricFamily) float64 {
	for _, m := range f.GetMetric() {
		switch {
		case m.GetGauge() != nil:
			return m.GetGauge().GetValue()
		case m.GetCounter() != nil:
			return m.GetCounter().GetValue()
		}
	}
	return 0
}
