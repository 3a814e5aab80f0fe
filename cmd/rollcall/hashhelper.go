package main

import (
	"fmt"
	"os/exec"

	"rollcall/server/passwords"
)

// hashHelper is the name of the command that [hashHelperCommand] runs.
const hashHelper = "hash-helper"

// hashHelperCommand is what serve starts to hash passwords. It has no settings,
// and nobody else has a use for it.
type hashHelperCommand struct{}

// Run hashes until stdin ends. It does not end by the signal that asks the server
// for a graceful end, which a terminal sends to both: the server's last requests
// still need it.
func (hashHelperCommand) Run(p Program) error {
	return passwords.ServeHelper(p.Stdin, p.Stdout)
}

// helperCommand returns what starts the hashing helper, or nil if hashes are to
// be made in this process. Nothing of this process's environment is passed on,
// since there are secrets in it; limit is the helper's GOMEMLIMIT.
func (p Program) helperCommand(limit int64) passwords.HelperCommand {
	if p.Self == "" {
		return nil
	}
	return func() *exec.Cmd {
		cmd := exec.Command(p.Self, hashHelper)
		cmd.Args[0] = "rollcall" // what ps shows
		cmd.Env = []string{fmt.Sprintf("GOMEMLIMIT=%d", limit)}
		cmd.Stderr = p.Stderr
		return cmd
	}
}
