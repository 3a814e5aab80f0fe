//go:build !linux

package loadtest

import "syscall"

func bindLate(string, string, syscall.RawConn) error { return nil }
