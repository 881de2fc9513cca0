//go:build !linux

package probe

import (
	"fmt"
	"os"
)

// Main is for Linux: containers are.
func Main([]string) int {
	fmt.Fprintln(os.Stderr, "imglint probe: runs on Linux only")
	return 125
}
