package layers

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/probe/cage"
)

// Cache is a directory of unpacked layers. Whatever is in it was unpacked
// completely: a layer is made under another name and moved here.
type Cache struct {
	dir    string
	owned  bool
	limits Limits
	as     *User
	// Remove removes what this process may not; nil: nothing is.
	Remove func(dir string) error
}

// Open opens the cache of the running user under a directory, which it makes.
// Layers whose files have their owners, as only root can give them, are kept
// apart from the others.
func Open(dir string, owned bool, limits Limits) (*Cache, error) {
	kind := "plain"
	if owned {
		kind = "owned"
	}
	dir = filepath.Join(dir, kind)
	// Nobody else may come near setuid programs out of images.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make layer cache: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("protect layer cache: %w", err)
	}
	return &Cache{dir: dir, owned: owned, limits: limits}, nil
}

// User is who a program runs as where every file has one owner.
type User struct {
	UID, GID int
	Groups   []int // more of them
}

// userPrefix begins the name of the directory of a cache for a user.
const userPrefix = "as-"

// maxGroups bounds that name.
const maxGroups = 16

// name is a part of a file's name: UID-GID+GROUP+GROUP.
func (u User) name() string {
	text := fmt.Sprintf("%d-%d", u.UID, u.GID)
	for _, g := range u.Groups {
		text += "+" + strconv.Itoa(g)
	}
	return text
}

// parseUser reads what name wrote.
func parseUser(text string) (u User, ok bool) {
	words := strings.Split(text, "+")
	if _, err := fmt.Sscanf(words[0], "%d-%d", &u.UID, &u.GID); err != nil {
		return u, false
	}
	for _, word := range words[1:] {
		g, err := strconv.Atoi(word)
		if err != nil {
			return u, false
		}
		u.Groups = append(u.Groups, g)
	}
	return u, true
}

// As is a cache whose files allow their owner what they would allow a user, if
// they had their own owners.
func (c *Cache) As(u User) (*Cache, error) {
	u.Groups = slices.Compact(slices.Sorted(slices.Values(u.Groups)))
	u.Groups = u.Groups[:min(len(u.Groups), maxGroups)]
	dir := filepath.Join(filepath.Dir(c.dir), userPrefix+u.name())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make layer cache: %w", err)
	}
	as := *c
	as.dir, as.as = dir, &u
	return &as, nil
}

// Users returns the caches that As made.
func (c *Cache) Users() (all []*Cache, err error) {
	dirs, err := filepath.Glob(filepath.Join(filepath.Dir(c.dir), userPrefix+"*"))
	for _, dir := range dirs {
		u, ok := parseUser(strings.TrimPrefix(filepath.Base(dir), userPrefix))
		if !ok {
			continue
		}
		as := *c
		as.dir, as.as = dir, &u
		all = append(all, &as)
	}
	return all, err
}

// Dir is where the layers are.
func (c *Cache) Dir() string { return c.dir }

// Held is a layer in use: it is not removed before Release.
type Held struct {
	Dir    string // of its files
	Owners []cage.Owner
	lock   *lock
}

// Release lets go of the layer.
func (h *Held) Release() { h.lock.close() }

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Get returns a layer, which it unpacks if the cache does not have it. Another
// process that unpacks the same one is waited for.
func (c *Cache) Get(ctx context.Context, l Layer) (*Held, error) {
	if !digest.MatchString(l.DiffID) {
		return nil, fmt.Errorf("unpack layer %q: not a sha256 digest", l.DiffID)
	}
	held, err := c.get(ctx, l)
	if isFull(err) { // what nobody uses is worth less than this run
		if removed, _ := Prune([]*Cache{c}, Nothing); len(removed) > 0 { // what it could not remove is missed below
			held, err = c.get(ctx, l)
		}
	}
	if isFull(err) {
		return nil, fmt.Errorf("%w: there is no room to unpack the image in %s; free some space, or set XDG_CACHE_HOME to a directory on another disk",
			ErrDiskFull, filepath.Dir(c.dir))
	}
	return held, err
}

func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

func (c *Cache) get(ctx context.Context, l Layer) (*Held, error) {
	for {
		held, err := c.Has(ctx, l.DiffID)
		if !errors.Is(err, fs.ErrNotExist) {
			return held, err
		}
		if err := c.add(ctx, l); err != nil {
			return nil, fmt.Errorf("unpack layer %s: %w", l.DiffID, err)
		}
	}
}

// Has returns a layer that the cache has, else fs.ErrNotExist. A process that
// unpacks it is waited for.
func (c *Cache) Has(ctx context.Context, diffID string) (*Held, error) {
	if !digest.MatchString(diffID) {
		return nil, fmt.Errorf("find layer %q: not a sha256 digest", diffID)
	}
	shared, err := c.acquire(ctx, diffID, false)
	if err != nil {
		return nil, err
	}
	held, err := c.held(diffID, shared)
	if err != nil {
		shared.close()
	}
	return held, err
}

func (c *Cache) path(diffID string) string {
	return filepath.Join(c.dir, strings.Replace(diffID, ":", "-", 1))
}

const infoName = "info.json"

// held opens a layer that is there, and notes its use.
func (c *Cache) held(diffID string, l *lock) (*Held, error) {
	dir := c.path(diffID)
	known, err := readInfo(dir)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if err := os.Chtimes(filepath.Join(dir, infoName), now, now); err != nil {
		return nil, fmt.Errorf("note use of layer: %w", err)
	}
	return &Held{Dir: filepath.Join(dir, "root"), Owners: known.Owners, lock: l}, nil
}

func readInfo(dir string) (info, error) {
	var known info
	text, err := os.ReadFile(filepath.Join(dir, infoName))
	if err != nil {
		return known, fmt.Errorf("read layer: %w", err)
	}
	if err := json.Unmarshal(text, &known); err != nil { // cut off when a machine went down
		return known, fmt.Errorf("read layer %s: %w: %w", dir, err, fs.ErrNotExist)
	}
	return known, nil
}

// add unpacks a layer, unless another process did meanwhile.
func (c *Cache) add(ctx context.Context, l Layer) error {
	exclusive, err := c.acquire(ctx, l.DiffID, true)
	if err != nil {
		return err
	}
	defer exclusive.close()
	if _, err := readInfo(c.path(l.DiffID)); err == nil {
		return nil
	}
	if err := removeTree(c.path(l.DiffID)); err != nil { // one without its info
		return err
	}
	// The lock of a directory under construction tells that its maker lives.
	temp := filepath.Join(c.dir, "new-"+rand.Text())
	making, err := c.acquire(ctx, filepath.Base(temp), true)
	if err != nil {
		return err
	}
	defer making.remove()
	if err := c.fill(ctx, temp, l); err != nil {
		return errors.Join(err, c.remove(temp))
	}
	return os.Rename(temp, c.path(l.DiffID))
}

// fill makes a layer's directory.
func (c *Cache) fill(ctx context.Context, dir string, l Layer) error {
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	// Above it, so that the layer's own files may be open to all.
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	r, err := l.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	known, err := unpack(r, root, c.owned, c.as, c.limits)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if known.DiffID != l.DiffID {
		return fmt.Errorf("its content is %s", known.DiffID)
	}
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, infoName), text, 0o600)
}

// remove removes a directory of the cache.
func (c *Cache) remove(dir string) error {
	err := removeTree(dir)
	if err != nil && c.Remove != nil {
		err = c.Remove(dir)
	}
	return err
}
