// Package store is Redis, and all of Redis: the users, their sessions, the
// scopes, the admins and the signals between nodes. No other package names a
// key, a script or a type of the Redis client.
//
// A [Store] is opened from one URL: a single server, a Sentinel group or a
// Cluster. With no URL it runs an embedded server inside the process, for
// trying things out and for tests (to about ten thousand users), with a
// snapshot file if one is named.
//
// What holds on each of them:
//
//   - Keys are spread over slots by user, and every command and script touches
//     one slot only (keys.go builds every key).
//   - Every write is safe to repeat, because the client repeats commands after
//     a timeout.
//   - Commands of concurrent callers share round trips (batch.go).
//   - When the storage is gone, every call fails at once with [ErrUnavailable],
//     and works again by itself when the storage is back (breaker.go).
//
// The package decides nothing about who may do what, hashes no passwords and
// never logs or returns a password, a token or a key in an error.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Defaults of [Config].
const (
	DefaultSessionTTL       = 30 * 24 * time.Hour
	DefaultReservationAge   = 10 * time.Second
	DefaultPoolSize         = 16 + 2*FeedPartitions // blocking reads for admins, and for webhooks
	DefaultSnapshotInterval = 30 * time.Second
)

// A Config says where the store is and how it behaves. The zero value is an
// embedded store that keeps nothing.
type Config struct {
	// URL of the storage, see [CheckURL] for the forms. Empty: embedded.
	URL string

	// DataFile is the snapshot file of the embedded store. Empty: nothing
	// outlives the process. It must be empty when URL is set.
	DataFile string

	// SnapshotInterval is the time between two snapshots, if anything changed.
	// A crash of the process loses at most what came after the last one.
	SnapshotInterval time.Duration

	// PoolSize is the number of connections to each node that serve commands
	// outside the shared round trips, such as blocking reads.
	PoolSize int

	// SessionTTL is how long a session token is good after its last use.
	SessionTTL time.Duration

	// ReservationAge is how old a reservation of a name must be before another
	// user may take it over. It has to be longer than any create takes.
	ReservationAge time.Duration

	// FeedEvents and FeedBytes bound the history of a scope's feed: so many of
	// the newest events are kept for 7 days, and in any case all of the last 15
	// minutes, below so many bytes.
	FeedEvents, FeedBytes int

	// FeedWait is how many replicas must have an event before the login that it
	// tells is acknowledged (Redis' WAIT). 0, the default: none, so that what the
	// master had not yet replicated is lost with it. The embedded store has none.
	FeedWait int

	// Logger gets what an operator should know. Nil: slog.Default().
	Logger *slog.Logger

	fault func(step string) // see Store; nil outside tests

	// noSweeps leaves the outboxes to those who call Sweep, and lets nothing
	// happen behind a caller's back: for tests that look at every change of the
	// storage.
	noSweeps bool
}

func (c Config) withDefaults() Config {
	setDefault(&c.SnapshotInterval, DefaultSnapshotInterval)
	setDefault(&c.PoolSize, DefaultPoolSize)
	setDefault(&c.SessionTTL, DefaultSessionTTL)
	setDefault(&c.ReservationAge, DefaultReservationAge)
	setDefault(&c.FeedEvents, DefaultFeedEvents)
	setDefault(&c.FeedBytes, DefaultFeedBytes)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.fault == nil {
		c.fault = func(string) {}
	}
	return c
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// A Store is a connection to the storage. Its methods may be called by many
// goroutines at once.
type Store struct {
	// Static after Open.
	cfg      Config
	log      *slog.Logger
	client   redis.UniversalClient // for blocking reads, on connections of their own; all else goes through do
	embedded bool
	local    *embeddedServer // nil unless embedded
	batch    *batcher
	breaker  *breaker
	hub      signalHub         // signals of the embedded store
	bell     feedBell          // of appends in this process
	replicas replicaWaits      // for Config.FeedWait
	skew     atomic.Int64      // by how much the storage's clock is ahead of ours, ns
	fault    func(step string) // called around every step that a crash could split; does nothing outside tests

	// Background work: runs until stop is called, Close waits for it.
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	closing  sync.Once
	closeErr error
}

// Open connects to the storage that cfg names and checks that it answers. It
// fails with [ErrUnavailable] when nobody answers there, and with a plain error
// when the configuration or the data file is not usable. ctx bounds the opening
// only.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	s := &Store{cfg: cfg, log: cfg.Logger, fault: cfg.fault}
	s.ctx, s.stop = context.WithCancel(context.Background())

	var err error
	if cfg.URL == "" {
		s.embedded = true
		s.local, err = startEmbedded(cfg)
		if err == nil {
			s.client = s.local.client
		}
	} else {
		s.client, err = dial(ctx, cfg)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("open store: %w", err)
	}

	s.breaker = newBreaker(s.ctx, &s.running, s.probe, s.log)
	s.batch = newBatcher(s.client, s.breaker)
	if s.local != nil {
		s.spawn(s.local.run)
	}
	s.startLoops()
	return s, nil
}

