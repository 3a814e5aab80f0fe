package storetest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	masters = 3
	slots   = 16384
)

// ClusterServers are a Redis Cluster of six nodes. At the start nodes 0, 1 and 2
// are masters, and node 3+i is the replica of node i. A master that is silent
// for two seconds is replaced by its replica.
type ClusterServers struct {
	nodes []*Server
	ids   []string // node ids of the cluster, by node
}

// Cluster starts a cluster for this test and waits until it is whole.
func Cluster(t testing.TB) *ClusterServers {
	t.Helper()
	c := newCluster(t, t.TempDir())
	t.Cleanup(func() {
		c.kill()
		c.showLogs()
	})
	c.form()
	return c
}

func newCluster(t testing.TB, dir string) *ClusterServers {
	t.Helper()
	c := &ClusterServers{}
	for i := range 2 * masters {
		sub := filepath.Join(dir, "node"+strconv.Itoa(i))
		mkdir(t, sub)
		c.nodes = append(c.nodes, newServer(t, sub,
			"cluster-enabled", "yes",
			"cluster-config-file", "nodes.conf",
			"cluster-node-timeout", "2000",
			"cluster-replica-validity-factor", "0", // a replica may always take over
			"repl-diskless-sync-delay", "0",
			"repl-ping-replica-period", "1",
		))
	}
	return c
}

// form starts the nodes and makes a cluster of them.
func (c *ClusterServers) form() {
	c.t().Helper()
	for i, n := range c.nodes {
		n.Start()
		c.ids = append(c.ids, c.ask(i, "cluster", "myid"))
		c.ask(i, "cluster", "set-config-epoch", i+1)
	}
	for i := range c.nodes {
		for j, n := range c.nodes {
			if i != j {
				c.ask(i, "cluster", "meet", "127.0.0.1", n.port, n.busPort)
			}
		}
	}
	for i := range masters {
		c.ask(i, "cluster", "addslotsrange", i*slots/masters, (i+1)*slots/masters-1)
	}
	c.until("all nodes know each other", func() error {
		for i := range c.nodes {
			known := c.ask(i, "cluster", "nodes")
			for _, id := range c.ids {
				if !strings.Contains(known, id) {
					return fmt.Errorf("node %d does not know all others", i)
				}
			}
			if strings.Contains(known, "handshake") {
				return fmt.Errorf("node %d is still greeting", i)
			}
		}
		return nil
	})
	for i := range masters {
		c.ask(masters+i, "cluster", "replicate", c.ids[i])
	}
	c.WaitOK()
}

// URL is the storage URL of the cluster, naming its first three nodes.
func (c *ClusterServers) URL() string {
	return fmt.Sprintf("redis+cluster://%s,%s,%s", c.nodes[0].Addr(), c.nodes[1].Addr(), c.nodes[2].Addr())
}

// Node returns node i, from 0 to 5.
func (c *ClusterServers) Node(i int) *Server { return c.nodes[i] }

// Masters returns the numbers of the nodes that are masters now.
func (c *ClusterServers) Masters() []int {
	c.t().Helper()
	var found []int
	for i, n := range c.nodes {
		if n.running() && c.isMaster(i) {
			found = append(found, i)
		}
	}
	return found
}

func (c *ClusterServers) isMaster(i int) bool {
	return strings.Contains(c.ask(i, "info", "replication"), "role:master")
}

// Owner returns the number of the master that holds key.
func (c *ClusterServers) Owner(key string) int {
	c.t().Helper()
	ctx := context.Background()
	for _, i := range c.Masters() {
		err := c.nodes[i].client.Exists(ctx, key).Err()
		if err == nil {
			return i
		}
		if addr, moved := redis.IsMovedError(err); moved {
			return slices.IndexFunc(c.nodes, func(n *Server) bool { return n.Addr() == addr })
		}
	}
	c.t().Fatalf("no master holds %s", key)
	return 0
}

// Replica returns the number of the running replica of master i, or -1.
func (c *ClusterServers) Replica(i int) int {
	for j, n := range c.nodes {
		if j != i && n.running() {
			if strings.Contains(c.ask(j, "info", "replication"), "master_port:"+strconv.Itoa(c.nodes[i].port)+"\r\n") {
				return j
			}
		}
	}
	return -1
}

// Failover makes replica i a master in its master's place, as an operator would
// for maintenance: nothing that was acknowledged is lost. It waits until i is
// master and every node has seen it.
func (c *ClusterServers) Failover(i int) {
	c.t().Helper()
	c.ask(i, "cluster", "failover")
	c.until("replica takes over", func() error {
		if !c.isMaster(i) {
			return fmt.Errorf("node %d is not yet master", i)
		}
		return nil
	})
	c.WaitOK()
}

// FlushAll removes all keys.
func (c *ClusterServers) FlushAll() {
	c.t().Helper()
	for _, i := range c.Masters() {
		c.ask(i, "flushall")
	}
}

// WaitOK waits until the running nodes agree that all slots are served, and
// every running replica has all that its master has.
func (c *ClusterServers) WaitOK() {
	c.t().Helper()
	c.until("cluster whole", func() error {
		for i, n := range c.nodes {
			if n.running() {
				if err := c.whole(i); err != nil {
					return fmt.Errorf("node %d: %w", i, err)
				}
			}
		}
		return nil
	})
}

// whole says what node i still misses.
func (c *ClusterServers) whole(i int) error {
	if info := c.ask(i, "cluster", "info"); !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_slots_ok:16384") {
		return fmt.Errorf("cluster state is not ok")
	}
	for line := range strings.SplitSeq(strings.TrimSpace(c.ask(i, "cluster", "nodes")), "\n") {
		// id addr flags master ping pong epoch link slots...
		f := strings.Fields(line)
		j := slices.Index(c.ids, f[0])
		if j < 0 || !c.nodes[j].running() {
			continue
		}
		if strings.Contains(f[2], "fail") || f[7] != "connected" {
			return fmt.Errorf("has no link to node %d", j)
		}
		if strings.Contains(f[2], "slave") == c.isMaster(j) {
			return fmt.Errorf("has the wrong role for node %d", j)
		}
	}
	if info := c.ask(i, "info", "replication"); strings.Contains(info, "role:slave") {
		if !strings.Contains(info, "master_link_status:up") || strings.Contains(info, "master_sync_in_progress:1") {
			return fmt.Errorf("not in sync with its master")
		}
	}
	return nil
}

// ask sends a command to node i, which must be running.
func (c *ClusterServers) ask(i int, args ...any) string {
	t := c.t()
	t.Helper()
	v, err := c.nodes[i].client.Do(context.Background(), args...).Text()
	if err != nil {
		t.Fatalf("node %d: %v: %v", i, args, err)
	}
	return v
}

func (c *ClusterServers) until(what string, check func() error) {
	t := c.t()
	t.Helper()
	until(t, what, check)
}

// until waits for what the servers tell only when they are asked.
func until(t testing.TB, what string, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *ClusterServers) t() testing.TB {
	n := c.nodes[0]
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.t
}

func (c *ClusterServers) kill() {
	for _, n := range c.nodes {
		n.Kill()
	}
}

func (c *ClusterServers) showLogs() {
	for _, n := range c.nodes {
		n.showLog()
	}
}

// heal brings back what an earlier test left stopped or paused.
func (c *ClusterServers) heal() {
	for _, n := range c.nodes {
		n.revive()
	}
	c.WaitOK()
}
