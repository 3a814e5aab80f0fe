//go:build unix

package server

import "golang.org/x/sys/unix"

// maxOpenFiles returns the process's open-file limit. The Go runtime has raised
// the soft limit to the hard one at start.
func maxOpenFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(uint64(limit.Cur), 1<<30))
}
