package dockerfile

import (
	"context"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// Copied tells where a file of the image comes from.
type Copied struct {
	Name string            // in the build context, with slashes
	At   facts.Instruction // the COPY or ADD
}

// FindCopied finds the file of the build context that an absolute path of the
// image was copied from last. What a RUN did to it since is not known: compare
// the two before relying on it.
func FindCopied(src []byte, d *facts.Dockerfile, buildContext fs.FS, file string) (Copied, bool) {
	b, err := follow(context.Background(), src, OptionsOf(d), buildContext, nil, inside(file))
	if err != nil {
		return Copied{}, false
	}
	found, ok := b.source(inside(file))
	return found.Copied, ok
}

// source is a file's origin, and whether its step copies that one file alone.
type source struct {
	Copied
	alone bool
}

func (b *builder) source(name string) (source, bool) {
	count := map[int]int{}
	for _, d := range b.deeds {
		count[d.at.Line]++
	}
	for i := len(b.deeds) - 1; i >= 0; i-- {
		d := b.deeds[i]
		if d.copied == nil || d.copied.context != b.context || d.copied.text != nil || !within(name, d.copied.dest) {
			continue
		}
		from := d.copied.from
		if d.copied.dir {
			rest := strings.TrimPrefix(strings.TrimPrefix(name, d.copied.dest), "/")
			if d.copied.dest == "." {
				rest = name
			}
			from = strings.TrimPrefix(from+"/"+rest, "./")
		} else if name != d.copied.dest {
			continue
		}
		if info, err := b.context.stat(from); err != nil || info.IsDir() {
			continue
		}
		return source{Copied{Name: from, At: d.at}, !d.copied.dir && count[d.at.Line] == 1}, true
	}
	return source{}, false
}

var (
	copyVerb  = regexp.MustCompile(`(?i)^(\s*(?:COPY|ADD))(\s)`)
	chmodFlag = regexp.MustCompile(`(--chmod=)\S+`)
	chownFlag = regexp.MustCompile(`\s(--chown=\S+)`)
)

// MakeExecutable lets the Dockerfile copy a file of the build context with mode
// 755: by a flag of its COPY, or by a COPY of its own where that one copies
// more. The line is the one to end up with, and the edit is proved by computing
// the config and the file's mode before and after.
func MakeExecutable(src []byte, d *facts.Dockerfile, buildContext fs.FS, file string) (edited []byte, line string, err error) {
	o := OptionsOf(d)
	b, err := follow(context.Background(), src, o, buildContext, nil, inside(file))
	if err != nil {
		return nil, "", err
	}
	from, ok := b.source(inside(file))
	if !ok || strings.ContainsAny(from.Name+file, " \t\"'\\$[") {
		return nil, "", fmt.Errorf("make %s executable in %q: no COPY that brings it is known", file, d.File)
	}
	first, rest, _ := strings.Cut(from.At.Text, "\n")
	t := newText(src)
	switch {
	case from.alone && chmodFlag.MatchString(first):
		line = chmodFlag.ReplaceAllString(first, "${1}755")
	case from.alone && copyVerb.MatchString(first):
		line = copyVerb.ReplaceAllString(first, "${1} --chmod=755${2}")
	}
	if line != "" {
		whole := line
		if strings.Contains(from.At.Text, "\n") {
			whole += "\n" + rest
		}
		t.replace(from.At, strings.TrimLeft(whole, " \t\uFEFF"))
		edited = t.bytes()
	} else {
		line = "COPY --chmod=755 " + from.Name + " " + file
		if m := chownFlag.FindStringSubmatch(first); m != nil {
			line = "COPY " + m[1] + " --chmod=755 " + from.Name + " " + file
		}
		edited = t.insert(from.At.EndLine+1, line, from.At.Text)
	}
	return edited, strings.TrimSpace(line), proveMode(src, edited, o, buildContext, file)
}

// proveMode makes sure that the edit changes the file's mode and not the config.
func proveMode(src, edited []byte, o Options, buildContext fs.FS, file string) error {
	before, _, err := Compute(context.Background(), src, o)
	if err != nil {
		return err
	}
	after, _, err := Compute(context.Background(), edited, o)
	if err != nil {
		return err
	}
	b, err := follow(context.Background(), edited, o, buildContext, nil, inside(file))
	if err != nil {
		return err
	}
	// What a RUN may do besides does not matter: it does so either way.
	known := slices.DeleteFunc(b.deeds, func(d deed) bool { return d.unknown != "" })
	t := &tree{deeds: known, context: b.context, dirs: b.dirs, ground: b.ground}
	found, _, err := t.above(inside(file))
	if err != nil || found == nil || found.mode.Perm()&0o111 != 0o111 || !reflect.DeepEqual(before.Config, after.Config) {
		return fmt.Errorf("make %s executable in %q: %w", file, o.File, ErrNotProved)
	}
	return nil
}
