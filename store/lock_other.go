//go:build !unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lockFile creates path for this process, or fails with ErrDataFileInUse when
// it is there. Unlike the lock on Unix it outlives a crash and then has to be
// removed by hand.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w (if not so, remove %s)", ErrDataFileInUse, path)
	}
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(f.Close(), os.Remove(path)) }, nil
}

// syncDir does nothing: a directory cannot be synced here.
func syncDir(string) error { return nil }
