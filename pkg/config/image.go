package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/agext/levenshtein"
	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/ignore"
)

// image reads one entry of images.
func (r *reader) image(i *Image) keys {
	known := r.perImage(i.Settings)
	known["image"] = func(n *yaml.Node) {
		if text, ok := r.text(n, "image"); ok && text != "" {
			i.Name, i.Line = text, n.Line
		}
	}
	known["args"] = func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			r.wrong(n, "args: a list of words is wanted, such as [\"web\", \"--port\", \"8000\"]")
			return
		}
		i.Args = r.texts(n, "args")
	}
	known["build"] = func(n *yaml.Node) { i.Build, _ = r.text(n, "build") }
	known["context"] = func(n *yaml.Node) { i.Context, _ = r.text(n, "context") }
	return known
}

func (r *reader) images(n *yaml.Node) []Image {
	if n.Kind != yaml.SequenceNode {
		r.wrong(n, "images: a list is wanted, each with image: NAME")
		return nil
	}
	var all []Image
	for _, item := range n.Content {
		item = resolved(item)
		i := Image{Line: item.Line, Settings: Settings{}}
		if item.Kind == yaml.ScalarNode {
			i.Name = item.Value
		} else {
			r.mapping(item, "images", r.image(&i))
		}
		if i.Name == "" {
			r.wrong(item, "images: an entry has no image: NAME")
			continue
		}
		if slices.ContainsFunc(all, func(other Image) bool { return ignore.SameImage(other.Name, i.Name) }) {
			r.wrong(item, "images: %s is here for the second time", i.Name)
		}
		all = append(all, i)
	}
	return all
}

func (r *reader) rule(n *yaml.Node, name string) bool {
	if slices.Contains(r.known.Rules, name) {
		return true
	}
	r.unknown(n, "rule", name, r.known.Rules)
	return false
}

func (r *reader) ignores(n *yaml.Node) []ignore.Ignore {
	if n.Kind != yaml.SequenceNode {
		r.wrong(n, "ignore: a list is wanted, each with rule: and reason:")
		return nil
	}
	var all []ignore.Ignore
	for _, item := range n.Content {
		item = resolved(item)
		if i, ok := r.ignore(item); ok {
			i.From = fmt.Sprintf("%s:%d", r.name, item.Line)
			all = append(all, i)
		}
	}
	return all
}

func (r *reader) ignore(item *yaml.Node) (ignore.Ignore, bool) {
	var i ignore.Ignore
	ok := true
	r.mapping(item, "ignore", keys{
		"rule": func(n *yaml.Node) {
			i.Rule, _ = r.text(n, "rule")
			ok = r.rule(n, i.Rule) && ok
		},
		"reason": func(n *yaml.Node) { i.Reason, _ = r.text(n, "reason") },
		"image":  func(n *yaml.Node) { i.Image, _ = r.text(n, "image") },
		"until": func(n *yaml.Node) {
			text, _ := r.text(n, "until")
			var err error
			if i.Until, err = time.ParseInLocation(time.DateOnly, text, time.Local); err != nil {
				r.wrong(n, "until: %q is not a day, such as 2030-12-31", text)
			}
		},
	})
	switch {
	case item.Kind != yaml.MappingNode:
		return i, false
	case i.Rule == "" && ok:
		r.wrong(item, "ignore: an entry has no rule")
		return i, false
	case i.Reason == "":
		r.wrong(item, "ignore: say why with reason, so that others can tell when it is no longer needed")
		return i, false
	}
	return i, ok
}

func (r *reader) severities(f *File, node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		r.wrong(node, "severities: RULE: error, warning or note is wanted")
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, n := node.Content[i], resolved(node.Content[i+1])
		text, ok := r.text(n, key.Value)
		if r.rule(key, key.Value) && ok && r.valid(n, key.Value, text, isSeverity) {
			f.Severities[key.Value], _ = finding.ParseSeverity(text)
		}
	}
}

func (r *reader) hook(n *yaml.Node) Hook {
	var h Hook
	r.mapping(n, "hook", keys{
		"paths": func(n *yaml.Node) { h.Paths = r.texts(n, "paths") },
		"always": func(n *yaml.Node) {
			text, ok := r.text(n, "always")
			h.Always = ok && r.valid(n, "always", text, isBool) && text == "true"
		},
	})
	return h
}

// nearest returns the candidate that a typing error most likely meant, "" if
// none is near.
func nearest(word string, candidates []string) string {
	best, least := "", 3
	for _, c := range candidates {
		if d := levenshtein.Distance(word, c, nil); d < least && 2*d <= max(len(word), 2) {
			best, least = c, d
		}
	}
	return best
}
