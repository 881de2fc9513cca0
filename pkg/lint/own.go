package lint

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/imglint/imglint/pkg/dockerfile"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/mend"
)

// ownFiles finds the user's own files behind those of the image: the build
// context that the Dockerfile copies from.
type ownFiles struct {
	context fs.FS // nil: not known
	dir     string
	root    *os.Root
}

// files opens the build context at the first question.
func (c *check) files() *ownFiles {
	if c.own != nil {
		return c.own
	}
	c.own = &ownFiles{context: c.Dockerfile.Context, dir: c.Dockerfile.Dir}
	if c.own.context != nil || c.facts.Dockerfile == nil || c.record.Name != "" || c.Dockerfile.Name == "" {
		return c.own
	}
	dirs := []string{filepath.Dir(c.Dockerfile.Name), "."}
	if c.Dockerfile.Dir != "" {
		dirs = []string{c.Dockerfile.Dir}
	}
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			continue
		}
		if dockerfile.HasSources(c.Dockerfile.Text, dockerfile.OptionsOf(c.facts.Dockerfile), root.FS()) {
			c.own.context, c.own.dir, c.own.root = root.FS(), dir, root
			return c.own
		}
		_ = root.Close() // nothing was written
	}
	return c.own
}

// release closes what files opened.
func (c *check) release() {
	if c.own != nil && c.own.root != nil {
		_ = c.own.root.Close()
	}
}

// ownFile is the user's file that a file of the image was copied from, as they
// would name it. One that differs from the image's is another file.
func (c *check) ownFile(file string) (name string, text []byte, ok bool) {
	if c.facts.Dockerfile == nil || c.files().context == nil {
		return "", nil, false
	}
	from, ok := dockerfile.FindCopied(c.Dockerfile.Text, c.facts.Dockerfile, c.own.context, file)
	if !ok {
		return "", nil, false
	}
	text, err := fs.ReadFile(c.own.context, from.Name)
	if err != nil {
		return "", nil, false
	}
	if inside, err := c.inImage(file); err == nil && !bytes.Equal(inside, text) {
		return "", nil, false
	}
	return path.Join(filepath.ToSlash(c.own.dir), from.Name), text, true
}

// inImage reads a file of the image.
func (c *check) inImage(file string) ([]byte, error) {
	if c.image == nil || c.image.Files() == nil {
		return nil, fs.ErrNotExist
	}
	return fs.ReadFile(c.image.Files(), strings.TrimPrefix(path.Clean(file), "/"))
}

// resolve places a finding about a file of the image: in the user's own file
// where that is known. It reports whether the finding is about one.
func (c *check) resolve(f *finding.Finding) bool {
	p := &f.Place
	from := 0
	if spot := c.facts.Launch.Spot; p.Command && spot != nil {
		p.Path, p.Line, p.Source, from = spot.Path, spot.Line, spot.Text, spot.Column-1
	}
	if p.Path == "" || p.Line == 0 {
		return false
	}
	p.File, p.EndLine = p.Path, p.Line
	if name, text, ok := c.ownFile(p.Path); ok {
		p.File, p.Source = name, mend.Line(string(text), p.Line)
	} else if text, err := c.inImage(p.Path); err == nil {
		p.Source = mend.Line(string(text), p.Line)
	}
	from = min(from, len(p.Source))
	if at := strings.Index(p.Source[from:], p.Words); p.Words != "" && at >= 0 {
		p.Column, p.EndColumn = from+at+1, from+at+1+len(p.Words)
	}
	return true
}
