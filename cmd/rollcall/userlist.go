package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/protocol"
	"rollcall/protocol/client"
)

// pageSize is how many users are asked for at once.
const pageSize = 200

type userList struct {
	connectFlags
	outputFlags
	Scope   string `cli:"only" required:"" placeholder:"NAME" help:"Scope whose users to list."`
	Prefix  string `cli:"only" placeholder:"TEXT" help:"Only usernames that start so."`
	Email   string `cli:"only" placeholder:"ADDRESS" help:"Only the user with this email address."`
	Group   string `cli:"only" placeholder:"GROUP" help:"Only users of this group."`
	Active  *bool  `cli:"only" negatable:"" help:"Only users who are active, or who are not."`
	Pending *bool  `cli:"only" negatable:"" help:"Only users who have yet to confirm, or who have not."`
	OrderBy string `cli:"only" name:"order-by" default:"username" enum:"username,created_at" help:"Order: username or created_at."`
	Limit   int    `cli:"only" default:"0" placeholder:"N" help:"List at most so many; 0 lists all."`
}

// Run lists the users, page by page, so that a long list needs no memory.
func (u *userList) Run(ctx context.Context, p Program, s *settings) error {
	query := protocol.ListUsersParams{
		Scope: u.Scope, OrderBy: u.OrderBy, Limit: pageSize,
		Filter: protocol.UserFilter{Username: u.Prefix, Email: u.Email, Group: u.Group, Active: u.Active, Pending: u.Pending},
	}
	if err := protocol.AdminUsersList.Validate(&query); err != nil {
		return usageError{err}
	}
	if u.Limit < 0 {
		return usagef("limit: must not be negative")
	}
	ctx, c, done, err := u.connect(ctx, p, s)
	if err != nil {
		return err
	}
	defer done()
	for listed := 0; ; {
		if u.Limit > 0 {
			query.Limit = min(pageSize, u.Limit-listed)
		}
		page, err := client.Call(ctx, c, protocol.AdminUsersList, query)
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		if err := u.print(p.Stdout, page.Users, query.Cursor == ""); err != nil {
			return err
		}
		listed += len(page.Users)
		if page.Cursor == "" || u.Limit > 0 && listed >= u.Limit {
			return nil
		}
		query.Cursor = page.Cursor
	}
}

func (u *userList) print(w io.Writer, users []protocol.User, heading bool) error {
	if u.JSON {
		for _, user := range users {
			if err := printJSON(w, user); err != nil {
				return err
			}
		}
		return nil
	}
	var rows [][]string
	if heading {
		rows = append(rows, []string{"USER ID", "USERNAME", "EMAIL", "GROUP", "ACTIVE", "LOGINS", "CREATED"})
	}
	for _, user := range users {
		rows = append(rows, []string{
			user.UserID.String(), user.Username, orDash(user.Email), orDash(user.Group),
			yesNo(user.Active), strconv.FormatInt(user.Logins, 10), timeText(user.CreatedAt),
		})
	}
	return printTable(w, rows)
}

// printUser writes one user, a line for each thing known. sessions is their
// number, negative where it is not known.
func printUser(w io.Writer, u protocol.User, sessions int) error {
	rows := [][]string{
		{"user_id", u.UserID.String()},
		{"scope", u.Scope},
		{"username", u.Username},
		{"email", orDash(u.Email)},
		{"group", orDash(u.Group)},
		{"active", yesNo(u.Active)},
		{"validated", yesNo(u.Validated)},
	}
	if u.Confirmation != "" {
		rows = append(rows, []string{"confirmation", u.Confirmation})
	}
	if u.Ban != nil {
		rows = append(rows, []string{"banned", banText(u.Ban)})
	}
	rows = append(rows,
		[]string{"created_at", timeText(u.CreatedAt)},
		[]string{"updated_at", timeText(u.UpdatedAt)},
		[]string{"last_login_at", timeText(u.LastLoginAt)},
		[]string{"logins", strconv.FormatInt(u.Logins, 10)},
		[]string{"online", yesNo(u.Online)},
	)
	if sessions >= 0 {
		rows = append(rows, []string{"sessions", strconv.Itoa(sessions)})
	}
	if len(u.Providers) > 0 {
		rows = append(rows, []string{"providers", strings.Join(u.Providers, ", ")})
	}
	for _, key := range slices.Sorted(maps.Keys(u.Extra)) {
		rows = append(rows, []string{"extra." + key, extraText(u.Extra[key])})
	}
	return printTable(w, rows)
}

// extraText shows a value so that its type can be told: strings are quoted.
func extraText(v protocol.Value) string {
	if v.Kind() == protocol.KindString {
		return strconv.Quote(v.Text())
	}
	return v.Text()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func timeText(t protocol.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
