package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/pkg/stdcopy"

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

// cell is a container of the target image in which only the probe runs. It
// owns the network that runs join, holds the probe for them in a volume, and
// tells what files the image has.
type cell struct {
	engine *Engine
	image  string
	strict bool          // ports below 1024 are root's
	begun  chan struct{} // closed when begin has ended
	cancel context.CancelFunc

	// Set by begin.
	id      string
	volume  string // the name of the volume with the probe
	address string // "" when it could not be told
	files   *cellFiles
	err     error
}

// lowPorts is what Docker sets to 0, so that everybody may bind low ports, and
// what not every platform does.
const lowPorts = "net.ipv4.ip_unprivileged_port_start"

// newCell starts a cell in the background; in a strict one ports below 1024
// are root's.
func (e *Engine) newCell(ctx context.Context, image string, strict bool) *cell {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &cell{engine: e, image: image, strict: strict, begun: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(c.begun)
		if c.err = c.begin(ctx); c.err != nil {
			c.err = fmt.Errorf("start cell: %w", c.err)
		}
	}()
	return c
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

func (c *cell) begin(ctx context.Context) (err error) {
	api := c.engine.api
	binary, err := c.engine.probe()
	if err != nil {
		return err
	}
	config, host, err := c.config()
	if err != nil {
		return err
	}
	if c.id, err = api.create(ctx, config, host); err != nil {
		return err
	}
	if c.volume, err = api.probeVolume(ctx, c.id); err != nil {
		return err
	}
	if err := api.copyIn(ctx, c.id, probeDir, bytes.NewReader(binary)); err != nil {
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
	if c.address, err = c.files.ready(ctx, readyPatience); err == nil && c.address == "" {
		c.address, err = api.address(ctx, c.id)
	}
	return err
}

func (c *cell) start(ctx context.Context) error {
	c.engine.cells.Lock()
	defer c.engine.cells.Unlock()
	return c.engine.api.start(ctx, c.id)
}

func (c *cell) close(ctx context.Context) error {
	c.cancel()
	<-c.begun
	if c.files != nil {
		c.files.close()
	}
	if c.id == "" {
		return nil
	}
	if err := c.engine.remove(ctx, c.id, roleCell); err != nil {
		return fmt.Errorf("remove cell %.12s: %w", c.id, err)
	}
	return nil
}

// config describes the cell. It has the image's files and nothing of its
// configuration: whatever is wrong with that must show in the run.
func (c *cell) config() (*container.Config, *container.HostConfig, error) {
	e := c.engine
	labels := e.owner.labels(roleCell, cellLifetime)
	config := &container.Config{
		Image:       c.image,
		User:        "0:0",
		WorkingDir:  "/",
		Labels:      labels,
		Healthcheck: noHealthcheck(),
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
		OpenStdin: true, StdinOnce: true,
	}
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(e.opts.Network),
		CapDrop:     []string{"ALL"},
		// DAC_READ_SEARCH reads files that are not root's.
		CapAdd:         []string{"DAC_READ_SEARCH"},
		ReadonlyRootfs: true,
		SecurityOpt:    []string{"no-new-privileges"},
		LogConfig:      container.LogConfig{Type: "none"},
		Mounts:         []mount.Mount{probeMount(labels)},
	}
	if c.strict {
		host.Sysctls = map[string]string{lowPorts: "1024"}
	}
	var network probe.Config
	if e.opts.Network == "" {
		network.Address = cellAddress
		config.Hostname = cellHostname
		host.NetworkMode = "none"
		host.CapAdd = append(host.CapAdd, "NET_ADMIN")
		host.DNS = []string{cellAddress}
		host.ExtraHosts = []string{cellHostname + ":" + cellAddress}
	}
	argv, err := probeArgv(probe.RoleCell, network)
	config.Entrypoint = argv
	return config, host, err
}

func noHealthcheck() *container.HealthConfig {
	return &container.HealthConfig{Test: []string{"NONE"}}
}

// probeMount is an anonymous volume for the probe, so that it is removed with
// its container; labelled, so that it is found if it is not.
func probeMount(labels map[string]string) mount.Mount {
	return mount.Mount{Type: mount.TypeVolume, Target: probeDir,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: labels}}
}

// probeVolume returns the name that the engine gave the probe's volume.
// VolumesFrom would share the VOLUMEs of the image as well.
func (a *api) probeVolume(ctx context.Context, id string) (string, error) {
	c, err := a.inspect(ctx, id)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(c.Mounts, func(m container.MountPoint) bool { return m.Destination == probeDir })
	if i < 0 {
		return "", fmt.Errorf("inspect container %.12s: no volume at %s", id, probeDir)
	}
	return c.Mounts[i].Name, nil
}

// address returns a container's address on the engine's network, "" without one.
func (a *api) address(ctx context.Context, id string) (string, error) {
	c, err := a.inspect(ctx, id)
	if err != nil || c.NetworkSettings == nil {
		return "", err
	}
	for _, n := range c.NetworkSettings.Networks {
		return n.IPAddress, nil // there is one
	}
	return "", nil
}

// probeArgv is the command line of the probe in a role, without "--".
func probeArgv(role string, c probe.Config) ([]string, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode probe configuration: %w", err)
	}
	return []string{probePath, role, base64.StdEncoding.EncodeToString(config)}, nil
}

// demultiplex splits an attached stream in two until it ends.
func demultiplex(conn types.HijackedResponse, stdout, stderr io.Writer) error {
	_, err := stdcopy.StdCopy(stdout, stderr, bufio.NewReaderSize(conn.Reader, 64<<10))
	return err
}

var errCellEnded = errors.New("the cell ended")
