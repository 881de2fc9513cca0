package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
	"github.com/imglint/imglint/pkg/probe/cage"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// target is one run of an image.
type target struct {
	image *Image
	spec  run.Spec
	who   identity
	nonce string
	gains bool // the program may gain privileges
	// changes of users are those that were pretended.
	changes []cage.Change
	root    string
	// cache and held are the image's, or those for a user that is all there is.
	cache *layers.Cache
	held  []*layers.Held
}

// errNoOverlay is for a second try with a copy.
var errNoOverlay = errors.New("overlayfs cannot be used")

// Observe starts the image and watches it; see run.Observer.
func (im *Image) Observe(ctx context.Context, spec run.Spec, w run.Watcher) (facts.Run, error) {
	if spec.Limits == (run.Limits{}) {
		spec.Limits = run.DefaultLimits
	}
	t := target{image: im, spec: spec}
	seen, err := t.try(ctx, w)
	if err == nil && wantsPrivileges(seen) {
		t.gains = true
		seen, err = t.try(ctx, w)
	}
	if gone := im.present(); gone != nil {
		seen, err = facts.Run{}, gone // whatever was seen
	}
	if err == nil {
		seen.Doubt = cmp.Or(unsure(t.changes), seen.Doubt)
		err = im.doubt(seen, t.who, t.changes)
	}
	if err != nil {
		err = fmt.Errorf("run image %q: %w", im.facts.Ref, err)
	}
	return seen, err
}

func (t *target) try(ctx context.Context, w run.Watcher) (facts.Run, error) {
	var notFound notFoundError
	who, err := identify(t.image.held, t.user())
	if errors.As(err, &notFound) {
		return run.NewRecord(t.spec, w).Finish(facts.StopExited, 0, &facts.Exit{Code: 128, Refused: notFound.text}), nil
	}
	if err != nil {
		return facts.Run{}, err
	}
	t.who = who
	if err := t.strict(ctx); err != nil {
		return facts.Run{}, err
	}
	defer t.release()
	copies := &t.image.runner.copies
	if !copies.Load() {
		seen, err := t.observe(ctx, w)
		if !errors.Is(err, errNoOverlay) {
			return seen, err
		}
		copies.Store(true)
	}
	root, err := t.cache.Merge(ctx, t.held)
	if err != nil {
		return facts.Run{}, err
	}
	t.root = root.Dir
	seen, err := t.observe(ctx, w)
	return seen, errors.Join(err, root.Remove())
}

// alone reports whether the program runs as the one user that is mapped, and
// is not root in its container.
func (t *target) alone() bool { return t.image.runner.users.kind == alone && t.who.uid != 0 }

// strict gets layers whose modes make up for their missing owners.
func (t *target) strict(ctx context.Context) (err error) {
	t.cache, t.held = t.image.runner.cache, t.image.held
	if !t.alone() {
		return nil
	}
	if t.cache, err = t.cache.As(layers.User{UID: t.who.uid, GID: t.who.gid, Groups: t.who.groups}); err != nil {
		return err
	}
	t.held, err = hold(ctx, t.cache, t.image.from)
	return err
}

func (t *target) release() {
	if t.alone() {
		release(t.held)
	}
}

func (t *target) user() string {
	if t.spec.User != "" {
		return t.spec.User
	}
	return t.image.facts.Config.User
}

// observe makes one run.
func (t *target) observe(ctx context.Context, w run.Watcher) (seen facts.Run, err error) {
	t.nonce = rand.Text()
	group := newCgroup(t.spec.Limits)
	defer func() { err = errors.Join(err, group.remove()) }()
	spec := t.spec
	if !group.limitsMemory() {
		spec.Limits.Memory = 0
	}
	record := run.NewRecord(spec, w)
	record.SetAddress(Address)
	config, err := t.config(group)
	if err != nil {
		return facts.Run{}, err
	}
	others, remove, err := t.replaced()
	defer remove()
	if err != nil {
		return facts.Run{}, err
	}
	config.Binds = append(config.Binds, others...)
	k, err := t.image.runner.start(ctx, config, t.who, group)
	if err != nil {
		return facts.Run{}, err
	}
	defer k.stop()
	s := &session{target: t, keeper: k, record: record, decoder: probe.NewDecoder(t.nonce), group: group, base: k.began}
	seen, err = s.watch(ctx)
	t.changes = k.pretended()
	t.unlimited(&seen, group)
	return seen, err
}

