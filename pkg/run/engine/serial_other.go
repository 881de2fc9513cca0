//go:build !linux

package engine

import "io"

// claim lets everybody pass: engines elsewhere run in a machine of their own,
// and are newer than the one that deadlocks.
func claim(string) (io.Closer, bool) { return nil, false }
