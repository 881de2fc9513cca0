package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/imglint/imglint/pkg/run"
)

// replace puts the run's own files over the image's, before it starts.
func (a *api) replace(ctx context.Context, id string, files []run.File) error {
	for _, f := range files {
		packed, err := packFile(f)
		if err == nil {
			err = a.copyIn(ctx, id, path.Dir(f.Path), packed)
		}
		if err != nil {
			return fmt.Errorf("replace %s: %w", f.Path, err)
		}
	}
	return nil
}

// packFile packs one file as engines take it, for its directory.
func packFile(f run.File) (*bytes.Buffer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	header := &tar.Header{
		Name: path.Base(f.Path), Mode: int64(f.Mode.Perm()), Uid: f.UID, Gid: f.GID, Size: int64(len(f.Text)), Typeflag: tar.TypeReg,
	}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(f.Text); err != nil {
		return nil, err
	}
	return &packed, w.Close()
}

// Renew gives the runs that follow a cell in which nothing has run, so that a
// run does not owe its outcome to those before it.
func (im *Image) Renew(ctx context.Context) {
	im.runs.Lock()
	defer im.runs.Unlock()
	if !im.engine.opts.Static {
		im.engine.pool.renew(ctx, im)
	}
}

// renew lends an image a new cell for each that it has. One that its files are
// read from stays, for others.
func (p *pool) renew(ctx context.Context, im *Image) {
	p.mu.Lock()
	var gone []*cell
	for _, l := range slices.Clone(p.cells) {
		if l.to != im {
			continue
		}
		l.to = nil
		if l.cell != im.reader {
			gone = append(gone, l.cell)
		}
		p.cells = append(p.cells, &lent{p.engine.newCell(ctx, im.facts.ID, l.strict), im})
	}
	p.mu.Unlock()
	for _, c := range gone {
		p.drop(ctx, c)
	}
}
