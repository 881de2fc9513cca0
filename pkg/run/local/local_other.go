//go:build !linux

package local

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

var errSystem = fmt.Errorf("%w: it needs Linux; start a container engine such as Docker", ErrUnsupported)

// Runner is for Linux.
type Runner struct{}

// Image is for Linux.
type Image struct{}

// New says that it is for Linux.
func New(context.Context, Options) (*Runner, error) { return nil, errSystem }

// Open says that it is for Linux.
func (*Runner) Open(context.Context, facts.Image, []layers.Layer) (*Image, error) {
	return nil, errSystem
}

// ErrNotCached is for Linux.
var ErrNotCached = errSystem

// OpenCached says that it is for Linux.
func (*Runner) OpenCached(context.Context, facts.Image, []layers.Layer) (*Image, error) {
	return nil, errSystem
}

// Adopt says that it is for Linux.
func (*Runner) Adopt(facts.Image, []string) (*Image, error) { return nil, errSystem }

// Files is empty.
func (*Image) Files() fs.FS { return os.DirFS("") }

// Foreign says that it is for Linux.
func Foreign(facts.Image) string { return errSystem.Error() }

// Observe says that it is for Linux.
func (*Image) Observe(context.Context, run.Spec, run.Watcher) (facts.Run, error) {
	return facts.Run{}, errSystem
}

// Close does nothing.
func (*Image) Close(context.Context) error { return nil }

// Cached says that it is for Linux.
func Cached(Options) (string, []layers.Entry, error) { return "", nil, errSystem }

// Prune says that it is for Linux.
func Prune(Options, layers.Keep) ([]layers.Entry, error) { return nil, errSystem }
