package dockerfile

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/imglint/imglint/pkg/facts"
)

// builder follows the steps of a Dockerfile and notes what each does to the
// file system.
type builder struct {
	file    *file
	options Options
	context *buildContext
	from    *buildContext // what the present step copies from
	ground  *ground
	deeds   []deed
	dirs    map[string]bool
	env     map[string]string // ENV, of the base too when it is known
	args    map[string]string // ARG of the present stage
	stage   int
	regular string            // a path that is certainly one of a file, "" without one
	at      facts.Instruction // the present step
	cwd     string            // absolute; "": not known
}

// begin takes over what the base image sets.
func (b *builder) begin(ctx context.Context, base string) {
	b.stage = -1
	if strings.EqualFold(base, "scratch") {
		b.cwd = "/"
		return
	}
	if b.ground.directory {
		b.cwd = "/"
		return
	}
	if b.options.Base == nil {
		return
	}
	img, err := b.options.Base(ctx, BaseName(base))
	if err != nil {
		return // what depends on it stays unknown
	}
	b.cwd = path.Join("/", img.Config.WorkingDir)
	for _, kv := range img.Config.Env {
		key, value, _ := strings.Cut(kv, "=")
		b.env[key] = value
	}
}

// step notes one instruction.
func (b *builder) step(s step) {
	b.at = s.at
	if s.stage != b.stage {
		b.stage, b.args = s.stage, map[string]string{}
	}
	switch c := s.command.(type) {
	case *instructions.EnvCommand:
		values := maps.Clone(b.env) // all of one instruction see what was before it
		for _, kv := range c.Env {
			value, ok := b.expand(kv.Value)
			if values[kv.Key] = value; !ok {
				delete(values, kv.Key)
			}
		}
		b.env = values
	case *instructions.ArgCommand:
		for _, kv := range c.Args {
			b.argument(kv)
		}
	case *instructions.WorkdirCommand:
		b.workdir(c.Path)
	case *instructions.CopyCommand:
		known := b.opens(c.From)
		b.copy(c.SourcesAndDest, c.Chmod, c.Chown, !known || c.Parents || len(c.ExcludePatterns) > 0)
	case *instructions.AddCommand:
		b.from = b.context
		fetches := slices.ContainsFunc(c.SourcePaths, fetched)
		b.copy(c.SourcesAndDest, c.Chmod, c.Chown, fetches || c.Unpack != nil || len(c.ExcludePatterns) > 0)
	case *instructions.RunCommand:
		b.run(c)
	}
}

// opens finds what a COPY reads, of the build context without a name; false
// when that cannot be read here.
func (b *builder) opens(name string) bool {
	if b.from = b.context; name == "" {
		return true
	}
	c, ok := b.options.context(name)
	if !ok || c.Files == nil {
		return false
	}
	var err error
	b.from, err = openContext(c.Files, "")
	return err == nil
}

// argument gives an ARG its value: of the command line, else its default, else
// that of the ARG before the first FROM.
func (b *builder) argument(kv instructions.KeyValuePairOptional) {
	if value, given := b.options.BuildArgs[kv.Key]; given {
		b.args[kv.Key] = value
		return
	}
	if kv.Value != nil {
		if value, ok := b.expand(*kv.Value); ok {
			b.args[kv.Key] = value
		}
		return
	}
	if value, ok := b.file.args.Get(kv.Key); ok {
		b.args[kv.Key] = value
	}
}

// expand replaces variables; false when one of them is not known.
func (b *builder) expand(word string) (string, bool) {
	var env []string
	for key, value := range b.args {
		env = append(env, key+"="+value)
	}
	for key, value := range b.env { // ENV wins over ARG
		env = append(env, key+"="+value)
	}
	result, err := b.file.lex.ProcessWordWithMatches(word, shell.EnvsFromSlice(env))
	return result.Result, err == nil && len(result.Unmatched) == 0
}

// absolute resolves a path of the image to a name of its file system.
func (b *builder) absolute(word string) (string, bool) {
	dest, ok := b.expand(word)
	if !ok || dest == "" || !path.IsAbs(dest) && b.cwd == "" {
		return "", false
	}
	if !path.IsAbs(dest) {
		dest = path.Join(b.cwd, dest)
	}
	return inside(dest), true
}

// inside turns an absolute path into one of io/fs.
func inside(absolute string) string {
	return path.Clean(strings.TrimPrefix(path.Clean(absolute), "/"))
}

func (b *builder) workdir(word string) {
	dir, ok := b.absolute(word)
	if !ok {
		b.cwd = ""
		return
	}
	b.cwd = "/" + strings.TrimPrefix(dir, ".")
	b.made(dir)
}

// made notes a directory that exists from here on, with those above it.
func (b *builder) made(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		b.dirs[dir] = true
	}
}

var remote = regexp.MustCompile(`^(https?|git|ssh)://|^git@|\.git(#|$)`)

