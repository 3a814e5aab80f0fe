package store

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Times that bound how long a command can take when the storage is gone. The
// breaker opens after the first that ran out of them.
const (
	dialTimeout = time.Second
	ioTimeout   = 2 * time.Second
	maxRetries  = 2
)

// CheckURL reports what is wrong with a storage URL, without connecting. The
// forms are:
//
//	redis://user:password@host:6379/0                             one server, or any node of a cluster
//	redis+sentinel://user:password@host1:26379,host2:26379/NAME/0 the master called NAME, by its sentinels
//	redis+cluster://user:password@host1:7000,host2:7001           a cluster, by some of its nodes
//
// With rediss instead of redis, TLS is used and the server's certificate is
// checked. User, password, ports and the database number may be left out; user
// and password are %-escaped and are for the servers. Sentinels that want a
// password of their own get it by ?sentinel_user=…&sentinel_password=….
//
// The error never shows the password, or any part of a URL that could hold it.
func CheckURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

// parseURL makes client options of a storage URL.
//
// It does not use the error text of net/url, which repeats what it was given.
func parseURL(raw string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, errors.New("storage URL has no scheme: want redis://, rediss://, redis+sentinel:// or redis+cluster://")
	}
	base, kind, _ := strings.Cut(scheme, "+")
	if base != "redis" && base != "rediss" {
		return nil, errors.New("storage URL has an unknown scheme: want redis, rediss, redis+sentinel or redis+cluster")
	}
	port := "6379"
	switch {
	case scheme == base, kind == "cluster":
	case kind == "sentinel":
		port = "26379"
	default:
		return nil, errors.New("storage URL has an unknown scheme: want redis, rediss, redis+sentinel or redis+cluster")
	}

	opts := &redis.UniversalOptions{IsClusterMode: kind == "cluster"}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest, "#") || strings.Contains(query, "#") {
		return nil, errors.New("storage URL has a '#': write it as %23 in a password")
	}
	authority, path, _ := strings.Cut(rest, "/")
	if err := parseUser(opts, &authority); err != nil {
		return nil, err
	}
	if err := parseHosts(opts, authority, port); err != nil {
		return nil, err
	}
	if err := parsePath(opts, kind, path); err != nil {
		return nil, err
	}
	if err := parseQuery(opts, kind, query); err != nil {
		return nil, err
	}
	if len(opts.Addrs) > 1 && kind == "" {
		return nil, errors.New("storage URL names several hosts: want redis+sentinel:// or redis+cluster://")
	}
	if base == "rediss" {
		opts.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if len(opts.Addrs) == 1 && kind == "" {
			opts.TLSConfig.ServerName, _, _ = net.SplitHostPort(opts.Addrs[0])
		}
	}
	return opts, nil
}

// parseUser takes user and password off the authority.
func parseUser(opts *redis.UniversalOptions, authority *string) error {
	at := strings.LastIndexByte(*authority, '@')
	if at < 0 {
		return nil
	}
	user, password, _ := strings.Cut((*authority)[:at], ":")
	*authority = (*authority)[at+1:]
	var err1, err2 error
	opts.Username, err1 = url.PathUnescape(user)
	opts.Password, err2 = url.PathUnescape(password)
	if err1 != nil || err2 != nil {
		return errors.New("storage URL: user or password is not %-escaped")
	}
	return nil
}

func parseHosts(opts *redis.UniversalOptions, hosts, defaultPort string) error {
	for host := range strings.SplitSeq(hosts, ",") {
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = strings.Trim(host, "[]"), defaultPort
			if strings.Contains(name, ":") && !strings.HasPrefix(host, "[") {
				return errors.New("storage URL: host is not host or host:port")
			}
		}
		if name == "" || strings.ContainsAny(name, "@ \t[]") {
			return errors.New("storage URL: a host is missing or malformed")
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return errors.New("storage URL: a port is not a number from 1 to 65535")
		}
		opts.Addrs = append(opts.Addrs, net.JoinHostPort(name, port))
	}
	return nil
}

func parsePath(opts *redis.UniversalOptions, kind, path string) error {
	db := path
	switch kind {
	case "cluster":
		if path != "" && path != "0" {
			return errors.New("storage URL: a cluster has no numbered databases")
		}
	case "sentinel":
		var err error
		var name string
		name, db, _ = strings.Cut(path, "/")
		if opts.MasterName, err = url.PathUnescape(name); err != nil || opts.MasterName == "" {
			return errors.New("storage URL: want the master's name after the sentinels: redis+sentinel://host/NAME")
		}
	}
	if db == "" {
		return nil
	}
	n, err := strconv.Atoi(db)
	if err != nil || n < 0 {
		return errors.New("storage URL: the database is not a number")
	}
	opts.DB = n
	return nil
}

func parseQuery(opts *redis.UniversalOptions, kind, query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("storage URL: malformed query")
	}
	for name := range values {
		switch {
		case kind == "sentinel" && name == "sentinel_user":
			opts.SentinelUsername = values.Get(name)
		case kind == "sentinel" && name == "sentinel_password":
			opts.SentinelPassword = values.Get(name)
		default:
			return errors.New("storage URL: unknown option in the query")
		}
	}
	return nil
}

// safeURL is raw without what is secret in it, for errors and logs.
func safeURL(raw string) string {
	opts, err := parseURL(raw)
	if err != nil {
		return "storage"
	}
	scheme, _, _ := strings.Cut(raw, "://")
	s := scheme + "://" + strings.Join(opts.Addrs, ",")
	if opts.MasterName != "" {
		s += "/" + url.PathEscape(opts.MasterName)
	}
	if opts.DB != 0 {
		s += "/" + strconv.Itoa(opts.DB)
	}
	return s
}

// tune sets what is the same for every kind of server.
func tune(opts *redis.UniversalOptions, poolSize int) {
	opts.DialTimeout = dialTimeout
	opts.DialerRetries = 1
	opts.ReadTimeout = ioTimeout
	opts.WriteTimeout = ioTimeout
	opts.PoolTimeout = ioTimeout
	opts.MaxRetries = maxRetries
	opts.MaxRedirects = maxRetries + 1
	opts.ContextTimeoutEnabled = true
	opts.PoolSize = poolSize
	opts.PipelinePoolSize = batchSenders
	opts.PipelineReadBufferSize = 64 << 10
	opts.PipelineWriteBufferSize = 64 << 10

	// RESP2 says all that is needed here, and spares the look for pushed
	// messages before every reply.
	opts.Protocol = 2
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// clusterOK reads the reply of CLUSTER INFO.
func clusterOK(info string) error {
	if strings.Contains(info, "cluster_state:ok") {
		return nil
	}
	return fmt.Errorf("%w: cluster state is not ok", ErrUnavailable)
}
