// Package storetest starts real Redis servers for tests: one, with TLS or
// without, a master and a replica that sentinels watch, or a cluster of three
// masters and three replicas. Only tests import it.
//
// The servers run on free ports of the loopback, keep their data in a directory
// of the test, and write every command to disk before they answer it, so that a
// test can kill one and count what is left. They die with the test process,
// however that ends. When a test fails, what its servers logged is shown.
//
// [Redis], [RedisTLS], [Sentinel] and [Cluster] start servers for one test alone,
// which may do to them what it likes. Starting a cluster takes seconds, so tests that only need one
// to talk to share it: [SharedRedis] and [SharedCluster] start theirs once a
// process, and every test finds it empty and whole. Tests that share servers
// must not run in parallel. A package that shares any calls [Main]:
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
package storetest
