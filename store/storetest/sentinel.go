package storetest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// masterName is how the sentinels call the group that they watch.
const masterName = "mymaster"

const (
	sentinels = 3
	quorum    = 2

	// A master that is silent for so long, in milliseconds, is replaced.
	downAfter = 1000
	// How long an attempt at that may take, in milliseconds. The sentinels try
	// again after twice this time, if none of them got enough votes.
	failoverTimeout = 2000
)

// SentinelServers are a master, its replica and three sentinels that watch them.
// At the start node 0 is the master. A master that is silent for a second is
// replaced by its replica, if two sentinels agree.
type SentinelServers struct {
	t         testing.TB
	nodes     []*Server
	sentinels []*Server
	password  string // of the nodes
	secret    string // of the sentinels
}

// Sentinel starts such a group for this test and waits until it is ready for a
// failover. args are options for the two servers, as for [Redis]. With
// requirepass the sentinels want a password too, which is not the same.
func Sentinel(t testing.TB, args ...string) *SentinelServers {
	t.Helper()
	return startSentinel(t, nil, args...)
}

// SentinelTLS is Sentinel with servers and sentinels that speak TLS and nothing
// else, with certificates of ca for 127.0.0.1.
func SentinelTLS(t testing.TB, ca *CA, args ...string) *SentinelServers {
	t.Helper()
	return startSentinel(t, ca, args...)
}

func startSentinel(t testing.TB, ca *CA, args ...string) *SentinelServers {
	t.Helper()
	g := &SentinelServers{t: t}
	dir := t.TempDir()
	t.Cleanup(func() {
		for _, s := range g.all() {
			s.Kill()
		}
		for _, s := range g.all() {
			s.showLog()
		}
	})
	add := func(list *[]*Server, name string, args ...string) *Server {
		sub := filepath.Join(dir, name)
		mkdir(t, sub)
		s := newServer(t, sub, args...)
		if ca != nil {
			s.useTLS(t, ca, "127.0.0.1")
			s.options["tls-replication"] = "yes" // for sentinels too: how they speak to others
		}
		*list = append(*list, s)
		return s
	}
	for i := range 2 {
		s := add(&g.nodes, "node"+strconv.Itoa(i), append(args, "repl-diskless-sync-delay", "0", "repl-ping-replica-period", "1")...)
		if g.password = s.options["requirepass"]; g.password != "" {
			s.options["masterauth"] = g.password
			g.secret = "sentinel " + g.password
		}
		s.Start()
	}
	g.follow()
	for i := range sentinels {
		s := add(&g.sentinels, "sentinel"+strconv.Itoa(i))
		s.becomeSentinel(g.nodes[0], g.secret)
		s.Start()
		// They make themselves known every two seconds otherwise.
		if err := s.client.Do(context.Background(), "sentinel", "debug", "publish-period", "100").Err(); err != nil {
			t.Fatalf("hurry a sentinel: %v", err)
		}
	}
	g.waitWatched()
	return g
}

// follow makes node 1 the replica of node 0. Its link is up before the sentinels
// first ask the master for its replicas: they ask again after ten seconds only.
func (g *SentinelServers) follow() {
	g.t.Helper()
	ctx := context.Background()
	if err := g.nodes[1].client.ReplicaOf(ctx, "127.0.0.1", strconv.Itoa(g.nodes[0].port)).Err(); err != nil {
		g.t.Fatalf("make a replica: %v", err)
	}
	until(g.t, "the replica has its master's data", func() error {
		info, err := g.nodes[1].client.Info(ctx, "replication").Result()
		if err != nil || !strings.Contains(info, "master_link_status:up") {
			return fmt.Errorf("%v %s", err, info)
		}
		return nil
	})
}

// waitWatched waits until every sentinel knows the others and the replica.
func (g *SentinelServers) waitWatched() {
	g.t.Helper()
	until(g.t, "the sentinels know each other and the replica", func() error {
		for i, s := range g.sentinels {
			state, err := g.state(s)
			if err != nil {
				return fmt.Errorf("sentinel %d: %w", i, err)
			}
			if state["num-other-sentinels"] != strconv.Itoa(sentinels-1) || state["num-slaves"] != "1" || state["flags"] != "master" {
				return fmt.Errorf("sentinel %d: %v", i, state)
			}
		}
		return nil
	})
}

// state is what a sentinel knows of the group.
func (g *SentinelServers) state(s *Server) (map[string]string, error) {
	cmd := redis.NewMapStringStringCmd(context.Background(), "sentinel", "master", masterName)
	_ = s.client.Process(context.Background(), cmd)
	return cmd.Result()
}

