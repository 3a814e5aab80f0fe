package passwords

import (
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// lowerPriority gives the calling thread the lowest ordinary priority, nice 19.
// On Linux a nice value is a thread's own. A failure costs pace, not correctness.
func lowerPriority() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19) }

// startLow starts a process in which every thread has the lowest ordinary
// priority: they all inherit it from the thread that starts the process. The
// policy SCHED_IDLE gave no better latency to others on a machine that did nothing
// else (BenchmarkRowPasswordStorm in turns: 99th percentile 2.3 to 2.4 times the
// quiet one, and 2.3 to 2.5 at nice 19), and where the CPUs are never idle hashes
// would hardly get on.
func startLow(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		lowerPriority()
		started <- cmd.Start()
	}()
	return <-started
}

// volunteer makes this process the first that the kernel ends where memory runs
// out, instead of the server. A process may always do that to itself.
func volunteer() { _ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) }
