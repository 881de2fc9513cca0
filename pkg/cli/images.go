package cli

import (
	"bufio"
	stdio "io"
	"os"
	"strings"
)

// images adds what --images-from lists to the arguments.
func (f *flags) images(io IO, arguments []string) ([]string, error) {
	all := append([]string{}, arguments...)
	for _, name := range f.imageLists {
		read, err := imageList(name, io.In)
		if err != nil {
			return nil, usage("--images-from %s: %w", name, err)
		}
		all = append(all, read...)
	}
	if len(all) == 0 && len(f.imageLists) > 0 {
		return nil, usage("--images-from %s: names no image", strings.Join(f.imageLists, ", "))
	}
	return all, nil
}

// imageList reads a name a line; blank lines and those that begin with # are
// for people.
func imageList(name string, in stdio.Reader) ([]string, error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	var names []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			names = append(names, line)
		}
	}
	return names, lines.Err()
}
