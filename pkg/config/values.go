package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/finding"
)

// perImage are the settings that one image can have for itself.
func (r *reader) perImage(s Settings) keys {
	return keys{
		"platform":    r.words(s, "platform", r.platform),
		"port":        r.scalar(s, "port", isPort),
		"path":        r.scalar(s, "path", isPath),
		"strict":      r.scalar(s, "strict", isBool),
		"boot-window": r.scalar(s, "boot-window", isDuration),
		"dockerfile":  r.scalar(s, "dockerfile", nil),
		"env":         r.pairs(s, "env"),
		"env-file":    r.list(s, "env-file"),
		"volumes":     r.list(s, "volume"),
		"user":        r.scalar(s, "user", nil),
		"static":      r.scalar(s, "static", isBool),
		"prove":       r.prove(s),
		"limits":      r.limits(s),
		"target":      r.scalar(s, "target", nil),
		"build-args":  r.pairs(s, "build-arg"),
		"manifest":    r.scalar(s, "manifest", nil),
		"service":     r.scalar(s, "service", nil),
	}
}

// settings are those of the whole call.
func (r *reader) settings(s Settings) keys {
	all := r.perImage(s)
	all["fail-on"] = r.scalar(s, "fail-on", isSeverity)
	all["format"] = r.list(s, "format")
	all["host"] = r.scalar(s, "host", nil)
	all["runner"] = r.scalar(s, "runner", isRunner)
	all["jobs"] = r.scalar(s, "jobs", isCount)
	all["quiet"] = r.scalar(s, "quiet", isBool)
	all["verbose"] = r.scalar(s, "verbose", isBool)
	return all
}

func (r *reader) limits(s Settings) func(*yaml.Node) {
	return func(n *yaml.Node) {
		r.mapping(n, "limits", keys{
			"memory": r.scalar(s, "memory", isSize),
			"cpus":   r.scalar(s, "cpus", isNumber),
		})
	}
}

// prove is the opposite of the flag --no-prove.
func (r *reader) prove(s Settings) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if text, ok := r.text(n, "prove"); ok && r.valid(n, "prove", text, isBool) {
			yes, _ := strconv.ParseBool(text)
			s["no-prove"] = Setting{[]string{strconv.FormatBool(!yes)}, n.Line}
		}
	}
}

// text reads a scalar as it is written.
func (r *reader) text(n *yaml.Node, key string) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.wrong(n, "%s: one value is wanted", key)
		return "", false
	}
	return n.Value, true
}

func (r *reader) valid(n *yaml.Node, key, text string, check func(string) error) bool {
	if check == nil {
		return true
	}
	if err := check(text); err != nil {
		r.wrong(n, "%s: %q is %v", key, text, err)
		return false
	}
	return true
}

func (r *reader) scalar(s Settings, flag string, check func(string) error) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if text, ok := r.text(n, flag); ok && r.valid(n, flag, text, check) {
			s[flag] = Setting{[]string{text}, n.Line}
		}
	}
}

// texts reads one value or a list of them.
func (r *reader) texts(n *yaml.Node, key string) []string {
	if n.Kind != yaml.SequenceNode {
		text, ok := r.text(n, key)
		if !ok {
			return nil
		}
		return []string{text}
	}
	all := []string{}
	for _, item := range n.Content {
		if text, ok := r.text(resolved(item), key); ok {
			all = append(all, text)
		}
	}
	return all
}

func (r *reader) list(s Settings, flag string) func(*yaml.Node) {
	return func(n *yaml.Node) { s[flag] = Setting{r.texts(n, flag), n.Line} }
}

// words is a list for a flag that takes it with commas.
func (r *reader) words(s Settings, flag string, check func(*yaml.Node, string)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		all := r.texts(n, flag)
		for _, word := range all {
			for _, part := range strings.Split(word, ",") {
				check(n, strings.TrimSpace(part))
			}
		}
		s[flag] = Setting{[]string{strings.Join(all, ",")}, n.Line}
	}
}

func (r *reader) platform(n *yaml.Node, name string) {
	if !slices.Contains(r.known.Platforms, name) && name != "all" {
		r.unknown(n, "platform", name, r.known.Platforms)
	}
}

// pairs reads variables as a mapping or as a list of KEY=VALUE. A key without
// a value passes on the caller's.
func (r *reader) pairs(s Settings, flag string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			s[flag] = Setting{r.texts(n, flag), n.Line}
			return
		}
		all := []string{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, resolved(n.Content[i+1])
			switch {
			case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
				all = append(all, key)
			case value.Kind == yaml.ScalarNode:
				all = append(all, key+"="+value.Value)
			default:
				r.wrong(value, "%s: %s: one value is wanted", flag, key)
			}
		}
		s[flag] = Setting{all, n.Line}
	}
}

func isPort(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("not a port, use 1 to 65535")
	}
	return nil
}

func isPath(text string) error {
	if !strings.HasPrefix(text, "/") {
		return fmt.Errorf("not a path, which starts with /")
	}
	return nil
}

func isBool(text string) error {
	if text != "true" && text != "false" {
		return fmt.Errorf("not true or false")
	}
	return nil
}

func isDuration(text string) error {
	if d, err := time.ParseDuration(text); err != nil || d < 0 {
		return fmt.Errorf("not a duration, such as 90s or 3m")
	}
	return nil
}

// leastMemory is the smallest limit that Docker accepts.
const leastMemory = 6 << 20

func isSize(text string) error {
	if n, err := units.RAMInBytes(text); err != nil || n < leastMemory {
		return fmt.Errorf("not a size of at least 6m, such as 512m or 2g")
	}
	return nil
}

func isNumber(text string) error {
	if n, err := strconv.ParseFloat(text, 64); err != nil || !(n > 0) {
		return fmt.Errorf("not a number above 0")
	}
	return nil
}

func isCount(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 {
		return fmt.Errorf("not a number from 1")
	}
	return nil
}

func isRunner(text string) error {
	if text != "auto" && text != "docker" && text != "local" {
		return fmt.Errorf("not auto, docker or local")
	}
	return nil
}

func isSeverity(text string) error {
	if _, err := finding.ParseSeverity(text); err != nil {
		return fmt.Errorf("not error, warning or note")
	}
	return nil
}
