package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/run/engine/enginetest"
)

// forward lets the engine of this machine be reached over TCP, as one of
// another machine is.
func forward(t *testing.T, host string) string {
	t.Helper()
	socket, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		t.Skipf("the engine is at %s", host)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Forward(t, l, socket)
	return "tcp://" + l.Addr().String()
}

// TestConnectOverTCP reaches the engine by DOCKER_HOST and by contexts.
func TestConnectOverTCP(t *testing.T) {
	at := forward(t, connect(t).Host())
	home := t.TempDir()
	write(t, filepath.Join(home, "config.json"), `{"currentContext":"far"}`)
	write(t, filepath.Join(home, "contexts/meta", hash("far"), "meta.json"), fmt.Sprintf(`{"Name":"far","Endpoints":{"docker":{"Host":%q}}}`, at))
	for name, env := range map[string]map[string]string{
		"DOCKER_HOST":         {"DOCKER_HOST": at},
		"the current context": {"DOCKER_CONFIG": home},
		"DOCKER_CONTEXT":      {"DOCKER_CONFIG": home, "DOCKER_CONTEXT": "far"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, known := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY"} {
				t.Setenv(known, env[known])
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			e, err := Connect(ctx, Options{Static: true})
			if err != nil {
				t.Fatal(err)
			}
			if e.Host() != at {
				t.Errorf("connected to %s, want %s", e.Host(), at)
			}
			if _, err := e.Open(ctx, "imglint-fixtures/not-there:1"); !errors.Is(err, ErrNoImage) {
				t.Errorf("an image that is not there: %v", err)
			}
			if err := e.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}
