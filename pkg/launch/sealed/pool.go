package sealed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"sync"
	"time"
)

const (
	// idleTime is how long a child waits for the next script: an image's
	// scripts, and the images of a call, come one after the other.
	idleTime = time.Second
	// maxBusy is what one child works in all, far below its limit.
	maxBusy = 300 * time.Millisecond
	maxIdle = 2
)

// worker is a running child.
type worker struct {
	cmd   *exec.Cmd
	stdin io.Closer
	say   *json.Encoder
	hear  *json.Decoder
	said  *bounded
	busy  time.Duration
	idle  *time.Timer
}

// start runs imglint's own program as a child.
func start(program string) (*worker, error) {
	w := &worker{said: &bounded{buffer: &bytes.Buffer{}}}
	w.cmd = exec.Command(program, Argument) //nolint:noctx // it outlives the script, and kill ends it
	w.cmd.Env, w.cmd.Dir = []string{"GOMAXPROCS=2"}, "/"
	w.cmd.Stderr = w.said
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.stdin, w.say = in, json.NewEncoder(in)
	w.hear = json.NewDecoder(bufio.NewReader(io.LimitReader(out, 64<<20)))
	return w, w.cmd.Start()
}

func (w *worker) kill() { w.cmd.Process.Kill() } //nolint:errcheck // it has ended by itself

// end lets the child end, which it does when nothing more can come.
func (w *worker) end() error {
	w.stdin.Close() //nolint:errcheck // the child ends with it
	late := time.AfterFunc(childTime, w.kill)
	defer late.Stop()
	return w.cmd.Wait()
}

// idlers are the children that have nothing to do, by program.
type idlers struct {
	mu      sync.Mutex
	workers map[string][]*worker
}

var pool = idlers{workers: map[string][]*worker{}}

func (p *idlers) take(program string) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.workers[program]
	if len(all) == 0 {
		return nil
	}
	w := all[len(all)-1]
	p.workers[program] = all[:len(all)-1]
	w.idle.Stop()
	return w
}

// put keeps a child for a while.
func (p *idlers) put(program string, w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.workers[program]) >= maxIdle {
		go w.end() //nolint:errcheck // it has answered
		return
	}
	w.idle = time.AfterFunc(idleTime, func() {
		if p.remove(program, w) {
			w.end() //nolint:errcheck // it has answered
		}
	})
	p.workers[program] = append(p.workers[program], w)
}

// remove reports whether the child was still idle.
func (p *idlers) remove(program string, gone *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range p.workers[program] {
		if w == gone {
			p.workers[program] = append(p.workers[program][:i:i], p.workers[program][i+1:]...)
			return true
		}
	}
	return false
}

// Close ends the idle children and waits for them.
func (c Child) Close() {
	for w := pool.take(c.Program); w != nil; w = pool.take(c.Program) {
		w.end() //nolint:errcheck // it has answered
	}
}
