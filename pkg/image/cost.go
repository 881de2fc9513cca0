package image

import (
	"sync/atomic"

	"github.com/imglint/imglint/pkg/facts"
)

// spent counts while an image is read.
type spent struct{ requests, bytes atomic.Int64 }

// Cost returns what reading the image took so far.
func (i *Image) Cost() facts.Cost {
	return facts.Cost{Requests: i.spent.requests.Load(), Bytes: i.spent.bytes.Load() + i.files.spent()}
}
