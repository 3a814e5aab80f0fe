// Command rollcall is the server and the tools around it.
//
// This file wires the operating system to a [Program] and does nothing else, so
// that a test can start all of it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for a graceful end. From then on a signal does what
	// it does by default: it ends the process at once.
	context.AfterFunc(ctx, stop)

	err := Program{
		Args:   os.Args[1:],
		Env:    os.LookupEnv,
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Self:   self(),
	}.Run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rollcall:", err)
	}
	os.Exit(ExitCode(err))
}
