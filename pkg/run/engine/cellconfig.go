package engine

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/imglint/imglint/pkg/probe"
)

// config describes the cell. It has the image's files and nothing of its
// configuration: whatever is wrong with that must show in the run.
func (c *cell) config() (*container.Config, *container.HostConfig, error) {
	e := c.engine
	labels := e.owner.labels(c.role(), cellLifetime)
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
	}
	var network probe.Config
	switch {
	case c.beside != nil:
		host.NetworkMode = container.NetworkMode("container:" + c.beside.id)
	case e.opts.Network == "":
		network.Address = cellAddress
		config.Hostname = cellHostname
		host.NetworkMode = "none"
		host.CapAdd = append(host.CapAdd, "NET_ADMIN")
		host.DNS = []string{cellAddress}
		host.ExtraHosts = []string{cellHostname + ":" + cellAddress}
	}
	argv, err := probeArgv(probe.RoleCell, network)
	config.Entrypoint = argv
	if c.beside == nil && ownNetwork(e.opts.Network) {
		host.Sysctls = map[string]string{noTimeWait: "0", lowPorts: firstFree(c.strict)}
	}
	return config, host, err
}

// ownNetwork reports whether a container on the network has a network namespace
// of its own, whose settings it may choose.
func ownNetwork(network string) bool {
	return network != "host" && !strings.HasPrefix(network, "container:")
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
