package store

import (
	"errors"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"rollcall/store/storetest"
)

func TestAPlainURLOfAClusterNodeOpensTheCluster(t *testing.T) {
	servers := storetest.SharedCluster(t)
	s := openTest(t, Config{URL: servers.Node(0).URL()})
	for i := range 20 { // enough keys to meet all masters
		if err := s.do(t.Context(), redis.NewIntCmd(t.Context(), "del", fmt.Sprint("key", i))); err != nil {
			t.Errorf("key %d: %v", i, err)
		}
	}
	if _, err := Open(t.Context(), Config{URL: servers.Node(0).URL() + "/1", Logger: quietLog}); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("a numbered database of a cluster: %v", err)
	}
}

func TestOldServersAreRefused(t *testing.T) {
	for version, ok := range map[string]bool{"6.2.14": false, "5.0": false, "7.0.15": true, "8.0.0": true, "": true, "unknown": true} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestPoolsAreCounted(t *testing.T) {
	s := openTest(t, Config{})
	if err := s.do(t.Context(), redis.NewStringCmd(t.Context(), "get", "k")); err != redis.Nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Total == 0 || got.Misses == 0 {
		t.Errorf("after a command: %+v", got)
	}
}
