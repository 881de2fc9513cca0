package cage

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mountRoot mounts the image's layers under a writable one in memory, where it
// vanishes with this process, and opens it.
func (c *Config) mountRoot() (root, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return root{}, fmt.Errorf("make mounts private: %w", err)
	}
	dirs, err := c.openLayers()
	if err != nil {
		return root{}, err
	}
	if err := unix.Mount("tmpfs", c.Scratch, "tmpfs", unix.MS_NODEV, "mode=0755"); err != nil {
		return root{}, fmt.Errorf("mount tmpfs: %w", err)
	}
	if err := os.Chdir(c.Scratch); err != nil {
		return root{}, fmt.Errorf("enter tmpfs: %w", err)
	}
	for _, dir := range []string{"root", "upper", "work", "lower", "lower/none", "etc"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return root{}, fmt.Errorf("fill tmpfs: %w", err)
		}
	}
	if err := c.mountLayers(dirs); err != nil {
		return root{}, err
	}
	if err := os.Chdir(c.Scratch); err != nil {
		return root{}, fmt.Errorf("enter tmpfs: %w", err)
	}
	if err := os.Chmod("root", os.FileMode(c.dirMode())); err != nil {
		return root{}, fmt.Errorf("protect root: %w", err)
	}
	r, err := openRoot("root")
	if err != nil {
		return r, err
	}
	return r, r.chown(c.Owners)
}

// openLayers holds on to the layers: they may lie under the scratch directory.
func (c *Config) openLayers() ([]string, error) {
	var dirs []string
	for _, layer := range append([]string{c.Root}, c.Layers...) {
		if layer == "" {
			continue
		}
		fd, err := unix.Open(layer, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open layer: %w", err)
		}
		dirs = append(dirs, at(fd))
	}
	return dirs, nil
}

func (c *Config) mountLayers(dirs []string) error {
	if c.Root != "" {
		if err := unix.Mount(dirs[0], "root", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind root: %w", err)
		}
		return nil
	}
	// Short names: the options of a mount must fit in one page.
	if err := os.Chdir("lower"); err != nil {
		return fmt.Errorf("enter layers: %w", err)
	}
	var names []string
	for i, dir := range dirs {
		name := strconv.Itoa(i)
		if err := os.Symlink(dir, name); err != nil {
			return fmt.Errorf("name layer: %w", err)
		}
		names = append(names, name)
	}
	options := "lowerdir=" + strings.Join(append(names, "none"), ":") + ",upperdir=../upper,workdir=../work"
	if c.Nested {
		options += ",userxattr"
		// tmpfs has them since Linux 6.6; without, a directory cannot be
		// replaced.
		if err := unix.Setxattr("../upper", "user.overlay.imglint", []byte("y"), 0); err != nil {
			return fmt.Errorf("%w: mark a file in memory: %w", errOverlay, err)
		}
	}
	if err := unix.Mount("overlay", "../root", "overlay", unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("%w: %w", errOverlay, err)
	}
	return nil
}

// chown gives files to their owners. A file that is not there any more was
// hidden by an upper layer.
func (r root) chown(owners []Owner) error {
	parent, dir := -1, ""
	for _, o := range owners {
		if d := path.Dir(o.Path); parent < 0 || d != dir {
			if parent >= 0 {
				unix.Close(parent)
			}
			dir = d
			var err error
			if parent, err = r.open(d, unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
				parent = -1
				continue
			}
		}
		err := unix.Fchownat(parent, path.Base(o.Path), o.UID, o.GID, unix.AT_SYMLINK_NOFOLLOW)
		if err != nil && err != unix.ENOENT && err != unix.ENOTDIR {
			return fmt.Errorf("give %s to %d:%d: %w", o.Path, o.UID, o.GID, err)
		}
	}
	if parent >= 0 {
		unix.Close(parent)
	}
	return nil
}

// pivot makes the root the only file system there is.
func pivot(r root) error {
	if err := os.Chdir("root"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	unix.Close(r.fd)
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the machine's files: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	return nil
}
