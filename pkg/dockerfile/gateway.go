package dockerfile

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	"github.com/tonistiigi/fsutil/types"
)

// NamedContext stands for an image or a stage that a Dockerfile names, as
// docker build --build-context does. Exactly one of its fields is set.
type NamedContext struct {
	Image string // a reference, or whatever else Options.Base understands
	Files fs.FS  // a directory
}

// ContextName is the key in Options.Contexts of a name: FROM alpine:latest and
// FROM alpine mean the same context.
func ContextName(name string) (string, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(reference.FamiliarString(named), ":latest"), nil
}

// context finds what stands for an image or a stage.
func (o Options) context(name string) (NamedContext, bool) {
	if len(o.Contexts) == 0 || name == "" {
		return NamedContext{}, false
	}
	key, err := ContextName(name)
	if err != nil {
		return NamedContext{}, false
	}
	found, ok := o.Contexts[key]
	return found, ok
}

// base is what stands for an image or a stage of that name.
func (c NamedContext) base(name string) string {
	if c.Files != nil {
		return name
	}
	return c.Image
}

// contextHost marks the images that stand for named contexts towards buildkit:
// it could not read what imglint can.
const contextHost = "imglint.invalid/context:c"

// gateway answers what buildkit's frontend asks the daemon that it usually runs
// in. The frontend asks from goroutines of its own, where a panic would end
// imglint: every method is there, also for what is asked in a build only.
type gateway struct {
	bases  *bases
	ignore []byte // of the build context
	opts   map[string]string
}

// newFrontend prepares buildkit's frontend.
func newFrontend(b *bases, o Options, ignore []byte) (*dockerui.Client, error) {
	g := &gateway{bases: b, ignore: ignore, opts: map[string]string{}}
	b.contexts = map[string]NamedContext{}
	for i, name := range slices.Sorted(maps.Keys(o.Contexts)) {
		ref := contextHost + strconv.Itoa(i)
		g.opts["context:"+name] = "docker-image://" + ref
		b.contexts[ref] = o.Contexts[name]
	}
	return dockerui.NewClient(g)
}

// ResolveImageConfig implements buildkit's gateway client.
func (g *gateway) ResolveImageConfig(ctx context.Context, ref string, o sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return g.bases.ResolveImageConfig(ctx, ref, o)
}

// BuildOpts implements buildkit's gateway client.
func (g *gateway) BuildOpts() client.BuildOpts {
	return client.BuildOpts{Opts: g.opts, Caps: gatewaypb.Caps.CapSet(nil), LLBCaps: pb.Caps.CapSet(pb.Caps.All())}
}

// Solve implements buildkit's gateway client: nothing but the ignore file of
// the build context is asked for.
func (g *gateway) Solve(context.Context, client.SolveRequest) (*client.Result, error) {
	result := client.NewResult()
	result.SetRef(ignoreFile{text: g.ignore})
	return result, nil
}

var errNoDaemon = errors.New("nothing is built")

// ResolveSourceMetadata implements buildkit's gateway client.
func (*gateway) ResolveSourceMetadata(context.Context, *pb.SourceOp, sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	return nil, errNoDaemon
}

// Inputs implements buildkit's gateway client.
func (*gateway) Inputs(context.Context) (map[string]llb.State, error) { return nil, errNoDaemon }

// NewContainer implements buildkit's gateway client.
func (*gateway) NewContainer(context.Context, client.NewContainerRequest) (client.Container, error) {
	return nil, errNoDaemon
}

// Warn implements buildkit's gateway client.
func (*gateway) Warn(context.Context, digest.Digest, string, client.WarnOpts) error { return nil }

// ignoreFile is a directory with nothing but an ignore file.
type ignoreFile struct{ text []byte }

// StatFile implements buildkit's Reference: buildkit then reads the file.
func (ignoreFile) StatFile(context.Context, client.StatRequest) (*types.Stat, error) {
	return nil, errNoDaemon
}

// ReadFile implements buildkit's Reference.
func (i ignoreFile) ReadFile(context.Context, client.ReadRequest) ([]byte, error) {
	return i.text, nil
}

// ReadDir implements buildkit's Reference.
func (ignoreFile) ReadDir(context.Context, client.ReadDirRequest) ([]*types.Stat, error) {
	return nil, errNoDaemon
}

// ToState implements buildkit's Reference.
func (ignoreFile) ToState() (llb.State, error) { return llb.State{}, errNoDaemon }

// Evaluate implements buildkit's Reference.
func (ignoreFile) Evaluate(context.Context) error { return errNoDaemon }
