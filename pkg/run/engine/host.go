package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/tlsconfig"
)

// address is where an engine is, and how to be let in.
type address struct {
	host       string
	tls        string // directory of ca.pem, cert.pem and key.pem; "" for none
	skipVerify bool
	environ    bool // TLS from DOCKER_TLS_VERIFY and DOCKER_CERT_PATH
}

// surroundings are what the choice of an engine depends on.
type surroundings struct {
	env    func(string) string
	home   string
	exists func(path string) bool
}

func hostSurroundings() surroundings {
	home, _ := os.UserHomeDir() // without one there are no contexts
	return surroundings{os.Getenv, home, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}}
}

// resolve finds the engine as the docker command does: DOCKER_HOST, then
// DOCKER_CONTEXT or the current context, then the default socket. Where that
// socket does not exist, those of other installations are tried.
func (s surroundings) resolve(host string) (address, error) {
	if host != "" {
		return address{host: host, environ: true}, nil
	}
	if h := s.env("DOCKER_HOST"); h != "" {
		return address{host: h, environ: true}, nil
	}
	dir := s.env("DOCKER_CONFIG")
	if dir == "" {
		dir = filepath.Join(s.home, ".docker")
	}
	name := s.env("DOCKER_CONTEXT")
	if name == "" {
		var err error
		if name, err = currentContext(dir); err != nil {
			return address{}, err
		}
	}
	if name != "" && name != "default" {
		return contextAddress(dir, name)
	}
	return address{host: s.socket()}, nil
}

// socket returns the default socket, or the first other known one that exists.
func (s surroundings) socket() string {
	path, ok := strings.CutPrefix(client.DefaultDockerHost, "unix://")
	if !ok || s.exists(path) {
		return client.DefaultDockerHost
	}
	candidates := []string{
		filepath.Join(s.home, ".docker/run/docker.sock"),
		filepath.Join(s.home, ".docker/desktop/docker.sock"),
		filepath.Join(s.home, ".colima/default/docker.sock"),
		filepath.Join(s.home, ".orbstack/run/docker.sock"),
		filepath.Join(s.home, ".rd/docker.sock"),
		"/run/podman/podman.sock",
	}
	if dir := s.env("XDG_RUNTIME_DIR"); dir != "" {
		candidates = append([]string{filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman/podman.sock")}, candidates...)
	}
	for _, c := range candidates {
		if s.exists(c) {
			return "unix://" + c
		}
	}
	return client.DefaultDockerHost
}

func currentContext(dir string) (string, error) {
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	file := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return "", &Error{Kind: KindConfig, Text: fmt.Sprintf("read docker configuration %q: %v", file, err), Err: err}
	}
	return config.CurrentContext, nil
}

// contextAddress reads a docker context: its directory is named by the hash
// of its name (docker/cli, cli/context/store).
func contextAddress(dir, name string) (address, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "contexts", "meta", id, "meta.json"))
	if err == nil {
		err = json.Unmarshal(data, &meta)
	}
	endpoint := meta.Endpoints["docker"]
	if err == nil && endpoint.Host == "" {
		err = errors.New("it names no docker endpoint")
	}
	if err != nil {
		return address{}, &Error{Kind: KindConfig, Err: err,
			Text: fmt.Sprintf("read docker context %q: %v (`docker context ls` shows what there is)", name, err)}
	}
	at := address{host: endpoint.Host, skipVerify: endpoint.SkipTLSVerify}
	if tls := filepath.Join(dir, "contexts", "tls", id, "docker"); isDir(tls) {
		at.tls = tls
	}
	return at, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// dial makes a client for the address; it does not connect yet. What ssh says
// on the way is heard.
func (at address) dial(h *heard) (*client.Client, error) {
	way, err := at.way(h)
	if err == nil {
		var c *client.Client
		c, err = client.NewClientWithOpts(append(way,
			client.WithAPIVersionNegotiation(), client.WithVersionFromEnv(), client.WithUserAgent("imglint"))...)
		if err == nil {
			return c, nil
		}
	}
	return nil, &Error{Kind: KindConfig, Host: at.host, Err: err,
		Text: fmt.Sprintf("cannot use the engine address %q: %v", at.host, err)}
}

// way returns the options that lead to the engine: for ssh:// through the
// ssh command, as docker does.
func (at address) way(h *heard) ([]client.Opt, error) {
	helper, err := connhelper.GetConnectionHelper(at.host)
	if err != nil {
		return nil, err
	}
	if helper == nil {
		return at.security()
	}
	dial := h.listen(helper.Dialer)
	return []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: dial}}),
		client.WithHost(helper.Host),
		client.WithDialContext(dial),
	}, nil
}

// security returns the options of host and TLS; TLS first, as the client
// configures the transport it finds.
func (at address) security() ([]client.Opt, error) {
	host := client.WithHost(at.host)
	switch {
	case at.environ:
		return []client.Opt{client.WithTLSClientConfigFromEnv(), host}, nil
	case at.tls == "":
		return []client.Opt{host}, nil
	}
	file := func(name string) string {
		path := filepath.Join(at.tls, name)
		if _, err := os.Stat(path); err != nil {
			return ""
		}
		return path
	}
	config, err := tlsconfig.Client(tlsconfig.Options{
		CAFile: file("ca.pem"), CertFile: file("cert.pem"), KeyFile: file("key.pem"),
		InsecureSkipVerify: at.skipVerify,
	})
	if err != nil {
		return nil, err
	}
	secure := &http.Client{Transport: &http.Transport{TLSClientConfig: config}, CheckRedirect: client.CheckRedirect}
	return []client.Opt{client.WithHTTPClient(secure), host}, nil
}
