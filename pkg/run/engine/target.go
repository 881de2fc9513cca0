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
	cell  *cell // nil: it has the engine's default network, and a probe of its own
	nonce string
	// gains lets the program gain privileges, as by sudo.
	gains bool
}

// create makes the container, ready to start.
func (t target) create(ctx context.Context) (string, error) {
	e := t.image.engine
	config, host, err := t.config()
	if err != nil {
		return "", err
	}
	id, err := e.api.create(ctx, config, host)
	if err != nil || t.cell != nil {
		return id, err
	}
	binary, err := e.probe()
	if err == nil {
		err = e.api.copyIn(ctx, id, probeDir, bytes.NewReader(binary))
	}
	return id, err
}

func (t target) config() (*container.Config, *container.HostConfig, error) {
	labels := t.image.engine.owner.labels(roleTarget, t.spec.LongestWindow()+afterWindow)
	argv, err := t.argv()
	config := &container.Config{
		Image:        t.spec.Image,
		Entrypoint:   argv,
		Env:          mergeEnv(t.spec.Target.Env, t.spec.Env),
		User:         t.spec.User,
		Labels:       labels,
		Healthcheck:  noHealthcheck(),
		AttachStdout: true, AttachStderr: true,
	}
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
	if isRoot(t.user()) {
		// The observer keeps it, to tell whose sockets are those of processes
		// that changed their user; the program does not get it.
		host.CapAdd = []string{"SYS_PTRACE"}
	}
	if !t.gains {
		host.SecurityOpt = []string{"no-new-privileges"}
	}
	t.join(host, labels)
	return config, host, err
}

// join gives the target its network and the probe.
func (t target) join(host *container.HostConfig, labels map[string]string) {
	if t.cell == nil {
		host.NetworkMode = container.NetworkMode(t.image.engine.opts.Network)
		host.Mounts = []mount.Mount{probeMount(labels)}
		return
	}
	host.NetworkMode = container.NetworkMode("container:" + t.cell.id)
	host.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: t.cell.volume, Target: probeDir, ReadOnly: true}}
}

// argv is the probe's command line with the program's behind it.
func (t target) argv() ([]string, error) {
	requests := t.spec.Requests()
	config := probe.Config{
		Nonce:    t.nonce,
		Endpoint: requests[0].Endpoint,
		Probe:    requests[0].Probe,
		Further:  requests[1:],
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

func (t target) user() string {
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
