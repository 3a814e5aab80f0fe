package main

import (
	"context"
	"fmt"
	"time"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

type userBan struct {
	userTarget
	Reason string        `cli:"only" placeholder:"TEXT" help:"Why; the user is told it."`
	Until  string        `cli:"only" placeholder:"TIME" xor:"until" help:"End of the ban, as 2026-12-24T18:00:00Z. For good when absent."`
	For    time.Duration `cli:"only" placeholder:"DURATION" xor:"until" help:"Length of the ban instead, such as 72h."`
}

// Help describes the command further.
func (userBan) Help() string {
	return "The user can't log in until then, and the sessions end at once on every node."
}

// Run bans the user.
func (u *userBan) Run(ctx context.Context, p Program, s *settings) error {
	var until protocol.Time
	switch {
	case u.For < 0:
		return usagef("for: must not be negative")
	case u.For > 0:
		until.Time = time.Now().Add(u.For)
	case u.Until != "":
		at, err := time.Parse(time.RFC3339, u.Until)
		if err != nil {
			return usagef("until: %q is no time, such as 2026-12-24T18:00:00Z", u.Until)
		}
		until.Time = at
	}
	return u.with(ctx, p, s, "ban user", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		params := protocol.BanParams{UserRef: ref, Reason: u.Reason, Until: until}
		if err := protocol.AdminUsersBan.Validate(&params); err != nil {
			return usageError{err}
		}
		user, err := client.Call(ctx, c, protocol.AdminUsersBan, params)
		return u.show(p, user, err)
	})
}

type userUnban struct{ userTarget }

// Run lifts the ban.
func (u *userUnban) Run(ctx context.Context, p Program, s *settings) error {
	return u.with(ctx, p, s, "unban user", func(ctx context.Context, c *client.Client, ref protocol.UserRef) error {
		user, err := client.Call(ctx, c, protocol.AdminUsersUnban, ref)
		return u.show(p, user, err)
	})
}

// show prints the user that a change answered with.
func (u *userTarget) show(p Program, user protocol.User, err error) error {
	switch {
	case err != nil:
		return err
	case u.JSON:
		return printJSON(p.Stdout, user)
	}
	return printUser(p.Stdout, user, -1)
}

// banText says whether a user is banned, until when and why.
func banText(b *protocol.Ban) string {
	text := "for good"
	if !b.Until.IsZero() {
		text = "until " + timeText(b.Until)
	}
	if b.Reason != "" {
		text += fmt.Sprintf(" (%s)", b.Reason)
	}
	return text
}
