package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Platform is a platform of the user's own, or one that is set up differently.
type Platform struct {
	Name string
	Line int
	// Extends is the platform that it is like.
	Extends string
	Title   string
	// Values are what is different, by key.
	Values map[string][]string
}

// platformKeys are the keys of a platform with the check of their values.
var platformKeys = map[string]func(string) error{
	"port": isPort, "port-from": oneOf("lowest-text", "lowest-number", "first", "configured", "assigned", "scan", "lowest-or-open"),
	"port-env": isBool, "every-port": isBool, "healthcheck": isBool, "inside": isBool, "low-ports": isBool,
	"ask": oneOf("http", "tcp", "command", "uptime"), "path": isPath, "host": nil, "header": isHeader, "redirects": oneOf("none", "same-host", "all"),
	"try-timeout": isDuration, "boot-window": isDuration, "grace": isDuration, "procfile": isPath, "says": nil,
}

// platformLists can have several values.
var platformLists = map[string]func(string) error{
	"status": isStatus, "architectures": isArchitecture,
}

var platformName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// platformNames makes the file's own platforms known before anything names one.
func (r *reader) platformNames(file *yaml.Node) {
	file = resolved(file)
	for i := 0; file.Kind == yaml.MappingNode && i+1 < len(file.Content); i += 2 {
		own := resolved(file.Content[i+1])
		if file.Content[i].Value != "platforms" || own.Kind != yaml.MappingNode {
			continue
		}
		r.known.Platforms = slices.Clone(r.known.Platforms)
		for j := 0; j+1 < len(own.Content); j += 2 {
			r.known.Platforms = append(r.known.Platforms, own.Content[j].Value)
		}
	}
}

func (r *reader) platforms(n *yaml.Node) []Platform {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "platforms: NAME: with what is different is wanted")
		return nil
	}
	var all []Platform
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, item := n.Content[i], resolved(n.Content[i+1])
		p := Platform{Name: name.Value, Line: name.Line, Values: map[string][]string{}}
		switch {
		case !platformName.MatchString(p.Name) || p.Name == "all":
			r.wrong(name, "platforms: %q is not a name in lower case such as our-cluster", p.Name)
		case slices.ContainsFunc(all, func(o Platform) bool { return o.Name == p.Name }):
			r.wrong(name, "platforms: %s is here for the second time", p.Name)
		}
		r.mapping(item, "platforms", r.ownPlatform(&p))
		if p.Extends = cmp.Or(p.Extends, p.Name); p.Extends == p.Name && !slices.Contains(r.builtin, p.Name) {
			r.wrong(name, "platforms: %s: say with extends which platform it is like", p.Name)
		} else if !slices.Contains(r.builtin, p.Extends) && !slices.ContainsFunc(all, func(o Platform) bool { return o.Name == p.Extends }) {
			r.wrong(item, "platforms: %s: extends: %q is neither a platform that imglint knows nor one above", p.Name, p.Extends)
		}
		all = append(all, p)
	}
	return all
}

// ownPlatform reads one entry of platforms.
func (r *reader) ownPlatform(p *Platform) keys {
	known := keys{
		"extends": func(n *yaml.Node) { p.Extends, _ = r.text(n, "extends") },
		"title":   func(n *yaml.Node) { p.Title, _ = r.text(n, "title") },
		"env": func(n *yaml.Node) {
			s := Settings{}
			r.pairs(s, "env")(n)
			p.Values["env"] = s["env"].Values
		},
	}
	for key, check := range platformKeys {
		known[key] = func(n *yaml.Node) {
			if text, ok := r.text(n, key); ok && r.valid(n, key, text, check) {
				p.Values[key] = []string{text}
			}
		}
	}
	for key, check := range platformLists {
		known[key] = func(n *yaml.Node) {
			for _, text := range r.texts(n, key) {
				if r.valid(n, key, text, check) {
					p.Values[key] = append(p.Values[key], text)
				}
			}
		}
	}
	return known
}

func oneOf(words ...string) func(string) error {
	return func(text string) error {
		if !slices.Contains(words, text) {
			return fmt.Errorf("not one of %s", strings.Join(words, ", "))
		}
		return nil
	}
}

var statusForm = regexp.MustCompile(`^(any|[1-9]\d\d(-[1-9]\d\d)?(,\s*[1-9]\d\d(-[1-9]\d\d)?)*)$`)

func isStatus(text string) error {
	if !statusForm.MatchString(text) {
		return fmt.Errorf("not any, a status or a range such as 200-399")
	}
	return nil
}

func isHeader(text string) error {
	if name, _, ok := strings.Cut(text, ":"); !ok || strings.ContainsAny(name, " \t") || strings.ContainsAny(text, "\r\n") {
		return fmt.Errorf("not NAME: VALUE")
	}
	return nil
}

var isArchitecture = oneOf("amd64", "arm64", "arm", "386", "ppc64le", "riscv64", "s390x")
