package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// Files is the file system that building the Dockerfile would give, as far as
// the Dockerfile, its build context and the base image tell: the files that COPY
// and ADD bring from the context, with the modes that chmod in a RUN gives them,
// and below them the base's. Everything else, and what a RUN that is not
// understood may have changed, answers facts.ErrNotExamined; nothing is built. A
// nil context or base has no files that are known.
func Files(ctx context.Context, src []byte, o Options, buildContext, base fs.FS) (fs.FS, error) {
	b, err := follow(ctx, src, o, buildContext, base, "")
	if err != nil {
		return nil, err
	}
	return &tree{deeds: b.deeds, context: b.context, dirs: b.dirs, ground: b.ground}, nil
}

// follow notes what each step of the Dockerfile does to the file system, of
// which a path that is certainly a file may be known.
func follow(ctx context.Context, src []byte, o Options, buildContext, base fs.FS, regular string) (*builder, error) {
	f, err := read(src, o)
	if err != nil {
		return nil, fmt.Errorf("read Dockerfile %q: %w", o.File, err)
	}
	target, err := f.stage(o.Target)
	if err != nil {
		return nil, fmt.Errorf("read Dockerfile %q: %w", o.File, err)
	}
	p := f.plan(target)
	b := &builder{file: f, options: o, env: map[string]string{}, args: map[string]string{}, dirs: map[string]bool{}, ground: &ground{image: p.base, files: base}, regular: regular}
	if c, ok := o.context(p.base); ok && c.Files != nil {
		b.ground.files, b.ground.directory = c.Files, true
	}
	if b.context, err = openContext(buildContext, o.File); err != nil {
		return nil, err
	}
	b.begin(ctx, p.base)
	for _, s := range p.steps {
		b.step(s)
	}
	return b, nil
}

// deed is what one step did to the file system. Exactly one of its parts but
// at is set.
type deed struct {
	at     facts.Instruction
	copied *mapping
	chmod  *chmod
	// unknown is a path at and below which anything may have changed; "." is
	// everything.
	unknown string
}

// mapping is a file or directory of the image and where it comes from.
type mapping struct {
	dest string // in the image, without the leading slash
	from string // in the context
	dir  bool
	// context is where from is.
	context *buildContext
	text    *string // the content of a heredoc instead of from
	look    look
}

// look is what COPY's flags give the files.
type look struct {
	mode  fs.FileMode // of --chmod; 0: as in the context
	chown bool        // --chown was given: who owns it is not known
}

// tree answers from the last step to the first.
type tree struct {
	deeds   []deed
	context *buildContext
	dirs    map[string]bool // which certainly exist
	ground  *ground
}

var errUnknownStep = fmt.Errorf("nothing was built, and the Dockerfile does not tell: %w", facts.ErrNotExamined)

// lookup finds a path, no link of the image followed.
func (t *tree) lookup(op, name string) (*leaf, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	found, err := t.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	found.name = path.Base(name)
	return found, nil
}

func (t *tree) find(name string) (*leaf, error) {
	found, modes, err := t.above(name)
	if found != nil || err != nil {
		return found, err
	}
	return t.ground.find(name, modes)
}

// above looks through the steps, the last one first. When none of them made
// the path it has neither a leaf nor an error, but what they did to the mode of
// a file of the base image.
func (t *tree) above(name string) (*leaf, []chmod, error) {
	var modes []chmod
	for i := len(t.deeds) - 1; i >= 0; i-- {
		d := t.deeds[i]
		switch {
		case d.chmod != nil && d.chmod.reaches(name):
			modes = append(modes, *d.chmod)
		case d.unknown != "" && within(name, d.unknown):
			return nil, nil, errUnknownStep
		case d.copied != nil:
			found, err := d.copied.context.entry(*d.copied, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			return found.changed(modes), nil, nil
		}
	}
	if t.dirs[name] || name == "." {
		return &leaf{mode: fs.ModeDir | 0o755, owned: name == "."}, nil, nil
	}
	return nil, modes, nil
}

// within reports whether name is dir or below it.
func within(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}

// Open implements fs.FS.
func (t *tree) Open(name string) (fs.File, error) {
	found, err := t.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if found.mode.IsDir() {
		return &openFile{entry: found}, nil
	}
	in, err := found.open()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{entry: found, in: in}, nil
}

// Stat implements fs.StatFS.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	found, err := t.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	return found.info(), nil
}

// ReadDir implements fs.ReadDirFS: no directory is known whole.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	return nil, &fs.PathError{Op: "readdir", Path: name, Err: errUnknownStep}
}

// maxFile bounds what is read of one file; those that decide something are small.
const maxFile = 1 << 20

// ReadFile implements fs.ReadFileFS.
func (t *tree) ReadFile(name string) ([]byte, error) {
	in, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("larger than %d bytes: %w", maxFile, facts.ErrNotExamined)}
	}
	return data, err
}

// HasSources reports whether a directory has all that the Dockerfile copies
// from its build context, and so may be that context.
func HasSources(src []byte, o Options, buildContext fs.FS) bool {
	f, err := read(src, o)
	if err != nil {
		return false
	}
	target, err := f.stage(o.Target)
	if err != nil {
		return false
	}
	c, err := openContext(buildContext, o.File)
	if err != nil {
		return false
	}
	for _, s := range f.plan(target).steps {
		for _, source := range sourcesOf(s) {
			matches, err := c.glob(source)
			if err != nil || len(matches) == 0 {
				return false
			}
			// One that is ignored by mistake is there too.
			if _, err := fs.Lstat(buildContext, matches[0]); errors.Is(err, fs.ErrNotExist) {
				return false
			}
		}
	}
	return true
}
