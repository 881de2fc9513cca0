package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// blindWithoutCell is what cannot be said of a run on a network with others.
const blindWithoutCell = "the container ran on the engine's own network, because a cell could not be made: %v"

// Observe starts the image and watches it; see run.Observer. An empty
// Spec.Image is this image.
func (im *Image) Observe(ctx context.Context, spec run.Spec, w run.Watcher) (facts.Run, error) {
	im.runs.Lock()
	defer im.runs.Unlock()
	if spec.Image == "" {
		spec.Image = im.facts.ID
	}
	if spec.Limits == (run.Limits{}) {
		spec.Limits = run.DefaultLimits
	}
	t := target{image: im, spec: spec}
	var why error
	t.cell, why = im.usableCell(ctx, spec.Target.PrivilegedPorts == facts.No)
	if isKind(why, KindHung) || ctx.Err() != nil {
		return facts.Run{}, fmt.Errorf("run image %q: %w", im.facts.Ref, why)
	}
	seen, err := t.observe(ctx, w, why)
	if err == nil && wantsPrivileges(seen) {
		t.gains = true
		seen, err = t.observe(ctx, w, why)
	}
	if err != nil {
		err = fmt.Errorf("run image %q: %w", im.facts.Ref, err)
	}
	return seen, err
}

// usableCell returns the cell, or nil and why there is none.
func (im *Image) usableCell(ctx context.Context, strict bool) (*cell, error) {
	if im.cell == nil {
		return nil, fmt.Errorf("the image was opened for reading only")
	}
	c := im.cell
	if strict {
		if im.strict == nil {
			im.strict = im.engine.newCell(ctx, im.facts.ID, true)
		}
		c = im.strict
	}
	if err := c.wait(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// wantsPrivileges reports whether the program ended because imglint forbids
// what platforms allow: setuid programs such as sudo.
func wantsPrivileges(seen facts.Run) bool {
	if seen.Exit == nil || seen.Exit.Code == 0 {
		return false
	}
	for _, line := range seen.Log.Lines {
		if strings.Contains(strings.ToLower(line.Text), "no new privileges") {
			return true
		}
	}
	return false
}

// observe makes one run. The cause says why there is no cell.
func (t target) observe(ctx context.Context, w run.Watcher, cause error) (facts.Run, error) {
	t.nonce = rand.Text()
	im, record := t.image, run.NewRecord(t.spec, w)
	if t.cell == nil {
		record.Blind(fmt.Sprintf(blindWithoutCell, cause))
	}
	id, err := t.create(ctx)
	if id != "" {
		defer im.discard(ctx, id)
	}
	if err != nil {
		return refused(record, err)
	}
	s, err := t.prepare(ctx, id, record)
	if err != nil {
		return facts.Run{}, err
	}
	defer s.release()
	if err := im.vacant(ctx); err != nil {
		return facts.Run{}, err
	}
	if err := t.start(ctx, id); err != nil {
		return refused(record, err)
	}
	if err := s.locate(ctx); err != nil {
		return facts.Run{}, err
	}
	return s.watch(ctx)
}

// start starts the container; one that owns a network, alone.
func (t target) start(ctx context.Context, id string) error {
	e := t.image.engine
	if t.cell == nil {
		e.cells.Lock()
		defer e.cells.Unlock()
	}
	return e.api.start(ctx, id)
}

// refused makes a run of the engine's refusal where the image is at fault.
func refused(record *run.Record, err error) (facts.Run, error) {
	words, ok := refusal(err)
	if !ok {
		return facts.Run{}, err
	}
	return record.Finish(facts.StopExited, 0, &facts.Exit{Code: 128, Refused: words}), nil
}
