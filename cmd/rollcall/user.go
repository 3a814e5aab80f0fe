package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

type userCommands struct {
	Create userCreate `cmd:"" help:"Create a user."`
	Get    userGet    `cmd:"" help:"Show a user."`
	List   userList   `cmd:"" help:"List the users of a scope."`
	Update userUpdate `cmd:"" help:"Change a user."`
	Delete userDelete `cmd:"" help:"Delete a user."`

	Ban      userBan      `cmd:"" help:"Keep a user from logging in."`
	Unban    userUnban    `cmd:"" help:"Lift a ban."`
	Sessions userSessions `cmd:"" help:"List a user's sessions."`
	Kick     userKick     `cmd:"" help:"End a user's sessions."`
	Export   userExport   `cmd:"" help:"Print everything that is stored about a user."`

	ConfirmLink userConfirmLink `cmd:"" help:"Print a link by which a pending user confirms his email address."`
	ResetLink   userResetLink   `cmd:"" help:"Print a link by which a user sets a new password."`
}

// userArgument names one user. There is one rule: with --scope it is a
// username, without it a user id.
type userArgument struct {
	User  string `arg:"" help:"User id, or with --scope a username."`
	Scope string `cli:"only" placeholder:"NAME" help:"The scope in which USER is a username."`
}

// check finds a mistake before anybody is asked for a password.
func (a *userArgument) check() error {
	if _, err := uuid.Parse(a.User); a.Scope == "" && err != nil {
		return usagef("%q is no user id; for a username give --scope as well", a.User)
	}
	return nil
}

// id returns the id of the user who is meant.
func (a *userArgument) id(ctx context.Context, c *client.Client) (uuid.UUID, error) {
	if a.Scope == "" {
		return uuid.Parse(a.User)
	}
	// Usernames are compared by their keys, and among all that start with this
	// one it comes first.
	key := protocol.UsernameKey(a.User)
	query := protocol.ListUsersParams{Scope: a.Scope, Filter: protocol.UserFilter{Username: a.User}, Limit: 10}
	for {
		page, err := client.Call(ctx, c, protocol.AdminUsersList, query)
		if err != nil {
			return uuid.Nil, err
		}
		for _, u := range page.Users {
			if protocol.UsernameKey(u.Username) == key {
				return u.UserID, nil
			}
		}
		if len(page.Users) > 0 || page.Cursor == "" {
			return uuid.Nil, &protocol.Error{Status: protocol.StatusUserNotFound}
		}
		query.Cursor = page.Cursor
	}
}

// passwordFlags give a password. It is sent as protocol.PasswordHash, so that
// it does not leave this machine.
type passwordFlags struct {
	Password     secret `cli:"only" placeholder:"PASSWORD" xor:"password" help:"Password. Others may see a command line: better --password-file."`
	PasswordFile string `cli:"only" placeholder:"FILE" xor:"password" help:"File that holds the password; - is standard input."`
}

func (f *passwordFlags) given() bool { return f.Password != "" || f.PasswordFile != "" }

func (f *passwordFlags) credentials(p Program, scope string) (protocol.Credentials, error) {
	password := string(f.Password)
	if f.PasswordFile != "" {
		var err error
		if password, err = readSecretFile(p, f.PasswordFile); err != nil {
			return protocol.Credentials{}, err
		}
	}
	if password == "" {
		return protocol.Credentials{}, nil
	}
	if err := protocol.Check("password", "password", password); err != nil {
		return protocol.Credentials{}, usageError{err}
	}
	return protocol.Credentials{PasswordHash: protocol.PasswordHash(scope, password)}, nil
}

type userCreate struct {
	connectFlags
	outputFlags
	passwordFlags
	Scope    string   `cli:"only" required:"" placeholder:"NAME" help:"Scope of the user."`
	Username string   `cli:"only" placeholder:"NAME" help:"Username; one is generated when absent."`
	Email    string   `cli:"only" placeholder:"ADDRESS" help:"Email address."`
	Group    string   `cli:"only" placeholder:"GROUP" help:"Group within the scope."`
	Extra    []string `cli:"only" sep:"none" placeholder:"KEY=TEXT" help:"Extra data: KEY=TEXT is a string, KEY:=JSON a number or boolean. May be repeated."`
}

// Help describes the command further.
func (userCreate) Help() string {
	return "Without a password the user can't log in by one. Prints the new user's id."
}

