package bare

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Redis reads whole hashes through go-redis and decodes nothing but the reply:
// what a user's record costs before anybody has looked into it.
type Redis struct {
	client *redis.Client
	shared *redis.AutoPipeliner
}

// OpenRedis connects to a Redis by its URL, with go-redis's defaults.
func OpenRedis(url string) (*Redis, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	r := &Redis{client: redis.NewClient(o)}
	if r.shared, err = r.client.AutoPipeline(); err != nil {
		r.client.Close()
		return nil, err
	}
	return r, nil
}

// HGetAll reads a hash in a round trip of its own.
func (r *Redis) HGetAll(ctx context.Context, key string) (map[string]string, error) {
	return r.client.HGetAll(ctx, key).Result()
}

// HGetAllShared reads a hash in a round trip that it shares with other callers,
// by go-redis's AutoPipeline with its defaults for callers that wait.
func (r *Redis) HGetAllShared(ctx context.Context, key string) (map[string]string, error) {
	return r.shared.HGetAll(ctx, key).Result()
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }
