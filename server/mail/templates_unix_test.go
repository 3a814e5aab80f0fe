//go:build unix

package mail

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAPipeInTheFolderIsRefusedAndNotWaitedFor(t *testing.T) {
	templates := folder(t, "registration/x.tpl", "{{ .ConfirmLink }}")
	if err := syscall.Mkfifo(filepath.Join(templates.dir, "registration", "pipe.tpl"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := templates.Render(Registration, "pipe", someData()); !errors.Is(err, ErrTemplate) {
		t.Errorf("got %v, want ErrTemplate", err)
	}
}
