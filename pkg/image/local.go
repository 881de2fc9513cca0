package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The sources of a local image, as facts.Image.Source names them.
const (
	SourceLayout  = "OCI layout"
	SourceArchive = "archive"
)

// Local opens an image that is stored at a path of this machine: an OCI layout
// directory, what docker save writes (before and since engine 25, unpacked
// too), or an OCI archive; archives also compressed with gzip or zstd. What it
// is, is told by content and not by name.
func Local(ctx context.Context, name string, o Options) (*Image, error) {
	s, err := openStore(ctx, name, o)
	return openLocal(ctx, s, name, o, err)
}

// Stream opens an archive that is piped in. It is kept in a temporary file
// until the image is closed.
func Stream(ctx context.Context, r io.Reader, o Options) (*Image, error) {
	s, err := readArchive(ctx, r, o)
	return openLocal(ctx, s, "-", o, err)
}

func openLocal(ctx context.Context, s *store, name string, o Options, err error) (*Image, error) {
	var img *Image
	if err == nil {
		if img, err = s.image(name, o); err != nil {
			err = errors.Join(err, s.Close())
		}
	}
	if err == nil {
		return img, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	e := &Error{Kind: ErrBroken, Ref: name, Err: err}
	var platform *platformError
	switch {
	case errors.As(err, &platform):
		e.Kind = ErrPlatform
	case errors.Is(err, os.ErrNotExist):
		e.Kind = ErrNotFound
	}
	return nil, e
}

// image finds the image in a store. An index is preferred to docker's
// manifest.json where both are there: it knows the manifest's digest.
func (s *store) image(name string, o Options) (*Image, error) {
	var img *Image
	var err error
	switch {
	case s.has("index.json"):
		img, err = s.indexed(o)
	case s.has("manifest.json"):
		img, err = s.saved(o)
	case s.has("repositories"):
		err = errors.New("it was saved by a Docker older than 1.10: save it again")
	case s.has("etc/passwd") || s.has("bin/sh") || s.has("usr/bin/env"):
		err = errors.New("it holds the files of a container and not an image, as docker export writes them: use docker save")
	default:
		err = fmt.Errorf("the %s holds no image: neither index.json (OCI) nor manifest.json (docker save) is in it", s.form)
	}
	if err != nil {
		return nil, err
	}
	img.facts.Ref = name
	img.facts.Source = SourceArchive
	if s.form == "directory" {
		img.facts.Source = SourceLayout
	}
	img.closer, img.spent = s, &s.spent
	return img, nil
}

// savedImage is an entry of the manifest.json of docker save.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (s *store) saved(o Options) (*Image, error) {
	data, err := s.document("manifest.json")
	if err != nil {
		return nil, err
	}
	var images []savedImage
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, fmt.Errorf("its manifest.json is not one of docker save: %w", err)
	}
	if len(images) == 0 || images[0].Config == "" {
		return nil, errors.New("its manifest.json names no image")
	}
	one, err := theSaved(images, o.Name)
	if err != nil {
		return nil, err
	}
	text, err := s.document(clean(one.Config))
	if err != nil {
		return nil, err
	}
	config, err := parseConfig(text, len(one.Layers))
	if err != nil {
		return nil, err
	}
	blobs := make([]blob, len(one.Layers))
	for i, name := range one.Layers {
		blobs[i] = s.blob(config.RootFS.DiffIDs[i].String(), clean(name))
	}
	return assemble(config, digestOf(text), "", blobs, o.budget()), nil
}

// theSaved is the image with a name, or the only one.
func theSaved(images []savedImage, name string) (savedImage, error) {
	if name == "" {
		return images[0], oneOf(savedNames(images))
	}
	for _, i := range images {
		if slices.ContainsFunc(append(i.RepoTags, strings.TrimSuffix(i.Config, ".json")), func(tag string) bool { return sameName(tag, name) }) {
			return i, nil
		}
	}
	return savedImage{}, notThere(name, savedNames(images))
}

// sameName holds what an archive calls an image against what a user types:
// with or without the registry, the tag latest, and how an ID begins.
func sameName(there, typed string) bool {
	short := strings.TrimPrefix(strings.TrimPrefix(there, "docker.io/"), "library/")
	return there == typed || short == typed || short == typed+":latest" ||
		len(typed) >= 12 && strings.HasPrefix(strings.TrimPrefix(there, "sha256:"), strings.TrimPrefix(typed, "sha256:"))
}

func notThere(name string, names []string) error {
	return fmt.Errorf("it holds no %s, but %s", name, someOf(names))
}

func savedNames(images []savedImage) []string {
	var names []string
	for _, i := range images {
		name := i.Config
		if len(i.RepoTags) > 0 {
			name = i.RepoTags[0]
		}
		names = append(names, name)
	}
	return names
}

// oneOf refuses several images: which of them to check only the user can tell.
func oneOf(names []string) error {
	if len(names) < 2 {
		return nil
	}
	return fmt.Errorf("it holds %d images (%s): name one, as in FILE:%s", len(names), someOf(names), names[0])
}

// mostNames is how many images of an archive a sentence names.
const mostNames = 8

func someOf(names []string) string {
	if more := len(names) - mostNames; more > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

// parseConfig reads an image's config and holds it against the number of its
// layers.
func parseConfig(text []byte, layers int) (*v1.ConfigFile, error) {
	config, err := v1.ParseConfigFile(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("its config is damaged: %w", err)
	}
	if n := len(config.RootFS.DiffIDs); n != layers {
		return nil, fmt.Errorf("it contradicts itself: the config has %d layers and the manifest %d", n, layers)
	}
	return config, nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
