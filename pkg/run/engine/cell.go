package engine

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/mount"

	"github.com/imglint/imglint/pkg/probe"
)

const (
	probeDir  = probe.MountPoint
	probePath = probeDir + "/probe"
	// cellAddress is from 198.18.0.0/15, which RFC 2544 keeps for tests.
	cellAddress  = "198.18.0.2"
	cellHostname = "web"
	cellLifetime = 2 * time.Hour
	// readyPatience bounds how long the cell's probe takes to report.
	readyPatience = 10 * time.Second
)

// cell is a container of an image in which only the probe runs. It owns the
// network that runs join, holds the probe for them, and tells what files its
// own image has. A reader does only the last, beside a cell.
type cell struct {
	engine *Engine
	image  string
	strict bool          // ports below 1024 are root's
	beside *cell         // of a reader, whose network and probe it takes; nil: it has its own
	begun  chan struct{} // closed when begin has ended
	cancel context.CancelFunc
	// users are the containers that take its network and probe: Podman refuses
	// to remove what others depend on, and a volume stays when it is in use.
	users sync.WaitGroup
	left  func() // of a reader: it does not use its cell any more

	// Set by begin.
	id      string
	probe   mount.Mount // where targets get the probe
	address string      // "" when it could not be told
	files   *cellFiles
	removed bool
	err     error
}

// lowPorts is what Docker sets to 0, so that everybody may bind low ports, and
// what not every platform does, nor Podman.
const lowPorts = "net.ipv4.ip_unprivileged_port_start"

// firstFree is the first port that everybody may bind.
func firstFree(strict bool) string {
	if strict {
		return "1024"
	}
	return "0"
}

// noTimeWait is a kernel's (4.10 and newer) limit for closed connections that
// keep their port for a minute. The next run in a cell must find its port free
// also where its program does not ask for SO_REUSEADDR, as on a new network.
const noTimeWait = "net.ipv4.tcp_max_tw_buckets"

// newCell starts a cell in the background; in a strict one ports below 1024
// are root's.
func (e *Engine) newCell(ctx context.Context, image string, strict bool) *cell {
	return (&cell{engine: e, image: image, strict: strict}).starting(ctx)
}

// newReader starts a reader of an image in the background.
func (e *Engine) newReader(ctx context.Context, image string, beside *cell) *cell {
	beside.users.Add(1)
	return (&cell{engine: e, image: image, beside: beside, left: sync.OnceFunc(beside.users.Done)}).starting(ctx)
}

func (c *cell) starting(ctx context.Context) *cell {
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.begun = make(chan struct{})
	go func() {
		defer close(c.begun)
		if c.err = c.begin(ctx); c.err != nil {
			c.err = fmt.Errorf("start %s: %w", c.role(), c.err)
		}
	}()
	return c
}

func (c *cell) role() string {
	if c.beside != nil {
		return roleFiles
	}
	return roleCell
}

// wait returns when the cell is ready or cannot be.
func (c *cell) wait(ctx context.Context) error {
	select {
	case <-c.begun:
		return c.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begin makes the container, with the probe in the cheapest way that works.
func (c *cell) begin(ctx context.Context) error {
	if c.beside != nil {
		if err := c.beside.wait(ctx); err != nil {
			return err
		}
		return c.launch(ctx, c.beside.probe)
	}
	if shared, ok := c.engine.sharedProbe(); ok {
		err := c.launch(ctx, shared)
		if err == nil || !isKind(err, KindRefused) && !isKind(err, KindProbe) {
			return err
		}
		c.engine.shareless.Store(true) // the engine does not see this machine's files
		if err := c.remove(ctx); err != nil {
			return err
		}
	}
	return c.launch(ctx, probeMount(c.engine.owner.labels(c.role(), cellLifetime)))
}

// launch creates and starts the container.
func (c *cell) launch(ctx context.Context, m mount.Mount) (err error) {
	api := c.engine.api
	config, host, err := c.config()
	if err != nil {
		return err
	}
	host.Mounts = []mount.Mount{m}
	if c.id, err = api.create(ctx, config, host); err != nil {
		return err
	}
	c.removed = false
	if c.probe, err = c.furnish(ctx, m); err != nil {
		return err
	}
	conn, err := api.attach(ctx, c.id, true)
	if err != nil {
		return err
	}
	c.files = newCellFiles(conn)
	if err := c.start(ctx); err != nil {
		return err
	}
	if c.address, err = c.files.ready(ctx, readyPatience); err == nil && c.address == "" && c.beside == nil {
		c.address, err = api.address(ctx, c.id)
	}
	return err
}

// furnish copies the probe into a volume of the cell's own, and returns how
// others mount it.
func (c *cell) furnish(ctx context.Context, m mount.Mount) (mount.Mount, error) {
	if m.Source != "" {
		return m, nil
	}
	api := c.engine.api
	volume, err := api.probeVolume(ctx, c.id)
	if err != nil {
		return m, err
	}
	binary, err := c.engine.probe()
	if err != nil {
		return m, err
	}
	m = mount.Mount{Type: mount.TypeVolume, Source: volume, Target: probeDir, ReadOnly: true}
	return m, api.copyIn(ctx, c.id, probeDir, bytes.NewReader(binary))
}

func (c *cell) start(ctx context.Context) error {
	if c.beside == nil {
		c.engine.cells.Lock()
		defer c.engine.cells.Unlock()
	}
	return c.engine.api.start(ctx, c.id)
}

func (c *cell) close(ctx context.Context) error {
	if c.left != nil {
		defer c.left()
	}
	c.cancel()
	<-c.begun
	return c.remove(ctx)
}

// remove removes the container, if there is one.
func (c *cell) remove(ctx context.Context) error {
	if c.files != nil {
		c.files.close()
	}
	if c.id == "" || c.removed {
		return nil
	}
	if err := c.engine.remove(ctx, c.id, c.role()); err != nil {
		return fmt.Errorf("remove %s %.12s: %w", c.role(), c.id, err)
	}
	c.removed = true
	return nil
}

// alive reports whether a cell that was ready is still there.
func (c *cell) alive() bool {
	select {
	case <-c.files.ended:
		return false
	default:
		return true
	}
}

// over reports whether the cell has ended, and waits until alive knows.
func (c *cell) over(ctx context.Context) bool {
	state, err := c.engine.api.inspect(ctx, c.id)
	if err == nil && state.State != nil && state.State.Running {
		return false
	}
	c.files.close()
	select {
	case <-c.files.ended:
	case <-ctx.Done():
	}
	return true
}
