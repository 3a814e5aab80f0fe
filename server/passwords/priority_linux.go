package passwords

import "golang.org/x/sys/unix"

// lowerPriority gives the calling thread the lowest ordinary priority, nice 19.
// On Linux a nice value is a thread's own. A failure costs pace, not correctness.
func lowerPriority() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19) }
