package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// What tests of one process share. It is started when the first test asks.
var shared struct {
	mu      sync.Mutex
	dir     string
	redis   *Server
	cluster *ClusterServers
}

// Main runs the tests of a package and then removes what they shared. It does
// not return.
func Main(m *testing.M) {
	code := m.Run()
	Stop()
	os.Exit(code)
}

// Stop ends the shared servers and removes their data. It is for a TestMain
// that has more to do than [Main].
func Stop() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.redis != nil {
		shared.redis.Kill()
	}
	if shared.cluster != nil {
		shared.cluster.kill()
	}
	if shared.dir != "" {
		os.RemoveAll(shared.dir)
	}
	shared.redis, shared.cluster, shared.dir = nil, nil, ""
}

// SharedRedis returns the server that the tests of this process share, running
// and empty.
func SharedRedis(t testing.TB) *Server {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.redis == nil {
		dir := filepath.Join(sharedDir(t), "redis")
		mkdir(t, dir)
		shared.redis = newServer(t, dir)
	}
	s := shared.redis
	s.use(t)
	t.Cleanup(s.showLog)
	s.revive()
	if err := s.client.FlushAll(context.Background()).Err(); err != nil {
		t.Fatalf("empty shared redis-server: %v", err)
	}
	return s
}

// SharedCluster returns the cluster that the tests of this process share, whole
// and empty. Which nodes are masters depends on the tests before.
func SharedCluster(t testing.TB) *ClusterServers {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	c := shared.cluster
	if c == nil {
		c = newCluster(t, filepath.Join(sharedDir(t), "cluster"))
		t.Cleanup(c.showLogs)
		c.form() // a failure leaves shared.cluster unset
		shared.cluster = c
		return c
	}
	for _, n := range c.nodes {
		n.use(t)
	}
	t.Cleanup(c.showLogs)
	c.heal()
	c.FlushAll()
	return c
}

func sharedDir(t testing.TB) string {
	t.Helper()
	if shared.dir == "" {
		dir, err := os.MkdirTemp("", "storetest")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
	}
	return shared.dir
}

func mkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}
