package main

import (
	"context"
	"fmt"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// userConfirmLink and userResetLink make links that an owner hands over himself,
// where mail doesn't reach. Whoever has the link acts as the user.
type userConfirmLink struct{ linkTarget }

// Run prints a confirmation link.
func (u *userConfirmLink) Run(ctx context.Context, p Program, s *settings) error {
	return u.print(ctx, p, s, protocol.AdminUsersConfirmLink)
}

type userResetLink struct{ linkTarget }

// Run prints a link to set a new password.
func (u *userResetLink) Run(ctx context.Context, p Program, s *settings) error {
	return u.print(ctx, p, s, protocol.AdminUsersResetLink)
}

type linkTarget struct{ userTarget }

func (u *linkTarget) print(ctx context.Context, p Program, s *settings, method protocol.Method[protocol.UserRef, protocol.Link]) error {
	return u.with(ctx, p, s, "make a link", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		link, err := client.Call(ctx, c, method, ref)
		if err != nil {
			return err
		}
		if u.JSON {
			return printJSON(p.Stdout, link)
		}
		_, err = fmt.Fprintln(p.Stdout, link.Link)
		return err
	})
}
