// Package layers unpacks the layers of images into a cache on disk, one
// directory each, as overlayfs takes them: content-addressed, bounded, and
// shared by every imglint of a user.
package layers

import (
	"errors"
	"io"
	"time"
)

// Layer is a layer as an image source gives it.
type Layer struct {
	DiffID string // digest of the uncompressed tar, sha256:…
	// Open returns the tar; one that is compressed by gzip or zstd is unpacked.
	Open func() (io.ReadCloser, error)
}

// Entry is a layer of the cache.
type Entry struct {
	DiffID string
	Bytes  int64
	Files  int
	Used   time.Time
	InUse  bool
}

// Limits bound what one layer may unpack to.
type Limits struct {
	Bytes   int64
	Entries int
}

// DefaultLimits are beyond every image that was seen; the largest had 49,184
// files and 1.3 GB.
var DefaultLimits = Limits{Bytes: 32 << 30, Entries: 2 << 20}

// DefaultSize is how large the cache may grow.
const DefaultSize = 2 << 30

// ErrTooLarge is wrapped by errors about a layer beyond its limits.
var ErrTooLarge = errors.New("the layer is too large")
