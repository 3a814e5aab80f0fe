package server

import (
	"context"
	"errors"

	"rollcall/protocol"
	"rollcall/server/pages"
	"rollcall/server/passwords"
	"rollcall/store"
)

// accounts does what the pages behind mailed links ask for.
type accounts struct{ *Server }

// Look implements pages.Accounts.
func (a accounts) Look(ctx context.Context, kind, code string) (pages.Account, error) {
	info, err := a.code(ctx, kind, code)
	account := pages.Account{Scope: info.User.Scope, Username: info.User.Username, Pending: info.User.Confirmation != ""}
	return account, err
}

// code looks a code up; one of another kind is unknown.
func (a accounts) code(ctx context.Context, kind, code string) (store.CodeInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.RequestTimeout)
	defer cancel()
	info, err := a.store.Code(ctx, code)
	if info.Kind != "" && string(info.Kind) != kind {
		return store.CodeInfo{}, pages.ErrInvalid
	}
	return info, pageError(err)
}

// pageError maps the store's errors to the pages'.
func pageError(err error) error {
	switch {
	case errors.Is(err, store.ErrCodeExpired):
		return pages.ErrExpired
	case errors.Is(err, store.ErrCodeSpent):
		return pages.ErrSpent
	case errors.Is(err, store.ErrCodeInvalid), errors.Is(err, store.ErrUserNotFound):
		return pages.ErrInvalid
	}
	return err
}

// Confirm implements pages.Accounts.
func (a accounts) Confirm(ctx context.Context, code string) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.RequestTimeout)
	defer cancel()
	_, err := a.store.Confirm(ctx, code)
	return pageError(err)
}

// Reset implements pages.Accounts.
func (a accounts) Reset(ctx context.Context, code, password string) error {
	if protocol.Check("password", "password", password) != nil {
		return pages.ErrPassword
	}
	// The code is held good before a hash is spent on it.
	info, err := a.code(ctx, pages.Reset, code)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.RequestTimeout)
	defer cancel()
	record, err := a.hashes.Hash(ctx, passwords.Players, protocol.PasswordHash(info.User.Scope, password))
	if errors.Is(err, passwords.ErrBusy) {
		return pages.Busy{RetryAfter: a.hashes.RetryAfter()}
	}
	if err != nil {
		return err
	}
	_, err = a.store.ResetPassword(ctx, code, record)
	return pageError(err)
}

// Resend implements pages.Accounts.
func (a accounts) Resend(ctx context.Context, kind, code string) error {
	info, err := a.code(ctx, kind, code)
	if err != nil && !errors.Is(err, pages.ErrSpent) && !errors.Is(err, pages.ErrExpired) {
		return err
	}
	if a.mail == nil || info.User.Email == "" || kind == pages.Confirm && info.User.Confirmation == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.RequestTimeout)
	defer cancel()
	user := info.User.ID
	_, err = a.mail.post(ctx, info.User, store.CodeKind(kind), letter{}, func(err error) {
		if kind == pages.Confirm {
			a.confirmationOutcome(user, err)
		}
	})
	if err != nil {
		a.log.Info("link was not sent again", "user", user, "error", err)
	}
	return nil
}
