package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// benchRegistry starts Debian's docker-registry on a free loopback port.
func benchRegistry(b *testing.B) string {
	b.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		b.Skip("docker-registry is not installed (Debian: apt-get install docker-registry)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	config := filepath.Join(dir, "config.yml")
	writeBench(b, config, fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: %q}\n", dir, addr))
	server := exec.Command(program, "serve", config)
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = server.Process.Kill() // it may have ended by itself
		_ = server.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = c.Close() // nothing was said
			return addr
		}
		if time.Now().After(deadline) {
			b.Fatalf("docker-registry does not listen: %v", err)
		}
	}
}

// benchLayout copies an image of the registry to an OCI layout: there the
// layers are compressed, and in the archive of docker save they are not.
func benchLayout(b *testing.B, registry, tag, dir string) {
	b.Helper()
	type blob struct {
		Digest string `json:"digest"`
	}
	var manifest struct {
		MediaType string `json:"mediaType"`
		Config    blob   `json:"config"`
		Layers    []blob `json:"layers"`
	}
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o700); err != nil {
		b.Fatal(err)
	}
	base := "http://" + registry + "/v2/bench/"
	at := filepath.Join(dir, "manifest")
	digest := download(b, base+"manifests/"+tag, at)
	text, err := os.ReadFile(at)
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err == nil {
		err = os.Rename(at, filepath.Join(blobs, strings.TrimPrefix(digest, "sha256:")))
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, part := range append(manifest.Layers, manifest.Config) {
		download(b, base+"blobs/"+part.Digest, filepath.Join(blobs, strings.TrimPrefix(part.Digest, "sha256:")))
	}
	writeBench(b, filepath.Join(dir, "oci-layout"), `{"imageLayoutVersion":"1.0.0"}`)
	writeBench(b, filepath.Join(dir, "index.json"), fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, manifest.MediaType, digest, len(text)))
}

// download stores what a registry has, and returns the digest that it tells.
func download(b *testing.B, from, to string) string {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, from, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.docker.distribution.manifest.v2+json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	file, err := os.Create(to)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if _, err := io.Copy(file, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s, %v", from, answer.Status, err)
	}
	return answer.Header.Get("Docker-Content-Digest")
}
