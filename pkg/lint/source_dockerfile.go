package lint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/imglint/imglint/pkg/dockerfile"
	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

const (
	dockerfileName = "Dockerfile"
	// SourceDockerfile is the facts.Image.Source of an image that is not built.
	SourceDockerfile = "Dockerfile"
	// maxDockerfile bounds what is taken for a Dockerfile.
	maxDockerfile = 1 << 20
)

// Build says how a Dockerfile would be built.
type Build struct {
	Target string
	Args   map[string]string
	// Architecture is the CPU that is built for; "": amd64.
	Architecture string
	// Context is the directory that COPY reads; "": the Dockerfile's own, or
	// else the working directory, if it has what is copied.
	Context string
	// Contexts stand for images and stages; see ParseContext.
	Contexts map[string]string
	// Checks adds BuildKit's own build checks to the findings.
	Checks bool
	// Base opens a base image, which others may use too: it is not closed here.
	Base func(ctx context.Context, ref string) (Image, error)
}

// FromDockerfiles computes the images that Dockerfiles would give.
func FromDockerfiles(b Build) Source { return builds{b} }

type builds struct{ Build }

func (b builds) Open(ctx context.Context, name string) (Image, error) {
	if kind, err := Classify(name); err != nil || kind != ArgumentDockerfile {
		return nil, ErrNoImage // not this source's
	}
	file, dirs := name, []string{filepath.Dir(name), "."}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		file, dirs = filepath.Join(name, dockerfileName), []string{name}
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxDockerfile {
		err = fmt.Errorf("it is larger than %d bytes and no Dockerfile", maxDockerfile)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if b.Context != "" {
		dirs = []string{b.Context}
	}
	u := &unbuilt{file: Dockerfile{Name: file, Text: text, Explicit: true, Dir: b.Context}, bases: map[string]Image{}}
	img, err := b.compute(ctx, name, u, dirs)
	if err != nil {
		return nil, errors.Join(err, u.Close(ctx))
	}
	return img, nil
}

func (b builds) compute(ctx context.Context, name string, img *unbuilt, dirs []string) (Image, error) {
	contexts, err := img.named(b.Contexts)
	if err != nil {
		return nil, err
	}
	file := img.file
	options := dockerfile.Options{
		File: file.Name, Target: b.Target, BuildArgs: b.Args, Architecture: b.Architecture, Contexts: contexts,
		// buildkit's own context ends before the base's files are read.
		Base: func(_ context.Context, ref string) (facts.Image, error) { return img.readBase(ctx, b.Base, ref) },
	}
	if img.facts, img.at, err = dockerfile.Compute(ctx, file.Text, options); err != nil {
		return nil, err
	}
	img.at.Contexts = b.Contexts
	img.facts.Ref, img.facts.Source = name, SourceDockerfile
	if base := img.bases[dockerfile.BaseName(img.at.Base)]; base != nil {
		img.base = base.Files()
	}
	if err := img.open(ctx, options, dirs); err != nil {
		return nil, err
	}
	if b.Checks {
		img.check(ctx, options)
	}
	return img, nil
}

// unbuilt is the image that a Dockerfile would give.
type unbuilt struct {
	file    Dockerfile
	facts   facts.Image
	at      *facts.Dockerfile
	files   fs.FS
	root    *os.Root
	roots   []*os.Root // of named contexts
	mu      sync.Mutex // buildkit asks for base images from several goroutines
	checks  []finding.Finding
	bases   map[string]Image // that are read
	base    fs.FS            // of the final stage; nil: not known
	baseErr error
}

// Facts implements Image.
func (u *unbuilt) Facts() facts.Image { return u.facts }

// Files implements Image.
func (u *unbuilt) Files() fs.FS { return u.files }

// Cost is what reading the base images took so far.
func (u *unbuilt) Cost() facts.Cost {
	var sum facts.Cost
	for _, base := range u.bases {
		if weighed, ok := base.(interface{ Cost() facts.Cost }); ok {
			cost := weighed.Cost()
			sum.Requests += cost.Requests
			sum.Bytes += cost.Bytes
		}
	}
	return sum
}

// Close implements Image.
func (u *unbuilt) Close(context.Context) error {
	var faults []error
	for _, root := range append(u.roots, u.root) {
		if root != nil {
			faults = append(faults, root.Close())
		}
	}
	return errors.Join(faults...)
}

// open takes the first directory for the build context that has all that the
// Dockerfile copies: docker build -f docker/Dockerfile . is as usual as
// docker build docker. When none has, nothing is said about copied files.
func (u *unbuilt) open(ctx context.Context, o dockerfile.Options, dirs []string) error {
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fmt.Errorf("open build context: %w", err)
		}
		if len(dirs) == 1 && u.file.Dir != "" || dockerfile.HasSources(u.file.Text, o, root.FS()) {
			u.root = root
			u.files, err = dockerfile.Files(ctx, u.file.Text, o, root.FS(), u.base)
			return err
		}
		if err := root.Close(); err != nil {
			return err
		}
	}
	var err error
	u.files, err = dockerfile.Files(ctx, u.file.Text, o, nil, u.base)
	return err
}

