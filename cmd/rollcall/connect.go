package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// connectFlags say which server a command is about and who asks.
type connectFlags struct {
	Server string `default:"ws://127.0.0.1:7600/ws" placeholder:"URL" help:"Running server: ws://, wss://, http:// or https://."`
	adminFlags
	Timeout time.Duration `default:"30s" help:"Time the whole command may take, of watch the connecting alone; 0 is no limit."`
}

// adminFlags say which admin asks.
type adminFlags struct {
	Admin             string `default:"admin" placeholder:"NAME" help:"Admin account to log in as."`
	AdminPassword     secret `placeholder:"PASSWORD" help:"Its password. Others may see a command line: better the variable or a file. Asked for when absent."`
	AdminPasswordFile string `placeholder:"FILE" help:"File that holds the admin password."`
}

// logoutWait bounds how long a command's end waits for its logout.
const logoutWait = time.Second

// connect logs in as an admin. The caller calls done when finished with both
// the connection and the context; it logs out.
func (f *connectFlags) connect(ctx context.Context, p Program, s *settings) (_ context.Context, c *client.Client, done func(), err error) {
	opt, err := f.options(p, s)
	if err != nil {
		return nil, nil, nil, err
	}
	opt.NoReconnect = true
	ctx, cancel := f.limit(ctx)
	c, err = f.dial(ctx, opt)
	if err != nil {
		cancel()
		return nil, nil, nil, err
	}
	return ctx, c, func() { logOut(ctx, c); c.Close(); cancel() }, nil
}

// logOut ends the token that a command got by its password and needs no more;
// else it would be good for hours. Where that fails, as with a server that does
// not know the message, the token ends by itself.
func logOut(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutWait)
	defer cancel()
	_, _ = client.Call(ctx, c, protocol.AdminLogout, protocol.None{})
}

// ready finds the admin's password, by asking for it if need be. The time that
// this takes is the person's own, and not of the command's timeout.
func (f *adminFlags) ready(p Program, s *settings) error {
	password, err := s.secret("admin-password", f.AdminPassword, f.AdminPasswordFile)
	if err == nil && password == "" {
		password, err = askPassword(p, "Password of "+f.Admin+": ")
	}
	if err != nil {
		return err
	}
	f.AdminPassword, f.AdminPasswordFile = password, ""
	return nil
}

// options are those of the admin's connection. The password is asked for where
// it was not given.
func (f *connectFlags) options(p Program, s *settings) (client.Options, error) {
	if err := f.ready(p, s); err != nil {
		return client.Options{}, err
	}
	return client.Options{Admin: &protocol.AdminLoginParams{Name: f.Admin, Password: string(f.AdminPassword)}}, nil
}

// limit returns a context that ends when the timeout has passed.
func (f *connectFlags) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.Timeout > 0 {
		return context.WithTimeout(ctx, f.Timeout)
	}
	return context.WithCancel(ctx)
}

func (f *connectFlags) dial(ctx context.Context, opt client.Options) (*client.Client, error) {
	c, err := client.Dial(ctx, f.Server, opt)
	if err != nil {
		return nil, fmt.Errorf("log in to %s as %s: %w", f.Server, f.Admin, err)
	}
	return c, nil
}

// askPassword reads a password from a terminal, without echo, or else one line
// from standard input.
func askPassword(p Program, prompt string) (secret, error) {
	if file, ok := p.terminal(); ok {
		line, err := p.readHidden(file, prompt)
		if err != nil {
			return "", err
		}
		return nonEmpty(line)
	}
	line, err := bufio.NewReader(p.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	return nonEmpty(strings.TrimRight(line, "\r\n"))
}

func nonEmpty(password string) (secret, error) {
	if password == "" {
		return "", usagef("no password: set %s or %s, or give it on standard input",
			envName("admin-password"), envName("admin-password-file"))
	}
	return secret(password), nil
}

// readSecretFile reads a secret from a file, or from standard input where the
// name is "-". Line ends at its end don't belong to it.
func readSecretFile(p Program, name string) (string, error) {
	var data []byte
	var err error
	if name == "-" {
		data, err = io.ReadAll(p.Stdin)
	} else {
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return "", usagef("read password: %w", err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		return "", usagef("read password: %s is empty", name)
	}
	return text, nil
}
