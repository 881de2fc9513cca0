package local

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe/embed"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// Runner runs images on this machine.
type Runner struct {
	opts   Options
	cache  *layers.Cache
	users  mapping
	binary func() (*os.File, error) // sealed, in memory; made once
	copies atomic.Bool              // overlayfs cannot be used
}

// New prepares for runs, and removes what killed ones left behind.
func New(_ context.Context, o Options) (*Runner, error) {
	if o.Probe == nil {
		o.Probe = embed.Binary
	}
	users, err := findMapping(o.OneUser)
	if err != nil {
		return nil, err
	}
	cache, err := openCache(o, users.owned())
	if err != nil {
		return nil, err
	}
	r := &Runner{opts: o, cache: cache, users: users}
	r.copies.Store(o.Copy)
	r.binary = sync.OnceValues(func() (*os.File, error) { return sealed(o.Probe) })
	if users.kind == many {
		cache.Remove = r.remove
	}
	sweepCgroups()
	// What cannot be removed is tried again, and told, when an image is closed.
	_, _ = cache.Prune(cmp.Or(o.CacheSize, layers.DefaultSize))
	return r, nil
}

func openCache(o Options, owned bool) (*layers.Cache, error) {
	if o.Dir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the user's cache directory: %w", err)
		}
		o.Dir = filepath.Join(dir, "imglint")
	}
	if o.Limits == (layers.Limits{}) {
		o.Limits = layers.DefaultLimits
	}
	return layers.Open(filepath.Join(o.Dir, "layers"), owned, o.Limits)
}

// caches opens both kinds of cache that a user can have.
func caches(o Options) (all []*layers.Cache, err error) {
	for _, owned := range []bool{false, true} {
		c, err := openCache(o, owned)
		if err != nil {
			return nil, err
		}
		users, err := c.Users()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if !owned {
			all = append(all, users...)
		}
	}
	return all, nil
}

// Cached lists the unpacked layers, the least recently used first.
func Cached(o Options) ([]layers.Entry, error) {
	all, err := caches(o)
	var entries []layers.Entry
	for _, c := range all {
		some, err := c.List()
		if err != nil {
			return nil, err
		}
		entries = append(entries, some...)
	}
	slices.SortFunc(entries, func(a, b layers.Entry) int { return a.Used.Compare(b.Used) })
	return entries, err
}

// Prune removes unpacked layers that are not in use until each of the user's
// caches has at most size bytes, and returns what it removed.
func Prune(o Options, size int64) ([]layers.Entry, error) {
	all, err := caches(o)
	var removed []layers.Entry
	for _, c := range all {
		some, err := c.Prune(size)
		removed = append(removed, some...)
		if err != nil {
			return removed, err
		}
	}
	return removed, err
}

// Foreign says why this machine cannot run an image, "" if it can.
func Foreign(i facts.Image) string {
	if i.OS != "" && i.OS != "linux" {
		return fmt.Sprintf("the image is for %s", i.OS)
	}
	if i.Architecture != "" && i.Architecture != runtime.GOARCH {
		return fmt.Sprintf("the image is for %s and this machine is %s; type docker build --platform linux/%s to make one that can be tried here",
			i.Architecture, runtime.GOARCH, runtime.GOARCH)
	}
	return ""
}

// Image is an unpacked image that can be run.
type Image struct {
	runner *Runner
	facts  facts.Image
	from   []layers.Layer // bottom first
	held   []*layers.Held // topmost first
}

// Open unpacks an image's layers, bottom first, as far as they are not in the
// cache. They stay there until Close.
func (r *Runner) Open(ctx context.Context, i facts.Image, from []layers.Layer) (*Image, error) {
	held, err := hold(ctx, r.cache, from)
	if err != nil {
		return nil, fmt.Errorf("open image %q: %w", i.Ref, err)
	}
	return &Image{runner: r, facts: i, from: from, held: held}, nil
}

// hold gets layers of a cache, and returns them topmost first.
func hold(ctx context.Context, c *layers.Cache, from []layers.Layer) (all []*layers.Held, err error) {
	for _, l := range from {
		held, err := c.Get(ctx, l)
		if err != nil {
			release(all)
			return nil, err
		}
		all = append(all, held)
	}
	slices.Reverse(all)
	return all, nil
}

func release(held []*layers.Held) {
	for _, h := range held {
		h.Release()
	}
}

// Close lets go of the layers and bounds the cache.
func (im *Image) Close(context.Context) error {
	release(im.held)
	im.held = nil
	_, err := im.runner.cache.Prune(cmp.Or(im.runner.opts.CacheSize, layers.DefaultSize))
	return err
}
