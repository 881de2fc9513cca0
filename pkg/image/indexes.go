package image

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	// DefaultIndexesSize bounds what is kept of layers in registries; the
	// index of an image of 1.3 GB has some megabytes.
	DefaultIndexesSize = 256 << 20
	// maxIndexBytes bounds what is read of one index.
	maxIndexBytes = 128 << 20

	indexSuffix = ".index"
	indexTemp   = "new-"
	// abandoned is when the maker of an unfinished index is gone for sure.
	abandoned = time.Hour
)

// Indexes is a directory of what was learned of whole layers, so that they
// need not travel again. An index belongs to one repository: another one,
// with other writers, cannot put its own under the same name.
type Indexes struct{ Dir string }

// KeepIndexes says what Prune leaves.
type KeepIndexes struct {
	Bytes int64     // of all together
	Since time.Time // of their last use; zero: any
}

// Size is how many there are, and their bytes.
type Size struct {
	Count int
	Bytes int64
}

// files returns the indexes, the least recently used first.
func (x Indexes) files() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(x.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list indexes: %w", err)
	}
	var all []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && (strings.HasSuffix(e.Name(), indexSuffix) || strings.HasPrefix(e.Name(), indexTemp)) {
			all = append(all, info)
		}
	}
	slices.SortStableFunc(all, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	return all, nil
}

// Size counts what is kept.
func (x Indexes) Size() (size Size, err error) {
	all, err := x.files()
	for _, f := range all {
		size.Count++
		size.Bytes += f.Size()
	}
	return size, err
}

// Prune removes what is not to be kept, the least recently used first, and
// what killed processes left.
func (x Indexes) Prune(keep KeepIndexes) (removed Size, err error) {
	all, err := x.files()
	total := int64(0)
	for _, f := range all {
		total += f.Size()
	}
	var errs []error
	for _, f := range all {
		temp := strings.HasPrefix(f.Name(), indexTemp)
		left := temp && time.Since(f.ModTime()) > abandoned
		if temp && !left || !left && total <= keep.Bytes && !f.ModTime().Before(keep.Since) {
			continue
		}
		if err := os.Remove(filepath.Join(x.Dir, f.Name())); err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // another process was quicker
				errs = append(errs, err)
			}
			continue
		}
		total -= f.Size()
		removed.Count++
		removed.Bytes += f.Size()
	}
	return removed, errors.Join(append(errs, err)...)
}

// path is the file of a layer of a repository.
func (x Indexes) path(repository, diffID string) string {
	return filepath.Join(x.Dir, strings.TrimPrefix(digestOf([]byte(repository+"\n"+diffID)), "sha256:")+indexSuffix)
}

// load reads the index of a layer. What is damaged is as good as not there.
func (x Indexes) load(repository, diffID string) (index, bool) {
	var found index
	name := x.path(repository, diffID)
	file, err := os.Open(name)
	if err != nil {
		return found, false
	}
	defer file.Close()
	unzipped, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxIndexBytes))
	if err != nil {
		return found, false
	}
	defer unzipped.Close()
	text, err := io.ReadAll(io.LimitReader(unzipped, maxIndexBytes))
	if err != nil || json.Unmarshal(text, &found) != nil || !found.isOf(repository, diffID) {
		return index{}, false
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now) // else it is removed sooner
	return found, true
}

// save stores the index of a layer: under another name first, so that nobody
// reads a part of it.
func (x Indexes) save(i index) (err error) {
	if err := os.MkdirAll(x.Dir, 0o700); err != nil {
		return fmt.Errorf("make index cache: %w", err)
	}
	text, err := json.Marshal(i)
	if err != nil || len(text) >= maxIndexBytes {
		return err
	}
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(x.Dir, indexTemp)
	if err != nil {
		return fmt.Errorf("keep index: %w", err)
	}
	_, err = file.Write(packer.EncodeAll(text, nil))
	err = cmp.Or(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), x.path(i.Repository, i.DiffID))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep index: %w", err), os.Remove(file.Name()))
	}
	return nil
}
