package cli

import (
	"bytes"
	"errors"
	"fmt"
	stdio "io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/rule"
	"github.com/imglint/imglint/rules"
)

// output is one report: a format and where it goes.
type output struct {
	format report.Format
	file   string // "" is standard output
	w      stdio.Writer
	buffer *bytes.Buffer // what a file will hold
	wrote  int           // results
	err    error         // the first that kept it from being written
}

// outputs reads --format and --output; its errors are usage errors.
func (f *flags) outputs(io IO) ([]*output, error) {
	texts := f.formats
	if len(texts) == 0 {
		texts = []string{defaultFormat(f, io.Getenv)}
	}
	var all []*output
	taken := map[string]bool{}
	for _, text := range texts {
		name, file, inFile := strings.Cut(text, "=")
		format, ok := report.FindFormat(name)
		switch {
		case !ok:
			return nil, usage("--format %q: use %s", name, report.FormatNames())
		case inFile && file == "":
			return nil, usage("--format %q: name a file after the =", text)
		case !inFile && f.output != "" && len(texts) > 1:
			return nil, usage("--output: with several formats, name each one's file: --format %s=%s", name, f.output)
		}
		if !inFile {
			file = f.output
		}
		if taken[file] {
			return nil, usage("--format %s: two formats for %s", text, nameOf(file))
		}
		taken[file] = true
		o := &output{format: format, file: file, w: io.Out}
		if err := o.prepare(); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// defaultFormat is text, and annotations in a job of GitHub's.
func defaultFormat(f *flags, getenv func(string) string) string {
	if getenv("GITHUB_ACTIONS") == "true" && f.output == "" {
		return "github"
	}
	return "text"
}

func nameOf(file string) string {
	if file == "" {
		return "standard output"
	}
	return file
}

// prepare refuses a file that surely cannot be written before minutes of work.
func (o *output) prepare() error {
	if o.file == "" {
		return nil
	}
	o.buffer = &bytes.Buffer{}
	o.w = o.buffer
	info, err := os.Stat(filepath.Dir(o.file))
	if err != nil {
		return usage("--format %s=%s: %w", o.format.Name, o.file, err)
	}
	if !info.IsDir() {
		return usage("--format %s=%s: %s is not a directory", o.format.Name, o.file, filepath.Dir(o.file))
	}
	return nil
}

// each writes one result, if the format wants them one by one.
func (o *output) each(a report.About, r report.Result) {
	text := o.format.Name == "text"
	if o.format.Each == nil || o.err != nil || text && o.file == "" && r.Err != nil {
		return // of text, the error is said on standard error
	}
	if text && o.wrote > 0 {
		fmt.Fprintln(o.w)
	}
	o.err = o.format.Each(o.w, a, r)
	o.wrote++
}

// finish writes what is written at the end.
func (o *output) finish(a report.About, results []report.Result) error {
	if o.format.All != nil && o.err == nil {
		o.err = o.format.All(o.w, a, results)
	}
	if o.err == nil && o.file != "" {
		o.err = writeWhole(o.file, o.buffer.Bytes())
	}
	if o.err != nil {
		return &statusError{ExitUnable, fmt.Errorf("report in %s: %w", nameOf(o.file), o.err)}
	}
	return nil
}

// writeWhole puts a file in place in one step, so that nobody reads half of
// it. What is no regular file (/dev/stderr, a pipe) is written as it is.
func writeWhole(name string, text []byte) error {
	mode := fs.FileMode(0o644)
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return os.WriteFile(name, text, mode)
	default:
		mode = info.Mode().Perm()
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".imglint-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // gone already when all went well
	_, err = temporary.Write(text)
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}

// about describes this call to a report.
func (s *session) about(o *output) report.About {
	a := report.About{Version: versionText(), FailOn: s.failOn, Style: report.Style{Verbose: s.flags.verbose}}
	a.Style.Colour = o.file == "" && s.colour()
	if o.file == "" && s.io.OutTerminal && s.io.OutWidth != nil {
		a.Style.Width = s.io.OutWidth()
	}
	for _, r := range rules.All {
		if s.ignore[r.ID] {
			continue
		}
		text, _ := rules.Page(r.ID)
		a.Rules = append(a.Rules, report.Rule{ID: r.ID, Title: r.Title, Severity: r.Severity, Page: text, NeedsRun: r.Needs == rule.NeedsRun})
	}
	return a
}

// jobSummary adds the results to the page of a GitHub job.
func (s *session) jobSummary() error {
	name := s.io.Getenv("GITHUB_STEP_SUMMARY")
	if name == "" || !s.prints("github") {
		return nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		err = errors.Join(report.Markdown(file, s.results()), file.Close())
	}
	if err != nil {
		return &statusError{ExitUnable, fmt.Errorf("write job summary: %w", err)}
	}
	return nil
}

// prints reports whether a format goes to standard output.
func (s *session) prints(format string) bool {
	for _, o := range s.outputs {
		if o.file == "" && o.format.Name == format {
			return true
		}
	}
	return false
}

// silent reports whether there is nothing to say about a result to a person
// who asked for quiet.
func (s *session) silent(r report.Result) bool {
	return s.flags.quiet && r.Err == nil && len(r.Findings) == 0
}

// print writes an image's results to the outputs whose turn it is: at once
// where the order does not matter, else in the order of the arguments.
func (s *session) print(i int, atOnce bool, progress progress) {
	progress.Pause()
	results := s.found[i]
	if first := results[0]; first.Err != nil && !atOnce && !s.prints("github") {
		fmt.Fprintf(s.io.Err, "imglint: %s: %v\n", first.Ref, first.Err)
	}
	for _, o := range s.outputs {
		switch {
		case o.format.Unordered != atOnce:
		case o.format.Name == "text" && s.several(i):
			s.matrix(o, results)
		default:
			for _, r := range results {
				if o.format.Name != "text" && o.format.Name != "github" || !s.silent(r) {
					o.each(s.about(o), r)
				}
			}
		}
	}
}

// several reports whether an image is judged for several platforms.
func (s *session) several(i int) bool { return len(s.options[i].platforms) > 1 }

// finish completes every report; an image that could not be checked is no
// reason to leave one out.
func (s *session) finish() error {
	var first error
	results := s.results()
	for _, o := range s.outputs {
		a := s.about(o)
		switch {
		case o.err != nil:
		case o.format.Name == "text" && len(results) > 1 && len(results) == len(s.images) && !s.flags.quiet:
			o.err = report.Summary(o.w, results, a.Style)
		case o.format.Name == "text" && len(s.images) > 1 && len(results) > len(s.images) && !s.flags.quiet:
			o.err = report.MatrixSummary(o.w, s.found, a.Style)
		case o.format.Name == "json" && len(results) > len(s.images):
			o.err = report.MatrixJSON(o.w, s.found)
			o.format.All = nil
		}
		if err := o.finish(a, results); err != nil && first == nil {
			first = err
		}
	}
	if err := s.jobSummary(); err != nil && first == nil {
		first = err
	}
	return first
}
