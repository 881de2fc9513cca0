// Package engine reads and runs images on a container engine that speaks the
// Docker API. It is the only user of the Docker client.
//
// Nothing but labelled containers, their anonymous volumes and, where nothing
// else is possible, an image of the probe is made on the engine, and all of it
// is removed again.
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/imglint/imglint/pkg/probe/embed"
)

// Options say which engine to use and what for.
type Options struct {
	// Host is the engine's address; "" finds it as the docker command does.
	Host string
	// Static: images are only read, nothing is started.
	Static bool
	// Network is a network of the engine that runs are attached to; "" gives
	// each run a network of its own without a way out.
	Network string
	// Images is how many images will be opened, so that what they share is
	// removed with the last; 0: it is removed by Close.
	Images int
	// Cells bounds how many runs go on at once; 0: one a core.
	Cells int
	// Cache is a directory for the probe, for engines on this machine; "": each
	// engine gets a copy.
	Cache string
	// Probe returns the binary that runs inside, for a GOARCH; nil is the
	// embedded one.
	Probe func(goarch string) ([]byte, error)
}

// Engine is a connection to a container engine.
type Engine struct {
	api   *api
	opts  Options
	owner owner
	arch  string
	// podman: it is Podman that answers.
	podman bool
	// embedded: the probe is imglint's own.
	embedded bool
	probe    func() ([]byte, error) // as a tar, made once
	// cells is held while a container that owns a network starts or ends:
	// see serial.
	cells serial
	swept chan error
	pool  *pool

	discards  sync.WaitGroup
	mu        sync.Mutex
	faults    []error     // of removals in the background
	shareless atomic.Bool // the engine does not see this machine's files

	sidecars probeImage
}

// Connect finds the engine, checks that it answers, and begins to remove what
// killed runs of imglint left behind.
func Connect(ctx context.Context, o Options) (*Engine, error) {
	at, err := hostSurroundings().resolve(o.Host)
	if err != nil {
		return nil, err
	}
	var said heard
	c, err := at.dial(&said)
	if err != nil {
		return nil, err
	}
	e := &Engine{api: &api{client: c, host: at.host, heard: &said}, opts: o, owner: newOwner(), swept: make(chan error, 1),
		cells: serial{name: "imglint " + at.host}}
	if err := e.greet(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if e.opts.Probe == nil {
		e.opts.Probe, e.embedded = embed.Binary, true
	}
	e.pool = newPool(e)
	e.probe = sync.OnceValues(func() ([]byte, error) { return probeTar(e.opts.Probe, e.arch) })
	go func() { e.swept <- e.Sweep(context.WithoutCancel(ctx)) }()
	return e, nil
}

// greet negotiates the API and learns what the engine is.
func (e *Engine) greet(ctx context.Context) error {
	ping, err := e.api.ping(ctx)
	if err != nil {
		return err
	}
	if ping.OSType != "" && ping.OSType != "linux" {
		return &Error{Kind: KindConfig, Host: e.api.host,
			Text: fmt.Sprintf("the engine at %s runs %s containers: switch it to Linux containers", e.api.host, ping.OSType)}
	}
	if err := e.api.modern(); err != nil {
		return err
	}
	v, err := e.api.version(ctx)
	e.podman = isPodman(v)
	if !e.opts.Static {
		e.arch = v.Arch
	}
	return err
}

// Host returns the engine's address.
func (e *Engine) Host() string { return e.api.host }

// Architecture returns the engine's GOARCH, "" when images are only read.
func (e *Engine) Architecture() string { return e.arch }

// sweepPatience bounds how long Close waits for the sweep.
const sweepPatience = 5 * time.Second

// discard removes something in the background; Close waits for it.
func (e *Engine) discard(ctx context.Context, remove func(context.Context) error) {
	e.discards.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
		defer cancel()
		if err := remove(ctx); err != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.faults = append(e.faults, err)
		}
	})
}

// Close removes what images shared, waits for the sweep and disconnects. Close
// images first.
func (e *Engine) Close(ctx context.Context) error {
	e.pool.drain(ctx)
	e.discard(ctx, e.removeProbeImage)
	e.discards.Wait()
	select {
	case err := <-e.swept:
		e.faults = append(e.faults, err)
	case <-time.After(sweepPatience): // what is left is swept by the next run
	}
	return errors.Join(append(e.faults, e.api.client.Close())...)
}
