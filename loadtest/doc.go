// Package loadtest simulates a game's day against a running server and measures
// it: players who connect, log in, ask, change, leave and come back, and admins
// who check that they see every login exactly once.
//
// [Run] does what a [Plan] says and returns a [report.Report]. It is the
// coordinator: it prepares accounts, starts workers, tells them the phases, and
// gathers what they measured. A worker ([Work]) is one process with a share of
// the connections, since a process may have only so many open files; a plan that
// fits one process runs its worker inside the coordinator's, over the same
// conversation.
//
// Rates are open-loop: requests begin when the plan says, whether or not
// earlier ones are answered, and a latency counts from the moment at which the
// request should have begun. A server that stalls can't hide it.
//
// The package speaks the public protocol alone (package protocol): it never
// imports the server's packages, and what it does any client may do.
package loadtest
