package image

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/bcrypt"

	"github.com/imglint/imglint/pkg/facts"
)

// serve starts Debian's docker-registry on a free loopback port and returns
// its address.
func serve(t *testing.T, http string) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed (Debian: apt-get install docker-registry)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s/data}}\nhttp: {addr: %q%s\n", dir, addr, http)
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := exec.Command(program, "serve", file)
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended by itself
		_ = c.Wait()
		if t.Failed() {
			t.Logf("docker-registry:\n%s", log.String())
		}
	})
	await(t, addr)
	return addr
}

func await(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("docker-registry does not listen: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// picture is a small image with a gzip and a zstd layer.
func picture(t *testing.T, arch string) v1.Image {
	t.Helper()
	img, err := mutate.Append(empty.Image,
		mutate.Addendum{Layer: static.NewLayer(gzipped(t, tarOf(t, "etc/", "etc/passwd=x", "bin/", "bin/sh=low")), types.DockerLayer), History: v1.History{CreatedBy: "ADD base in /"}},
		mutate.Addendum{History: v1.History{CreatedBy: "EXPOSE [8000/tcp]", EmptyLayer: true}},
		mutate.Addendum{Layer: static.NewLayer(zstandard(t, tarOf(t, "srv/", "srv/ep.sh=#!/bin/sh", ".wh.bin")), types.OCILayerZStd), History: v1.History{CreatedBy: "COPY . /srv", Comment: "buildkit.dockerfile.v0"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", arch
	file.Config = v1.Config{
		Entrypoint: []string{"/srv/ep.sh"}, Cmd: []string{"run"}, Env: []string{"A=1"}, User: "app", WorkingDir: "/srv",
		ExposedPorts: map[string]struct{}{"8000/tcp": {}, "443/tcp": {}, "53/udp": {}, "$PORT/tcp": {}}, Volumes: map[string]struct{}{"/data": {}},
		Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "true"}, Interval: time.Minute, Retries: 2}, OnBuild: []string{"RUN x"}, StopSignal: "SIGINT", Shell: []string{"sh"}, Labels: map[string]string{"k": "v"},
	}
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return img
}

func push(t *testing.T, ref string, img v1.Image, o ...remote.Option) {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(parsed, img, o...); err != nil {
		t.Fatal(err)
	}
}

func open1(t *testing.T, ref string, o Options) *Image {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	img, err := Registry(ctx, ref, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := img.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return img
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	addr := serve(t, "}")
	img := picture(t, "amd64")
	ref := addr + "/app/web:1.0"
	push(t, ref, img)
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	id, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	asked := &counting{inner: http.DefaultTransport}
	opened := open1(t, ref, Options{Transport: asked, UserAgent: "imglint/test"})
	if asked.requests > 4 || asked.agent != "imglint/test" {
		t.Errorf("%d requests as %q for the config", asked.requests, asked.agent)
	}
	want := facts.Image{
		Ref: ref, ID: id.String(), Digest: digest.String(), Source: "registry", OS: "linux", Architecture: "amd64",
		Config: facts.Config{
			Entrypoint: []string{"/srv/ep.sh"}, Cmd: []string{"run"}, Env: []string{"A=1"}, User: "app", WorkingDir: "/srv",
			Exposed: []facts.Port{{Number: 53, Protocol: "udp"}, {Number: 443, Protocol: "tcp"}, {Number: 8000, Protocol: "tcp"}}, Volumes: []string{"/data"},
			Healthcheck: &facts.Healthcheck{Test: []string{"CMD", "true"}, Interval: 60000, Retries: 2}, OnBuild: []string{"RUN x"}, StopSignal: "SIGINT", Shell: []string{"sh"}, Labels: map[string]string{"k": "v"},
		},
		History: []facts.History{{CreatedBy: "ADD base in /"}, {CreatedBy: "EXPOSE [8000/tcp]", Empty: true}, {CreatedBy: "COPY . /srv", Comment: "buildkit.dockerfile.v0"}},
	}
	before, first := opened.Cost(), asked.requests
	if failed := int(before.Requests) - asked.requests; failed < 0 || failed > 1 || // HTTPS is tried first
		before.Bytes < 500 || before.Bytes > 20_000 {
		t.Errorf("counts %+v for %d requests", before, asked.requests)
	}
	defer func() {
		after := opened.Cost()
		if int(after.Requests-before.Requests) != asked.requests-first || after.Requests <= before.Requests || after.Bytes <= before.Bytes {
			t.Errorf("counts %+v with the files, %+v before, %d requests", after, before, asked.requests)
		}
	}()
	if diff := cmp.Diff(want, opened.Facts()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if got, err := fs.ReadFile(opened.Files(), "srv/ep.sh"); err != nil || string(got) != "#!/bin/sh" {
		t.Errorf("srv/ep.sh = %q, %v", got, err)
	}
	if got, err := fs.ReadFile(opened.Files(), "etc/passwd"); err != nil || string(got) != "x" {
		t.Errorf("etc/passwd = %q, %v", got, err)
	}
	if _, err := fs.Stat(opened.Files(), "bin/sh"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("bin/sh was removed in the top layer: %v", err)
	}
	byDigest := open1(t, addr+"/app/web@"+digest.String(), Options{})
	if byDigest.Facts().Digest != digest.String() {
		t.Errorf("by digest: %v", byDigest.Facts().Digest)
	}
	for ref, kind := range map[string]Kind{addr + "/app/web:2.0": ErrNotFound, addr + "/nobody/nothing": ErrNotFound} {
		fails(t, ref, Options{}, kind, "has no image")
	}
}

// counting counts the requests that reach a server.
type counting struct {
	inner    http.RoundTripper
	requests int
	agent    string
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.agent, _, _ = strings.Cut(r.UserAgent(), " ")
	response, err := c.inner.RoundTrip(r)
	if err == nil {
		c.requests++
	}
	return response, err
}

func fails(t *testing.T, ref string, o Options, kind Kind, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := Registry(ctx, ref, o)
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v, want %q with %q", ref, err, kind, says)
	}
	if err != nil && strings.ContainsAny(err.Error(), "\n") {
		t.Errorf("%s: more than a sentence: %q", ref, err)
	}
}

func TestRegistryIndex(t *testing.T) {
	t.Parallel()
	addr := serve(t, "}")
	amd, arm := picture(t, "amd64"), picture(t, "arm64")
	attestation := picture(t, "unknown")
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}, Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"}}},
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}},
		mutate.IndexAddendum{Add: amd, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
	)
	one := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
	for ref, idx := range map[string]v1.ImageIndex{addr + "/multi": index, addr + "/one": one} {
		parsed, err := name.ParseReference(ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteIndex(parsed, idx); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		ref  string
		o    Options
		arch string
	}{{"/multi", Options{}, "amd64"}, {"/multi", Options{OS: "linux", Architecture: "arm64"}, "arm64"}, {"/one", Options{}, "arm64"}} {
		if got := open1(t, addr+test.ref, test.o).Facts().Architecture; got != test.arch {
			t.Errorf("%s %v is %s, want %s", test.ref, test.o, got, test.arch)
		}
	}
	fails(t, addr+"/multi", Options{OS: "linux", Architecture: "s390x"}, ErrPlatform, "has no image for linux/s390x, only for linux/amd64, linux/arm64/v8")
	fails(t, addr+"/one", Options{OS: "linux", Architecture: "amd64"}, ErrPlatform, "only for linux/arm64")
}

// TestRegistryLogin uses the credentials that docker login writes.
func TestRegistryLogin(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "htpasswd"), "me:"+string(hash)+"\n")
	addr := serve(t, "}\nauth: {htpasswd: {realm: test, path: "+dir+"/htpasswd}}")
	ref := addr + "/private:1"
	push(t, ref, picture(t, "amd64"), remote.WithAuth(&authn.Basic{Username: "me", Password: "secret"}))
	t.Setenv("DOCKER_CONFIG", dir)
	fails(t, ref, Options{}, ErrUnauthorized, "docker login "+addr)
	for password, good := range map[string]bool{"wrong": false, "secret": true} {
		write(t, filepath.Join(dir, "config.json"), fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, addr, base64.StdEncoding.EncodeToString([]byte("me:"+password))))
		if good {
			open1(t, ref, Options{})
		} else {
			fails(t, ref, Options{}, ErrUnauthorized, "docker login "+addr)
		}
	}
}

func TestRegistryTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := certificate(t, dir)
	addr := serve(t, fmt.Sprintf(", tls: {certificate: %s/cert.pem, key: %s/key.pem}}", dir, dir))
	trusting := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	// A name that is not a loopback's, so that http is no way out.
	ref := strings.Replace(addr, "127.0.0.1", "registry.test", 1) + "/app"
	local := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	trusting.DialContext = local
	push(t, ref, picture(t, "amd64"), remote.WithTransport(trusting))
	open1(t, ref, Options{Transport: trusting})
	fails(t, ref, Options{Transport: &http.Transport{DialContext: local}}, ErrUnreachable, "certificate signed by unknown authority: make its authority known")
}

func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"registry.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, filepath.Join(dir, "cert.pem"), string(certPEM))
	write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool
}

func trusting(pool *x509.CertPool) remote.Option {
	return remote.WithTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}})
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
