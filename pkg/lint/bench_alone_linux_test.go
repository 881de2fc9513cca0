package lint

import (
	"bytes"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/run/engine/enginetest"
)

// withoutNetworks is the usual engine behind one that refuses networks of
// imglint's own, so that runs cannot be in a cell.
func withoutNetworks(b *testing.B, host string) string {
	b.Helper()
	socket, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		b.Skipf("the engine at %s is not on this machine", host)
	}
	return enginetest.Refusing(b, socket, func(q enginetest.Request) bool {
		return bytes.Contains(q.Body, []byte(`"NetworkMode":"none"`))
	})
}
