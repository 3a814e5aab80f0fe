package main

import (
	"context"
	"fmt"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// userConfirmLink and userResetLink make links that an owner hands over himself,
// where mail doesn't reach. Whoever has the link acts as the user.
type userConfirmLink struct{ linkFlags }

// Run prints a confirmation link.
func (u *userConfirmLink) Run(ctx context.Context, p Program, s *settings) error {
	return u.print(ctx, p, s, protocol.AdminUsersConfirmLink)
}

type userResetLink struct{ linkFlags }

// Run prints a link to set a new password.
func (u *userResetLink) Run(ctx context.Context, p Program, s *settings) error {
	return u.print(ctx, p, s, protocol.AdminUsersResetLink)
}

type linkFlags struct {
	connectFlags
	outputFlags
	userArgument
}

func (u *linkFlags) print(ctx context.Context, p Program, s *settings, method protocol.Method[protocol.UserRef, protocol.Link]) error {
	if err := u.check(); err != nil {
		return err
	}
	ctx, c, done, err := u.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	id, err := u.id(ctx, c)
	if err != nil {
		return fmt.Errorf("make a link: %w", err)
	}
	link, err := client.Call(ctx, c, method, protocol.UserRef{UserID: id})
	if err != nil {
		return fmt.Errorf("make a link: %w", err)
	}
	if u.JSON {
		return printJSON(p.Stdout, link)
	}
	_, err = fmt.Fprintln(p.Stdout, link.Link)
	return err
}
