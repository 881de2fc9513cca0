package engine

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	filesLifetime = time.Hour
	// copyPrefix of a file comes along with the first question about it.
	copyPrefix = 4 << 10
	// copyBudget bounds the bytes that listing one directory may cost: the
	// engine sends the contents along.
	copyBudget = 8 << 20
)

// copies asks the engine to copy files out of a container that is made for
// it, never started, at the first question.
type copies struct {
	engine *Engine
	image  string
	mu     sync.Mutex
	id     string
	failed error
	closed bool
	known  map[string]*copied
	cost   facts.Cost
}

// copied is what is known of one path.
type copied struct {
	*entry
	target string // where a symbolic link finally leads
	err    error
	head   []byte // of a regular file
	more   bool   // head is not all
}

func newCopies(e *Engine, image string) *copies {
	return &copies{engine: e, image: image, known: map[string]*copied{}}
}

// container returns the container to copy from. Callers hold the lock.
func (c *copies) container(ctx context.Context) (string, error) {
	if c.closed {
		return "", fs.ErrClosed
	}
	if c.id == "" && c.failed == nil {
		c.cost.Requests++
		c.id, c.failed = c.engine.api.create(ctx, &container.Config{
			Image: c.image,
			// An image without a command is refused otherwise.
			Entrypoint:  []string{probePath},
			User:        "0:0",
			WorkingDir:  "/",
			Labels:      c.engine.owner.labels(roleFiles, filesLifetime),
			Healthcheck: noHealthcheck(),
		}, &container.HostConfig{NetworkMode: "none", LogConfig: container.LogConfig{Type: "none"}})
	}
	return c.id, c.failed
}

func (c *copies) close(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.id == "" {
		return nil
	}
	return c.engine.remove(ctx, c.id, roleFiles)
}

// open gives the tar stream of a path, and where a link there leads.
func (c *copies) open(p string) (body io.ReadCloser, target string, err error) {
	ctx := context.Background() // fs.FS has none; each operation has its deadline
	id, err := c.container(ctx)
	if err != nil {
		return nil, "", notExamined(err)
	}
	c.cost.Requests++
	body, stat, err := c.engine.api.copyOut(ctx, id, p)
	if err != nil {
		return nil, "", copyFault(err)
	}
	return &weighed{body, &c.cost.Bytes}, stat.LinkTarget, nil
}

// weighed counts what is read.
type weighed struct {
	io.ReadCloser
	bytes *int64
}

// Read implements io.Reader.
func (w *weighed) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	*w.bytes += int64(n)
	return n, err
}

// copyFault tells what the engine's error says about a path. It answers
// "not a directory" below a file, and resolves links itself.
func copyFault(err error) error {
	switch {
	case cerrdefs.IsNotFound(err), strings.Contains(err.Error(), "not a directory"):
		return fs.ErrNotExist
	case strings.Contains(err.Error(), "too many links"):
		return errors.New("too many links")
	}
	return notExamined(err)
}

func notExamined(err error) error {
	return fmt.Errorf("%w: %w", facts.ErrNotExamined, err)
}

// lookup learns about a path, once. Callers hold the lock.
func (c *copies) lookup(p string) *copied {
	if known, ok := c.known[p]; ok {
		return known
	}
	found := c.fetch(p)
	c.known[p] = found
	return found
}

func (c *copies) fetch(p string) *copied {
	body, target, err := c.open(p)
	if err != nil {
		return &copied{err: err}
	}
	defer body.Close()
	r := tar.NewReader(body)
	header, err := r.Next()
	if err != nil {
		return &copied{err: notExamined(err)}
	}
	found := &copied{entry: tarEntry(header), target: target}
	found.name = path.Base(p)
	found.ownerless = c.engine.podman // which writes root's numbers into every file that it copies
	if header.Typeflag == tar.TypeReg {
		found.head, found.err = io.ReadAll(io.LimitReader(r, copyPrefix))
		found.more = header.Size > copyPrefix
	}
	return found
}

func tarEntry(h *tar.Header) *entry {
	info := h.FileInfo()
	return &entry{name: info.Name(), size: h.Size, mode: info.Mode(), time: h.ModTime, uid: h.Uid, gid: h.Gid, link: h.Linkname}
}

// resolve follows a link at the end of the path; the engine has resolved the
// ones before. Callers hold the lock.
func (c *copies) resolve(p string) (*copied, string, error) {
	found := c.lookup(p)
	if found.err == nil && found.mode&fs.ModeSymlink != 0 {
		p = path.Join("/", found.target)
		found = c.lookup(p)
		if found.err == nil && found.mode&fs.ModeSymlink != 0 {
			return nil, "", errors.New("too many links")
		}
	}
	return found, p, found.err
}

func (c *copies) stat(p string, follow bool) (*entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.lookup(p)
	if follow {
		target, _, err := c.resolve(p)
		if err != nil {
			return nil, err
		}
		// As stat(2) does, the link's own name.
		e := *target.entry
		e.name = path.Base(p)
		return &e, nil
	}
	return found.entry, found.err
}

func (c *copies) readlink(p string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.lookup(p)
	if found.err == nil && found.mode&fs.ModeSymlink == 0 {
		return "", fs.ErrInvalid
	}
	if found.err != nil {
		return "", found.err
	}
	return found.link, nil
}

func (c *copies) read(p string, limit int64) ([]byte, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, p, err := c.resolve(p)
	if err != nil {
		return nil, false, err
	}
	if !found.mode.IsRegular() {
		return nil, false, errors.New("not a regular file")
	}
	if found.more && int64(len(found.head)) < min(limit, found.size) {
		if err := c.extend(found, p, limit); err != nil {
			return nil, false, err
		}
	}
	n := min(limit, int64(len(found.head)))
	return found.head[:n], n < found.size, nil
}

// extend reads a longer head of a file.
func (c *copies) extend(found *copied, p string, limit int64) error {
	body, _, err := c.open(p)
	if err != nil {
		return err
	}
	defer body.Close()
	r := tar.NewReader(body)
	if _, err := r.Next(); err != nil {
		return notExamined(err)
	}
	head, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		return notExamined(err)
	}
	found.head, found.more = head, int64(len(head)) < found.size
	return nil
}

func (c *copies) readdir(p string) ([]*entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, p, err := c.resolve(p)
	if err != nil {
		return nil, err
	}
	if !found.IsDir() {
		return nil, errors.New("not a directory")
	}
	body, _, err := c.open(p)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	limited := &io.LimitedReader{R: body, N: copyBudget}
	entries, err := children(tar.NewReader(limited))
	for _, e := range entries {
		e.ownerless = c.engine.podman
	}
	if err == nil && limited.N <= 0 {
		// The cut may fall between two entries, which looks like the end.
		err = notExamined(errors.New("the directory is too large to list"))
	}
	return entries, err
}

// children picks the entries right below the first one.
func children(r *tar.Reader) ([]*entry, error) {
	top, err := r.Next()
	if err != nil {
		return nil, notExamined(err)
	}
	prefix := strings.TrimSuffix(path.Clean(top.Name), "/") + "/"
	if path.Clean(top.Name) == "." {
		prefix = ""
	}
	var entries []*entry
	for {
		h, err := r.Next()
		if err == io.EOF {
			return entries, nil
		}
		if err != nil || len(entries) >= maxEntries {
			return nil, notExamined(fmt.Errorf("the directory is too large to list: %w", err))
		}
		name, ok := strings.CutPrefix(path.Clean(h.Name), prefix)
		if ok && name != "" && !strings.Contains(name, "/") {
			entries = append(entries, tarEntry(h))
		}
	}
}
