package report

import (
	"fmt"
	"io"
)

// jsonLine writes one image of the JSON document in a line of its own.
func jsonLine(w io.Writer, _ About, r Result) error {
	if err := encode(w, document(r), ""); err != nil {
		return fmt.Errorf("write json line of %q: %w", r.Ref, err)
	}
	return nil
}
