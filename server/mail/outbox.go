package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Outbox is a Sender that keeps each mail as a file, for a machine without a
// mail server. Any mail program opens the files. All methods may be called
// concurrently.
//
// A name is the time in UTC with nanoseconds and a random end, as in
// 20260102T150405.123456789Z-9f86d081.eml: names sort by time, strictly so for
// the mails of one process. A file that is there is whole: it is written under
// another name, synced and renamed.
type Outbox struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	last time.Time // of the newest name; guarded by mu
}

// NewOutbox returns an outbox in the folder dir, which is made (mode 0700) if it
// isn't there. Each file's path goes to log, its content never.
func NewOutbox(dir string, log *slog.Logger) (*Outbox, error) {
	if dir == "" {
		return nil, errors.New("outbox: no folder given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the outbox: %w", err)
	}
	return &Outbox{dir: dir, log: log}, nil
}

// Send writes m to a file of mode 0600. Its errors are permanent, but for ctx's.
func (o *Outbox) Send(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	mail, err := compose(m, true)
	if err != nil {
		return err
	}
	path := filepath.Join(o.dir, o.name())
	if err := writeFile(o.dir, path, mail.data); err != nil {
		return fmt.Errorf("write to the outbox: %w", err)
	}
	o.log.InfoContext(ctx, "mail kept in the outbox", "file", path)
	return nil
}

// name returns a name later than all before it, even when the clock steps back.
func (o *Outbox) name() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now().UTC().Round(0)
	if !now.After(o.last) {
		now = o.last.Add(1)
	}
	o.last = now
	return now.Format("20060102T150405.000000000Z") + "-" + newID()[:8] + ".eml"
}

// writeFile makes path appear whole or not at all.
func writeFile(dir, path string, data []byte) (err error) {
	f, err := os.CreateTemp(dir, ".mail-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	// The name is on disk once the folder is; not every system can sync one.
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
	return nil
}
