package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	pathpkg "path"
	"sync"
	"time"

	"github.com/docker/docker/api/types"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
)

// requestPatience bounds one question to the cell, which answers in
// microseconds; the rest is the way.
const requestPatience = 10 * time.Second

// maxReply holds the largest content as base64 JSON.
const maxReply = 2 * maxRead

// cellFiles asks the cell's probe about its root file system over the cell's
// attached streams.
type cellFiles struct {
	mu      sync.Mutex
	conn    types.HijackedResponse
	replies chan []byte
	done    chan struct{} // closed by close
	ended   chan struct{} // closed when the cell has ended
	once    sync.Once
	broken  error
}

func newCellFiles(conn types.HijackedResponse) *cellFiles {
	f := &cellFiles{conn: conn, replies: make(chan []byte), done: make(chan struct{}), ended: make(chan struct{})}
	r, w := io.Pipe()
	go func() { w.CloseWithError(demultiplex(conn, w, io.Discard)) }()
	go f.split(r)
	return f
}

// split hands over the lines that the cell writes.
func (f *cellFiles) split(r *io.PipeReader) {
	defer close(f.replies)
	defer close(f.ended)
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxReply)
	for lines.Scan() {
		select {
		case f.replies <- bytes.Clone(lines.Bytes()):
		case <-f.done:
			r.CloseWithError(errCellEnded)
			return
		}
	}
	r.CloseWithError(errCellEnded)
}

// line returns the next line of the cell.
func (f *cellFiles) line(ctx context.Context, patience time.Duration) ([]byte, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case line, ok := <-f.replies:
		if !ok {
			return nil, errCellEnded
		}
		return line, nil
	case <-timer.C:
		return nil, fmt.Errorf("the cell did not answer within %s", patience)
	}
}

// ready waits for the cell to say that its network is made, and returns the
// address that it has there.
func (f *cellFiles) ready(ctx context.Context, patience time.Duration) (address string, err error) {
	line, err := f.line(ctx, patience)
	if ctx.Err() != nil {
		return "", err
	}
	if err != nil {
		return "", &Error{Kind: KindProbe, Err: err, Text: err.Error()}
	}
	var report probe.Ready
	if err := json.Unmarshal(line, &report); err != nil || !report.Ready || report.Error != "" {
		return "", &Error{Kind: KindProbe, Err: err, Text: fmt.Sprintf("the cell is not ready: it said %.200q", line)}
	}
	return report.Address, nil
}

func (f *cellFiles) close() {
	f.once.Do(func() {
		close(f.done)
		f.conn.Close()
	})
}

func (f *cellFiles) ask(q probe.FileRequest) (probe.FileReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var reply probe.FileReply
	if f.broken != nil {
		return reply, f.broken
	}
	question, err := json.Marshal(q)
	if err == nil {
		_, err = f.conn.Conn.Write(append(question, '\n'))
	}
	var line []byte
	if err == nil {
		line, err = f.line(context.Background(), requestPatience)
	}
	if err == nil {
		err = json.Unmarshal(line, &reply)
	}
	if err != nil {
		// Answers come in order, so that none can be trusted any more.
		f.broken = fmt.Errorf("ask the cell: %w (%w)", facts.ErrNotExamined, err)
		return reply, f.broken
	}
	return reply, errnoError(reply.Errno)
}

// errnoError gives the errors of the cell's system calls their meaning.
func errnoError(errno string) error {
	switch errno {
	case "":
		return nil
	case "ENOENT", "ENOTDIR":
		return fs.ErrNotExist
	case "EACCES", "EPERM":
		return fs.ErrPermission
	}
	return errors.New(errno)
}

func (f *cellFiles) stat(path string, follow bool) (*entry, error) {
	q := probe.FileRequest{Op: "lstat", Path: path}
	if follow {
		q.Op = "stat"
	}
	reply, err := f.ask(q)
	if err != nil {
		return nil, err
	}
	if reply.Info == nil {
		return nil, facts.ErrNotExamined
	}
	e := newEntry(*reply.Info)
	e.name = pathpkg.Base(path)
	return e, nil
}

func newEntry(i probe.FileInfo) *entry {
	return &entry{name: i.Name, size: i.Size, mode: fs.FileMode(i.Mode), time: time.Unix(i.Time, 0), uid: i.UID, gid: i.GID}
}

func (f *cellFiles) readlink(path string) (string, error) {
	reply, err := f.ask(probe.FileRequest{Op: "readlink", Path: path})
	if reply.Errno == "EINVAL" { // not a link
		err = fs.ErrInvalid
	}
	return reply.Link, err
}

func (f *cellFiles) read(path string, limit int64) ([]byte, bool, error) {
	reply, err := f.ask(probe.FileRequest{Op: "read", Path: path, Max: limit})
	return reply.Content, reply.More, err
}

func (f *cellFiles) readdir(path string) ([]*entry, error) {
	reply, err := f.ask(probe.FileRequest{Op: "readdir", Path: path, Max: maxEntries})
	if reply.Errno == "ENOTDIR" { // which is no proof of absence here
		err = errors.New("not a directory")
	}
	if err != nil {
		return nil, err
	}
	if reply.More {
		return nil, fmt.Errorf("more than %d entries: %w", len(reply.Entries), facts.ErrNotExamined)
	}
	entries := make([]*entry, len(reply.Entries))
	for i, info := range reply.Entries {
		entries[i] = newEntry(info)
	}
	return entries, nil
}
