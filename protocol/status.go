package protocol

import "strconv"

// A Status says what went wrong, as a number that programs can test. Zero means
// that nothing did; it is never sent.
type Status int

// The statuses of the contract. Their texts are in the table below.
const (
	StatusUserExists          Status = 600
	StatusUserNotCreated      Status = 601
	StatusPasswordInvalid     Status = 603
	StatusUserNotFound        Status = 604
	StatusServerLoginRequired Status = 605
	StatusNotPermitted        Status = 606
	StatusSessionInvalid      Status = 607
	StatusUserBanned          Status = 608
	StatusPasswordNeeded      Status = 610
	StatusPendingNotFound     Status = 614
	StatusProviderExists      Status = 620
	StatusProviderNotFound    Status = 624
	StatusProofRejected       Status = 625
	StatusEmailNotSent        Status = 701
	StatusEmailNotConfigured  Status = 702
	StatusEmailInvalid        Status = 704
	StatusResultInvalid       Status = 800
	StatusWrongType           Status = 801
	StatusOutOfBounds         Status = 802
	StatusMissing             Status = 804
	StatusUnknownType         Status = 805
	StatusOutOfOrder          Status = 806
	StatusTooManyRequests     Status = 807
	StatusWrongKey            Status = 808
	StatusBusy                Status = 809
	StatusGeneral             Status = 810
	StatusUnavailable         Status = 815
	StatusIO                  Status = 820
	StatusDecodeFailed        Status = 830
	StatusEncodeFailed        Status = 831
	StatusScopeExists         Status = 1000
	StatusScopeNotFound       Status = 1004
	StatusUnknown             Status = -1
)

// A StatusInfo is one row of the status table.
type StatusInfo struct {
	Status Status
	Name   string // the constant's name in the SDKs
	Text   string // what a person reads when nothing more exact is known
}

// Statuses is the one table of statuses, in the contract's order. The
// documentation and the SDKs' constants are made from it.
var Statuses = []StatusInfo{
	{StatusUserExists, "USER_EXISTS", "user already exists"},
	{StatusUserNotCreated, "USER_NOT_CREATED", "user could not be created"},
	{StatusPasswordInvalid, "PASSWORD_INVALID", "password invalid"},
	{StatusUserNotFound, "USER_NOT_FOUND", "user not found"},
	{StatusServerLoginRequired, "SERVER_LOGIN_REQUIRED", "user requires server-side login"},
	{StatusNotPermitted, "NOT_PERMITTED", "not permitted"},
	{StatusSessionInvalid, "SESSION_INVALID", "session token invalid or expired"},
	{StatusUserBanned, "USER_BANNED", "user banned"},
	{StatusPasswordNeeded, "PASSWORD_NEEDED", "password needed once"},
	{StatusPendingNotFound, "PENDING_NOT_FOUND", "pending user not found"},
	{StatusProviderExists, "PROVIDER_EXISTS", "provider already exists for the user"},
	{StatusProviderNotFound, "PROVIDER_NOT_FOUND", "provider does not exist"},
	{StatusProofRejected, "PROOF_REJECTED", "provider proof rejected"},
	{StatusEmailNotSent, "EMAIL_NOT_SENT", "email could not be sent"},
	{StatusEmailNotConfigured, "EMAIL_NOT_CONFIGURED", "email not configured or invalid configuration"},
	{StatusEmailInvalid, "EMAIL_INVALID", "email address not found or invalid"},
	{StatusResultInvalid, "RESULT_INVALID", "result invalid"},
	{StatusWrongType, "WRONG_TYPE", "mismatched parameter type"},
	{StatusOutOfBounds, "OUT_OF_BOUNDS", "parameter out of bounds"},
	{StatusMissing, "MISSING", "required parameter missing"},
	{StatusUnknownType, "UNKNOWN_TYPE", "unknown type"},
	{StatusOutOfOrder, "OUT_OF_ORDER", "out of order: core.init first, and once"},
	{StatusTooManyRequests, "TOO_MANY_REQUESTS", "too many requests"},
	{StatusWrongKey, "WRONG_KEY", "wrong key"},
	{StatusBusy, "BUSY", "busy"},
	{StatusGeneral, "GENERAL", "general error"},
	{StatusUnavailable, "UNAVAILABLE", "network or storage unavailable"},
	{StatusIO, "IO", "IO error"},
	{StatusDecodeFailed, "DECODE_FAILED", "JSON decode failed"},
	{StatusEncodeFailed, "ENCODE_FAILED", "JSON encode failed"},
	{StatusScopeExists, "SCOPE_EXISTS", "scope exists"},
	{StatusScopeNotFound, "SCOPE_NOT_FOUND", "scope not found"},
	{StatusUnknown, "UNKNOWN", "unknown error"},
}

// Text returns the status's text from the table.
func (s Status) Text() string {
	for _, info := range Statuses {
		if info.Status == s {
			return info.Text
		}
	}
	return "status " + strconv.Itoa(int(s))
}

// A CloseCode is the code of a WebSocket close frame (RFC 6455, section 7.4,
// range for private use). After 4000–4499 a client comes back by itself, after
// 4500–4999 it doesn't.
type CloseCode int

// The close codes of the contract.
const (
	CloseDraining      CloseCode = 4001 // the server is being stopped
	CloseTooSlow       CloseCode = 4002 // the client does not read what it asked for
	CloseSilent        CloseCode = 4003 // nothing was heard for three ping intervals
	CloseOverloaded    CloseCode = 4004 // the server has no room
	CloseReplaced      CloseCode = 4501 // the session was resumed on another connection
	CloseKicked        CloseCode = 4502 // an admin ended the session
	CloseBanned        CloseCode = 4503 // an admin banned the user
	CloseNoInit        CloseCode = 4504 // no first message in time
	CloseProtocolAbuse CloseCode = 4505 // frames kept being undecodable
	CloseSessionEnded  CloseCode = 4506 // the session was ended elsewhere
)

// CloseCodes returns the close codes of the contract, in order. The documentation
// and the SDKs' constants are made from them.
func CloseCodes() []CloseCode {
	var codes []CloseCode
	for code := CloseCode(4000); code < 5000; code++ {
		if code.Reason() != "" {
			codes = append(codes, code)
		}
	}
	return codes
}

// Reconnect reports whether a client should come back after this code. Codes of
// RFC 6455 itself (1000–1015) count as a lost connection: all but a policy
// violation and what a client did wrong are worth another try.
func (c CloseCode) Reconnect() bool {
	switch {
	case c >= 4000 && c <= 4499:
		return true
	case c == 1000, c == 1001, c == 1005, c == 1006, c == 1011, c == 1012, c == 1013, c == 1014:
		return true
	}
	return false
}

// Reason returns the code's short text, as it stands in a bye and in the close frame.
func (c CloseCode) Reason() string {
	switch c {
	case CloseDraining:
		return "draining"
	case CloseTooSlow:
		return "too slow"
	case CloseSilent:
		return "silent"
	case CloseOverloaded:
		return "overloaded"
	case CloseReplaced:
		return "replaced"
	case CloseKicked:
		return "kicked"
	case CloseBanned:
		return "banned"
	case CloseNoInit:
		return "no init"
	case CloseProtocolAbuse:
		return "protocol abuse"
	case CloseSessionEnded:
		return "session ended"
	}
	return ""
}