// Run creates the user.
func (u *userCreate) Run(ctx context.Context, p Program, s *settings) error {
	params := protocol.AdminCreateUserParams{Scope: u.Scope, Username: u.Username, Email: u.Email, Group: u.Group}
	var err error
	if params.Extra, err = parseExtra(u.Extra); err != nil {
		return err
	}
	if params.Credentials, err = u.credentials(p, u.Scope); err != nil {
		return err
	}
	if err := protocol.AdminUsersCreate.Validate(&params); err != nil {
		return usageError{err}
	}
	ctx, c, done, err := u.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	created, err := client.Call(ctx, c, protocol.AdminUsersCreate, params)
	if err != nil {
		return fmt.Errorf("create user: %w", err)
	}
	if u.JSON {
		return printJSON(p.Stdout, created)
	}
	_, err = fmt.Fprintln(p.Stdout, created.UserID)
	return err
}

// userTarget is what the commands about one user share.
type userTarget struct {
	connectFlags
	outputFlags
	userArgument
}

// with connects and runs do for the user who is meant. doing begins the text of
// an error.
func (u *userTarget) with(ctx context.Context, p Program, s *settings, doing string, do func(ctx context.Context, c *client.Client, user protocol.UserRef) error) error {
	if err := u.check(); err != nil {
		return err
	}
	ctx, c, done, err := u.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	id, err := u.id(ctx, c)
	if err == nil {
		err = do(ctx, c, protocol.UserRef{UserID: id})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

type userGet struct{ userTarget }

// Run shows the user.
func (u *userGet) Run(ctx context.Context, p Program, s *settings) error {
	return u.with(ctx, p, s, "get user", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		user, err := client.Call(ctx, c, protocol.AdminUsersGet, ref)
		if err != nil {
			return err
		}
		if u.JSON {
			return printJSON(p.Stdout, user)
		}
		return printUser(p.Stdout, user.User, len(user.Sessions))
	})
}

type userUpdate struct {
	userTarget
	passwordFlags
	Username string   `cli:"only" placeholder:"NAME" help:"New username."`
	Email    *string  `cli:"only" placeholder:"ADDRESS" help:"New email address; an empty one removes it."`
	Group    *string  `cli:"only" placeholder:"GROUP" help:"New group; an empty one removes it."`
	Active   *bool    `cli:"only" negatable:"" help:"Whether the user is active."`
	Extra    []string `cli:"only" sep:"none" placeholder:"KEY=TEXT" help:"Extra data to merge: KEY=TEXT is a string, KEY:=JSON a number or boolean, KEY:=null removes the key. May be repeated."`
}

// Help describes the command further.
func (userUpdate) Help() string {
	return "Only what is given changes. A new password ends the user's sessions. Prints the user as it is then."
}

// Run changes the user.
func (u *userUpdate) Run(ctx context.Context, p Program, s *settings) error {
	if err := u.check(); err != nil {
		return err
	}
	change := protocol.UserUpdate{Username: u.Username, Email: clearable(u.Email), Group: clearable(u.Group), Active: u.Active}
	var err error
	if change.Extra, err = parseExtra(u.Extra); err != nil {
		return err
	}
	if u.Username == "" && u.Email == nil && u.Group == nil && u.Active == nil && change.Extra == nil && !u.given() {
		return usagef("nothing to change: see rollcall user update --help")
	}
	return u.with(ctx, p, s, "update user", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		// The scope is in a password's hash, so it must be known first.
		user, err := client.Call(ctx, c, protocol.AdminUsersGet, ref)
		if err != nil {
			return err
		}
		if change.Credentials, err = u.credentials(p, user.Scope); err != nil {
			return err
		}
		params := protocol.AdminUpdateUserParams{UserRef: ref, Update: change}
		if err := protocol.AdminUsersUpdate.Validate(&params); err != nil {
			return usageError{err}
		}
		updated, err := client.Call(ctx, c, protocol.AdminUsersUpdate, params)
		return u.show(p, updated, err)
	})
}

// clearable returns what a flag means in an update: not given leaves the value
// alone, an empty one removes it.
func clearable(flag *string) protocol.Clearable {
	switch {
	case flag == nil:
		return protocol.Clearable{}
	case *flag == "":
		return protocol.Clear()
	}
	return protocol.Set(*flag)
}

type userDelete struct{ userTarget }

// Run deletes the user; that there is none is an error.
func (u *userDelete) Run(ctx context.Context, p Program, s *settings) error {
	return u.with(ctx, p, s, "delete user", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		removed, err := client.Call(ctx, c, protocol.AdminUsersDelete, ref)
		if err == nil && removed == 0 {
			err = &protocol.Error{Status: protocol.StatusUserNotFound}
		}
		if err != nil {
			return err
		}
		if u.JSON {
			return printJSON(p.Stdout, struct {
				UserID  uuid.UUID `json:"user_id"`
				Removed int       `json:"removed"`
			}{ref.UserID, removed})
		}
		_, err = fmt.Fprintf(p.Stdout, "deleted %s\n", ref.UserID)
		return err
	})
}
