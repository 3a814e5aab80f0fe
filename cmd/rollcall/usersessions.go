package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

type userSessions struct{ userTarget }

// Run lists the user's sessions.
func (u *userSessions) Run(ctx context.Context, p Program, s *settings) error {
	return u.with(ctx, p, s, "list sessions", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		user, err := client.Call(ctx, c, protocol.AdminUsersGet, ref)
		if err != nil {
			return err
		}
		rows := [][]string{{"SESSION", "CREATED", "EXPIRES", "NODE", "CONNECTED", "ADDRESS", "CLIENT"}}
		for _, session := range user.Sessions {
			if u.JSON {
				if err := printJSON(p.Stdout, session); err != nil {
					return err
				}
				continue
			}
			game := "-"
			if session.Client != nil {
				game = session.Client.Name + " " + session.Client.Version
			}
			rows = append(rows, []string{
				session.SessionID, timeText(session.CreatedAt), timeText(session.ExpiresAt),
				orDash(session.Node), timeText(session.ConnectedAt), orDash(session.IP), game,
			})
		}
		if u.JSON {
			return nil
		}
		return printTable(p.Stdout, rows)
	})
}

type userKick struct {
	userTarget
	Session string `cli:"only" placeholder:"ID" help:"One session, as rollcall user sessions shows it. All of the user's when absent."`
	Reason  string `cli:"only" placeholder:"TEXT" help:"Why; the client is told it."`
}

// Help describes the command further.
func (userKick) Help() string {
	return "Ends the sessions and closes their connections on every node. The user may log in again; see rollcall user ban."
}

// Run ends the sessions.
func (u *userKick) Run(ctx context.Context, p Program, s *settings) error {
	return u.with(ctx, p, s, "kick user", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		params := protocol.KickParams{UserID: ref.UserID, Reason: u.Reason}
		if u.Session != "" {
			params.UserID, params.SessionID = uuid.Nil, u.Session
		}
		if err := protocol.AdminSessionsKick.Validate(&params); err != nil {
			return usageError{err}
		}
		ended, err := client.Call(ctx, c, protocol.AdminSessionsKick, params)
		if err != nil {
			return err
		}
		if u.JSON {
			return printJSON(p.Stdout, struct {
				Ended int `json:"ended"`
			}{ended})
		}
		_, err = fmt.Fprintf(p.Stdout, "ended %d\n", ended)
		return err
	})
}

type userExport struct{ userTarget }

// Help describes the command further.
func (userExport) Help() string {
	return "Prints everything that is stored about the user as one JSON object, less secrets."
}

// Run prints it.
func (u *userExport) Run(ctx context.Context, p Program, s *settings) error {
	return u.with(ctx, p, s, "export user", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		export, err := client.Call(ctx, c, protocol.AdminUsersExport, ref)
		if err != nil {
			return err
		}
		return printJSON(p.Stdout, export)
	})
}
