package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestEmbeddedTTLsElapse(t *testing.T) {
	s := openTest(t, Config{})
	ctx := t.Context()
	gone, stays := redis.NewStringCmd(ctx, "set", "short", "v", "px", "300"), redis.NewStringCmd(ctx, "set", "long", "v", "ex", "1000")
	if err := s.doAll(ctx, gone, stays); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := s.do(ctx, redis.NewStringCmd(ctx, "get", "short"))
		if err == redis.Nil {
			break
		}
		if err != nil || time.Since(start) > 10*time.Second {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
	}
	if err := s.do(ctx, redis.NewStringCmd(ctx, "get", "long")); err != nil {
		t.Errorf("the one with time left: %v", err)
	}
}

func TestTheEmbeddedClockIsTheRealOne(t *testing.T) {
	s := openTest(t, Config{})
	got, err := s.run(t.Context(), scriptOf("time", `return redis.call('TIME')[1]`), []string{"k"})
	var seconds int64
	if _, scanErr := fmt.Sscan(fmt.Sprint(got), &seconds); err != nil || scanErr != nil {
		t.Fatal(got, err, scanErr)
	}
	if d := time.Since(time.Unix(seconds, 0)); d < -time.Minute || d > time.Minute {
		t.Errorf("off by %v", d)
	}
}

func TestTheEmbeddedServerWantsItsPassword(t *testing.T) {
	s := openTest(t, Config{})
	c := redis.NewClient(&redis.Options{Addr: s.local.server.Addr(), Protocol: 2})
	defer c.Close()
	if err := c.Get(t.Context(), "k").Err(); !redis.IsAuthError(err) {
		t.Errorf("without a password: %v", err)
	}
}

// fill writes one key of every type, with bytes of all kinds.
func fill(t *testing.T, s *Store) {
	t.Helper()
	ctx, c := t.Context(), s.client
	odd := "a\x00\r\n\xff\xfe é"
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "string", odd, 0)
		p.Set(ctx, "empty", "", 0)
		p.Set(ctx, odd, "odd key", time.Hour)
		p.HSet(ctx, "hash", "f", "v", odd, odd, "none", "")
		p.SAdd(ctx, "set", "b", "a", odd)
		p.ZAdd(ctx, "zset", redis.Z{Score: 1.5, Member: "m"}, redis.Z{Score: math.Inf(-1), Member: odd}, redis.Z{Score: 1.7e18, Member: "ms"})
		p.RPush(ctx, "list", "b", "a", "b")
		p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "5-1", Values: []string{"f", "v", odd, odd}})
		p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "5-2", Values: []string{"f", "w"}})
		p.PExpire(ctx, "hash", 90*time.Minute)
		p.Set(ctx, "brief", "v", 400*time.Millisecond)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contents is everything in the store, as text, and the keys' times to live.
func contents(t *testing.T, s *Store) (map[string]string, map[string]time.Duration) {
	t.Helper()
	records, _, err := s.local.dump(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	all, ttls := map[string]string{}, map[string]time.Duration{}
	for _, r := range records {
		if r.kind == 'z' { // in no order
			var pairs []string
			for p := range slices.Chunk(r.values, 2) {
				pairs = append(pairs, p[0]+p[1])
			}
			slices.Sort(pairs)
			r.values = pairs
		}
		all[r.key] = fmt.Sprintf("%c %q", r.kind, r.values)
		if r.expiry != 0 {
			ttls[r.key] = time.Until(time.UnixMilli(r.expiry))
		}
	}
	return all, ttls
}

func TestASnapshotKeepsEveryTypeAndTTL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	s, err := Open(t.Context(), Config{DataFile: path, Logger: quietLog})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	before, _ := contents(t, s)
	delete(before, "brief")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: %v %v", info.Mode(), err)
	}
	// brief's time passes while no process runs.
	time.Sleep(400 * time.Millisecond)

	s = openTest(t, Config{DataFile: path})
	after, ttls := contents(t, s)
	if len(before) != 8 || !maps.Equal(before, after) {
		t.Errorf("before %v\nafter  %v", before, after)
	}
	if len(ttls) != 2 || ttls["hash"] > 90*time.Minute || ttls["hash"] < 80*time.Minute {
		t.Errorf("times to live: %v", ttls)
	}
	// The stream goes on where it was.
	if id, err := s.client.XAdd(t.Context(), &redis.XAddArgs{Stream: "stream", ID: "5-*", Values: []string{"f", "v"}}).Result(); err != nil || id != "5-3" {
		t.Errorf("next id %s %v", id, err)
	}
}

