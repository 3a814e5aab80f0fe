package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestAServerKeepsItsPortAndDataOverStopAndKill(t *testing.T) {
	s := Redis(t)
	ctx, url := context.Background(), s.URL()
	s.Client().Set(ctx, "a", "1", 0)
	s.Stop()
	if err := s.Client().Ping(ctx).Err(); err == nil {
		t.Fatal("a stopped server answers")
	}
	s.Start()
	s.Client().Set(ctx, "b", "2", 0)
	s.Kill()
	s.Start()
	if s.URL() != url {
		t.Errorf("URL %s became %s", url, s.URL())
	}
	if v, err := s.Client().MGet(ctx, "a", "b").Result(); err != nil || fmt.Sprint(v) != "[1 2]" {
		t.Errorf("after a stop and a kill: %v %v", v, err)
	}
}

func TestAnOptionReplacesTheDefault(t *testing.T) {
	s := Redis(t, "appendfsync", "no", "requirepass", "secret")
	if v := s.Client().ConfigGet(context.Background(), "appendfsync").Val()["appendfsync"]; v != "no" {
		t.Errorf("appendfsync is %q", v)
	}
}

func TestSharedServersAreFoundEmptyAndWhole(t *testing.T) {
	ctx := context.Background()
	s := SharedRedis(t)
	s.Client().Set(ctx, "a", "1", 0)
	s.Kill()
	s = SharedRedis(t)
	if n := s.Client().DBSize(ctx).Val(); n != 0 {
		t.Errorf("%d keys were left", n)
	}

	c := SharedCluster(t)
	owner := c.Owner("a")
	if err := c.Node(owner).Client().Set(ctx, "a", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	c.Node(owner).Kill()
	c.Node((owner + 1) % 6).Pause()
	c = SharedCluster(t)
	if n := len(c.Masters()); n != 3 {
		t.Errorf("%d masters", n)
	}
	if n := c.Node(c.Owner("a")).Client().DBSize(ctx).Val(); n != 0 {
		t.Errorf("%d keys were left", n)
	}
}

func TestAPlannedFailoverSwapsRoles(t *testing.T) {
	c := SharedCluster(t)
	master := c.Owner("a")
	replica := c.Replica(master)
	if replica < 0 {
		t.Fatalf("node %d has no replica", master)
	}
	c.Failover(replica)
	if now := c.Owner("a"); now != replica {
		t.Errorf("node %d holds the key, not %d", now, replica)
	}
	if !strings.Contains(c.URL(), ",") {
		t.Errorf("URL %s names one node", c.URL())
	}
}
