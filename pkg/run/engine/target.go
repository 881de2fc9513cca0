package engine

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
	"github.com/imglint/imglint/pkg/run"
)

// afterWindow is how much longer than its boot window a run's container may
// be needed.
const afterWindow = 10 * time.Minute

// target describes the container of one run.
type target struct {
	image *Image
	spec  run.Spec
	way   facts.Way
	cell  *cell // nil: it has a network of the engine's
	nonce string
	why   error // why no better way is possible
	// gains lets the program gain privileges, as by sudo.
	gains bool
	// executed: the program was, so that no other way is to be tried.
	executed bool
}

// create makes the container, ready to start.
func (t *target) create(ctx context.Context) (string, error) {
	e := t.image.engine
	config, host, err := t.config()
	if err != nil {
		return "", err
	}
	id, err := e.api.create(ctx, config, host)
	if err == nil {
		err = e.api.replace(ctx, id, t.spec.Files)
	}
	if err != nil || t.way != facts.WayAlone {
		return id, err
	}
	binary, err := e.probe()
	if err == nil {
		err = e.api.copyIn(ctx, id, probeDir, bytes.NewReader(binary))
	}
	return id, err
}

// role is that of its container.
func (t *target) role() string {
	if t.cell == nil {
		return roleAlone
	}
	return roleTarget
}

func (t *target) config() (*container.Config, *container.HostConfig, error) {
	labels := t.image.engine.owner.labels(t.role(), t.spec.LongestWindow()+afterWindow)
	config := &container.Config{
		Image:        t.spec.Image,
		Env:          mergeEnv(t.spec.Target.Env, t.spec.Env),
		User:         t.spec.User,
		Labels:       labels,
		Healthcheck:  noHealthcheck(),
		AttachStdout: true, AttachStderr: true,
	}
	host := t.host()
	if unchanged(t.way) {
		config.Entrypoint, config.Cmd = overrides(t.image.facts.Config, t.spec.Argv)
		host.NetworkMode = container.NetworkMode(t.image.engine.opts.Network)
		return config, host, nil
	}
	if isRoot(t.user()) {
		// The observer keeps it, to tell whose sockets are those of processes
		// that changed their user; the program does not get it.
		host.CapAdd = []string{"SYS_PTRACE"}
	}
	t.join(host, labels)
	var err error
	config.Entrypoint, err = t.argv()
	return config, host, err
}

// host is what all ways give the program.
func (t *target) host() *container.HostConfig {
	limits := t.spec.Limits
	host := &container.HostConfig{
		Binds: t.spec.Volumes,

		ReadonlyRootfs: t.spec.ReadOnly,
		LogConfig:      container.LogConfig{Type: "none"},
		IpcMode:        container.IPCModePrivate,
		Init:           new(bool), // PID 1 has to be the program
		Resources: container.Resources{
			Memory:     limits.Memory,
			MemorySwap: limits.Memory,
			NanoCPUs:   int64(limits.CPUs * 1e9),
			PidsLimit:  &limits.Pids,
		},
		// As Podman drops them. The others of Docker's default stay: servers
		// start as root, then chown, setuid and bind low ports.
		CapDrop: []string{"MKNOD", "NET_RAW"},
	}
	if !t.gains {
		host.SecurityOpt = []string{"no-new-privileges"}
	}
	if t.cell == nil && t.way != facts.WayLogs && ownNetwork(t.image.engine.opts.Network) {
		host.Sysctls = map[string]string{lowPorts: firstFree(t.strict())}
	}
	return host
}

// strict reports whether ports below 1024 are root's.
func (t *target) strict() bool { return t.spec.Target.PrivilegedPorts == facts.No }

// overrides are what is to be changed of an image so that argv runs: nothing,
// its CMD, or both.
func overrides(c facts.Config, argv []string) (entrypoint, cmd []string) {
	if slices.Equal(c.Argv(), argv) {
		return nil, nil
	}
	n := len(c.Entrypoint)
	if n > 0 && len(argv) > n && slices.Equal(c.Entrypoint, argv[:n]) {
		return nil, argv[n:]
	}
	return argv, nil
}

// join gives the target its network and the probe.
func (t *target) join(host *container.HostConfig, labels map[string]string) {
	if t.cell == nil {
		host.NetworkMode = container.NetworkMode(t.image.engine.opts.Network)
		host.Mounts = []mount.Mount{probeMount(labels)}
		return
	}
	host.NetworkMode = container.NetworkMode("container:" + t.cell.id)
	host.Mounts = []mount.Mount{t.cell.probe}
}

// argv is the probe's command line with the program's behind it.
func (t *target) argv() ([]string, error) {
	requests := t.spec.Requests()
	config := probe.Config{
		Nonce:    t.nonce,
		Endpoint: requests[0].Endpoint,
		Probe:    requests[0].Probe,
		Further:  requests[1:],
		Memory:   t.image.engine.podman,
	}
	if t.cell != nil {
		config.Address = t.cell.address
	}
	role := probe.RoleInject
	if t.spec.Wrapped {
		role = probe.RoleWrap
		config.SurvivorsFor = facts.ToMillis(run.SurvivorsFor)
	}
	argv, err := probeArgv(role, config)
	return slices.Concat(argv, []string{"--"}, t.spec.Argv), err
}

func (t *target) user() string {
	if t.spec.User != "" {
		return t.spec.User
	}
	return t.image.facts.Config.User
}

func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "" || name == "root" || name == "0"
}

// mergeEnv joins KEY=VALUE lists; the last value of a key holds.
func mergeEnv(lists ...[]string) []string {
	var merged []string
	for _, kv := range slices.Concat(lists...) {
		key, _, _ := strings.Cut(kv, "=")
		merged = slices.DeleteFunc(merged, func(old string) bool {
			return strings.HasPrefix(old, key+"=")
		})
		merged = append(merged, kv)
	}
	return merged
}

// reason asks for the words of a refusal to attach, which the client loses.
// Podman makes the container ready when it is attached to, and refuses what
// Docker refuses when it is started.
func (t *target) reason(ctx context.Context, id string, refused error) error {
	if err := t.start(ctx, id); err != nil {
		return err
	}
	return refused
}
