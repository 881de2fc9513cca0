// Package image reads images where they are stored: their config and history,
// and their files layer by layer as far as a question needs. It is the only
// importer of go-containerregistry.
package image

import (
	"context"
	"io"
	"io/fs"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/imglint/imglint/pkg/facts"
)

// Image is an opened image.
type Image struct {
	facts        facts.Image
	files        *files
	layers       []Layer
	attestations attestations
	closer       io.Closer // of what it is read from; nil: nothing
	spent        *spent
}

// Facts returns the image's identity, config and history.
func (i *Image) Facts() facts.Image { return i.facts }

// Files is the root file system. It implements fs.StatFS, fs.ReadDirFS,
// fs.ReadFileFS and fs.ReadLinkFS. A path is fs.ErrNotExist when that is
// proved, and facts.ErrNotExamined when it was not looked at. The context that
// the image was opened with bounds the reading.
func (i *Image) Files() fs.FS { return i.files }

// Layer is one layer of an image.
type Layer struct {
	Digest string // of the layer as it is stored
	DiffID string // of its tar; "" when the image's config does not say
	// Open starts the layer's tar without its compression, whole and without a
	// bound: for what unpacks an image to run it.
	Open func() (io.ReadCloser, error)
}

// Layers returns the image's layers, the lowest first. They can be read as
// long as the image is open.
func (i *Image) Layers() []Layer { return i.layers }

// Close ends what is being read and removes what was kept for it.
func (i *Image) Close(context.Context) error {
	i.files.close()
	_ = i.files.retain() // it is read again
	if i.closer == nil {
		return nil
	}
	return i.closer.Close()
}

// open takes an image apart.
func open(img v1.Image, budget int64) (*Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	id, err := img.ConfigName()
	if err != nil {
		return nil, err
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	blobs := make([]blob, len(layers))
	for n, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			return nil, err
		}
		blobs[n] = blob{digest: digest.String(), open: l.Compressed}
	}
	return assemble(config, id.String(), digest.String(), blobs, budget), nil
}

// assemble makes an image of its parts, the lowest layer first.
func assemble(config *v1.ConfigFile, id, digest string, blobs []blob, budget int64) *Image {
	img := &Image{facts: fromConfig(config), files: newFiles(blobs, budget), spent: &spent{}}
	img.facts.ID, img.facts.Digest = id, digest
	for n, b := range blobs {
		l := Layer{Digest: b.digest, Open: b.unpacked}
		if ids := config.RootFS.DiffIDs; len(ids) == len(blobs) {
			l.DiffID = ids[n].String()
		}
		img.layers = append(img.layers, l)
	}
	return img
}

func fromConfig(file *v1.ConfigFile) facts.Image {
	c := file.Config
	img := facts.Image{
		OS: file.OS, Architecture: file.Architecture, Variant: file.Variant,
		Config: facts.Config{
			Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, User: c.User, WorkingDir: c.WorkingDir,
			Volumes: slices.Sorted(maps.Keys(c.Volumes)), Shell: c.Shell, StopSignal: c.StopSignal,
			Labels: c.Labels, OnBuild: c.OnBuild,
		},
	}
	for text := range c.ExposedPorts {
		// A port that is none, such as "$PORT/tcp", is exposed to nobody.
		if p, err := facts.ParsePort(text); err == nil {
			img.Config.Exposed = append(img.Config.Exposed, p)
		}
	}
	facts.SortPorts(img.Config.Exposed)
	if h := c.Healthcheck; h != nil {
		img.Config.Healthcheck = &facts.Healthcheck{
			Test: h.Test, Interval: facts.ToMillis(h.Interval), Timeout: facts.ToMillis(h.Timeout),
			StartPeriod: facts.ToMillis(h.StartPeriod), Retries: h.Retries,
		}
	}
	for _, h := range file.History {
		img.History = append(img.History, facts.History{CreatedBy: h.CreatedBy, Comment: h.Comment, Empty: h.EmptyLayer})
	}
	return img
}
