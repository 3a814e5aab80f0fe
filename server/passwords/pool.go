package passwords

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// ErrBusy means that the pool's queue is full, or that its helper has ended and
// another is on its way. Nothing was hashed; a later call may do.
var ErrBusy = errors.New("password hashing is busy")

// Priority says which queue a hash waits in.
type Priority int

const (
	// Players is the usual queue.
	Players Priority = iota
	// Admins is a short queue of its own, so that an admin can sign in while a
	// login storm fills the other. It is served first, but never twice in a row
	// by one worker while players wait: anybody may ask for an admin's login.
	Admins
)

// adminQueue is how many admins may wait.
const adminQueue = 16

// A Pool makes a fixed number of hashes at once, so that whatever else the server
// does keeps its pace. It hashes in a process of its own, see [ServeHelper], or
// in this one, on goroutines that are locked to operating system threads of the
// lowest priority. All methods may be called concurrently.
type Pool struct {
	params  Params
	engine  engine
	players chan *job
	admins  chan *job
	decoy   []byte
	quit    chan struct{}
	done    sync.WaitGroup
	waiting atomic.Int64
	hashed  atomic.Int64
	mean    atomic.Int64 // nanoseconds a hash takes, a moving average
	workers int
}

type job struct {
	ctx    context.Context
	record []byte // nil: make one
	secret string

	ok    bool
	stale bool
	out   []byte
	err   error
	done  chan struct{}
}

// Options of a pool. A zero value means the default.
type Options struct {
	// Params are the costs of new hashes.
	Params Params
	// Workers is how many hashes run at once, by default the number of CPUs.
	Workers int
	// Queue is how many more may wait.
	Queue int
	// Helper, if set, starts the process that hashes. Otherwise the pool hashes
	// in this one.
	Helper HelperCommand
	// Logger is told when a helper ended that should not have.
	Logger *slog.Logger
}

// NewPool starts a pool, and its helper if it has one.
func NewPool(o Options) (*Pool, error) {
	if err := o.Params.Check(); err != nil {
		return nil, err
	}
	if o.Workers <= 0 {
		o.Workers = runtime.NumCPU()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	pool := &Pool{
		params:  o.Params,
		engine:  inProcess{},
		players: make(chan *job, o.Queue),
		admins:  make(chan *job, adminQueue),
		decoy:   newDecoy(o.Params),
		quit:    make(chan struct{}),
		workers: o.Workers,
	}
	if o.Helper != nil {
		h, err := startHelper(o.Helper, o.Logger)
		if err != nil {
			return nil, err
		}
		pool.engine = h
	}
	for range o.Workers {
		pool.done.Add(1)
		go pool.work()
	}
	return pool, nil
}

// Close ends the helper, or waits for the hashes that are being made in this
// process. Calls that wait get ErrBusy.
func (p *Pool) Close() {
	close(p.quit)
	p.engine.close()
	p.done.Wait()
}

// Hash makes a record of a secret. It returns ErrBusy at once when the queue is
// full, or when the context's deadline passes first, and context.Canceled when the
// context is cancelled.
func (p *Pool) Hash(ctx context.Context, prio Priority, secret string) ([]byte, error) {
	j := &job{ctx: ctx, secret: secret, done: make(chan struct{})}
	if err := p.submit(prio, j); err != nil {
		return nil, err
	}
	return j.out, j.err
}

// Verify holds a secret against a record. stale says that the record was made
// with other costs than the pool's and should be made anew. A nil record costs
// the same one hash and never fits, so that nobody can tell by the time whether
// there was one.
func (p *Pool) Verify(ctx context.Context, prio Priority, record []byte, secret string) (ok, stale bool, err error) {
	known := record != nil
	if !known {
		record = p.decoy
	}
	j := &job{ctx: ctx, record: record, secret: secret, done: make(chan struct{})}
	if err := p.submit(prio, j); err != nil {
		return false, false, err
	}
	return j.ok && known, j.stale, j.err
}

// Waiting returns how many hashes wait or run, and Hashed how many were made.
func (p *Pool) Waiting() int  { return int(p.waiting.Load()) }
func (p *Pool) Hashed() int64 { return p.hashed.Load() }

// RetryAfter estimates when there will be room: the time to work off what waits.
func (p *Pool) RetryAfter() time.Duration {
	d := time.Duration(p.mean.Load()) * time.Duration(p.waiting.Load()) / time.Duration(p.workers)
	return min(max(d, 100*time.Millisecond), 30*time.Second)
}

func (p *Pool) submit(prio Priority, j *job) error {
	queue := p.players
	if prio == Admins {
		queue = p.admins
	}
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	select {
	case queue <- j:
	default:
		return ErrBusy
	}
	select {
	case <-j.done:
		return nil
	case <-j.ctx.Done():
		if errors.Is(j.ctx.Err(), context.DeadlineExceeded) { // what was ahead took too long
			return ErrBusy
		}
		return j.ctx.Err()
	case <-p.quit:
		return ErrBusy
	}
}

func (p *Pool) work() {
	defer p.done.Done()
	if p.engine == (inProcess{}) {
		// The thread is never unlocked: it ends with the goroutine, and its priority with it.
		runtime.LockOSThread()
		lowerPriority()
	}
	first, second := p.admins, p.players
	for {
		var j *job
		select {
		case <-p.quit:
			return
		case j = <-first:
			first, second = second, first
		default:
			select {
			case <-p.quit:
				return
			case j = <-p.admins:
				first, second = p.players, p.admins
			case j = <-p.players:
				first, second = p.admins, p.players
			}
		}
		if j.ctx.Err() == nil { // nobody waits for it any more: not worth a hash
			p.run(j)
		}
		close(j.done)
	}
}

func (p *Pool) run(j *job) {
	start := time.Now()
	switch {
	case j.record == nil:
		j.out, j.err = newRecord(p.engine, p.params, j.secret)
	case IsForeign(j.record):
		j.ok, j.err = verifyForeign(p.engine, j.record, j.secret)
	default:
		var made Params
		j.ok, made, j.err = verify(p.engine, j.record, j.secret)
		j.stale = j.err == nil && made != p.params
		if j.stale && !j.ok {
			// Whoever does not exist costs a hash of today's costs. A wrong
			// password for an older record must not be told from that by being
			// quicker.
			_, j.err = p.engine.argon2id(p.params, j.secret, p.decoy[10:10+saltLen], keyLen)
		}
	}
	if errors.Is(j.err, errNoHelper) {
		return
	}
	p.hashed.Add(1)
	took := int64(time.Since(start))
	if old := p.mean.Load(); old > 0 {
		took = (7*old + took) / 8
	}
	p.mean.Store(took)
}
