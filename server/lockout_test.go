package server

import (
	"fmt"
	"net/netip"
	"testing"

	"rollcall/protocol"
	"rollcall/server/passwords"
	"rollcall/store"
)

func TestAnAddressCountsWithItsNetwork(t *testing.T) {
	for a, want := range map[string]string{
		"203.0.113.7":          "203.0.113.7",
		"::ffff:203.0.113.7":   "203.0.113.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::":       "2001:db8:1:2::/64",
		"2001:db8:1:3:3:4:5:6": "2001:db8:1:3::/64",
		"fe80::1%eth0":         "fe80::/64",
	} {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			t.Fatal(err)
		}
		if got := networkOf(addr); got != want {
			t.Errorf("%s counts as %s, want %s", a, got, want)
		}
	}
	if networkOf(netip.Addr{}) == "" {
		t.Error("no address has no name")
	}
}

func TestFailedLoginsOfOneNetworkAreToldAFewTimesOnly(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s, err := New(Config{Key: "k", Hash: passwords.Params{Memory: 64, Time: 1, Threads: 1}}, st)
	if err != nil {
		t.Fatal(err)
	}
	const scope, tries = "Space Race", 40
	for i := range tries { // other names, from other addresses of one customer
		c := &conn{srv: s, scope: &scopeEntry{name: scope}, remote: netip.MustParseAddr(fmt.Sprintf("2001:db8:1:2::%x", i+1))}
		in := &protocol.LoginParams{Username: fmt.Sprint("tiny", i)}
		s.tellFailure(t.Context(), c, in, store.User{}, store.ErrUserNotFound)
	}
	head, err := st.FeedHead(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	if head.Seq < 5 || head.Seq > 10 { // 10 if it went on in the next minute
		t.Errorf("%d of %d are in the feed, want 5", head.Seq, tries)
	}
}
