// Package local runs images without a container engine, in namespaces that
// imglint makes itself: as root, or as a user who may make user namespaces.
// Linux only.
package local

import (
	"errors"
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

const (
	// Hostname is what a container calls itself.
	Hostname = "web"
	// Address is a container's own, besides 127.0.0.1; of the block for
	// benchmarks (RFC 2544), which no application has a reason to know.
	Address = "198.18.0.2"
)

// Options say how to run.
type Options struct {
	// Dir is imglint's directory in the user's cache; "" finds it.
	Dir string
	// CacheSize bounds the unpacked layers; 0 is layers.DefaultSize.
	CacheSize int64
	// Limits bound what a layer unpacks to; zero is layers.DefaultLimits.
	Limits layers.Limits
	// Probe returns the binary that runs inside, for a GOARCH; nil is the
	// embedded one.
	Probe func(goarch string) ([]byte, error)
	// Copy makes a copy of the image for each run, as where overlayfs cannot
	// be used.
	Copy bool
	// OneUser maps one user only, as where newuidmap cannot be used.
	OneUser bool
}

// DefaultCacheSize bounds the unpacked layers.
const DefaultCacheSize = layers.DefaultSize

// Keep says what pruning the cache leaves.
type Keep = layers.Keep

// KeepNothing keeps no layer that is not in use.
var KeepNothing = layers.Nothing

// ErrUnsupported is wrapped by errors about what this machine does not allow.
var ErrUnsupported = errors.New("running without an engine is not possible here")

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrUnsupported, fmt.Errorf(format, args...))
}

// InconclusiveError says that the program failed, perhaps because of the way
// it was run.
type InconclusiveError struct {
	Why string
	Run facts.Run // what was seen
}

// Error returns why.
func (e *InconclusiveError) Error() string { return "inconclusive: " + e.Why }
