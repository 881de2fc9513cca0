package dockerfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/imglint/imglint/pkg/facts"
)

// buildContext is the directory that COPY reads, without what .dockerignore
// leaves out.
type buildContext struct {
	files  fs.FS // nil: not known
	ignore *patternmatcher.PatternMatcher
	text   []byte // of the ignore file
}

// openContext reads the ignore file: the Dockerfile's own wins over the
// directory's.
func openContext(files fs.FS, dockerfile string) (*buildContext, error) {
	c := &buildContext{files: files}
	if files == nil {
		return c, nil
	}
	for _, name := range ignoreNames(dockerfile) {
		text, err := readIgnore(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		c.text = text
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err == nil {
			c.ignore, err = patternmatcher.New(patterns)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		break
	}
	return c, nil
}

// ignoreNames are the ignore files that hold for a Dockerfile, the strongest
// first; a named context has no Dockerfile.
func ignoreNames(dockerfile string) []string {
	if dockerfile == "" {
		return []string{".dockerignore"}
	}
	return []string{path.Base(filepath.ToSlash(dockerfile)) + ".dockerignore", ".dockerignore"}
}

// readIgnore reads a file of at most maxFile bytes, as buildkit does.
func readIgnore(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return text, err
}

func (c *buildContext) ignores(name string) bool {
	if c.ignore == nil || name == "." {
		return false
	}
	matched, err := c.ignore.MatchesOrParentMatches(filepath.FromSlash(name))
	return err == nil && matched
}

var errLink = fmt.Errorf("a symbolic link of the build context: %w", facts.ErrNotExamined)

// stat finds what stands at a path of the context; fs.ErrNotExist when it is
// ignored too. Links are not followed: in the image they lead elsewhere.
func (c *buildContext) stat(name string) (fs.FileInfo, error) {
	if c.files == nil {
		return nil, errUnknownStep
	}
	if name == "." {
		return fs.Stat(c.files, ".")
	}
	var info fs.FileInfo
	for i, r := range name + "/" {
		if r != '/' {
			continue
		}
		var err error
		if info, err = fs.Lstat(c.files, name[:i]); err != nil {
			return nil, err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			return nil, errLink
		}
		if !info.IsDir() && i < len(name) {
			return nil, fs.ErrNotExist
		}
	}
	if c.ignores(name) && !info.IsDir() {
		return nil, fs.ErrNotExist
	}
	return info, nil
}

// entry answers for one mapping; fs.ErrNotExist when name does not come from it.
func (c *buildContext) entry(m mapping, name string) (*leaf, error) {
	from := m.from
	switch {
	case within(m.dest, name) && m.dest != name:
		return &leaf{mode: fs.ModeDir | 0o755}, nil // above what was copied
	case m.dir && within(name, m.dest):
		rest := strings.TrimPrefix(strings.TrimPrefix(name, m.dest), "/")
		if m.dest == "." {
			rest = name
		}
		from = path.Join(from, rest)
	case name != m.dest:
		return nil, fs.ErrNotExist
	}
	e := &leaf{mode: 0o644, owned: !m.look.chown}
	if m.text != nil {
		e.size, e.open = int64(len(*m.text)), stringReader(*m.text)
	} else {
		info, err := c.stat(from)
		if err != nil {
			return nil, err
		}
		e.size, e.mode = info.Size(), sentMode(info)
		e.open = func() (io.ReadCloser, error) { return c.files.Open(from) }
	}
	if m.look.mode != 0 && !e.mode.IsDir() {
		e.mode = m.look.mode
	}
	return e, nil
}

// sentMode is the mode that a client sends to the engine: from Windows, which
// has no execute bit, everything is executable.
func sentMode(info fs.FileInfo) fs.FileMode {
	if runtime.GOOS == "windows" && info.Mode().IsRegular() {
		return 0o755
	}
	return info.Mode() & (fs.ModePerm | fs.ModeDir)
}

// glob lists what a COPY's source names.
func (c *buildContext) glob(source string) ([]string, error) {
	source = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(source)), "/")
	if source == "" {
		return []string{"."}, nil
	}
	if c.files == nil {
		return nil, errUnknownStep
	}
	if !strings.ContainsAny(source, `*?[\`) {
		return []string{source}, nil
	}
	return fs.Glob(c.files, source)
}
