//go:build linux && !amd64 && !arm64

package cage

// No filter: the probe is built for amd64 and arm64 only.
const (
	auditArch   = 0
	auditCompat = 0
	x32Bit      = 0
	cloneCompat = 0
)

var (
	forbiddenHere, forbiddenCompat []uint32
	askingsHere                    []asking
)
