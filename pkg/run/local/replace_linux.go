package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/imglint/imglint/pkg/probe/cage"
)

// replaced writes the run's own files where they can be bound over the
// image's; remove takes them away.
func (t *target) replaced() (binds []cage.Bind, remove func(), err error) {
	if len(t.spec.Files) == 0 {
		return nil, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "imglint-")
	if err != nil {
		return nil, func() {}, fmt.Errorf("replace files: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	for i, f := range t.spec.Files {
		name := filepath.Join(dir, strconv.Itoa(i))
		err := os.WriteFile(name, f.Text, 0o600)
		if err == nil && os.Geteuid() == 0 {
			err = os.Chown(name, f.UID, f.GID)
		}
		if err = errors.Join(err, os.Chmod(name, f.Mode.Perm())); err != nil {
			return nil, remove, fmt.Errorf("replace %s: %w", f.Path, err)
		}
		binds = append(binds, cage.Bind{Source: name, Target: f.Path})
	}
	return binds, remove, nil
}