func (t *target) config(group *cgroup) (cage.Config, error) {
	im, users := t.image, t.image.runner.users
	c := cage.Config{
		Root:     t.root,
		Scratch:  im.runner.cache.Dir(),
		Hostname: Hostname,
		Address:  Address,
		Volumes:  im.facts.Config.Volumes,
		Dir:      im.facts.Config.WorkingDir,
		UID:      t.who.uid,
		GID:      t.who.gid,
		Groups:   t.who.groups,
		Env:      t.environment(),
		ReadOnly: t.spec.ReadOnly,
		LowPorts: t.spec.Target.PrivilegedPorts != facts.No,
		Gains:    t.gains,
		Nested:   users.kind != same,
		Single:   users.kind == alone,
		Pretend:  users.kind == alone && t.who.uid == 0,
		Strict:   t.alone(),
		Cgroups:  len(group.dirs),
		Unified:  group.unified,
		Files:    1 << 20, // as dockerd gives them
	}
	if users.kind != same {
		c.Pids = uint64(t.spec.Limits.Pids)
	}
	for _, h := range t.held {
		if t.root == "" {
			c.Layers = append(c.Layers, h.Dir)
		}
	}
	if users.kind == many {
		c.Owners = owners(im.held, users)
	}
	var err error
	if c.Binds, err = binds(t.spec.Volumes); err != nil {
		return c, err
	}
	c.Argv, err = t.argv()
	return c, err
}

// owners lists who owns what, the topmost layer's word last. IDs that are not
// mapped cannot be given.
func owners(held []*layers.Held, users mapping) (all []cage.Owner) {
	for _, h := range slices.Backward(held) {
		for _, o := range h.Owners {
			if o.UID <= users.uids.count && o.GID <= users.gids.count {
				all = append(all, o)
			}
		}
	}
	return all
}

// binds reads what docker run -v takes.
func binds(volumes []string) (all []cage.Bind, err error) {
	for _, v := range volumes {
		parts := strings.Split(v, ":")
		switch {
		case len(parts) < 2, !strings.HasPrefix(parts[0], "/"), !strings.HasPrefix(parts[1], "/"):
			return nil, fmt.Errorf("volume %q: without an engine only /DIR:/TARGET[:ro] can be used", v)
		}
		readOnly := len(parts) > 2 && slices.Contains(strings.Split(parts[2], ","), "ro")
		all = append(all, cage.Bind{Source: parts[0], Target: parts[1], ReadOnly: readOnly})
	}
	return all, nil
}

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is what an engine gives: its own, the image's, the caller's.
func (t *target) environment() []string {
	own := []string{defaultPath, "HOSTNAME=" + Hostname, "HOME=" + t.who.home}
	return mergeEnv(own, t.image.facts.Config.Env, t.spec.Target.Env, t.spec.Env)
}

// mergeEnv joins KEY=VALUE lists; the last value of a key holds.
func mergeEnv(lists ...[]string) []string {
	var merged []string
	for _, kv := range slices.Concat(lists...) {
		key, _, ok := strings.Cut(kv, "=")
		merged = slices.DeleteFunc(merged, func(old string) bool { return strings.HasPrefix(old, key+"=") })
		if ok {
			merged = append(merged, kv)
		}
	}
	return merged
}

// argv is the probe's command line with the program's behind it.
func (t *target) argv() ([]string, error) {
	requests := t.spec.Requests()
	config := probe.Config{
		Nonce:    t.nonce,
		Address:  Address,
		Endpoint: requests[0].Endpoint,
		Probe:    requests[0].Probe,
		Further:  requests[1:],
	}
	role := probe.RoleInject
	if t.spec.Wrapped {
		role = probe.RoleWrap
		config.SurvivorsFor = facts.ToMillis(run.SurvivorsFor)
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode probe configuration: %w", err)
	}
	return slices.Concat([]string{probe.Path, role, base64.StdEncoding.EncodeToString(text), "--"}, t.spec.Argv), nil
}

// exitFacts translates how the first process ended. A shell whose child was
// killed exits with 128 and the signal's number, which is as good to say.
func exitFacts(t facts.Millis, status unix.WaitStatus, oom bool) *facts.Exit {
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	exit := &facts.Exit{T: t, Code: code, OOM: oom && code == 128+int(unix.SIGKILL)}
	if n := code - 128; n > 0 {
		exit.Signal = unix.SignalName(unix.Signal(n))
	}
	return exit
}
