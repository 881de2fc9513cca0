package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"
)

// hash names a context's directory, as docker does.
func hash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	const config = `{"currentContext": "remote"}`
	const meta = `{"Name":"remote","Endpoints":{"docker":{"Host":"tcp://engine:2376","SkipTLSVerify":true}}}`
	tests := []struct {
		name   string
		option string
		env    map[string]string
		files  map[string]string // below the home directory
		exists string
		want   address
		fault  string
	}{
		{name: "the default", want: address{host: client.DefaultDockerHost}},
		{name: "an option is stronger than DOCKER_HOST", option: "tcp://a:1", env: map[string]string{"DOCKER_HOST": "tcp://b:2"},
			want: address{host: "tcp://a:1", environ: true}},
		{name: "DOCKER_HOST is stronger than contexts", env: map[string]string{"DOCKER_HOST": "tcp://b:2", "DOCKER_CONTEXT": "x"},
			want: address{host: "tcp://b:2", environ: true}},
		{name: "the current context", files: map[string]string{".docker/config.json": config, "META": meta},
			want: address{host: "tcp://engine:2376", skipVerify: true}},
		{name: "a context with certificates", files: map[string]string{".docker/config.json": config, "META": meta, "TLS/ca.pem": ""},
			want: address{host: "tcp://engine:2376", skipVerify: true, tls: "TLS"}},
		{name: "DOCKER_CONTEXT default", env: map[string]string{"DOCKER_CONTEXT": "default"},
			files: map[string]string{".docker/config.json": config, "META": meta}, want: address{host: client.DefaultDockerHost}},
		{name: "a configuration without a context", files: map[string]string{".docker/config.json": `{"auths":{}}`},
			want: address{host: client.DefaultDockerHost}},
		{name: "a context that is not there", env: map[string]string{"DOCKER_CONTEXT": "gone"}, fault: `read docker context "gone"`},
		{name: "a context without an engine", files: map[string]string{".docker/config.json": config, "META": `{"Endpoints":{}}`},
			fault: "it names no docker endpoint"},
		{name: "a broken configuration", files: map[string]string{".docker/config.json": `{`}, fault: "read docker configuration"},
		{name: "another installation's socket", exists: ".colima/default/docker.sock",
			want: address{host: "unix://HOME/.colima/default/docker.sock"}},
		{name: "a rootless engine's socket", env: map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}, exists: "/run/user/7/docker.sock",
			want: address{host: "unix:///run/user/7/docker.sock"}},
		{name: "a rootless Podman's socket", env: map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}, exists: "/run/user/7/podman/podman.sock",
			want: address{host: "unix:///run/user/7/podman/podman.sock"}},
		{name: "Podman's socket", exists: "/run/podman/podman.sock", want: address{host: "unix:///run/podman/podman.sock"}},
		{name: "sockets that Docker's is stronger than", env: map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}, exists: "/var/run/docker.sock",
			want: address{host: client.DefaultDockerHost}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			place := strings.NewReplacer(
				"META", ".docker/contexts/meta/"+hash("remote")+"/meta.json",
				"TLS", ".docker/contexts/tls/"+hash("remote")+"/docker",
			)
			for name, content := range tt.files {
				write(t, filepath.Join(home, place.Replace(name)), content)
			}
			exists := tt.exists
			if exists != "" && !filepath.IsAbs(exists) {
				exists = filepath.Join(home, exists)
			}
			s := surroundings{func(k string) string { return tt.env[k] }, home, func(p string) bool { return p == exists }}
			got, err := s.resolve(tt.option)
			if tt.fault != "" {
				var e *Error
				if !errors.As(err, &e) || e.Kind != KindConfig || !strings.Contains(e.Error(), tt.fault) {
					t.Fatalf("error %v, want %q", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			want.host = strings.Replace(want.host, "HOME", home, 1)
			if want.tls != "" {
				want.tls = filepath.Join(home, place.Replace(want.tls))
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(address{})); diff != "" {
				t.Errorf("address (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDialRefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"nonsense", "ssh://host/with/path?x=1"} {
		if _, err := (address{host: host}).dial(new(heard)); !isKind(err, KindConfig) {
			t.Errorf("dial %q: %v, want an error of configuration", host, err)
		}
	}
	for _, host := range []string{"unix:///x.sock", "tcp://h:2375", "ssh://me@h"} {
		c, err := (address{host: host}).dial(new(heard))
		if err != nil {
			t.Errorf("dial %q: %v", host, err)
			continue
		}
		c.Close()
	}
}
