package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// bareRedis is the reference of the benchmarks of reading users: it reads whole
// hashes through go-redis and decodes nothing but the reply, so what a user's
// record costs before anybody has looked into it. It stands here and not with the
// other references, since no package but this one imports go-redis.
type bareRedis struct {
	client *redis.Client
	shared *redis.AutoPipeliner
}

// openBareRedis connects to a Redis by its URL, with go-redis's defaults.
func openBareRedis(url string) (*bareRedis, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	r := &bareRedis{client: redis.NewClient(o)}
	if r.shared, err = r.client.AutoPipeline(); err != nil {
		r.client.Close()
		return nil, err
	}
	return r, nil
}

// get reads a hash in a round trip of its own.
func (r *bareRedis) get(ctx context.Context, key string) (map[string]string, error) {
	return r.client.HGetAll(ctx, key).Result()
}

// getShared reads a hash in a round trip that it shares with other callers,
// by go-redis's AutoPipeline with its defaults for callers that wait.
func (r *bareRedis) getShared(ctx context.Context, key string) (map[string]string, error) {
	return r.shared.HGetAll(ctx, key).Result()
}

// close closes the connections.
func (r *bareRedis) close() error { return r.client.Close() }
