package lint

import (
	"time"

	"github.com/imglint/imglint/pkg/image"
)

// IndexesSize bounds what is kept of layers in registries.
const IndexesSize = image.DefaultIndexesSize

// Indexed counts the indexes of layers in a directory, and their bytes.
func Indexed(dir string) (count int, bytes int64, err error) {
	size, err := image.Indexes{Dir: dir}.Size()
	return size.Count, size.Bytes, err
}

// PruneIndexes removes indexes, those used least recently first, until the
// rest was used since a time and has at most a size.
func PruneIndexes(dir string, since time.Time, most int64) (count int, bytes int64, err error) {
	removed, err := image.Indexes{Dir: dir}.Prune(image.KeepIndexes{Bytes: min(most, IndexesSize), Since: since})
	return removed.Count, removed.Bytes, err
}
