package layers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stored is a layer in its cache.
type stored struct {
	Entry
	in     *Cache
	broken bool // it cannot be used
}

// list returns the layers of the cache. Whether they are in use is left out:
// to find out takes their locks, which others may be about to.
func (c *Cache) list() (all []stored, err error) {
	names, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, fmt.Errorf("list layer cache: %w", err)
	}
	for _, n := range names {
		hex, ok := strings.CutPrefix(n.Name(), "sha256-")
		if !ok || filepath.Ext(hex) != "" {
			continue // a lock, or under construction
		}
		dir := filepath.Join(c.dir, n.Name())
		e := Entry{DiffID: "sha256:" + hex, For: c.user()}
		known, err := readInfo(dir)
		if at, missing := os.Stat(filepath.Join(dir, infoName)); err == nil && missing == nil {
			e.Bytes, e.Files, e.Used = known.Bytes, known.Files, at.ModTime()
		}
		all = append(all, stored{e, c, err != nil})
	}
	return all, nil
}

// user is whom the cache's modes are for.
func (c *Cache) user() string {
	if c.as == nil {
		return ""
	}
	return strings.Replace(c.as.name(), "-", ":", 1)
}

// listAll returns the layers of several caches, the least recently used first.
func listAll(caches []*Cache) (all []stored, err error) {
	var errs []error
	for _, c := range caches {
		some, err := c.list()
		all, errs = append(all, some...), append(errs, err)
	}
	slices.SortStableFunc(all, func(a, b stored) int { return a.Used.Compare(b.Used) })
	return all, errors.Join(errs...)
}

// List returns the layers of caches, the least recently used first.
func List(caches []*Cache) (entries []Entry, err error) {
	all, err := listAll(caches)
	for _, s := range all {
		l, busy := s.in.try(s.DiffID, true)
		s.InUse = errors.Is(busy, errLocked)
		l.close()
		entries = append(entries, s.Entry)
	}
	return entries, err
}

// Prune removes what is not to be kept of several caches, the least recently
// used layers first, and what killed processes left. Layers in use stay. It
// returns what it removed.
func Prune(caches []*Cache, keep Keep) (removed []Entry, err error) {
	var errs []error
	for _, c := range caches {
		errs = append(errs, c.sweep())
	}
	all, err := listAll(caches)
	errs = append(errs, err)
	total := int64(0)
	for _, s := range all {
		total += s.Bytes
	}
	for _, s := range all {
		if total <= keep.Bytes && !s.Used.Before(keep.Since) && !s.broken {
			continue
		}
		gone, err := s.in.drop(s.DiffID)
		errs = append(errs, err)
		if gone {
			removed = append(removed, s.Entry)
			total -= s.Bytes
		}
	}
	return removed, errors.Join(errs...)
}

// drop removes a layer that nobody uses.
func (c *Cache) drop(diffID string) (gone bool, err error) {
	l, err := c.try(diffID, true)
	if err != nil {
		return false, nil // in use
	}
	defer l.remove()
	if err := c.remove(c.path(diffID)); err != nil {
		return false, fmt.Errorf("remove layer %s: %w", diffID, err)
	}
	return true, nil
}

// sweep removes directories whose makers are gone.
func (c *Cache) sweep() error {
	left, err := filepath.Glob(filepath.Join(c.dir, "new-*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range left {
		if filepath.Ext(dir) != "" {
			continue // a lock
		}
		l, err := c.try(filepath.Base(dir), true)
		if err != nil {
			continue
		}
		errs = append(errs, c.remove(dir))
		l.remove()
	}
	return errors.Join(errs...)
}
