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
	// For is the user, UID:GID+GROUP, that the layer's modes were made for, where
	// all files have one owner; "" is everyone.
	For   string
	InUse bool
}

// Keep says what pruning leaves of the layers that nobody uses.
type Keep struct {
	Bytes int64     // at most
	Since time.Time // used since then
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

// Nothing keeps no layer that is not in use.
var Nothing = Keep{Since: time.Unix(1<<40, 0)}

// ErrDiskFull is wrapped by errors about a cache that has no room for a layer.
var ErrDiskFull = errors.New("the disk is full")

// ErrTooLarge is wrapped by errors about a layer beyond its limits.
var ErrTooLarge = errors.New("the layer is too large")
