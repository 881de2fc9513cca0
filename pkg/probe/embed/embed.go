// Package embed carries the probe's binaries for the architectures of the
// containers that imglint watches.
package embed

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

//go:generate go run generate.go

//go:embed probe_linux*
var binaries embed.FS

// Binary returns the static binary of the probe for linux/goarch. A build
// without them gives its own executable where that can serve: imglint has the
// probe's roles too.
func Binary(goarch string) ([]byte, error) {
	packed, err := binaries.ReadFile("probe_linux_" + goarch + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return fallback(goarch)
	}
	if err != nil {
		return nil, fmt.Errorf("read probe for %s: %w", goarch, err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack probe for %s: %w", goarch, err)
	}
	binary, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, fmt.Errorf("unpack probe for %s: %w", goarch, err)
	}
	return binary, nil
}

// Digest names the content of Binary(goarch) without unpacking it; "" when it
// is imglint's own executable.
func Digest(goarch string) string {
	packed, err := binaries.ReadFile("probe_linux_" + goarch + ".gz")
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(packed)
	return hex.EncodeToString(sum[:16])
}

// Standalone reports whether Binary(goarch) is the probe alone, whose first
// argument is the role; otherwise it is imglint's own executable.
func Standalone(goarch string) bool {
	_, err := fs.Stat(binaries, "probe_linux_"+goarch+".gz")
	return err == nil
}

func fallback(goarch string) ([]byte, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != goarch {
		return nil, fmt.Errorf("no probe for linux/%s in this build: run `make probe` and build again", goarch)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own executable: %w", err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		return nil, fmt.Errorf("read own executable: %w", err)
	}
	return binary, nil
}
