package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Sweep removes the containers, volumes and images of imglint runs that are over
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
	return errors.Join(append(errs, e.sweepVolumes(ctx), e.sweepImages(ctx))...)
}

// sweepImages removes images of the probe.
func (e *Engine) sweepImages(ctx context.Context) error {
	images, err := e.api.listImages(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, i := range images {
		if i.Labels[labelRole] == roleProbe && e.abandoned(i.Labels) {
			errs = append(errs, e.api.removeImage(ctx, i.ID))
		}
	}
	return errors.Join(errs...)
}

// sweepVolumes removes volumes whose container is gone without them.
func (e *Engine) sweepVolumes(ctx context.Context) error {
	volumes, err := e.api.listVolumes(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range volumes {
		if !e.abandoned(v.Labels) {
			continue
		}
		// One in use goes with its container, which somebody else is removing.
		if err := e.api.removeVolume(ctx, v.Name); !isConflict(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) abandoned(labels map[string]string) bool {
	return e.owner.abandoned(labels, time.Now(), processStart)
}

// removalOrder puts those who joined others first.
func removalOrder(labels map[string]string) int {
	return slices.Index([]string{roleProbe, roleTarget, roleFiles, roleAlone, roleCell}, labels[labelRole])
}

// remove ends a container; one that owns a network, alone.
func (e *Engine) remove(ctx context.Context, id, role string) error {
	if role == roleCell || role == roleAlone {
		e.cells.Lock()
		defer e.cells.Unlock()
	}
	return e.api.remove(ctx, id)
}
