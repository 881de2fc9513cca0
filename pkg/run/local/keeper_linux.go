package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/imglint/imglint/pkg/probe"
	"github.com/imglint/imglint/pkg/probe/cage"
)

// chunk is a piece of the container's output; the last one of a stream is empty.
type chunk struct {
	stream string
	data   []byte
	at     time.Time
}

// keeper is a started keeper with its container.
type keeper struct {
	began   time.Time
	output  chan chunk
	reports chan cage.Report // closed when the keeper is gone
	done    chan struct{}    // closed by stop
	gone    chan struct{}    // closed when it was waited for
	cmd     *exec.Cmd
	control *os.File
	pumps   sync.WaitGroup

	mu      sync.Mutex
	changes []cage.Change // that were pretended
}

// start starts a container.
func (r *Runner) start(ctx context.Context, c cage.Config, who identity, group *cgroup) (*keeper, error) {
	k := &keeper{
		output: make(chan chunk), reports: make(chan cage.Report), done: make(chan struct{}), gone: make(chan struct{}),
	}
	binary, err := r.binary()
	if err != nil {
		return nil, err
	}
	var theirs, ours []*os.File
	defer func() { closeAll(theirs) }()
	pipe := func(reads bool) (mine, other *os.File) {
		from, to, e := os.Pipe()
		err = errors.Join(err, e)
		if mine, other = from, to; !reads {
			mine, other = to, from
		}
		ours, theirs = append(ours, mine), append(theirs, other)
		return mine, other
	}
	stdout, childOut := pipe(true)
	stderr, childErr := pipe(true)
	control, childControl := pipe(false)
	reports, childReports := pipe(true)
	procs, e := group.procs()
	theirs = append(theirs, procs...)
	if err = errors.Join(err, e); err != nil {
		closeAll(ours)
		return nil, fmt.Errorf("make pipes: %w", err)
	}
	k.control = control
	k.cmd = &exec.Cmd{
		Path:        fmt.Sprintf("/proc/self/fd/%d", cage.BinaryFD),
		Args:        []string{probe.Path, cage.RoleKeeper},
		Env:         []string{"GODEBUG=asyncpreemptoff=1"},
		Dir:         "/",
		Stdout:      childOut,
		Stderr:      childErr,
		ExtraFiles:  append([]*os.File{childControl, childReports, binary}, procs...),
		SysProcAttr: r.users.attributes(who),
	}
	if err := k.run(); err != nil {
		closeAll(ours)
		return nil, explain(err)
	}
	closeAll(theirs) // the pumps end when nobody else can write
	theirs = nil
	k.pumps.Add(3)
	go k.pump("stdout", stdout)
	go k.pump("stderr", stderr)
	go k.read(reports)
	if err := r.configure(ctx, k, c); err != nil {
		k.stop()
		return nil, err
	}
	return k, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// run starts the keeper on a thread that lives as long: the kernel ends the
// keeper with the thread that started it.
func (k *keeper) run() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		k.began = time.Now()
		err := k.cmd.Start()
		started <- err
		if err == nil {
			_ = k.cmd.Wait() // its reports tell more
			close(k.gone)
		}
	}()
	return <-started
}

// configure maps the keeper's users and tells it what to start.
func (r *Runner) configure(ctx context.Context, k *keeper, c cage.Config) error {
	if r.users.kind == many {
		if err := r.users.apply(ctx, k.cmd.Process.Pid); err != nil {
			return err
		}
		if err := cage.Again(k.control); err != nil {
			return fmt.Errorf("configure container: %w", err)
		}
	}
	if err := cage.Send(k.control, c); err != nil {
		return fmt.Errorf("configure container: %w", err)
	}
	return nil
}

// removePatience bounds the removal of one directory.
const removePatience = time.Minute

// remove removes a directory with files of users that exist inside only.
func (r *Runner) remove(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), removePatience)
	defer cancel()
	k, err := r.start(ctx, cage.Config{Remove: dir}, identity{}, &cgroup{})
	if err != nil {
		return err
	}
	defer k.stop()
	for {
		select {
		case last := <-k.reports:
			if !last.Ended {
				return fmt.Errorf("remove %s: %s", dir, last.Failed)
			}
			return nil
		case <-k.output:
		case <-ctx.Done():
			return fmt.Errorf("remove %s: %w", dir, ctx.Err())
		}
	}
}

// pump reads a stream for as long as there is any: a program whose output
// nobody reads stands still.
func (k *keeper) pump(stream string, from *os.File) {
	defer k.pumps.Done()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			c := chunk{stream, append([]byte(nil), buf[:n]...), time.Now()}
			select {
			case k.output <- c:
			case <-k.done:
				return
			}
		}
		if err != nil {
			select {
			case k.output <- chunk{stream: stream, at: time.Now()}:
			case <-k.done:
			}
			return
		}
	}
}

// maxReport bounds a line of the keeper's.
const maxReport = 64 << 10

// read hands the keeper's reports on.
func (k *keeper) read(from *os.File) {
	defer k.pumps.Done()
	defer close(k.reports)
	defer from.Close()
	lines := bufio.NewScanner(io.LimitReader(from, maxReport))
	for lines.Scan() {
		var r cage.Report
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue
		}
		if r.Change != nil {
			k.mu.Lock()
			k.changes = append(k.changes, *r.Change)
			k.mu.Unlock()
			continue
		}
		select {
		case k.reports <- r:
		case <-k.done:
			return
		}
	}
}

// pretended are the changes of users that did not happen, so far.
func (k *keeper) pretended() []cage.Change {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.changes)
}

// stop ends the container and waits until nothing of it is left: when its
// keeper is gone, so are all its processes and mounts.
func (k *keeper) stop() {
	close(k.done)
	_ = k.cmd.Process.Kill() // it may be gone already
	<-k.gone
	k.control.Close()
	k.pumps.Wait()
}
