package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// Files is the image's file system as a run finds it.
func (im *Image) Files() fs.FS {
	v := view{im.held, make([]map[string]owner, len(im.held))}
	for i, h := range im.held {
		if !im.runner.users.owned() {
			v.owners[i] = map[string]owner{}
		}
		for _, o := range h.Owners {
			v.owners[i][o.Path] = owner{o.UID, o.GID}
		}
	}
	return v
}

// view shows layers, topmost first, that lie on top of each other.
type view struct {
	held []*layers.Held
	// owners are those that files do not have on disk, of each layer; nil: they have them.
	owners []map[string]owner
}

type owner struct{ uid, gid int }

var (
	_ fs.ReadLinkFS = view{}
	_ fs.ReadFileFS = view{}
	_ fs.ReadDirFS  = view{}
	_ fs.StatFS     = view{}
)

// place is where a file is: in one layer, or a directory in several.
type place struct {
	fs.FileInfo
	layers []int
	inside string // its path in the image, without links
	owner  owner
}

// Owner returns the numbers of the file's user and group.
func (p place) Owner() (uid, gid int) { return p.owner.uid, p.owner.gid }

// Type and Info make it a directory's entry.
func (p place) Type() fs.FileMode          { return p.Mode().Type() }
func (p place) Info() (fs.FileInfo, error) { return p, nil }

func (v view) real(p place) string { return v.held[p.layers[0]].Dir + p.inside }

func (v view) root() place {
	p := place{inside: "/"}
	for i := range v.held {
		p.layers = append(p.layers, i)
	}
	if len(v.held) > 0 {
		p.FileInfo, _ = os.Lstat(v.held[0].Dir) // it is held open by its lock
	}
	return p
}

// child finds an entry of a directory.
func (v view) child(dir place, name string) (place, error) {
	found := place{inside: path.Join(dir.inside, name)}
	for _, i := range dir.layers {
		real := v.held[i].Dir + found.inside
		info, err := os.Lstat(real)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return found, unexamined(err)
		}
		isDir := info.IsDir()
		if layers.Whiteout(info) || !isDir && len(found.layers) > 0 {
			break
		}
		if len(found.layers) == 0 {
			found.FileInfo, found.owner = info, v.ownerOf(i, found.inside, info)
		}
		found.layers = append(found.layers, i)
		if !isDir || layers.Opaque(real) {
			break
		}
	}
	if len(found.layers) == 0 {
		return found, fs.ErrNotExist
	}
	return found, nil
}

func (v view) ownerOf(layer int, inside string, info fs.FileInfo) owner {
	if known := v.owners[layer]; known != nil {
		return known[inside]
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}
	}
	return owner{int(stat.Uid), int(stat.Gid)}
}

// unexamined is what cannot be looked at, which is no proof of anything.
func unexamined(err error) error { return fmt.Errorf("%w: %w", facts.ErrNotExamined, err) }

// maxLinks is the kernel's bound.
const maxLinks = 40

// walk finds a file. Links are followed inside the image.
func (v view) walk(name string, last bool) (place, error) {
	if !fs.ValidPath(name) {
		return place{}, fs.ErrInvalid
	}
	if len(v.held) == 0 {
		return place{}, fs.ErrNotExist
	}
	way := []place{v.root()}
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		here := way[len(way)-1]
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			way = way[:max(1, len(way)-1)]
			continue
		case !here.IsDir():
			return place{}, fs.ErrNotExist
		}
		next, err := v.child(here, part)
		if err != nil {
			return place{}, err
		}
		if next.Type() != fs.ModeSymlink || len(rest) == 0 && !last {
			way = append(way, next)
			continue
		}
		if links++; links > maxLinks {
			return place{}, syscall.ELOOP
		}
		to, err := os.Readlink(v.real(next))
		if err != nil {
			return place{}, unexamined(err)
		}
		if path.IsAbs(to) {
			way = way[:1]
		}
		rest = slices.Concat(strings.Split(to, "/"), rest)
	}
	return way[len(way)-1], nil
}

func failed(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Stat implements fs.StatFS.
func (v view) Stat(name string) (fs.FileInfo, error) {
	p, err := v.walk(name, true)
	if err != nil {
		return nil, failed("stat", name, err)
	}
	return p, nil
}

// Lstat implements fs.ReadLinkFS.
func (v view) Lstat(name string) (fs.FileInfo, error) {
	p, err := v.walk(name, false)
	if err != nil {
		return nil, failed("lstat", name, err)
	}
	return p, nil
}

// ReadLink implements fs.ReadLinkFS.
func (v view) ReadLink(name string) (string, error) {
	p, err := v.walk(name, false)
	if err == nil && p.Type() != fs.ModeSymlink {
		err = fs.ErrInvalid
	}
	if err != nil {
		return "", failed("readlink", name, err)
	}
	to, err := os.Readlink(v.real(p))
	return to, failed("readlink", name, err)
}

// ReadFile implements fs.ReadFileFS.
func (v view) ReadFile(name string) ([]byte, error) {
	f, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, probe.MaxRead+1))
	if err == nil && len(content) > probe.MaxRead {
		err = fmt.Errorf("larger than %d bytes: %w", probe.MaxRead, facts.ErrNotExamined)
	}
	return content, failed("read", name, err)
}

// ReadDir implements fs.ReadDirFS.
func (v view) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := v.walk(name, true)
	if err == nil && !p.IsDir() {
		err = syscall.ENOTDIR
	}
	names := map[string]bool{}
	for _, i := range p.layers {
		if err != nil {
			break
		}
		var some []fs.DirEntry
		if some, err = os.ReadDir(v.held[i].Dir + p.inside); err != nil {
			err = unexamined(err)
		}
		for _, e := range some {
			names[e.Name()] = true
		}
	}
	if err != nil {
		return nil, failed("readdir", name, err)
	}
	var entries []fs.DirEntry
	for name := range names {
		if e, err := v.child(p, name); err == nil { // else it is hidden
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}
