package passwords

import (
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// lowerPriority gives the calling thread the lowest ordinary priority, nice 19.
// On Linux a nice value is a thread's own. A failure costs pace, not correctness.
//
// The policy SCHED_IDLE was measured no better for others here, and leaves a
// hash a fifth of the little that nice 19 does where everybody is busy.
func lowerPriority() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19) }

// startLow starts a process in which every thread has the lowest priority: they
// all inherit it from the thread that starts the process.
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
