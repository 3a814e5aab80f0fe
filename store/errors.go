package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// What the methods of a [Store] fail with. Test with errors.Is: they come
// wrapped in what was being done.
var (
	// ErrUnavailable: the storage did not answer, or refused for a reason of
	// its own. A write may or may not have happened. The same call may succeed
	// later.
	ErrUnavailable = errors.New("storage unavailable")

	ErrUserNotFound  = errors.New("user not found")
	ErrUserGone      = errors.New("a user of this id was deleted")
	ErrUsernameTaken = errors.New("username taken")
	ErrEmailTaken    = errors.New("email taken")

	// ErrProviderExists: the user has an identity of that provider already.
	ErrProviderExists = errors.New("user has the provider already")
	// ErrProviderTaken: another user of the scope has that identity.
	ErrProviderTaken = errors.New("provider identity taken")
	// ErrProviderNotFound: the user has no identity of that provider.
	ErrProviderNotFound = errors.New("user does not have the provider")

	// ErrCodeInvalid: a mailed code is malformed, unknown or of another kind,
	// or was of a user who is gone.
	ErrCodeInvalid = errors.New("code invalid")
	// ErrCodeSpent: a mailed code was good once. It has been used, or a newer
	// change has voided it, or it has expired (then also ErrCodeExpired).
	ErrCodeSpent = errors.New("code spent")
	// ErrCodeExpired: a mailed code was not used in time. It is an ErrCodeSpent.
	ErrCodeExpired = fmt.Errorf("%w: expired", ErrCodeSpent)
	// ErrNotPending: no confirmation is open for the user.
	ErrNotPending = errors.New("user is not waiting for a confirmation")

	// ErrSessionInvalid: the token of a user's or an admin's session is
	// malformed, unknown, expired or was ended.
	ErrSessionInvalid = errors.New("session invalid")

	// ErrUserBanned: the user can't log in now. It comes as a *BannedError.
	ErrUserBanned = errors.New("user banned")

	// ErrExtraBounds: the extra values would exceed their number or size after
	// the merge.
	ErrExtraBounds = errors.New("extra values out of bounds")

	// ErrBadCursor: the cursor of a listing is none that this store made.
	ErrBadCursor = errors.New("malformed cursor")

	ErrScopeExists   = errors.New("scope exists")
	ErrScopeNotFound = errors.New("scope not found")
	ErrScopeNotEmpty = errors.New("scope has users")

	ErrAdminExists   = errors.New("admin exists")
	ErrAdminNotFound = errors.New("admin not found")
	// ErrLastOwner: nobody would be left who may do everything.
	ErrLastOwner = errors.New("last owner of all scopes")

	// ErrConflict: what the caller had seen is no longer so, or concurrent
	// changes kept getting in the way until the retry budget was used up.
	ErrConflict = errors.New("conflicting change")

	// ErrDataFileInUse: another process has the data file open.
	ErrDataFileInUse = errors.New("data file in use by another process")

	// ErrDataFileCorrupt: the data file is not a snapshot of this program, or a
	// damaged one. It is left as it is.
	ErrDataFileCorrupt = errors.New("not a usable snapshot")
)

// A BannedError says why a user can't log in, and until when. It is an
// ErrUserBanned.
type BannedError struct{ Ban }

// Error implements error.
func (e *BannedError) Error() string { return ErrUserBanned.Error() }

// Is makes it an ErrUserBanned.
func (e *BannedError) Is(target error) bool { return target == ErrUserBanned }

var (
	errGone   = fmt.Errorf("%w: no answer at the last try", ErrUnavailable)
	errClosed = fmt.Errorf("%w: store closed", ErrUnavailable)
)

// refusals are the codes with which a server says that it cannot serve now,
// whatever the command. The first word of an error reply is its code.
var refusals = map[string]bool{
	"LOADING":     true, // reading its data at start
	"READONLY":    true, // a replica: a failover is under way
	"CLUSTERDOWN": true, // slots without a master
	"MASTERDOWN":  true,
	"TRYAGAIN":    true, // slot being moved
	"MOVED":       true, // more redirections than the client follows
	"ASK":         true,
	"MISCONF":     true, // cannot persist, the disk is full
	"OOM":         true, // maxmemory reached
	"NOREPLICAS":  true, // min-replicas-to-write
	"BUSY":        true, // a script runs too long
	"NOAUTH":      true,
	"WRONGPASS":   true,
}

const maxClientsReply = "ERR max number of clients reached"

// classify turns an error of the client into what callers are told: redis.Nil,
// a caller's cancellation and the command's own mistake stay what they are;
// everything that says "not now" is ErrUnavailable.
func classify(err error) error {
	if err == nil || err == redis.Nil {
		return err
	}
	var reply redis.Error
	switch {
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.Canceled):
		return err
	case !unknownMaster(err) && errors.As(err, &reply):
		if refused(reply.Error()) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func refused(reply string) bool {
	code, _, _ := strings.Cut(reply, " ")
	return refusals[code] || strings.HasPrefix(reply, maxClientsReply)
}

// trips reports whether err, of a command or a batch, says that the server as a
// whole cannot be used, so that asking it further would only pile up waiters.
// A server that refuses writes alone still serves reads, and does not trip.
func trips(err error) bool {
	if err == nil || err == redis.Nil {
		return false
	}
	var reply redis.Error
	if !unknownMaster(err) && errors.As(err, &reply) {
		code, _, _ := strings.Cut(reply.Error(), " ")
		return code == "LOADING" || code == "CLUSTERDOWN"
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, redis.ErrClosed)
}
