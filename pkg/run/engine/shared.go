package engine

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/docker/docker/api/types/mount"

	"github.com/imglint/imglint/pkg/probe/embed"
)

// An engine on this machine can mount the probe from a file, which saves
// copying it into a volume: 140 ms of a cell's start with Docker 20.10. The file
// is named by what is in it, and stays in the user's cache for the next call.

// staleProbe is when a probe of another version is removed.
const staleProbe = 30 * 24 * time.Hour

// sharedProbe is the mount of the probe's file; false where there is none, or
// the engine was seen not to see it.
func (e *Engine) sharedProbe() (mount.Mount, bool) {
	path, ok := strings.CutPrefix(e.api.host, "unix://")
	if !ok || path == "" || e.opts.Cache == "" || runtime.GOOS != "linux" || e.shareless.Load() {
		return mount.Mount{}, false
	}
	dir, err := e.probeDir()
	if err != nil {
		e.shareless.Store(true) // without a cache a volume serves as well
		return mount.Mount{}, false
	}
	return mount.Mount{Type: mount.TypeBind, Source: dir, Target: probeDir, ReadOnly: true}, true
}

// probeDir returns the directory with the probe, which is made when it is not
// there.
func (e *Engine) probeDir() (string, error) {
	name, err := e.probeName()
	if err != nil {
		return "", err
	}
	parent := filepath.Join(e.opts.Cache, "probes")
	dir := filepath.Join(parent, name)
	if info, err := os.Stat(filepath.Join(dir, "probe")); err == nil && info.Mode().Perm() == 0o755 {
		return dir, nil
	}
	content, err := e.opts.Probe(e.arch)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	removeStale(parent)
	return dir, place(parent, dir, content)
}

// place makes the directory whole or not at all.
func place(parent, dir string, content []byte) error {
	temp, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // what was moved is not there any more
	file := filepath.Join(temp, "probe")
	if err := os.WriteFile(file, content, 0o755); err != nil {
		return err
	}
	for _, name := range []string{file, temp} { // whatever the umask is
		if err := os.Chmod(name, 0o755); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, dir); err != nil {
		if _, missing := os.Stat(filepath.Join(dir, "probe")); missing != nil {
			return err
		}
	}
	return nil
}

// probeName names the probe by its content.
func (e *Engine) probeName() (string, error) {
	if e.embedded {
		if digest := embed.Digest(e.arch); digest != "" {
			return digest, nil
		}
	}
	content, err := e.opts.Probe(e.arch)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return fmt.Sprintf("%x", sum[:16]), nil
}

// removeStale removes probes that were made long ago. One that is in use can go:
// a mount keeps it.
func removeStale(parent string) {
	list, _ := os.ReadDir(parent) // it is no loss when they stay
	for _, entry := range list {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > staleProbe {
			_ = os.RemoveAll(filepath.Join(parent, entry.Name()))
		}
	}
}
