package image

import (
	"archive/tar"
	"errors"
	"io/fs"
	"path"
	"slices"
)

// ReadDir implements fs.ReadDirFS. Every layer has to be examined for it; with
// the error comes what was seen until then.
func (f *files) ReadDir(name string) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, _, err := f.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if dir.header.Typeflag != tar.TypeDir {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	names, err := f.list(dir.path)
	var entries []fs.DirEntry
	for _, child := range names {
		at, e := f.lookup(clean(path.Join(dir.path, child)))
		if e != nil {
			continue
		}
		if inode, e := f.inode(at); e == nil {
			entries = append(entries, fs.FileInfoToDirEntry(info{name: child, node: inode}))
		}
	}
	if err != nil {
		err = &fs.PathError{Op: "readdir", Path: name, Err: unexamined(err)}
	}
	return entries, err
}

// list merges the names in a directory, sorted.
func (f *files) list(dir string) ([]string, error) {
	seen := map[string]bool{}
	hidden := map[string]bool{}
	var names []string
	for _, l := range f.layers {
		err := l.index()
		if n := l.entries[dir]; n != nil && n.header.Typeflag != tar.TypeDir {
			break
		}
		for _, child := range l.children[dir] {
			if !seen[child] && !hidden[child] {
				seen[child] = true
				names = append(names, child)
			}
		}
		if err != nil {
			slices.Sort(names)
			return names, err
		}
		if l.opaque[dir] || l.hides(dir) {
			break
		}
		for gone := range l.hidden {
			if path.Dir(gone) == dir {
				hidden[path.Base(gone)] = true
			}
		}
	}
	slices.Sort(names)
	return names, nil
}
