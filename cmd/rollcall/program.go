package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// A Program is one run of the command: what it was started with, as values.
// Flags, environment and configuration file are read in this package and
// nowhere else.
type Program struct {
	Args   []string                         // without the program's name
	Env    func(name string) (string, bool) // nil: an empty environment
	Stdin  io.Reader                        // nil: empty
	Stdout io.Writer                        // results
	Stderr io.Writer                        // the log, and what a person should see
	Self   string                           // path of the program, to start a hashing helper by; empty: no helper
}

// The commands. A flag is a setting, with an environment variable and a place
// in the configuration file, unless its tag says cli:"only": what one call is
// about, such as a user's name, comes from the command line alone.
type commands struct {
	Config string `placeholder:"FILE" help:"YAML file with settings, by the names of the flags."`

	Serve   serveCommand     `cmd:"" help:"Run a server."`
	User    userCommands     `cmd:"" help:"Manage the users of a running server."`
	Scope   scopeCommands    `cmd:"" help:"Manage the scopes of a running server."`
	Admin   adminCommands    `cmd:"" help:"Manage the admin accounts of a running server."`
	Watch   watchCommand     `cmd:"" help:"Follow what happens on a running server."`
	Load    loadtestCommands `cmd:"" name:"loadtest" help:"Simulate players against a running server and measure it."`
	Version versionCommand   `cmd:"" help:"Print the version."`

	HashHelper hashHelperCommand `cmd:"" hidden:"" help:"Hash passwords for the server that started this."`
}

const description = "Users over the socket: accounts, sessions and logins for games and apps.\n\n" +
	"A setting comes from its flag, else its environment variable, else the configuration file, else its default."

// Run does what the arguments say until it is done or ctx ends. A mistake in
// arguments, environment or file is an error for which [ExitCode] is 2.
func (p Program) Run(ctx context.Context) error {
	p = p.withDefaults()
	parsed, settings, err := p.parse(new(commands))
	if err != nil || parsed == nil {
		return err
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(p, settings)
	return parsed.Run()
}

// parse reads arguments, environment and file into cli. It returns nil and no
// error when help was asked for, which is printed by then.
func (p Program) parse(cli *commands) (*kong.Context, *settings, error) {
	helped := false
	settings := &settings{env: p.Env, from: map[string]origin{}}
	parser, err := newParser(cli, p, settings, func(int) { helped = true })
	if err != nil {
		return nil, nil, fmt.Errorf("command line: %w", err)
	}
	parsed, err := parser.Parse(p.Args)
	switch {
	case helped: // whatever else the line said
		return nil, nil, nil
	case settings.fileErr != nil: // not the fault of the flag for which the file was read
		return nil, nil, usageError{settings.fileErr}
	case err != nil:
		return nil, nil, usageError{fmt.Errorf("%w (see rollcall%s --help)", err, commandOf(err))}
	}
	settings.noteFlags(parsed)
	return parsed, settings, nil
}

func (p Program) withDefaults() Program {
	if p.Env == nil {
		p.Env = func(string) (string, bool) { return "", false }
	}
	if p.Stdin == nil {
		p.Stdin = strings.NewReader("")
	}
	if p.Stdout == nil {
		p.Stdout = io.Discard
	}
	if p.Stderr == nil {
		p.Stderr = io.Discard
	}
	return p
}

func newParser(cli *commands, p Program, s *settings, exit func(int)) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("rollcall"),
		kong.Description(description),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(exit),
		kong.Resolvers(s),
		kong.PostBuild(s.enroll),
		kong.ValueFormatter(helpWithEnv),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
}

// commandOf returns the command that a parse error is about, with a space
// before it, for the hint.
func commandOf(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			return " " + strings.TrimSpace(commandPath(node))
		}
	}
	return ""
}

func commandPath(node *kong.Node) string {
	if node == nil || node.Type == kong.ApplicationNode {
		return ""
	}
	return commandPath(node.Parent) + " " + node.Name
}

// A usageError says that the program was told something that it cannot do.
type usageError struct{ error }

// Unwrap returns the mistake.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// ExitCode returns the process's exit status for what Run returned: 0 for nil,
// 2 for a mistake in arguments, environment or file, 1 for anything else.
func ExitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	}
	return 1
}