// fetched reports whether an ADD's source is not a plain file of the context:
// archives are unpacked.
func fetched(source string) bool {
	return remote.MatchString(source) || regexp.MustCompile(`\.(tar|tgz|tbz2?|txz|tzst|gz|bz2|xz|zst)$`).MatchString(source)
}

// copy notes a COPY or ADD; opaque: what it brings cannot be read here.
func (b *builder) copy(c instructions.SourcesAndDest, mode, chown string, opaque bool) {
	dest, ok := b.absolute(orDot(c.DestPath))
	if !ok {
		b.deeds = append(b.deeds, deed{unknown: "."})
		return
	}
	l := look{chown: chown != ""}
	if mode != "" {
		bits, err := strconv.ParseUint(mode, 8, 12)
		l.mode, opaque = fs.FileMode(bits)&fs.ModePerm, opaque || err != nil
	}
	found, ok := b.mappings(c, dest, l)
	if opaque || !ok {
		b.deeds = append(b.deeds, deed{unknown: dest})
		return
	}
	for _, m := range found {
		b.deeds = append(b.deeds, deed{at: b.at, copied: &m})
		if m.dir {
			b.made(m.dest)
			b.ground.copied = append(b.ground.copied, m.dest)
		}
		b.made(path.Dir(m.dest))
	}
}

func orDot(word string) string {
	if word == "" {
		return "."
	}
	return word
}

// mappings says what comes from where; false when that cannot be told.
func (b *builder) mappings(c instructions.SourcesAndDest, dest string, l look) ([]mapping, bool) {
	var sources []string
	for _, word := range c.SourcePaths {
		source, ok := b.expand(word)
		if !ok {
			return nil, false
		}
		matches, err := b.from.glob(source)
		if err != nil || len(matches) == 0 {
			return nil, false
		}
		sources = append(sources, matches...)
	}
	into := strings.HasSuffix(c.DestPath, "/") || orDot(c.DestPath) == "." || strings.HasSuffix(c.DestPath, "/.") ||
		len(sources)+len(c.SourceContents) > 1
	there := facts.Yes
	if !into {
		there = b.isDirectory(dest)
	}
	var all []mapping
	for _, source := range sources {
		info, err := b.from.stat(source)
		if err != nil {
			return nil, false
		}
		if there == facts.Unknown && !info.IsDir() && !renames(source, dest) {
			return nil, false
		}
		all = append(all, mapping{dest: landing(dest, source, there == facts.Yes && !info.IsDir()), from: source, context: b.from, dir: info.IsDir(), look: l})
	}
	for _, h := range c.SourceContents {
		if h.Expand && strings.Contains(h.Data, "$") {
			return nil, false
		}
		all = append(all, mapping{dest: landing(dest, h.Path, there == facts.Yes), text: &h.Data, context: b.from, look: l})
	}
	return all, true
}

// renames reports whether dest reads like the file that source becomes.
func renames(source, dest string) bool {
	from, to := path.Base(source), path.Base(dest)
	return from == to || strings.TrimSuffix(from, path.Ext(from)) == to || strings.Contains(to, ".")
}

func landing(dest, source string, into bool) string {
	if into {
		return path.Join(dest, path.Base(source))
	}
	return dest
}

// isDirectory tells whether a path is a directory before the present step: a
// file that is copied there without a slash then ends up in it.
func (b *builder) isDirectory(dest string) facts.Tri {
	if dest == b.regular {
		return facts.No
	}
	if b.dirs[dest] || dest == "." || "/"+dest == b.cwd {
		return facts.Yes
	}
	if strings.EqualFold(b.ground.image, "scratch") {
		return facts.No
	}
	if standard[dest] {
		return facts.Yes
	}
	if b.ground.files != nil && !b.ground.ran {
		info, err := fs.Stat(b.ground.files, dest)
		switch {
		case err == nil && info.IsDir():
			return facts.Yes
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return facts.No
		}
	}
	if b.ground.official() && ownDirectory(dest) {
		return facts.No
	}
	return facts.Unknown
}

// standard directories are in nearly every base image.
var standard = map[string]bool{
	"bin": true, "etc": true, "home": true, "opt": true, "root": true, "sbin": true, "srv": true, "tmp": true, "usr": true,
	"usr/bin": true, "usr/lib": true, "usr/local": true, "usr/local/bin": true, "usr/sbin": true, "usr/src": true, "var": true,
}

// sourcesOf lists what a step copies from the build context by a plain name.
func sourcesOf(s step) []string {
	var words []string
	switch c := s.command.(type) {
	case *instructions.CopyCommand:
		if c.From == "" {
			words = c.SourcePaths
		}
	case *instructions.AddCommand:
		words = c.SourcePaths
	}
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		return remote.MatchString(w) || strings.Contains(w, "$")
	})
}