// URL is the storage URL of the group.
func (g *SentinelServers) URL() string {
	var hosts []string
	for _, s := range g.sentinels {
		hosts = append(hosts, s.Addr())
	}
	scheme := "redis+sentinel://"
	if g.sentinels[0].secure != nil {
		scheme = "rediss+sentinel://"
	}
	text := scheme + userinfo(g.password) + strings.Join(hosts, ",") + "/" + masterName
	if g.secret != "" {
		text += "?sentinel_password=" + url.QueryEscape(g.secret)
	}
	return text
}

// Node returns server 0 or 1, Sentinel sentinel 0, 1 or 2.
func (g *SentinelServers) Node(i int) *Server     { return g.nodes[i] }
func (g *SentinelServers) Sentinel(i int) *Server { return g.sentinels[i] }

// Master returns the number of the node that a running sentinel names as the
// master. While they replace one, sentinels may name different ones.
func (g *SentinelServers) Master() int {
	g.t.Helper()
	for _, s := range g.sentinels {
		if !s.running() {
			continue
		}
		state, err := g.state(s)
		if err != nil {
			g.t.Fatalf("ask a sentinel: %v", err)
		}
		addr := net.JoinHostPort(state["ip"], state["port"])
		return slices.IndexFunc(g.nodes, func(n *Server) bool { return n.Addr() == addr })
	}
	g.t.Fatal("no sentinel runs")
	return 0
}

// Failover swaps the roles as an operator would for maintenance, and returns
// when all sentinels name the new master. The old one serves on as a master
// until then, and what it acknowledges after the other's promotion is lost.
func (g *SentinelServers) Failover() {
	g.t.Helper()
	old := g.Master()
	if err := g.sentinels[0].client.Do(context.Background(), "sentinel", "failover", masterName).Err(); err != nil {
		g.t.Fatalf("sentinel failover: %v", err)
	}
	until(g.t, "the sentinels name the new master", func() error {
		for i, s := range g.sentinels {
			state, err := g.state(s)
			if err != nil || state["port"] != strconv.Itoa(g.nodes[1-old].port) {
				return fmt.Errorf("sentinel %d: %v %v", i, err, state)
			}
		}
		return nil
	})
}

// WaitReplicated waits until the replica has all that the master of now has
// acknowledged to anybody.
func (g *SentinelServers) WaitReplicated() {
	g.t.Helper()
	ctx := context.Background()
	// WAIT counts the writes of its own connection, and the stream to the
	// replica is in order: so a write of this connection stands for all before.
	conn := g.nodes[g.Master()].client.Conn()
	defer conn.Close()
	if err := conn.Publish(ctx, "storetest", "").Err(); err != nil {
		g.t.Fatalf("write: %v", err)
	}
	if n, err := conn.Wait(ctx, 1, patience).Result(); n != 1 || err != nil {
		g.t.Fatalf("%d replicas have what the master has: %v", n, err)
	}
}

func (g *SentinelServers) all() []*Server { return append(slices.Clone(g.nodes), g.sentinels...) }

// becomeSentinel makes a server that has not been started a sentinel that
// watches master. password is what it wants of clients and other sentinels.
func (s *Server) becomeSentinel(master *Server, password string) {
	for _, name := range []string{"appendonly", "appendfsync", "save", "shutdown-timeout", "enable-debug-command"} {
		delete(s.options, name) // a sentinel keeps no data
	}
	s.watch = []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", masterName, master.port, quorum),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", masterName, downAfter),
		fmt.Sprintf("sentinel failover-timeout %s %d", masterName, failoverTimeout),
	}
	if p := master.options["requirepass"]; p != "" {
		s.watch = append(s.watch, fmt.Sprintf("sentinel auth-pass %s %q", masterName, p))
	}
	if password != "" {
		s.options["requirepass"] = password
	}
	s.choosePorts() // its client has to know the password
}

// sentinelArguments writes the configuration file of a sentinel, which keeps in
// it what it learns. So it is written until the first start has succeeded, and
// then left alone.
func (s *Server) sentinelArguments() ([]string, error) {
	file := filepath.Join(s.dir, "sentinel.conf")
	if !s.settled {
		lines := slices.Clone(s.watch)
		for _, name := range slices.Sorted(maps.Keys(s.options)) {
			lines = append(lines, fmt.Sprintf("%s %q", name, s.options[name]))
		}
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return nil, err
		}
	}
	return []string{file, "--sentinel"}, nil
}
