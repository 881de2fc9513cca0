package image

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Options say which image of a reference to read, and how much of it.
type Options struct {
	// OS and Architecture choose from a multi-platform image; "": linux/amd64,
	// or the only one there is.
	OS, Architecture string
	// Name chooses one of several images of an archive or a layout, as its
	// index calls it; "": there is only one.
	Name string
	// MaxLayerBytes bounds what is read of the layers, as they are stored; 0:
	// DefaultMaxLayerBytes.
	MaxLayerBytes int64
	// MaxSpoolBytes bounds the temporary copy of a packed or piped archive; 0:
	// DefaultMaxSpoolBytes.
	MaxSpoolBytes int64
	UserAgent     string
	// Stall is how long a registry may be silent; 0: 30 s.
	Stall time.Duration
	// Indexes keeps what is learned of whole layers; without a Dir nothing is.
	Indexes Indexes
	// Transport makes the requests; nil: the default, which knows the proxy of
	// the environment.
	Transport http.RoundTripper

	backoff remote.Backoff // tests do not wait for seconds
	spent   *spent
}

// DefaultMaxLayerBytes lets most images be read whole and keeps a lint of a
// huge one within a minute on a home line.
const DefaultMaxLayerBytes = 256 << 20

// Registry opens an image of a registry with the credentials that docker login
// keeps. It costs three requests; files are read when they are asked for.
func Registry(ctx context.Context, ref string, o Options) (*Image, error) {
	parsed, err := name.ParseReference(ref, name.WithDefaultTag("latest"))
	if err != nil {
		return nil, &Error{Kind: ErrMalformed, Ref: ref, Err: err}
	}
	host := hostOf(parsed)
	o.spent = &spent{}
	img, attested, err := fetch(parsed, o, o.remote(ctx)...)
	if err != nil {
		return nil, classify(ref, host, o, err)
	}
	opened, err := open(img, o.budget())
	if err != nil {
		return nil, classify(ref, host, o, err)
	}
	opened.facts.Ref, opened.facts.Source = ref, "registry"
	opened.attestations, opened.spent = attested, o.spent
	opened.files.counted = true // with the requests
	opened.remember(o.Indexes, parsed.Context().Name())
	return opened, nil
}

func (o Options) budget() int64 {
	if o.MaxLayerBytes == 0 {
		return DefaultMaxLayerBytes
	}
	return o.MaxLayerBytes
}

// hostOf names the registry as a user does for docker login.
func hostOf(ref name.Reference) string {
	host := ref.Context().RegistryStr()
	if host == name.DefaultRegistry {
		return "docker.io"
	}
	return host
}

func (o Options) stall() time.Duration {
	if o.Stall == 0 {
		return 30 * time.Second
	}
	return o.Stall
}

func (o Options) remote(ctx context.Context) []remote.Option {
	inner := o.Transport
	if inner == nil {
		inner = remote.DefaultTransport
	}
	options := []remote.Option{
		remote.WithContext(ctx),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithTransport(&patient{inner: inner, stall: o.stall(), spent: o.spent}),
	}
	if o.UserAgent != "" {
		options = append(options, remote.WithUserAgent(o.UserAgent))
	}
	if o.backoff.Steps != 0 {
		options = append(options, remote.WithRetryBackoff(o.backoff))
	}
	return options
}

// fetch gets the manifest, and of an index the one for the wanted platform.
func fetch(ref name.Reference, o Options, options ...remote.Option) (v1.Image, attestations, error) {
	found, err := remote.Get(ref, options...)
	if err != nil {
		return nil, attestations{}, err
	}
	if !found.MediaType.IsIndex() {
		img, err := found.Image()
		return img, attestations{}, err
	}
	index, err := found.ImageIndex()
	if err != nil {
		return nil, attestations{}, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, attestations{}, err
	}
	digest, err := choose(manifest.Manifests, o)
	if err != nil {
		return nil, attestations{}, err
	}
	img, err := index.Image(digest)
	return img, attestationsOf(manifest.Manifests, digest, remoteReader(ref.Context(), options)), err
}

// remoteReader reads a manifest or a small blob of a repository.
func remoteReader(repo name.Repository, options []remote.Option) reader {
	return reader{
		manifest: func(digest v1.Hash) ([]byte, error) {
			found, err := remote.Get(repo.Digest(digest.String()), options...)
			if err != nil {
				return nil, err
			}
			return found.Manifest, nil
		},
		blob: func(digest v1.Hash) ([]byte, error) {
			layer, err := remote.Layer(repo.Digest(digest.String()), options...)
			if err != nil {
				return nil, err
			}
			body, err := layer.Compressed() // verifies the digest
			if err != nil {
				return nil, err
			}
			defer body.Close()
			return readDocument(body)
		},
	}
}

// choose finds the wanted platform in an index. Attestations, which buildkit
// stores as platform unknown/unknown, are no images.
func choose(manifests []v1.Descriptor, o Options) (v1.Hash, error) {
	os, arch := o.OS, o.Architecture
	if os == "" {
		os = "linux"
	}
	if arch == "" {
		arch = "amd64"
	}
	var there []string
	var images []v1.Descriptor
	for _, m := range manifests {
		if !m.MediaType.IsImage() || m.Annotations[referenceType] != "" {
			continue
		}
		images = append(images, m)
		if p := m.Platform; p != nil {
			there = append(there, strings.TrimSuffix(p.OS+"/"+p.Architecture+"/"+p.Variant, "/"))
			if p.OS == os && p.Architecture == arch {
				return m.Digest, nil
			}
		}
	}
	if len(images) == 1 && (o.Architecture == "" || images[0].Platform == nil) {
		return images[0].Digest, nil
	}
	slices.Sort(there)
	return v1.Hash{}, &platformError{wanted: os + "/" + arch, there: slices.Compact(there)}
}
