// Package config reads .imglint.yaml: what a repository has decided about its
// images, so that nobody has to type it. It is strict: what it does not know is
// an error with a line, never passed over.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/ignore"
)

// Name is what the file is called.
const Name = ".imglint.yaml"

// File is a config file that was read.
type File struct {
	Name string // as a reader would name it
	// Dir is the file's folder; the paths in it are relative to that.
	Dir        string
	Settings   Settings
	Images     []Image
	Ignores    []ignore.Ignore
	Severities map[string]finding.Severity // by rule
	Hook       Hook
	// Platforms are the user's own; one can have the name of a known one.
	Platforms []Platform
}

// Settings are values by the name of the flag that they stand for.
type Settings map[string]Setting

// Setting is one value, or several for a flag that can be repeated, as they
// would be typed behind the flag.
type Setting struct {
	Values []string
	Line   int
}

// Image is one image with what is different about it.
type Image struct {
	Name     string
	Line     int
	Settings Settings
	// Args replace the image's CMD; nil: they do not.
	Args []string
	// Build is the command that makes the image, for the hook.
	Build string
	// Context is the folder that is built from; "": the Dockerfile's.
	Context string
}

// Hook says when the pre-push hook looks at the images.
type Hook struct {
	// Paths are patterns like those of .dockerignore; when a file that one of
	// them matches is pushed, the images are checked. Empty: the Dockerfile
	// and its context.
	Paths []string
	// Always: whatever was pushed.
	Always bool
}

// Known are the names that may be used in a config file.
type Known struct {
	Rules     []string
	Platforms []string
}

// Find returns the config file that holds in a folder: its own, else that of
// the nearest parent up to the root of its git repository; "" if there is none.
func Find(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", Name, err)
	}
	for {
		name := filepath.Join(dir, Name)
		switch _, err := os.Stat(name); {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("find %s: %w", Name, err)
		}
		_, err := os.Lstat(filepath.Join(dir, ".git"))
		if parent := filepath.Dir(dir); err != nil && parent != dir {
			dir = parent
			continue
		}
		return "", nil
	}
}

// Read reads a config file. The error names every mistake in it with its line.
func Read(name string, known Known) (*File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f, err := Parse(shown(name), text, known)
	if err != nil {
		return nil, err
	}
	f.Dir = filepath.Dir(name)
	return f, nil
}

// shown is the shortest name of a file seen from the working directory.
func shown(name string) string {
	here, err := os.Getwd()
	if err != nil || !filepath.IsAbs(name) {
		return name
	}
	if rel, err := filepath.Rel(here, name); err == nil && len(rel) < len(name) {
		return rel
	}
	return name
}

// Image returns the entry for an image's name, nil if there is none.
func (f *File) Image(ref string) *Image {
	for i := range f.Images {
		if ignore.SameImage(f.Images[i].Name, ref) {
			return &f.Images[i]
		}
	}
	return nil
}
