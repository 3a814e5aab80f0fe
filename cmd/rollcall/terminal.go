package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// terminal returns standard input if somebody sits there.
func (p Program) terminal() (*os.File, bool) {
	file, ok := p.Stdin.(*os.File)
	return file, ok && isTerminal(file)
}

// readHidden asks on a terminal for what is not shown.
func (p Program) readHidden(file *os.File, prompt string) (string, error) {
	fmt.Fprint(p.Stderr, prompt)
	line, err := term.ReadPassword(int(file.Fd()))
	fmt.Fprintln(p.Stderr)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return string(line), nil
}

// confirmFlags are for what can't be undone.
type confirmFlags struct {
	Yes bool `cli:"only" help:"Don't ask."`
}

// confirm has a name typed before what it names goes. Without a terminal --yes
// has to be there.
func (f *confirmFlags) confirm(p Program, what, name string) error {
	if f.Yes {
		return nil
	}
	file, ok := p.terminal()
	if !ok {
		return usagef("there is no terminal to confirm it on: give --yes to remove %s %q", what, name)
	}
	fmt.Fprintf(p.Stderr, "This can't be undone. Type the name of the %s to remove it: ", what)
	line := make([]byte, 4096) // a terminal hands out one line at a time
	n, err := file.Read(line)
	if err != nil {
		return fmt.Errorf("read confirmation: %w", err)
	}
	if strings.TrimRight(string(line[:n]), "\r\n") != name {
		return fmt.Errorf("that is not its name: the %s stays", what)
	}
	return nil
}
