// Package bare has what Rollcall's benchmarks are measured beside: the same
// work with nothing of ours.
package bare
