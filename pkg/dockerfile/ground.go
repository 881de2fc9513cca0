package dockerfile

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// ground is the base image under what the Dockerfile adds.
type ground struct {
	image  string
	files  fs.FS    // nil: not read
	copied []string // directories that were filled from the build context
	ran    bool     // a RUN may have added to it
	// installed: a package manager may have added directories to copied.
	installed bool
	directory bool // a named context: not an image
}

// find answers from the base image. What is not there may come from a RUN,
// but for where only the Dockerfile's own files are.
func (g *ground) find(name string, modes []chmod) (*leaf, error) {
	if strings.EqualFold(g.image, "scratch") {
		return nil, fs.ErrNotExist
	}
	if g.files == nil {
		if g.official() && g.foreign(name) {
			return nil, fs.ErrNotExist
		}
		return nil, errUnknownStep
	}
	info, err := fs.Stat(g.files, name)
	if errors.Is(err, fs.ErrNotExist) && g.ran && !g.foreign(name) {
		return nil, errUnknownStep
	}
	if err != nil {
		return nil, err
	}
	found := &leaf{size: info.Size(), mode: info.Mode(), base: info}
	found.open = func() (io.ReadCloser, error) { return g.files.Open(name) }
	return found.changed(modes), nil
}

// official reports whether the base is an official image of Docker Hub that
// has nothing but the distribution's directories. A name alone does not tell:
// it may be an image that the user built.
func (g *ground) official() bool {
	if g.directory {
		return false
	}
	name := strings.TrimPrefix(strings.TrimPrefix(g.image, "docker.io/"), "library/")
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	return officials[name]
}

var officials = map[string]bool{
	"almalinux": true, "alpine": true, "amazoncorretto": true, "amazonlinux": true, "bash": true, "buildpack-deps": true, "busybox": true,
	"caddy": true, "centos": true, "debian": true, "eclipse-temurin": true, "elixir": true, "erlang": true, "fedora": true, "golang": true,
	"haproxy": true, "httpd": true, "memcached": true, "nginx": true, "node": true, "openjdk": true, "oraclelinux": true, "perl": true,
	"php": true, "pypy": true, "python": true, "redis": true, "rockylinux": true, "ruby": true, "rust": true, "swift": true, "traefik": true, "ubuntu": true,
}

// foreign reports whether a path is in a directory that was filled from the
// build context and that no distribution and no package has.
func (g *ground) foreign(name string) bool {
	return slices.ContainsFunc(g.copied, func(dir string) bool {
		return within(name, dir) && ownDirectory(dir) && (!g.installed || path.Dir(name) == dir)
	})
}

func ownDirectory(dir string) bool {
	if within(dir, "usr/src/app") {
		return true
	}
	top, _, _ := strings.Cut(dir, "/")
	return top != "." && !distribution[top] && !strings.HasPrefix(top, "docker-entrypoint")
}

// distribution are the top directories of the Filesystem Hierarchy Standard.
var distribution = map[string]bool{
	"bin": true, "boot": true, "dev": true, "etc": true, "lib": true, "lib32": true, "lib64": true, "libx32": true, "media": true, "mnt": true,
	"opt": true, "proc": true, "root": true, "run": true, "sbin": true, "srv": true, "sys": true, "tmp": true, "usr": true, "var": true,
}

// ReadLink implements fs.ReadLinkFS: the only links are the base image's.
func (t *tree) ReadLink(name string) (string, error) {
	links, ok := t.ground.files.(fs.ReadLinkFS)
	if found, _, err := t.above(name); found != nil || err != nil || !ok {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return links.ReadLink(name)
}

// Lstat implements fs.ReadLinkFS.
func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	links, ok := t.ground.files.(fs.ReadLinkFS)
	if found, _, err := t.above(name); found != nil || err != nil || !ok {
		return t.Stat(name)
	}
	return links.Lstat(name)
}

// BaseName is the name under which Options.Base is asked for what a FROM line
// names: docker.io/library/python:3.12 for python:3.12.
func BaseName(from string) string {
	named, err := reference.ParseNormalizedNamed(from)
	if err != nil {
		return from
	}
	return reference.TagNameOnly(named).String()
}
