package cage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRootStaysInside: whatever links an image has, directories and files are
// made below its root.
func TestRootStaysInside(t *testing.T) {
	t.Parallel()
	outside, inside := t.TempDir(), t.TempDir()
	for name, to := range map[string]string{
		"absolute": outside, "relative": "../../../../../../../.." + outside, "loop": "loop", "again": "/absolute",
	} {
		if err := os.Symlink(to, filepath.Join(inside, name)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := openRoot(inside)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(r.fd)
	for _, name := range []string{"/absolute/x/y", "/relative/x/y", "/again/x", "/loop/x", "/../../x", "/new/x"} {
		for _, made := range []func(string) (int, error){r.file, func(name string) (int, error) { return r.dir(name+"d", 0o755) }} {
			if fd, err := made(name); err == nil {
				unix.Close(fd)
			}
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("made outside: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(inside, "new", "x")); err != nil {
		t.Errorf("not made inside: %v", err)
	}
	if _, err := os.Stat(filepath.Join(inside, "x")); err != nil {
		t.Errorf("above the root is the root: %v", err)
	}
}

// TestChown gives files their owners, and passes over what an upper layer hid.
func TestChown(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "d"), 0o755), os.WriteFile(filepath.Join(dir, "d", "f"), nil, 0o644), os.Symlink("d/f", filepath.Join(dir, "l"))); err != nil {
		t.Fatal(err)
	}
	r, err := openRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(r.fd)
	if err := r.chown([]Owner{{"/d/gone", 7, 7}, {"/gone/f", 7, 7}, {"/d/f", 33, 34}, {"/l", 35, 36}, {"/l/below", 1, 1}}); err != nil {
		t.Error(err)
	}
	for name, want := range map[string][2]uint32{"d/f": {33, 34}, "l": {35, 36}, "d": {0, 0}} {
		var info unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, name), &info); err != nil || info.Uid != want[0] || info.Gid != want[1] {
			t.Errorf("%s belongs to %d:%d, %v; want %v", name, info.Uid, info.Gid, err, want)
		}
	}
}

// TestHierarchies: of version 1, only what programs size themselves by.
func TestHierarchies(t *testing.T) {
	t.Parallel()
	text := "12:name=systemd:/\n11:pids:/a:b\n4:memory:/docker/1f\n3:cpu,cpuacct:/docker/1f\n2:cpuset:/\n1:blkio:/\n0::/init.scope\n"
	if got, want := hierarchies(text), []string{"memory", "cpu,cpuacct", "cpuset"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
