package store

import (
	"strings"
	"testing"
)

func TestAURLNamesServersAndKind(t *testing.T) {
	tests := []struct {
		url, addrs, user, password, master string
		db                                 int
		tls, cluster                       bool
		safe                               string
	}{
		{url: "redis://h", addrs: "h:6379", safe: "redis://h:6379"},
		{url: "redis://h:1/3", addrs: "h:1", db: 3, safe: "redis://h:1/3"},
		{url: "redis://h:1/", addrs: "h:1", safe: "redis://h:1"},
		{url: "redis://u:p%40%2F%3A@h:1", addrs: "h:1", user: "u", password: "p@/:", safe: "redis://h:1"},
		{url: "redis://:p@q@h", addrs: "h:6379", password: "p@q", safe: "redis://h:6379"},
		{url: "redis://u@h", addrs: "h:6379", user: "u", safe: "redis://h:6379"},
		{url: "redis://[::1]:7/0", addrs: "[::1]:7", safe: "redis://[::1]:7"},
		{url: "redis://[::1]", addrs: "[::1]:6379", safe: "redis://[::1]:6379"},
		{url: "rediss://u:p@h:1", addrs: "h:1", user: "u", password: "p", tls: true, safe: "rediss://h:1"},
		{url: "redis+cluster://u:p@h1:1,h2", addrs: "h1:1 h2:6379", user: "u", password: "p", cluster: true, safe: "redis+cluster://h1:1,h2:6379"},
		{url: "redis+cluster://h/0", addrs: "h:6379", cluster: true, safe: "redis+cluster://h:6379"},
		{url: "rediss+cluster://h1,h2", addrs: "h1:6379 h2:6379", cluster: true, tls: true, safe: "rediss+cluster://h1:6379,h2:6379"},
		{url: "redis+sentinel://u:p@h1,h2:2/main", addrs: "h1:26379 h2:2", user: "u", password: "p", master: "main", safe: "redis+sentinel://h1:26379,h2:2/main"},
		{url: "redis+sentinel://h1/main/4", addrs: "h1:26379", master: "main", db: 4, safe: "redis+sentinel://h1:26379/main/4"},
		{url: "rediss+sentinel://h1/a%20b", addrs: "h1:26379", master: "a b", tls: true, safe: "rediss+sentinel://h1:26379/a%20b"},
	}
	for _, tt := range tests {
		o, err := parseURL(tt.url)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if got := strings.Join(o.Addrs, " "); got != tt.addrs {
			t.Errorf("%s: addresses %s, want %s", tt.url, got, tt.addrs)
		}
		if o.Username != tt.user || o.Password != tt.password {
			t.Errorf("%s: user %q password %q", tt.url, o.Username, o.Password)
		}
		if o.MasterName != tt.master || o.DB != tt.db || o.IsClusterMode != tt.cluster || (o.TLSConfig != nil) != tt.tls {
			t.Errorf("%s: master %q, db %d, cluster %v, TLS %v", tt.url, o.MasterName, o.DB, o.IsClusterMode, o.TLSConfig != nil)
		}
		if got := safeURL(tt.url); got != tt.safe {
			t.Errorf("%s: shown as %s, want %s", tt.url, got, tt.safe)
		}
	}
}

func TestSentinelsMayHaveAPasswordOfTheirOwn(t *testing.T) {
	o, err := parseURL("redis+sentinel://u:p@h/main?sentinel_user=su&sentinel_password=s%26p")
	if err != nil || o.SentinelUsername != "su" || o.SentinelPassword != "s&p" {
		t.Errorf("%+v %v", o, err)
	}
}

func TestAWrongURLIsRefusedWithoutItsPassword(t *testing.T) {
	const secret = "s3cr3t"
	for _, url := range []string{
		"",
		secret,
		"//u:s3cr3t@h",
		"http://u:s3cr3t@h",
		"redis+s3cr3t://h",
		"s3cr3t+redis://h",
		"redis://u:s3cr3t@",
		"redis://u:s3cr3t@:1",
		"redis://u:s3cr3t%zz@h",
		"redis://u:s3cr3t#@h",
		"redis://u:s3cr3t/@h",
		"redis://u:s3cr3t?@h",
		"redis://u:1/s3cr3t@h",
		"redis://u:p@h:s3cr3t",
		"redis://u:p@h:0",
		"redis://u:p@h:70000",
		"redis://s3cr3t:p:q",
		"redis://h/s3cr3t",
		"redis://h/-1",
		"redis://h1,h2/0",
		"redis://h?password=s3cr3t",
		"redis+cluster://u:s3cr3t@h/1",
		"redis+sentinel://u:s3cr3t@h",
		"redis+sentinel://u:s3cr3t@h/",
		"redis+sentinel://h/m?s3cr3t=1",
		"redis+sentinel://h/m?sentinel_password=s3cr3t%zz",
	} {
		err := CheckURL(url)
		if err == nil {
			t.Errorf("%s: accepted", url)
			continue
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(safeURL(url), secret) {
			t.Errorf("%s: shown in %q or %q", url, err, safeURL(url))
		}
	}
}
