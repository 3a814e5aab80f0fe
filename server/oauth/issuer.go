package oauth

import (
	"context"
	"sync"
	"time"

	"rollcall/protocol"
)

// How an issuer's keys are kept, and how often it may be asked for them.
const (
	// keysFresh is the age from which keys are read again in the background,
	// keysMax the age from which nobody is let in by them any more: a key that
	// an issuer withdraws opens nothing for longer than that. Id tokens live
	// for about as long, so an issuer that is down for an hour has no valid
	// ones out.
	keysFresh = 15 * time.Minute
	keysMax   = time.Hour

	// A token whose key is unknown makes the keys be read again, since issuers
	// rotate them (OpenID Connect Core 1.0, section 10.1.1). Anybody can make up
	// such a token, so there are refetchBurst such reads, and one more each
	// refetchEvery. Without one left, the keys are at most that old, and the
	// token is refused.
	refetchBurst = 3
	refetchEvery = 10 * time.Second

	// A failed load is remembered for backoffFirst, then twice as long each
	// time, up to backoffMost.
	backoffFirst = 5 * time.Second
	backoffMost  = 30 * time.Second

	maxWaiting = 256  // verifications that may wait for one issuer
	maxIssuers = 1024 // issuers that are kept; the one unused for longest goes
)

// A backoff remembers failures. Its owner's lock guards it.
type backoff struct {
	failures int
	until    time.Time
}

func (b *backoff) failed(now time.Time) {
	wait := backoffMost
	if b.failures < 8 {
		wait = min(backoffFirst<<b.failures, backoffMost)
	}
	b.failures++
	b.until = now.Add(wait)
}

func (b *backoff) succeeded() { *b = backoff{} }

// wait returns how long to leave the other side alone; not positive: not at all.
func (b *backoff) wait(now time.Time) time.Duration {
	if b.failures == 0 {
		return 0
	}
	return b.until.Sub(now)
}

// An issuer is one OpenID Connect issuer, as far as this process knows it.
type issuer struct {
	url string
	v   *Verifier

	lastUsed time.Time // guarded by v.mu

	mu      sync.Mutex // guards what follows; held for no I/O
	keys    *keySet    // as last read; nil before that
	load    *load      // the one under way, or nil
	waiting int        // verifications that wait for it
	backoff backoff
	config  errConfig // what the last failure was, if it is the configuration's
	reads   float64   // refetches left
	readsAt time.Time // when reads was counted
}

// A load is one reading of an issuer's documents. It goes on when those who
// asked for it go away.
type load struct {
	done chan struct{}
	// Set before done is closed.
	keys *keySet
	err  *protocol.Error
}

// issuer returns the one issuer of a URL.
func (v *Verifier) issuer(url string) *issuer {
	now := v.clock()
	v.mu.Lock()
	defer v.mu.Unlock()
	i := v.known[url]
	if i == nil {
		if len(v.known) >= maxIssuers {
			v.forgetOne()
		}
		i = &issuer{url: url, v: v, reads: refetchBurst, readsAt: now}
		v.known[url] = i
	}
	i.lastUsed = now
	return i
}

// forgetOne makes room. An issuer that is still in use elsewhere works on, but
// the next to name it starts anew. Called with v.mu held.
func (v *Verifier) forgetOne() {
	var oldest *issuer
	for _, i := range v.known {
		if oldest == nil || i.lastUsed.Before(oldest.lastUsed) {
			oldest = i
		}
	}
	delete(v.known, oldest.url)
}

// current returns keys that may be used, loading them if need be.
func (i *issuer) current(ctx context.Context) (*keySet, *protocol.Error) {
	now := i.v.clock()
	i.mu.Lock()
	age := keysMax
	if i.keys != nil {
		age = now.Sub(i.keys.readAt)
	}
	if age < keysFresh {
		defer i.mu.Unlock()
		return i.keys, nil
	}
	usable := age < keysMax
	if i.load == nil {
		if wait := i.backoff.wait(now); wait <= 0 {
			i.startLoad()
		} else if !usable {
			defer i.mu.Unlock()
			return nil, i.failure(wait)
		}
	}
	if usable {
		defer i.mu.Unlock()
		return i.keys, nil
	}
	return i.await(ctx)
}

// newer returns keys that were read after old was, or old itself if the issuer
// has been asked often enough.
func (i *issuer) newer(ctx context.Context, old *keySet) (*keySet, *protocol.Error) {
	now := i.v.clock()
	i.mu.Lock()
	if i.keys != old {
		defer i.mu.Unlock()
		return i.keys, nil
	}
	if i.load == nil {
		if wait := i.backoff.wait(now); wait > 0 {
			defer i.mu.Unlock()
			return nil, i.failure(wait)
		}
		passed := max(0, now.Sub(i.readsAt)) // a clock may be set back
		i.reads = min(refetchBurst, i.reads+float64(passed)/float64(refetchEvery))
		i.readsAt = now
		if i.reads < 1 {
			defer i.mu.Unlock()
			return old, nil
		}
		i.reads--
		i.startLoad()
	}
	return i.await(ctx)
}

// await waits for the load under way, as long as ctx lets it. Called with i.mu
// held; releases it.
func (i *issuer) await(ctx context.Context) (*keySet, *protocol.Error) {
	if i.waiting >= maxWaiting {
		i.mu.Unlock()
		return nil, unavailable(backoffFirst)
	}
	l := i.load
	i.waiting++
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		i.waiting--
		i.mu.Unlock()
	}()
	select {
	case <-l.done:
		return l.keys, l.err
	case <-ctx.Done():
		return nil, unavailable(0)
	}
}

// startLoad begins the one load. After Close, it is one that has failed, and
// stays. Called with i.mu held.
func (i *issuer) startLoad() {
	l := &load{done: make(chan struct{})}
	i.load = l
	v := i.v
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		l.err = unavailable(0)
		close(l.done)
		return
	}
	v.loads.Add(1)
	go func() {
		defer v.loads.Done()
		// Less than a verification may take, so that those who wait hear of the
		// failure and not of their own timeout.
		ctx, cancel := context.WithTimeout(v.ctx, v.timeout*4/5)
		defer cancel()
		keys, err := v.readKeys(ctx, i.url)
		i.finish(l, keys, err)
	}()
}

func (i *issuer) finish(l *load, keys *keySet, err error) {
	now := i.v.clock()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.load = nil
	if err == nil {
		keys.readAt = now
		i.keys, l.keys = keys, keys
		i.backoff.succeeded()
	} else {
		i.config = configFault(err)
		i.backoff.failed(now)
		l.err = i.failure(i.backoff.wait(now))
		if i.v.ctx.Err() == nil { // else Close ended it
			i.v.log.Warn("can't read an issuer's keys", "issuer", i.url, "error", quiet(err), "failures", i.backoff.failures)
		}
	}
	close(l.done)
}

// failure is what a remembered failure answers. Called with i.mu held.
func (i *issuer) failure(wait time.Duration) *protocol.Error {
	if i.config != "" {
		return notUsable("its issuer " + string(i.config))
	}
	return unavailable(wait)
}
