package main

import (
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// A spawner starts processes that die with this one, however that ends. The
// kernel sends the signal when the thread that started a child ends, so that is
// a thread which lives until the end of the test.
type spawner struct{ work chan func() }

func newSpawner(t *testing.T) *spawner {
	s := &spawner{work: make(chan func())}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
	}()
	t.Cleanup(func() { close(s.work); <-ended })
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	s.work <- func() { done <- cmd.Start() }
	return <-done
}
