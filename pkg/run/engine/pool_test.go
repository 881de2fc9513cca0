package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/mount"

	"github.com/imglint/imglint/pkg/facts"
)

// serves runs the image and wants it to be answered in a cell.
func serves(t *testing.T, im *Image) {
	t.Helper()
	seen, err := im.Observe(t.Context(), waySpec([]string{"/app", "serve", ":8000"}), nil)
	if err != nil || seen.Stopped != facts.StopAnswered || seen.Way != facts.WayCell {
		t.Fatalf("stopped %q watched %q, %v: %s %q", seen.Stopped, seen.Way, err, text(seen.Log), seen.Blind)
	}
}

// TestOneCellServesAll: images that are open at once share a cell in turn, and
// each tells its own files.
func TestOneCellServesAll(t *testing.T) {
	t.Parallel()
	e := connect(t, func(o *Options) { o.Cells = 1 })
	first := open(t, e, makeImage(t, e, nil))
	second, err := e.Open(t.Context(), makeImage(t, e, nil, node{name: "own", content: "second", mode: 0o644}))
	if err != nil {
		t.Fatal(err)
	}
	serves(t, first)
	if text, err := second.Files().(tree).ReadFile("own"); err != nil || string(text) != "second" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, err := first.Files().(tree).Stat("own"); err == nil {
		t.Error("the first image has the second one's file")
	}
	waiting, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := second.Observe(waiting, waySpec([]string{"/app", "serve", ":8000"}), nil); waiting.Err() == nil {
		t.Errorf("ran beside the first image in its cell: %v", err)
	}
	e.pool.close(t.Context(), first) // as Close does; the test's end closes it
	serves(t, second)
	if second.reader.beside != first.reader || len(e.pool.cells) != 1 {
		t.Errorf("%d cells, and a reader beside %p, want the one cell %p", len(e.pool.cells), second.reader.beside, first.reader)
	}
	if err := second.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStrictAndOtherRunsInTurn: an image whose runs want both kinds of cell
// never holds one while it waits for the other.
func TestStrictAndOtherRunsInTurn(t *testing.T) {
	t.Parallel()
	e := connect(t, func(o *Options) { o.Cells = 1 })
	im := open(t, e, makeImage(t, e, []string{"USER web"}))
	for _, strict := range []bool{false, true, false} {
		spec := waySpec([]string{"/app", "serve", ":80"})
		spec.Target.Endpoint.Port = 80
		if strict {
			spec.Target.PrivilegedPorts = facts.No
		}
		seen, err := im.Observe(t.Context(), spec, nil)
		if err != nil || seen.Way != facts.WayCell || (seen.Exit != nil) != strict {
			t.Fatalf("strict %t: exit %+v watched %q, %v", strict, seen.Exit, seen.Way, err)
		}
	}
}

func end(t *testing.T, e *Engine, id string) {
	t.Helper()
	if err := e.api.kill(context.Background(), id, "KILL"); err != nil {
		t.Error(err)
	}
}

// TestCellEndedBySomebodyElse: a cell that is gone is replaced, also when it
// goes at the last moment.
func TestCellEndedBySomebodyElse(t *testing.T) {
	t.Parallel()
	var victim atomic.Pointer[cell]
	plain := connect(t, static)
	host := refusing(t, creating(func(c creation) bool {
		if v := victim.Load(); v != nil && strings.HasPrefix(c.HostConfig.NetworkMode, "container:") {
			victim.Store(nil)
			end(t, plain, v.id)
		}
		return false
	}))
	e := connect(t, func(o *Options) { o.Host, o.Cells = host, 1 })
	im := open(t, e, makeImage(t, plain, nil))
	serves(t, im)
	first := e.pool.cells[0].cell
	end(t, plain, first.id)
	<-first.files.ended
	serves(t, im)
	second := e.pool.cells[0].cell
	if second == first {
		t.Fatal("a cell that was gone was used")
	}
	victim.Store(second)
	serves(t, im)
	if third := e.pool.cells[0].cell; third == second || victim.Load() != nil {
		t.Error("the cell was not ended, or not replaced")
	}
}

// TestSharedProbe: an engine on this machine mounts the probe from a file; one
// that does not see it gets a copy.
func TestSharedProbe(t *testing.T) {
	t.Parallel()
	noBinds := func(q request) bool { return strings.Contains(string(q.Body), `"Type":"bind"`) }
	for name, refuse := range map[string][]func(request) bool{"mounted": nil, "refused": {noBinds}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, cache := connect(t, static), t.TempDir()
			if err := os.Chmod(cache, 0o755); err != nil {
				t.Fatal(err)
			}
			e := connect(t, func(o *Options) { o.Host, o.Cache = refusing(t, refuse...), cache })
			im := open(t, e, makeImage(t, plain, nil))
			serves(t, im)
			want := mount.TypeBind
			if refuse != nil {
				want = mount.TypeVolume
			}
			if got := e.pool.cells[0].probe.Type; got != want {
				t.Errorf("the probe came by a %s, want a %s", got, want)
			}
			files, err := filepath.Glob(filepath.Join(cache, "probes", "*"))
			if err != nil || len(files) != 1 {
				t.Errorf("in the cache: %v, %v", files, err)
			}
		})
	}
}

// TestCellsGoWithTheLastImage: where it is known how many images there are,
// nobody waits for the engine to be closed.
func TestCellsGoWithTheLastImage(t *testing.T) {
	t.Parallel()
	e := connect(t, func(o *Options) { o.Images, o.Cells = 3, 1 })
	ref := makeImage(t, e, nil)
	if _, err := e.Open(t.Context(), "imglint-test/none"); err == nil {
		t.Fatal("opened an image that is not there")
	}
	slots <- struct{}{}
	defer func() { <-slots }()
	for n := range 2 {
		im, err := e.Open(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		serves(t, im)
		if err := im.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if left := len(e.pool.cells); left != 1-n {
			t.Errorf("%d cells after image %d of 2", left, n+1)
		}
	}
}
