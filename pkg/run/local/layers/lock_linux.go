package layers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockPause is between two tries: another process may unpack for a minute.
const lockPause = 20 * time.Millisecond

// lock is a locked file. The kernel unlocks it when its process ends.
type lock struct{ file *os.File }

func (l *lock) close() {
	if l != nil {
		l.file.Close()
	}
}

// remove removes the file of an exclusive lock, and unlocks it.
func (l *lock) remove() {
	os.Remove(l.file.Name()) // an empty file that is left does no harm
	l.close()
}

var errLocked = errors.New("locked by another process")

// acquire waits for a lock.
func (c *Cache) acquire(ctx context.Context, name string, exclusive bool) (*lock, error) {
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	for {
		l, err := c.try(name, exclusive)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try takes a lock at once or not at all.
func (c *Cache) try(name string, exclusive bool) (*lock, error) {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	path := c.path(name) + ".lock"
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock layer: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
			f.Close()
			if err == unix.EWOULDBLOCK {
				return nil, errLocked
			}
			return nil, fmt.Errorf("lock layer: %w", err)
		}
		// It may have been removed between the two.
		mine, err := f.Stat()
		if err == nil {
			var there fs.FileInfo
			if there, err = os.Stat(path); err == nil && os.SameFile(mine, there) {
				return &lock{f}, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("lock layer: %w", err)
		}
	}
}

// removeTree removes a directory whose own modes may forbid it.
func removeTree(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // what it could not do RemoveAll tells
		}
		return nil
	})
	return os.RemoveAll(dir)
}
