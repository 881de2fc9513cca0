package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Sweep removes the containers and volumes of imglint runs that are over
// without having cleaned up. What a live run uses stays.
func (e *Engine) Sweep(ctx context.Context) error {
	left, err := e.api.list(ctx)
	if err != nil {
		return err
	}
	left = slices.DeleteFunc(left, func(c container.Summary) bool { return !e.abandoned(c.Labels) })
	// A cell goes after the containers that use its network and volume.
	slices.SortStableFunc(left, func(a, b container.Summary) int {
		return cmp.Compare(removalOrder(a.Labels), removalOrder(b.Labels))
	})
	var errs []error
	for _, c := range left {
		errs = append(errs, e.remove(ctx, c.ID, c.Labels[labelRole]))
	}
	return errors.Join(append(errs, e.sweepVolumes(ctx))...)
}

// sweepVolumes removes volumes whose container is gone without them.
func (e *Engine) sweepVolumes(ctx context.Context) error {
	volumes, err := e.api.listVolumes(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range volumes {
		if e.abandoned(v.Labels) {
			errs = append(errs, e.api.removeVolume(ctx, v.Name))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) abandoned(labels map[string]string) bool {
	return e.owner.abandoned(labels, time.Now(), processStart)
}

func removalOrder(labels map[string]string) int {
	if labels[labelRole] == roleCell {
		return 1
	}
	return 0
}

// remove ends a container; one that owns a network, alone.
func (e *Engine) remove(ctx context.Context, id, role string) error {
	if role == roleCell {
		e.cells.Lock()
		defer e.cells.Unlock()
	}
	return e.api.remove(ctx, id)
}
