package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// Source is what an image is built from, relative to the working tree's root.
type Source struct {
	Dockerfile string
	Context    string // a folder; "" is the Dockerfile's
	// Paths are patterns as in .dockerignore that replace the above.
	Paths []string
}

// Relevant returns the first of the changed files that the image is built
// from, "" if there is none. What .dockerignore leaves out is not.
func (s Source) Relevant(top string, files []string) (string, error) {
	if len(s.Paths) > 0 {
		return first(s.Paths, files)
	}
	dockerfile, context := path.Clean(s.Dockerfile), path.Clean(s.Context)
	if s.Context == "" {
		context = path.Dir(dockerfile)
	}
	ignored, err := dockerignore(top, dockerfile, context)
	if err != nil {
		return "", err
	}
	matcher, err := patternmatcher.New(ignored)
	if err != nil {
		return "", fmt.Errorf("read .dockerignore: %w", err)
	}
	for _, file := range files {
		if file == dockerfile || file == dockerfile+".dockerignore" || file == path.Join(context, ".dockerignore") {
			return file, nil
		}
		inside, ok := strings.CutPrefix(file, context+"/")
		if context == "." {
			inside, ok = file, true
		}
		if !ok {
			continue
		}
		out, err := matcher.MatchesOrParentMatches(inside)
		if err != nil {
			return "", fmt.Errorf("match %q with .dockerignore: %w", file, err)
		}
		if !out {
			return file, nil
		}
	}
	return "", nil
}

func first(patterns, files []string) (string, error) {
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return "", fmt.Errorf("read the hook's paths: %w", err)
	}
	for _, file := range files {
		matches, err := matcher.MatchesOrParentMatches(file)
		if err != nil {
			return "", fmt.Errorf("match %q with the hook's paths: %w", file, err)
		}
		if matches {
			return file, nil
		}
	}
	return "", nil
}

// dockerignore reads the patterns as docker build does: the Dockerfile's own
// file goes before the context's.
func dockerignore(top, dockerfile, context string) ([]string, error) {
	for _, name := range []string{dockerfile + ".dockerignore", path.Join(context, ".dockerignore")} {
		file, err := os.Open(filepath.Join(top, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read .dockerignore: %w", err)
		}
		defer file.Close()
		return ignorefile.ReadAll(file)
	}
	return nil, nil
}
