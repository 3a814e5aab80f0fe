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

// startLow starts a process in which every thread has the policy SCHED_IDLE: they
// all inherit it from the thread that starts the process. Such a thread gives way
// as soon as any other wants to run. At nice 19 it may end its slice first: the
// 99th percentile of the others' latency in BenchmarkPasswordStorm was then 4 to 16
// times that of a quiet server (six runs, median 7) instead of 3 to 8 (four runs,
// median 3), at about as many hashes. The price
// is that on a machine whose CPUs are never idle hashes hardly get on.
func startLow(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0) != nil {
			lowerPriority()
		}
		started <- cmd.Start()
	}()
	return <-started
}

// volunteer makes this process the first that the kernel ends where memory runs
// out, instead of the server. A process may always do that to itself.
func volunteer() { _ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) }
