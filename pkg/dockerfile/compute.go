// Package dockerfile connects an image's config with the Dockerfile lines that
// set it: it decides whether an image was built from a Dockerfile, computes a
// config without a build, and edits a Dockerfile byte for byte. It is the only
// importer of buildkit.
package dockerfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/imglint/imglint/pkg/facts"
)

// Options say how the Dockerfile is built.
type Options struct {
	File      string // the Dockerfile's name, as the user would write it
	Target    string // stage; "": the last
	BuildArgs map[string]string
	// OS and Architecture are the platform that is built for; "": linux/amd64.
	OS, Architecture string
	// Base reads the config of a base image. An error, or nil, makes the base
	// unknown: what the image inherits is then missing from the result.
	Base func(ctx context.Context, ref string) (facts.Image, error)
	// Contexts stand for images and stages, by ContextName.
	Contexts map[string]NamedContext
}

// OptionsOf says how the Dockerfile was built, apart from what its base images
// and named contexts hold.
func OptionsOf(d *facts.Dockerfile) Options {
	o := Options{File: d.File, Target: d.Target, BuildArgs: d.BuildArgs}
	for name, image := range d.Contexts {
		if o.Contexts == nil {
			o.Contexts = map[string]NamedContext{}
		}
		o.Contexts[name] = NamedContext{Image: image}
	}
	return o
}

// Compute works out the config that building the Dockerfile would give, and
// where each of its fields is set, without a build.
func Compute(ctx context.Context, src []byte, o Options) (facts.Image, *facts.Dockerfile, error) {
	p, err := parse(src, o)
	if err != nil {
		return facts.Image{}, nil, fmt.Errorf("read Dockerfile %q: %w", o.File, err)
	}
	img, base, err := convert(ctx, src, o)
	if err != nil {
		return facts.Image{}, nil, fmt.Errorf("compute the image of %q: %w", o.File, err)
	}
	d := p.dockerfile(o)
	d.BaseUnknown = base.unknown
	img.Ref = o.File
	return img, d, nil
}

// convert runs buildkit's frontend up to the point where a build would start.
func convert(ctx context.Context, src []byte, o Options) (img facts.Image, base *bases, err error) {
	// buildkit runs in a daemon that survives a panic, and v0.34.1 has some
	// (DockerfileLint without a definition); a file must not end imglint.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("buildkit cannot read it: %v", r)
		}
	}()
	base = &bases{read: o.Base}
	frontend, err := newFrontend(base, o, nil)
	if err != nil {
		return facts.Image{}, nil, err
	}
	platform := o.platform()
	result, err := dockerfile2llb.Dockerfile2LLB(ctx, src, dockerfile2llb.ConvertOpt{
		// buildkit writes to BuildArgs
		Config:         dockerui.Config{BuildArgs: maps.Clone(o.BuildArgs), Target: o.Target},
		TargetPlatform: &platform,
		MetaResolver:   base,
		Client:         frontend,
	})
	if err != nil {
		return facts.Image{}, nil, err
	}
	base.settle(result.BaseImage)
	return fromSpec(result.Image, base), base, nil
}

func (o Options) platform() ocispec.Platform {
	p := ocispec.Platform{OS: o.OS, Architecture: o.Architecture}
	if p.OS == "" {
		p.OS = "linux"
	}
	if p.Architecture == "" {
		p.Architecture = "amd64"
	}
	return p
}

// bases answers buildkit's questions about base images and never fails: an
// error would end the whole computation, also for a mere COPY --from.
type bases struct {
	read    func(context.Context, string) (facts.Image, error)
	unknown bool // the base of the final stage could not be read
	history int  // how many entries of the history are the base's
	ownPath bool // PATH is the base's own, not buildkit's default
	// contexts are the named ones, by the image that stands for each.
	contexts map[string]NamedContext
	unread   map[string]bool // what could not be read
	mu       sync.Mutex      // buildkit asks from several goroutines
}

// unknownBase marks the config that stands in for one that cannot be read.
const unknownBase = "imglint.base-unknown"

// ResolveImageConfig implements buildkit's ImageMetaResolver.
func (b *bases) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	spec := dockerspec.DockerOCIImage{}
	// without a layer buildkit takes the image for scratch
	spec.RootFS = ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromString(ref)}}
	if p := opt.ImageOpt.Platform; p != nil {
		spec.Platform = *p
	}
	spec.Author = unknownBase
	if img, err := b.config(ctx, ref); err == nil {
		toSpec(img, &spec)
	}
	text, err := json.Marshal(spec)
	return ref, "", text, err
}

var errNotAsked = errors.New("base images are not read")

// config reads the config of an image, or of what stands for one.
func (b *bases) config(ctx context.Context, ref string) (facts.Image, error) {
	if c, ok := b.contexts[ref]; ok {
		if c.Files != nil {
			return facts.Image{}, nil // a directory has no config
		}
		ref = BaseName(c.Image)
	}
	img, err := facts.Image{}, errNotAsked
	if b.read != nil {
		img, err = b.read(ctx, ref)
	}
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.unread == nil {
			b.unread = map[string]bool{}
		}
		b.unread[ref] = true
	}
	return img, err
}

// settle looks at the base that the final stage really has.
func (b *bases) settle(base *dockerspec.DockerOCIImage) {
	if base == nil {
		return
	}
	b.unknown = base.Author == unknownBase
	b.history = len(base.History)
	for _, kv := range base.Config.Env {
		b.ownPath = b.ownPath || strings.HasPrefix(kv, "PATH=")
	}
}
