package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

type adminCommands struct {
	Add    adminAdd    `cmd:"" help:"Add an admin account."`
	List   adminList   `cmd:"" help:"List the admin accounts."`
	Remove adminRemove `cmd:"" help:"Remove an admin account, and end its sessions."`
	Passwd adminPasswd `cmd:"" help:"Set the password of an admin account, your own if none is named."`
}

// newPasswordFlags say where a new admin password comes from; asked for, twice,
// when neither is given.
type newPasswordFlags struct {
	PasswordFile string `cli:"only" placeholder:"FILE" xor:"new" help:"File that holds the new password; - is standard input. Asked for, twice, when absent."`
	Generate     bool   `cli:"only" xor:"new" help:"Make a new password, and print it once."`
}

// read returns the new password of an account.
func (f *newPasswordFlags) read(p Program, name string) (password string, err error) {
	switch {
	case f.Generate:
		return strings.ToLower(rand.Text()), nil // 130 random bits
	case f.PasswordFile != "":
		password, err = readSecretFile(p, f.PasswordFile)
	default:
		password, err = askNewPassword(p, name)
	}
	if err != nil {
		return "", err
	}
	if err := protocol.Check("newpassword", "password", password); err != nil {
		return "", usageError{err}
	}
	return password, nil
}

func askNewPassword(p Program, name string) (string, error) {
	file, ok := p.terminal()
	if !ok {
		return "", usagef("there is no terminal to ask for the new password on: give --password-file or --generate")
	}
	first, err := p.readHidden(file, "New password of "+name+": ")
	if err != nil {
		return "", err
	}
	second, err := p.readHidden(file, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two are not the same: nothing was changed")
	}
	return first, nil
}

// print writes an account, and a password that was made for it.
func (f *newPasswordFlags) print(w io.Writer, admin protocol.Admin, password string, asJSON bool) error {
	if !f.Generate {
		return printAdmins(w, []protocol.Admin{admin}, asJSON)
	}
	if asJSON {
		return printJSON(w, struct {
			protocol.Admin
			Password string `json:"password"`
		}{admin, password})
	}
	if err := printAdmins(w, []protocol.Admin{admin}, false); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "password of %s: %s  (shown once; keep it)\n", printable(admin.Name), password)
	return err
}

type adminAdd struct {
	connectFlags
	outputFlags
	newPasswordFlags
	Name  string   `arg:"" help:"Name: 1 to 64 characters."`
	Role  string   `cli:"only" required:"" enum:"viewer,operator,owner" placeholder:"ROLE" help:"What the account may do: viewer, operator or owner."`
	Scope []string `cli:"only" sep:"none" placeholder:"NAME" help:"Scope that the account is for; all when absent. May be repeated."`
}

// Help describes the command further.
func (adminAdd) Help() string {
	return "A viewer reads, an operator also changes users, an owner also manages scopes, admins and imports. The password has at least 8 characters."
}

// Run adds the account.
func (a *adminAdd) Run(ctx context.Context, p Program, s *settings) error {
	params := protocol.AdminParams{Name: a.Name, Role: a.Role, Scopes: a.Scope, Password: "not known yet"}
	if err := protocol.AdminAdminsCreate.Validate(&params); err != nil {
		return usageError{err}
	}
	var err error
	if err = a.ready(p, s); err != nil {
		return err
	}
	if params.Password, err = a.read(p, a.Name); err != nil {
		return err
	}
	ctx, c, done, err := a.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	admin, err := client.Call(ctx, c, protocol.AdminAdminsCreate, params)
	if err != nil {
		return fmt.Errorf("add admin: %w", err)
	}
	return a.print(p.Stdout, admin, params.Password, a.JSON)
}

type adminList struct {
	connectFlags
	outputFlags
}

// Run lists the accounts.
func (l *adminList) Run(ctx context.Context, p Program, s *settings) error {
	ctx, c, done, err := l.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	admins, err := client.Call(ctx, c, protocol.AdminAdminsList, protocol.None{})
	if err != nil {
		return fmt.Errorf("list admins: %w", err)
	}
	return printAdmins(p.Stdout, admins, l.JSON)
}

type adminRemove struct {
	connectFlags
	Name string `arg:"" help:"The account."`
}

// Run removes the account.
func (r *adminRemove) Run(ctx context.Context, p Program, s *settings) error {
	params := protocol.AdminRef{Name: r.Name}
	if err := protocol.AdminAdminsDelete.Validate(&params); err != nil {
		return usageError{err}
	}
	ctx, c, done, err := r.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	if _, err := client.Call(ctx, c, protocol.AdminAdminsDelete, params); err != nil {
		return fmt.Errorf("remove admin: %w", err)
	}
	_, err = fmt.Fprintf(p.Stdout, "removed %s\n", printable(r.Name))
	return err
}

type adminPasswd struct {
	connectFlags
	outputFlags
	newPasswordFlags
	Name string `arg:"" optional:"" help:"The account; your own (--admin) when absent."`
}

// Help describes the command further.
func (adminPasswd) Help() string {
	return "The account's other sessions end. Only an owner sets another's password. A new one has at least 8 characters."
}

// Run sets the password.
func (a *adminPasswd) Run(ctx context.Context, p Program, s *settings) error {
	if a.Name == "" {
		a.Name = a.Admin
	}
	params := protocol.AdminPasswordParams{Name: a.Name, Password: "not known yet"}
	if err := protocol.AdminAdminsSetPassword.Validate(&params); err != nil {
		return usageError{err}
	}
	var err error
	if err = a.ready(p, s); err != nil {
		return err
	}
	if params.Password, err = a.read(p, a.Name); err != nil {
		return err
	}
	ctx, c, done, err := a.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	admin, err := client.Call(ctx, c, protocol.AdminAdminsSetPassword, params)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return a.print(p.Stdout, admin, params.Password, a.JSON)
}

func printAdmins(w io.Writer, admins []protocol.Admin, asJSON bool) error {
	rows := [][]string{{"NAME", "ROLE", "SCOPES", "CREATED"}}
	for _, admin := range admins {
		if asJSON {
			if err := printJSON(w, admin); err != nil {
				return err
			}
			continue
		}
		scopes := "all"
		if len(admin.Scopes) > 0 {
			scopes = strings.Join(admin.Scopes, ", ")
		}
		rows = append(rows, []string{admin.Name, admin.Role, scopes, timeText(admin.CreatedAt)})
	}
	if asJSON {
		return nil
	}
	return printTable(w, rows)
}
