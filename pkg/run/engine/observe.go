package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

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
	seen, err := im.tryWays(ctx, spec, w)
	if err != nil {
		err = fmt.Errorf("run image %q: %w", im.facts.Ref, err)
	}
	return seen, err
}

// tryWays makes the run in the first way that is possible. What was found
// impossible is not tried again for the image's other runs.
func (im *Image) tryWays(ctx context.Context, spec run.Spec, w run.Watcher) (facts.Run, error) {
	if im.ways == nil {
		im.ways = ways
	}
	for replaced := false; ; {
		t := &target{image: im, spec: spec, way: im.ways[0], why: im.why}
		seen, err := t.try(ctx, w)
		if err == nil || ctx.Err() != nil || t.executed || !impossible(err) || len(im.ways) == 1 {
			return seen, err
		}
		if t.cell != nil && !replaced && t.cell.over(ctx) {
			replaced = true // it was ended under the program's feet: pool.take makes a new one
			continue
		}
		im.ways, im.why = im.ways[1:], err
	}
}

// try makes the run in one way, and once more where the program wants what
// imglint forbids.
func (t *target) try(ctx context.Context, w run.Watcher) (seen facts.Run, err error) {
	if t.spec.Wrapped && unchanged(t.way) {
		return facts.Run{Way: t.way, Stopped: facts.StopInterrupted, Blind: []string{fmt.Sprintf(blindWrapped, t.why)}}, nil
	}
	if t.way == facts.WayCell {
		if t.cell, err = t.image.usableCell(ctx, t.strict()); err != nil {
			return facts.Run{}, err
		}
	}
	seen, err = t.observe(ctx, w)
	if err == nil && wantsPrivileges(seen) {
		t.gains = true
		seen, err = t.observe(ctx, w)
	}
	return seen, err
}

// usableCell returns the cell, or why there is none.
func (im *Image) usableCell(ctx context.Context, strict bool) (*cell, error) {
	if im.engine.opts.Static {
		return nil, errReadOnly
	}
	if im.strict != strict { // nothing may run in the one that is given back
		if err := im.vacant(ctx); err != nil {
			return nil, err
		}
		im.strict = strict
	}
	return im.engine.pool.take(ctx, im, strict)
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

// observe makes one run.
func (t *target) observe(ctx context.Context, w run.Watcher) (seen facts.Run, err error) {
	t.nonce = rand.Text()
	im, record := t.image, run.NewRecord(t.spec, w)
	record.SetWay(t.way)
	if blind := blindFrom(t.way, t.why); blind != "" {
		record.Blind(blind)
	}
	defer func() { t.executed = t.executed || record.Executed() }()
	id, err := t.create(ctx)
	if id != "" {
		defer im.discard(ctx, id, t.role(), t.cell)
	}
	if err != nil {
		return refused(record, err)
	}
	s, err := t.prepare(ctx, id, record)
	if err != nil {
		return refused(record, err)
	}
	defer s.release()
	if err := im.vacant(ctx); err != nil {
		return facts.Run{}, err
	}
	if err := t.start(ctx, id); err != nil {
		return refused(record, err)
	}
	if err := s.begin(ctx); err != nil {
		return facts.Run{}, err
	}
	return s.watch(ctx)
}

// start starts the container; one that owns a network, alone.
func (t *target) start(ctx context.Context, id string) error {
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
