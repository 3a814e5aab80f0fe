package server_test

import "testing"

// An admin may be named for a scope that is still to come.
func TestAScopeThatComesToANamedAdminWhoSubscribedToAllIsFollowed(t *testing.T) {
	onBoth(t, func(t *testing.T, a, b named) {
		f := b.followAs(b.staff("viewer", "later"), obj{"scope": "*"})
		u := create(t, a.client("later"), "tiny")
		f.until(of("user.created", u))
	})
}
