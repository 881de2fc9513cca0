package servers

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// uwsgiPlace is a placeholder: %(key) of the file, $(VARIABLE) of the environment.
var uwsgiPlace = regexp.MustCompile(`%\(([\w.-]+)\)|\$\((\w+)\)`)

// uwsgiIni reads one section of an ini file. Keys repeat, and nothing follows a
// value on its line.
func (run *invocation) uwsgiIni(file, text, section string) []uwsgiSetting {
	var all []uwsgiSetting
	own := map[string]string{}
	inside := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '[':
			inside = strings.Trim(line, "[]") == section
			continue
		case !inside:
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			value = "true"
		}
		value = run.uwsgiExpand(value, own)
		own[key] = value
		all = append(all, uwsgiSetting{key, value, fmt.Sprintf("%s:%d", file, i+1)})
	}
	return all
}

// uwsgiExpand puts known placeholders in; unknown ones stay as they are.
func (run *invocation) uwsgiExpand(value string, own map[string]string) string {
	return uwsgiPlace.ReplaceAllStringFunc(value, func(place string) string {
		m := uwsgiPlace.FindStringSubmatch(place)
		if text, ok := own[m[1]]; ok && m[1] != "" {
			return text
		}
		if text, ok := run.env[m[2]]; ok && m[2] != "" {
			return text
		}
		return place
	})
}

// uwsgiYAML reads one section of a YAML or JSON file; values may be lists.
func uwsgiYAML(file, text, section string) ([]uwsgiSetting, error) {
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	node := doc[section]
	var all []uwsgiSetting
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i].Value, node.Content[i+1]
		values := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			values = value.Content
		}
		for _, v := range values {
			all = append(all, uwsgiSetting{key, v.Value, fmt.Sprintf("%s:%d", file, v.Line)})
		}
	}
	return all, nil
}
