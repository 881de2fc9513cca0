package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/finding"
)

// Parse reads the text of a config file.
func Parse(name string, text []byte, known Known) (*File, error) {
	f := &File{Name: name, Dir: ".", Settings: Settings{}, Severities: map[string]finding.Severity{}}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return f, nil // nothing but comments
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one YAML document", name)
	}
	r := &reader{name: name, known: known, builtin: known.Platforms}
	r.platformNames(document.Content[0])
	r.file(f, document.Content[0])
	slices.SortStableFunc(r.errs, func(a, b *lineError) int { return cmp.Compare(a.line, b.line) })
	var errs []error
	for _, err := range r.errs {
		errs = append(errs, err)
	}
	return f, errors.Join(errs...)
}

// lineError is a mistake at a line of the file.
type lineError struct {
	name string
	line int
	text string
}

func (e *lineError) Error() string { return fmt.Sprintf("%s:%d: %s", e.name, e.line, e.text) }

// reader walks the YAML nodes and collects mistakes.
type reader struct {
	name  string
	known Known // the file's own platforms among them
	// builtin are the platforms that are known without the file.
	builtin []string
	errs    []*lineError
}

func (r *reader) wrong(at *yaml.Node, format string, args ...any) {
	r.errs = append(r.errs, &lineError{r.name, at.Line, fmt.Sprintf(format, args...)})
}

// keys says what to do with each key of a mapping.
type keys map[string]func(*yaml.Node)

// mapping reads a mapping whose keys are all known.
func (r *reader) mapping(node *yaml.Node, what string, known keys) {
	node = resolved(node)
	if node.Kind != yaml.MappingNode {
		r.wrong(node, "%s: keys with values are wanted", what)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case !ok:
			r.unknown(key, "key", key.Value, names(known))
		case seen[key.Value] > 0:
			r.wrong(key, "%s is here for the second time, after line %d", key.Value, seen[key.Value])
		default:
			read(resolved(value))
		}
		seen[key.Value] = key.Line
	}
}

func (r *reader) unknown(at *yaml.Node, what, word string, candidates []string) {
	if best := nearest(word, candidates); best != "" {
		r.wrong(at, "unknown %s %q, did you mean %s?", what, word, best)
		return
	}
	r.wrong(at, "unknown %s %q", what, word)
}

func names(k keys) []string {
	var all []string
	for name := range k {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// resolved follows an alias to its anchor.
func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// file reads the top of the document.
func (r *reader) file(f *File, node *yaml.Node) {
	single := Image{Settings: Settings{}}
	known := r.settings(f.Settings)
	for key, read := range r.image(&single) {
		if _, taken := known[key]; !taken {
			known[key] = read
		}
	}
	var images *yaml.Node
	known["images"] = func(n *yaml.Node) { images = n; f.Images = r.images(n) }
	known["ignore"] = func(n *yaml.Node) { f.Ignores = r.ignores(n) }
	known["severities"] = func(n *yaml.Node) { r.severities(f, n) }
	known["platforms"] = func(n *yaml.Node) { f.Platforms = r.platforms(n) }
	known["hook"] = func(n *yaml.Node) { f.Hook = r.hook(n) }
	r.mapping(node, "the file", known)
	switch {
	case images != nil && single.Line > 0:
		r.wrong(images, "image and images exclude each other: write the one image as an entry of images")
	case single.Line > 0:
		f.Images = []Image{single}
	case single.Build != "" || single.Args != nil || single.Context != "":
		r.wrong(node, "build, args and context belong to an image: name it with image")
	}
}