// contextFiles are those of the build context, nil when it is not known.
func (u *unbuilt) contextFiles() fs.FS {
	if u.root == nil {
		return nil
	}
	return u.root.FS()
}

// check adds what BuildKit's build checks say. They ask for no base image that
// the final stage does not need.
func (u *unbuilt) check(ctx context.Context, o dockerfile.Options) {
	o.Base = func(_ context.Context, ref string) (facts.Image, error) {
		if base := u.bases[ref]; base != nil {
			return base.Facts(), nil
		}
		return facts.Image{}, errNotRead
	}
	for _, w := range dockerfile.Checks(ctx, u.file.Text, o, u.contextFiles()) {
		source, _, _ := strings.Cut(w.At.Text, "\n")
		severity := finding.Note
		if w.Fatal {
			severity, w.Message = finding.Error, w.Message+"; as \"# check=error=true\" asks, this ends the build"
		}
		u.checks = append(u.checks, finding.Finding{
			Rule: w.Rule, Severity: severity, Message: w.Message, Basis: finding.Predicted,
			Place: finding.Place{File: u.file.Name, Line: w.At.Line, EndLine: w.At.EndLine, Source: source},
		})
	}
}

// BuildCheck explains one of BuildKit's build checks by name.
func BuildCheck(name string) (string, bool) {
	for _, c := range dockerfile.AllChecks() {
		if c.Name == name {
			return c.String(), true
		}
	}
	return "", false
}

// hedge adds BuildKit's checks to the findings about an image that was not
// built, and takes back what an unread base image may make wrong.
func (c *check) hedge() {
	u, ok := c.image.(*unbuilt)
	if !ok {
		return
	}
	if u.at.BaseUnknown {
		why := "it could not be read"
		if u.baseErr != nil {
			why = u.baseErr.Error()
		}
		c.notChecked("what the base image "+u.at.Base+" sets", "%s", why)
		var kept []finding.Finding
		for _, f := range c.findings {
			if weakened, ok := u.weaken(f); ok {
				kept = append(kept, weakened)
			}
		}
		c.findings = kept
	}
	c.findings = append(c.findings, u.checks...)
}

// weaken makes a warning of an error that the base image may prevent, and
// drops one that is about nothing but the base image.
func (u *unbuilt) weaken(f finding.Finding) (finding.Finding, bool) {
	if len(u.facts.Config.Argv()) == 0 {
		return f, false // what starts is inherited
	}
	own := len(u.at.Fields[finding.FieldEntrypoint]) > 0 && len(u.at.Fields[f.Place.Field]) > 0 && f.Place.Words != ""
	if f.Severity < finding.Error || own {
		return f, true
	}
	f.Severity = finding.Warning
	f.Evidence = append(f.Evidence, finding.Evidence{
		Kind: "read", Text: "not certain: what the base image " + u.at.Base + " sets besides could not be read",
	})
	return f, true
}