func TestASnapshotIsTakenOnlyWhenSomethingChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	s := openTest(t, Config{DataFile: path, SnapshotInterval: time.Hour})
	saved := func() bool {
		t.Helper()
		if err := s.local.save(); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(path)
		os.Remove(path)
		return err == nil
	}
	ctx := t.Context()
	if saved() {
		t.Error("an untouched store was written")
	}
	s.do(ctx, redis.NewStatusCmd(ctx, "set", "k", "v"))
	if !saved() {
		t.Error("a change was not written")
	}
	s.do(ctx, redis.NewStringCmd(ctx, "get", "k"))
	if saved() {
		t.Error("a read was written")
	}
	s.run(ctx, scriptTest, []string{"n"}, "v")
	if !saved() {
		t.Error("a script's change was not written")
	}
}

func TestSnapshotsAreTakenByThemselves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	s := openTest(t, Config{DataFile: path, SnapshotInterval: 10 * time.Millisecond})
	fill(t, s)
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			break
		}
		if time.Since(start) > 10*time.Second {
			t.Fatal("no snapshot")
		}
	}
}

func TestADamagedFileIsRefusedAndLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	s, err := Open(t.Context(), Config{DataFile: good, Logger: quietLog})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(data)
	flipped[len(flipped)/2] ^= 1
	tests := map[string][]byte{
		"empty":         {},
		"foreign":       []byte("precious notes of somebody else\n"),
		"other version": []byte(strings.Replace(string(data), "snapshot 1", "snapshot 9", 1)),
		"magic alone":   []byte(snapshotMagic),
		"cut off":       data[:len(data)-7],
		"flipped bit":   flipped,
		"grown":         append(slices.Clone(data), 'x'),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "bad")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), Config{DataFile: path, Logger: quietLog})
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, ErrDataFileCorrupt) || !strings.Contains(err.Error(), path) {
				t.Errorf("opened with %v", err)
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != string(content) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

// sealed is body as a whole snapshot file.
func sealed(body []byte) []byte {
	data := append([]byte(snapshotMagic), body...)
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, crcTable))
}

func FuzzDecodeSnapshot(f *testing.F) {
	var b strings.Builder
	encode(&b, []record{{kind: 'h', key: "k", expiry: 1, values: []string{"f", "v"}}, {kind: 'x', key: "x", values: []string{"1-1", "\x00"}}})
	f.Add([]byte(b.String()[len(snapshotMagic) : b.Len()-4]))
	f.Add([]byte{'s', 1, 'k', 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		// With its sum right, whatever is inside must not crash or exhaust
		// the process.
		decode(sealed(body))
	})
}

func TestASecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	s, err := Open(t.Context(), Config{DataFile: path, Logger: quietLog})
	if err != nil {
		t.Fatal(err)
	}
	// The lock belongs to the open file, so that a second one in this process
	// is refused as another process would be.
	if _, err := Open(context.Background(), Config{DataFile: path, Logger: quietLog}); !errors.Is(err, ErrDataFileInUse) {
		t.Errorf("second: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openTest(t, Config{DataFile: path})
}

func TestADataFileNeedsTheEmbeddedStore(t *testing.T) {
	_, err := Open(t.Context(), Config{URL: "redis://127.0.0.1:1", DataFile: "x"})
	if err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
