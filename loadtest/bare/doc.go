// Package bare has what Rollcall's benchmarks are measured beside: the same work
// with nothing of ours. A machine's speed changes by the hour, so a figure says
// something only as a ratio to one of these, taken in turns in the same run.
//
// [Echo], [LeanEcho] and [FanOut] are servers on the library on which Rollcall's
// own server stands, and [Hashes] is the bare password hash. [Conn] is the client for both sides of a comparison. It costs little, so that
// what is measured is the server.
//
// The package imports no package of ours, and only benchmarks import it. The
// reference of reading users, go-redis by itself, is in the store's own
// benchmarks: no other package imports go-redis.
package bare
