//go:build ignore

// Command generate builds the probe for every architecture, reproducibly.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	dir, err := os.MkdirTemp("", "imglint-probe-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, arch := range []string{"amd64", "arm64"} {
		if err := build(dir, arch); err != nil {
			os.RemoveAll(dir)
			log.Fatal(err)
		}
	}
}

func build(dir, arch string) error {
	binary := filepath.Join(dir, arch)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid=", "-o", binary, "../../../cmd/probe")
	// The GO* variables name the architecture's baseline: the default is the
	// one that runs everywhere, whatever the builder's own machine prefers.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch,
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build probe for %s: %w", arch, err)
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read probe for %s: %w", arch, err)
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("pack probe for %s: %w", arch, err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("pack probe for %s: %w", arch, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack probe for %s: %w", arch, err)
	}
	return os.WriteFile("probe_linux_"+arch+".gz", packed.Bytes(), 0o644)
}
