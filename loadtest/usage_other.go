//go:build !unix

package loadtest

func cpuSeconds() float64 { return 0 }
