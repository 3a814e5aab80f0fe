package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// leaveTime is how long a worker has to end by itself once its input has.
const leaveTime = 3 * time.Second

// A peer is a worker as the coordinator sees it: orders go in, words come out.
type peer struct {
	name     string
	orders   teller
	finished bool         // it has said its last word; owned by the coordinator
	stop     func() error // ends its input, waits for its end and says how it ended
}

// hear passes the worker's words on until they end.
func (p *peer) hear(out io.Reader, words chan<- heard, done <-chan struct{}) {
	lines := json.NewDecoder(out)
	for {
		var w word
		err := lines.Decode(&w)
		select {
		case words <- heard{p, w, err}:
		case <-done:
			_, _ = io.Copy(io.Discard, out)
			return
		}
		if err != nil {
			return
		}
	}
}

// heard is a word of a worker, or that there are no more.
type heard struct {
	from *peer
	word word
	err  error
}

// inProcess starts a worker in this process.
func inProcess(ctx context.Context, name string, words chan<- heard, done <-chan struct{}) *peer {
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	p := &peer{name: name, orders: teller{out: inWrite}}
	var tasks sync.WaitGroup
	var failure error
	tasks.Go(func() {
		failure = Work(ctx, inRead, outWrite)
		_ = inRead.CloseWithError(io.ErrClosedPipe)
		_ = outWrite.Close()
	})
	tasks.Go(func() { p.hear(outRead, words, done) })
	p.stop = sync.OnceValue(func() error {
		_ = inWrite.Close()
		_ = outRead.CloseWithError(io.ErrClosedPipe)
		tasks.Wait()
		return failure
	})
	return p
}

// asProcess starts a worker as a process of its own. It dies with ctx, and ends
// by itself when its input does: a coordinator that is killed leaves none behind.
func asProcess(ctx context.Context, name string, command func(context.Context) *exec.Cmd, words chan<- heard, done <-chan struct{}) (*peer, error) {
	cmd := command(ctx)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	outRead, outWrite := io.Pipe()
	log := &tail{}
	cmd.Stdout = outWrite
	if cmd.Stderr == nil {
		cmd.Stderr = log
	}
	cmd.WaitDelay = leaveTime
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &peer{name: name, orders: teller{out: in}}
	ended := make(chan struct{})
	var failure error
	var tasks sync.WaitGroup
	tasks.Go(func() {
		defer close(ended)
		if failure = cmd.Wait(); failure != nil {
			if text := log.text(); text != "" {
				failure = fmt.Errorf("%w: %s", failure, text)
			}
		}
		_ = outWrite.Close()
	})
	tasks.Go(func() { p.hear(outRead, words, done) })
	p.stop = sync.OnceValue(func() error {
		_ = in.Close()
		select {
		case <-ended:
		case <-time.After(leaveTime):
			_ = cmd.Process.Kill()
		}
		_ = outRead.CloseWithError(io.ErrClosedPipe)
		tasks.Wait()
		return failure
	})
	return p, nil
}

// tail keeps the end of what a worker writes to its stderr.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const keptTail = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	t.kept = bytes.Clone(t.kept[max(0, len(t.kept)-keptTail):])
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}

// lost says that a worker is gone, and why.
func (p *peer) lost(reading error) error {
	err := p.stop()
	switch {
	case err != nil:
	case errors.Is(reading, io.EOF):
		err = errors.New("it ended in the middle of the run")
	default:
		err = fmt.Errorf("it says what can't be read: %w", reading)
	}
	return fmt.Errorf("%s is gone: %w", p.name, err)
}
