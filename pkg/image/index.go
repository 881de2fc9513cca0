package image

import (
	"archive/tar"
	"cmp"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// indexVersion changes with the meaning of an index; others are not read.
const indexVersion = 1

// index is what is kept of a layer that was read whole.
type index struct {
	Version        int
	Repository     string
	DiffID         string
	Entries        []indexEntry // in the tar's order
	Hidden, Opaque []string
}

// indexEntry is a node of a layer.
type indexEntry struct {
	Path     string `json:"p"`
	Type     byte   `json:"t"`
	Mode     int64  `json:"m"`
	Size     int64  `json:"s,omitempty"`
	UID      int    `json:"u,omitempty"`
	GID      int    `json:"g,omitempty"`
	Modified int64  `json:"d,omitempty"`
	Link     string `json:"l,omitempty"`
	Ordinal  int    `json:"o"`
	Content  []byte `json:"c,omitempty"`
}

// isOf holds an index against what was asked for, and every entry against what
// a layer can have.
func (i index) isOf(repository, diffID string) bool {
	if i.Version != indexVersion || i.Repository != repository || i.DiffID != diffID || len(i.Entries) > maxEntries {
		return false
	}
	for _, e := range i.Entries {
		if !fs.ValidPath(e.Path) || e.Size < 0 || e.Ordinal < 0 || int64(len(e.Content)) > min(e.Size, keepBytes) {
			return false
		}
	}
	return true
}

// isText reports whether JSON can hold every name: it would change others.
func (i index) isText() bool {
	for _, e := range i.Entries {
		if !utf8.ValidString(e.Path) || !utf8.ValidString(e.Link) {
			return false
		}
	}
	return !slices.ContainsFunc(append(i.Hidden, i.Opaque...), func(name string) bool { return !utf8.ValidString(name) })
}

// remembering connects a layer with its index.
type remembering struct {
	indexes            Indexes
	repository, diffID string

	looked  bool
	loaded  bool // the layer is as the index says
	more    bool // contents were read that the index does not have
	genuine bool // the whole layer was read, and is what its diffID says
}

// recall fills the layer from its index, at most once.
func (l *layer) recall() {
	r := l.remember
	if r == nil || r.looked {
		return
	}
	r.looked = true
	found, ok := r.indexes.load(r.repository, r.diffID)
	if !ok || l.limits.entries < len(found.Entries) {
		return
	}
	l.limits.entries -= len(found.Entries)
	for _, e := range found.Entries {
		n := &node{path: e.Path, ordinal: e.Ordinal, layer: l, header: tar.Header{
			Name: e.Path, Typeflag: e.Type, Mode: e.Mode, Size: e.Size, Uid: e.UID, Gid: e.GID, Linkname: e.Link, ModTime: time.Unix(e.Modified, 0),
		}}
		if e.Type == tar.TypeLink {
			n.link = clean(e.Link)
		}
		if size := int64(len(e.Content)); size <= l.limits.heads { // what does not fit is read again
			l.limits.heads -= size
			n.content = e.Content
		}
		l.put(n)
	}
	for _, name := range found.Hidden {
		l.hidden[name] = true
	}
	for _, name := range found.Opaque {
		l.opaque[name] = true
	}
	l.done, r.loaded = true, true
}

// prove notes whether the layer that was read to its end is what the image's
// config calls it: else it would be taken for another image's layer.
func (l *layer) prove() {
	if r := l.remember; r != nil && l.stream.sum != nil {
		r.genuine = "sha256:"+hex.EncodeToString(l.stream.sum.Sum(nil)) == r.diffID
	}
}

// isNews reports whether something was learned that no index has.
func (l *layer) isNews() bool {
	r := l.remember
	return r != nil && l.done && (r.genuine || r.loaded && r.more)
}

// retain keeps what was learned of a layer that is known whole.
func (l *layer) retain() error {
	r := l.remember
	r.genuine, r.more = false, false
	i := index{Version: indexVersion, Repository: r.repository, DiffID: r.diffID,
		Hidden: slices.Sorted(maps.Keys(l.hidden)), Opaque: slices.Sorted(maps.Keys(l.opaque))}
	for _, n := range l.entries {
		if n.implicit {
			continue
		}
		h := n.header
		i.Entries = append(i.Entries, indexEntry{Path: n.path, Type: h.Typeflag, Mode: h.Mode, Size: h.Size, UID: h.Uid, GID: h.Gid,
			Modified: h.ModTime.Unix(), Link: h.Linkname, Ordinal: n.ordinal, Content: n.content})
	}
	if !i.isText() {
		return nil
	}
	slices.SortFunc(i.Entries, func(a, b indexEntry) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	return r.indexes.save(i)
}

// retain keeps what was learned of all layers.
func (f *files) retain() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, l := range f.layers {
		if l.isNews() {
			kept := l.retain()
			_, full := l.remember.indexes.Prune(KeepIndexes{Bytes: DefaultIndexesSize})
			errs = append(errs, kept, full)
		}
	}
	return errors.Join(errs...)
}

// remember keeps what will be learned of the image's layers, and uses what is
// kept of them.
func (i *Image) remember(x Indexes, repository string) {
	if x.Dir == "" {
		return
	}
	for n, l := range i.layers { // the lowest first, and files has the top first
		if l.DiffID != "" {
			i.files.layers[len(i.layers)-1-n].remember = &remembering{indexes: x, repository: repository, diffID: l.DiffID}
		}
	}
}
