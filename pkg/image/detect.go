package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Holds reports whether what stands at a path of this machine is meant to be
// an image: by what is in it, whatever its name. Opening may still say that it
// is a damaged one.
func Holds(name string) (bool, error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		return holdsLayout(name)
	}
	file, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	// Text has no zero byte, and the header of a tar always has.
	return sniff(head[:n]) != plain || bytes.IndexByte(head[:n], 0) >= 0, nil
}

// holdsLayout looks for the file that the OCI image layout prescribes, or for
// the manifest of an unpacked docker save: a web application's manifest.json
// is none.
func holdsLayout(dir string) (bool, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, err
	}
	s := &store{files: root.FS(), form: "directory", Closer: root}
	defer s.Close()
	if s.has("oci-layout") {
		return true, nil
	}
	text, err := s.document("manifest.json")
	if err != nil {
		return false, ignoreAbsent(s, err)
	}
	var images []savedImage
	return json.Unmarshal(text, &images) == nil && len(images) > 0 && images[0].Config != "", nil
}

// ignoreAbsent keeps an error only for a manifest that is there.
func ignoreAbsent(s *store, err error) error {
	if _, missing := fs.Stat(s.files, "manifest.json"); errors.Is(missing, fs.ErrNotExist) {
		return nil
	}
	return err
}