// clientLog takes what the Redis client logs by itself: a line for each failed
// connection. The breaker says once that the storage is gone, so these are for
// debugging. The client has one logger for the whole process.
type clientLog struct{}

func (clientLog) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, fmt.Sprintf(format, v...), "from", "redis client")
}

func init() { redis.SetLogger(clientLog{}) }

// dial opens a client for cfg.URL and makes sure that it speaks to a server
// which is recent enough.
func dial(ctx context.Context, cfg Config) (redis.UniversalClient, error) {
	opts, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.DataFile != "" {
		return nil, errors.New("a data file is for the embedded store only, and a storage URL is set")
	}
	tune(opts, cfg.PoolSize)

	client := redis.NewUniversalClient(opts)
	info, err := client.InfoMap(ctx, "server", "cluster").Result()
	if err != nil {
		client.Close()
		return nil, reachError(cfg.URL, opts, err)
	}
	if err := checkVersion(info["Server"]["redis_version"]); err != nil {
		client.Close()
		return nil, err
	}
	// A plain URL may lead to a node of a cluster. Spoken to as a single
	// server, that node would refuse most keys.
	if info["Cluster"]["cluster_enabled"] == "1" && !opts.IsClusterMode && opts.MasterName == "" {
		client.Close()
		if opts.DB != 0 {
			return nil, fmt.Errorf("%s is a cluster, and a cluster has no database %d", safeURL(cfg.URL), opts.DB)
		}
		opts.IsClusterMode = true
		client = redis.NewUniversalClient(opts)
		if err := client.Ping(ctx).Err(); err != nil {
			client.Close()
			return nil, fmt.Errorf("reach %s as a cluster: %w", safeURL(cfg.URL), classify(err))
		}
	}
	return client, nil
}

// checkVersion refuses servers older than 7.0. An unknown version passes.
func checkVersion(version string) error {
	var major int
	if _, err := fmt.Sscanf(version, "%d.", &major); err == nil && major < 7 {
		return fmt.Errorf("the server is Redis %s, and 7.0 or newer is needed", version)
	}
	return nil
}

// spawn runs f until the store closes; f must return soon after its ctx ends.
func (s *Store) spawn(f func(ctx context.Context)) {
	s.running.Go(func() { f(s.ctx) })
}

// Ready reports whether the storage answers now: nil, or an error that is
// [ErrUnavailable]. It asks every master of a cluster.
func (s *Store) Ready(ctx context.Context) error {
	if s.breaker.open() {
		return errGone
	}
	if err := s.probe(ctx); err != nil {
		return fmt.Errorf("store not ready: %w", classify(err))
	}
	return nil
}

// probe asks every master for a sign of life. A cluster's nodes must also
// think that the cluster is whole, because otherwise they refuse every command.
func (s *Store) probe(ctx context.Context) error {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return s.client.Ping(ctx).Err()
	}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		info, err := node.ClusterInfo(ctx).Result()
		if err != nil {
			if redis.IsPermissionError(err) {
				return nil // it answered
			}
			return err
		}
		return clusterOK(info)
	})
}

// Outages returns how often the storage was gone since the store was opened.
// After each time, what was written shortly before may be lost.
func (s *Store) Outages() uint64 { return s.breaker.outages.Load() }

// now is the time by the storage's clock, as far as it is known.
func (s *Store) now() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) }

// Embedded reports whether the store is the embedded one, which lives and dies
// with this process.
func (s *Store) Embedded() bool { return s.embedded }

// Close ends the background work, writes the last snapshot of an embedded store
// and closes all connections. Calls that are under way, and later ones, fail
// with [ErrUnavailable]. The error is that of the snapshot.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.batch.close()
		s.stop()
		s.running.Wait()
		if s.local != nil {
			s.closeErr = s.local.close()
			return
		}
		s.closeErr = s.client.Close()
	})
	return s.closeErr
}
