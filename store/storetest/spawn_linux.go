package storetest

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// start starts cmd so that it dies with this process. The kernel sends the
// signal when the thread that started the child ends, so that has to be a
// thread which never does.
func start(cmd *exec.Cmd) error {
	spawner.Do(func() { go spawn() })
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	spawns <- func() { done <- cmd.Start() }
	return <-done
}

var (
	spawner sync.Once
	spawns  = make(chan func())
)

func spawn() {
	runtime.LockOSThread()
	for f := range spawns {
		f()
	}
}
