package lint

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/imglint/imglint/pkg/image"
)

// Argument tells what an argument of the command line names.
type Argument int

// What an argument can be.
const (
	ArgumentReference  Argument = iota + 1 // an image of an engine or a registry
	ArgumentStored                         // an image in a file or directory, or "-"
	ArgumentDockerfile                     // a Dockerfile, or a directory that has one
)

// Stdin is the argument that stands for an image on standard input.
const Stdin = "-"

// Classify looks at what stands on this machine under an argument's name. A
// directory without a slash in its name is not meant: myapp is an image, and
// ./myapp the directory.
func Classify(name string) (Argument, error) {
	if name == Stdin {
		return ArgumentStored, nil
	}
	info, err := os.Stat(name)
	switch {
	case err != nil:
		if _, one := nameIn(name); one != "" || isPath(name) {
			return ArgumentStored, nil
		}
		return ArgumentReference, nil
	case info.IsDir() && name != "." && name != ".." && !strings.ContainsAny(name, `/\`):
		return ArgumentReference, nil
	}
	stored, err := image.Holds(name)
	switch {
	case err != nil:
		return 0, fmt.Errorf("look at %s: %w", name, err)
	case stored:
		return ArgumentStored, nil
	case !info.IsDir():
		return ArgumentDockerfile, nil
	}
	if _, err := os.Stat(filepath.Join(name, dockerfileName)); err != nil {
		return 0, fmt.Errorf("%s holds neither a Dockerfile nor an image (an OCI layout); name the Dockerfile, or an image", name)
	}
	return ArgumentDockerfile, nil
}

// isPath reports whether a name is a file's: no image's begins so.
func isPath(name string) bool {
	return filepath.IsAbs(name) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~")
}

// absent says what is wrong with the path of an image that is not there, or is
// not one.
func absent(name string) error {
	for i, r := range name {
		if r != ':' {
			continue
		}
		if _, err := os.Stat(name[:i]); err == nil {
			return fmt.Errorf("%s holds no image (an archive, or an OCI layout)", name[:i])
		}
	}
	return fmt.Errorf("there is no file or directory %s", name)
}

// nameIn splits FILE:NAME, one of several images of an archive or a layout. A
// file whose own name is such is meant as it is.
func nameIn(argument string) (file, name string) {
	if _, err := os.Stat(argument); err == nil {
		return argument, ""
	}
	for i, r := range argument {
		if r != ':' {
			continue
		}
		if stored, err := image.Holds(argument[:i]); err == nil && stored {
			return argument[:i], argument[i+1:]
		}
	}
	return argument, ""
}

// FromStorage opens images in files, directories and standard input; they can
// be read and not run.
func FromStorage(stdin io.Reader, r Reading) Source { return storage{stdin, r} }

type storage struct {
	stdin   io.Reader
	reading Reading
}

func (s storage) Open(ctx context.Context, name string) (Image, error) {
	if name == Stdin {
		img, err := image.Stream(ctx, s.stdin, s.reading.options())
		if err != nil {
			return nil, err
		}
		return storedImage{img}, nil
	}
	if kind, err := Classify(name); err != nil || kind != ArgumentStored {
		return nil, ErrNoImage // not this source's
	}
	o := s.reading.options()
	file, one := nameIn(name)
	if _, err := os.Stat(file); err != nil {
		return nil, absent(name)
	}
	o.Name = one
	img, err := image.Local(ctx, file, o)
	if err != nil {
		return nil, err
	}
	return storedImage{img}, nil
}

// storedImage is an image that no engine has.
type storedImage struct{ *image.Image }

// NotRun says what would make it runnable.
func (i storedImage) NotRun() string {
	ref := i.Facts().Ref
	switch {
	case ref == Stdin:
		return "the image was piped in and is not in an engine; type `docker load` with the same input and give the name it prints"
	case i.Facts().Source == image.SourceLayout:
		return fmt.Sprintf("the image is in a directory and not in an engine; type `skopeo copy oci:%s docker-daemon:myapp:latest` and try myapp:latest", ref)
	}
	return fmt.Sprintf("the image is in a file and not in an engine; type `docker load -i %s` and give the name it prints", ref)
}
