package engine

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/run/engine/enginetest"
)

type request = enginetest.Request

// refusing is the engine of this machine behind one that refuses some requests.
func refusing(t *testing.T, refuse ...func(request) bool) string {
	t.Helper()
	return enginetest.Refusing(t, socketPath(t), func(q request) bool {
		return slices.ContainsFunc(refuse, func(f func(request) bool) bool { return f(q) })
	})
}

// creation is what a request to create a container asks for.
type creation struct {
	Entrypoint []string
	HostConfig struct {
		NetworkMode, PidMode string
		Mounts               []struct{ Target string }
	}
}

func creating(when func(creation) bool) func(request) bool {
	return func(q request) bool {
		var c creation
		return len(q.Body) > 0 && json.Unmarshal(q.Body, &c) == nil && when(c)
	}
}

var (
	noNetwork    = creating(func(c creation) bool { return c.HostConfig.NetworkMode == "none" })
	noEntrypoint = creating(func(c creation) bool { return len(c.Entrypoint) > 0 && c.Entrypoint[0] == probePath })
	noJoining    = creating(func(c creation) bool { return strings.HasPrefix(c.HostConfig.NetworkMode, "container:") })
	noProcesses  = creating(func(c creation) bool { return c.HostConfig.PidMode != "" })
	noMounts     = creating(func(c creation) bool { return len(c.HostConfig.Mounts) > 0 })
	noCopies     = func(q request) bool { return q.Method == http.MethodPut && strings.HasSuffix(q.Path, "/archive") }
	noImport     = func(q request) bool { return strings.HasSuffix(q.Path, "/images/create") }
)
