package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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
	r, err := prepare(o)
	if err != nil {
		return nil, err
	}
	findHierarchy().sweep()
	_, _ = r.prune(r.keep()) // what cannot be removed is tried again, and told, when an image is closed
	return r, nil
}

func prepare(o Options) (*Runner, error) {
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

// caches opens every kind of cache that a user can have.
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

// keep bounds the caches.
func (r *Runner) keep() layers.Keep {
	return layers.Keep{Bytes: cmp.Or(r.opts.CacheSize, layers.DefaultSize)}
}

func (r *Runner) prune(keep layers.Keep) ([]layers.Entry, error) {
	all, err := caches(r.opts)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		c.Remove = r.cache.Remove
	}
	return layers.Prune(all, keep)
}

// Cached lists the unpacked layers, the least recently used first, and the
// directory they are in.
func Cached(o Options) (dir string, entries []layers.Entry, err error) {
	all, err := caches(o)
	if err != nil {
		return "", nil, err
	}
	entries, err = layers.List(all)
	return filepath.Dir(all[0].Dir()), entries, err
}

// Prune removes unpacked layers that are not in use, and what killed runs left
// in the cache, and returns the layers that it removed.
func Prune(o Options, keep layers.Keep) ([]layers.Entry, error) {
	r, err := prepare(o)
	if err != nil {
		return nil, err
	}
	return r.prune(keep)
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
	// adopted: the layers are an engine's.
	adopted bool
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

// ErrNotCached is about an image that was not unpacked yet.
var ErrNotCached = errors.New("not in the cache")

// OpenCached opens an image whose layers, bottom first, are all in the cache.
func (r *Runner) OpenCached(ctx context.Context, i facts.Image, from []layers.Layer) (*Image, error) {
	im := &Image{runner: r, facts: i, from: from}
	for _, l := range from {
		held, err := r.cache.Has(ctx, l.DiffID)
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNotCached
		}
		if err != nil {
			release(im.held)
			return nil, fmt.Errorf("open image %q: %w", i.Ref, err)
		}
		im.held = append(im.held, held)
	}
	slices.Reverse(im.held)
	return im, nil
}

// Adopt opens an image whose layers, topmost first, an engine on this machine
// has unpacked as overlayfs takes them. Nothing is copied and nothing is
// written there. It is ErrNotCached where that is not possible.
func (r *Runner) Adopt(i facts.Image, dirs []string) (*Image, error) {
	im := &Image{runner: r, facts: i, adopted: true}
	if len(dirs) == 0 || r.users.kind != same || !plainOverlay() {
		return nil, ErrNotCached
	}
	for _, dir := range dirs {
		im.held = append(im.held, &layers.Held{Dir: dir})
	}
	if err := im.present(); err != nil {
		return nil, errors.Join(ErrNotCached, err)
	}
	return im, nil
}

// present tells when an engine removed layers that are adopted.
func (im *Image) present() error {
	for _, h := range im.held {
		if info, err := os.Lstat(h.Dir); im.adopted && (err != nil || !info.IsDir()) {
			return fmt.Errorf("the engine does not have the layer %s (any more)", h.Dir)
		}
	}
	return nil
}

// plainOverlay reports whether the kernel's overlayfs keeps files where their
// names say, so that its layers can be read without it.
func plainOverlay() bool {
	for _, feature := range []string{"redirect_dir", "metacopy"} {
		text, err := os.ReadFile("/sys/module/overlay/parameters/" + feature)
		if err != nil || strings.TrimSpace(string(text)) != "N" {
			return false
		}
	}
	return true
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
	_, err := im.runner.prune(im.runner.keep())
	return err
}
