package loadtest

import (
	"bytes"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
)

// usage is what a worker's process uses.
type usage struct {
	Resident   int64   `json:"resident"` // bytes; 0 where the system does not tell
	Heap       int64   `json:"heap"`
	CPU        float64 `json:"cpu"` // seconds since its start
	Goroutines int64   `json:"goroutines"`
}

func readUsage() usage {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return usage{
		Resident: resident(), Heap: int64(sample[0].Value.Uint64()),
		CPU: cpuSeconds(), Goroutines: int64(runtime.NumGoroutine()),
	}
}

// resident reads the second number of Linux's /proc/self/statm, in pages.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// machineMemory reads the first line of Linux's /proc/meminfo; 0 elsewhere.
func machineMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 || string(fields[0]) != "MemTotal:" {
		return 0
	}
	kib, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return kib << 10
}
