//go:build !linux

package engine

import "os"

// hostIdentity names this machine.
func hostIdentity() string {
	name, _ := os.Hostname()
	return name
}

// processStart cannot be told here, so that only time makes things abandoned.
func processStart(int) (string, bool) { return "", false }
