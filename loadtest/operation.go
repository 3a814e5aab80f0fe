package loadtest

// An operation is one kind of thing that is done again and again.
type operation uint8

// The operations that are measured, and behind them those that are not.
const (
	opConnect operation = iota
	opResume
	opLogin
	opGet
	opUpdate
	opCreate
	opStorm
	opPush
	measured // how many of them are measured

	opSlow    = measured + iota - 1
	opInit    // a core.init that is no player's
	opPrepare // a users.create before the run, where that the user exists is no error
	opPresence
	opAdminLogin
	opSubscribe
)

var operationNames = [measured]string{
	opConnect: "connect", opResume: "resume", opLogin: "users.login", opGet: "users.get", opUpdate: "users.update",
	opCreate: "users.create", opStorm: "storm", opPush: "login.push",
}

// message is the type of the operation's message.
func (o operation) message() string {
	switch o {
	case opConnect, opResume, opStorm, opInit:
		return "core.init"
	case opPrepare:
		return "users.create"
	case opSlow:
		return "users.get"
	case opPresence:
		return "users.presence"
	case opAdminLogin:
		return "admin.login"
	case opSubscribe:
		return "admin.subscribe"
	}
	return operationNames[o]
}
