package passwords

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"os/exec"
	"sync"
	"time"
)

// A HelperCommand makes the command that starts a hashing helper: a process
// that calls [ServeHelper] with its standard input and output. The pool sets
// these two. It is called again for each helper that takes an ended one's place.
type HelperCommand func() *exec.Cmd

// Times before a helper that ended is followed by another. The first is doubled
// for each that ended again before the last was over.
const (
	helperRestart    = 100 * time.Millisecond
	helperRestartMax = 5 * time.Second
)

// errNoHelper means that the helper ended before it had answered, or that there
// is none at the moment. It is ErrBusy to whoever asked: the next one may do it.
var errNoHelper = fmt.Errorf("no hashing helper: %w", ErrBusy)

// A helper is the engine that hashes in a process of its own, see [ServeHelper].
// Where that process ends, another is started, and what was asked meanwhile is
// errNoHelper.
type helper struct {
	command HelperCommand
	log     *slog.Logger
	quit    chan struct{}
	done    chan struct{} // closed when the last process has ended

	mu      sync.Mutex
	process *helperProcess // nil while there is none
}

// A helperProcess is one process and the conversation with it.
type helperProcess struct {
	cmd *exec.Cmd
	rpc *rpc.Client
}

// startHelper returns when the first process runs.
func startHelper(command HelperCommand, log *slog.Logger) (*helper, error) {
	h := &helper{command: command, log: log, quit: make(chan struct{}), done: make(chan struct{})}
	if err := h.start(); err != nil {
		return nil, fmt.Errorf("hashing helper: %w", err)
	}
	go h.keep()
	return h, nil
}

func (h *helper) start() error {
	cmd := h.command()
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := startLow(cmd); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.process = &helperProcess{cmd: cmd, rpc: rpc.NewClient(pipes{out, in})}
	return nil
}

// keep waits for processes to end and starts others, until close.
func (h *helper) keep() {
	defer close(h.done)
	pause := helperRestart
	for {
		began := time.Now()
		err := h.wait()
		if h.closing() {
			return
		}
		if time.Since(began) > helperRestartMax {
			pause = helperRestart
		}
		for {
			h.log.Error("hashing helper: starting another", "error", err, "in", pause)
			select {
			case <-h.quit:
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, helperRestartMax)
			if err = h.start(); err == nil {
				break
			}
		}
		if h.closing() { // close may have come before there was anything to end
			h.end()
		}
	}
}

// wait returns when the process has ended, and why.
func (h *helper) wait() error {
	h.mu.Lock()
	p := h.process
	h.mu.Unlock()
	err := p.cmd.Wait()
	h.mu.Lock()
	h.process = nil
	h.mu.Unlock()
	_ = p.rpc.Close()
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return err
}

func (h *helper) closing() bool {
	select {
	case <-h.quit:
		return true
	default:
		return false
	}
}

// end ends the process, if there is one.
func (h *helper) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process != nil {
		_ = h.process.cmd.Process.Kill()
	}
}

func (h *helper) close() {
	close(h.quit)
	h.end()
	<-h.done
}

func (h *helper) argon2id(p Params, secret string, salt []byte, length int) ([]byte, error) {
	var key []byte
	err := h.call("Hashing.Argon2id", Argon2idTask{Params: p, Secret: secret, Salt: salt, Length: length}, &key)
	return key, err
}

func (h *helper) bcrypt(hash []byte, password string) (ok bool, err error) {
	err = h.call("Hashing.Bcrypt", BcryptTask{Hash: hash, Password: password}, &ok)
	return ok, err
}

// call asks the helper. An error is errNoHelper, or what the hash itself met.
func (h *helper) call(method string, task, result any) error {
	h.mu.Lock()
	p := h.process
	h.mu.Unlock()
	if p == nil {
		return errNoHelper
	}
	err := p.rpc.Call(method, task, result)
	var met rpc.ServerError
	if err == nil || errors.As(err, &met) {
		return err
	}
	return errNoHelper
}

// pipes are a process's standard output and input, as one connection.
type pipes struct {
	io.ReadCloser
	io.WriteCloser
}

func (p pipes) Close() error { return errors.Join(p.WriteCloser.Close(), p.ReadCloser.Close()) }
