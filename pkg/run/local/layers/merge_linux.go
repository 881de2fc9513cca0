package layers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Copy is a root file system of its own, made of layers.
type Copy struct {
	Dir   string
	cache *Cache
	lock  *lock
}

// Remove removes it.
func (c *Copy) Remove() error {
	err := c.cache.remove(filepath.Dir(c.Dir))
	c.lock.remove()
	return err
}

// Merge copies layers, topmost first, on top of each other, for where they
// cannot be mounted so.
func (c *Cache) Merge(ctx context.Context, held []*Held) (*Copy, error) {
	temp := filepath.Join(c.dir, "new-"+rand.Text())
	l, err := c.acquire(ctx, filepath.Base(temp), true)
	if err != nil {
		return nil, err
	}
	made := &Copy{Dir: filepath.Join(temp, "root"), cache: c, lock: l}
	if err := os.MkdirAll(made.Dir, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("make root: %w", err), made.Remove())
	}
	for i := len(held) - 1; i >= 0; i-- {
		m := merger{from: held[i].Dir, to: made.Dir, opaque: opaqueName(c.owned), owned: c.owned, seen: map[uint64]string{}}
		err := filepath.WalkDir(m.from, func(path string, d fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			return m.copy(path, d)
		})
		if err = errors.Join(err, m.finish()); err != nil {
			return nil, errors.Join(fmt.Errorf("copy layer: %w", err), made.Remove())
		}
	}
	return made, nil
}

// merger copies one layer over what is there. Both trees are imglint's own,
// and no link in them is followed.
type merger struct {
	from, to, opaque string
	owned            bool
	seen             map[uint64]string // the copy of each file with several names
	dirs             []struct {
		path string
		info unix.Stat_t
	}
}

func (m *merger) copy(path string, d fs.DirEntry) error {
	if path == m.from {
		return nil
	}
	to := filepath.Join(m.to, strings.TrimPrefix(path, m.from))
	var info unix.Stat_t
	if err := unix.Lstat(path, &info); err != nil {
		return err
	}
	kind := info.Mode & unix.S_IFMT
	if kind == unix.S_IFDIR {
		return m.dir(path, to, info)
	}
	if err := removeTree(to); err != nil {
		return err
	}
	if kind == unix.S_IFCHR { // a whiteout
		return nil
	}
	if first, ok := m.seen[info.Ino]; ok {
		return os.Link(first, to)
	}
	m.seen[info.Ino] = to
	switch kind {
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, to); err != nil || !m.owned {
			return err
		}
		return os.Lchown(to, int(info.Uid), int(info.Gid))
	case unix.S_IFIFO:
		if err := unix.Mkfifo(to, 0o600); err != nil {
			return err
		}
	default:
		if err := copyFile(path, to); err != nil {
			return err
		}
	}
	return m.attributes(path, to, info)
}

func (m *merger) dir(path, to string, info unix.Stat_t) error {
	hides, _ := unix.Lgetxattr(path, m.opaque, make([]byte, 1))
	old, err := os.Lstat(to)
	if err == nil && (hides > 0 || !old.IsDir()) {
		err = removeTree(to)
		old = nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if old == nil {
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
	} else if err := os.Chmod(to, 0o700); err != nil {
		return err
	}
	m.dirs = append(m.dirs, struct {
		path string
		info unix.Stat_t
	}{to, info})
	return nil
}

// finish gives directories their attributes, the deepest first.
func (m *merger) finish() error {
	for i := len(m.dirs) - 1; i >= 0; i-- {
		if err := m.attributes("", m.dirs[i].path, m.dirs[i].info); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(path, to string) error {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) { // the user's own file, with a mode that forbids it
		in, err = openForbidden(path)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// openForbidden opens a file whose mode it changes for the moment.
func openForbidden(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, err
	}
	in, err := os.Open(path)
	return in, errors.Join(err, os.Chmod(path, info.Mode()))
}

func (m *merger) attributes(path, to string, info unix.Stat_t) error {
	if m.owned {
		if err := os.Lchown(to, int(info.Uid), int(info.Gid)); err != nil {
			return err
		}
	}
	if err := unix.Chmod(to, info.Mode&0o7777); err != nil {
		return err
	}
	if m.owned && path != "" {
		value := make([]byte, 64)
		if n, err := unix.Lgetxattr(path, "security.capability", value); err == nil {
			if err := unix.Lsetxattr(to, "security.capability", value[:n], 0); err != nil {
				return err
			}
		}
	}
	at := time.Unix(info.Mtim.Unix())
	return os.Chtimes(to, at, at)
}
