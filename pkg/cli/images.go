package cli

import (
	"bufio"
	"context"
	"fmt"
	stdio "io"
	"os"
	"path"
	"runtime/debug"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
)

// images adds what --images-from lists to the arguments.
func (f *flags) images(io IO, arguments []string) ([]string, error) {
	all := append([]string{}, arguments...)
	for _, name := range f.imageLists {
		read, err := imageList(name, io.In)
		if err != nil {
			return nil, usage("--images-from %s: %w", name, err)
		}
		all = append(all, read...)
	}
	if len(all) == 0 && len(f.imageLists) > 0 {
		return nil, usage("--images-from %s: names no image", strings.Join(f.imageLists, ", "))
	}
	return all, nil
}

// imageList reads a name a line; blank lines and those that begin with # are
// for people.
func imageList(name string, in stdio.Reader) ([]string, error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	var names []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			names = append(names, line)
		}
	}
	return names, lines.Err()
}

// guarded checks one image; a fault of imglint's own is told of this image and
// does not stop the others.
func guarded(ctx context.Context, l *lint.Linter, ref string, platforms []*platform.Platform, w lint.Watcher) (results []report.Result) {
	defer func() {
		if fault := recover(); fault != nil {
			results = []report.Result{{Ref: ref, Verdict: finding.Unknown, Err: faultError(fault)}}
		}
	}()
	if len(platforms) == 1 {
		return []report.Result{l.Lint(ctx, ref, w)}
	}
	if results = l.LintAll(ctx, ref, platforms, w); results[0].Err != nil {
		results = results[:1] // it is the same for all of them
	}
	return results
}

// faultError tells of a panic; it is called where that is recovered.
func faultError(fault any) error {
	return fmt.Errorf("imglint itself failed, please report this: %s at %s", strings.Join(strings.Fields(fmt.Sprint(fault)), " "), faultPlace(debug.Stack()))
}

// faultPlace is the file and line of ours where a panic arose.
func faultPlace(stack []byte) string {
	_, after, _ := strings.Cut(string(stack), "\npanic(")
	lines := strings.Split(after, "\n")
	for i, line := range lines[:len(lines)-1] {
		if words := strings.Fields(lines[i+1]); strings.HasPrefix(line, "github.com/imglint/imglint/") && len(words) > 0 {
			return path.Join(path.Base(path.Dir(words[0])), path.Base(words[0]))
		}
	}
	return "a place unknown"
}
