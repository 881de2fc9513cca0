package manifest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/finding"
)

// reader keeps what is wrong with a file while it is read to its end.
type reader struct {
	file   string
	lines  []string
	faults []error
	around Around
	// shared are the ConfigMaps and Secrets of the file, by kind/name.
	shared map[string]map[string]string
	// interpolates: ${NAME} is replaced, as Compose does; unset are the names
	// that nothing gives a value.
	interpolates bool
	unset        []string
}

// value is a node of the file, or nothing.
type value struct {
	*reader
	node *yaml.Node
}

func (v value) exists() bool { return v.node != nil && v.node.Tag != "!!null" }

// get follows keys through mappings, aliases and merge keys.
func (v value) get(keys ...string) value {
	for _, key := range keys {
		v = v.child(key)
	}
	return v
}

// deepest is how far merge keys are followed: a mapping can merge itself.
const deepest = 16

func (v value) child(key string) value { return v.childWithin(key, deepest) }

func (v value) childWithin(key string, depth int) value {
	node := resolved(v.node)
	if node == nil || node.Kind != yaml.MappingNode || depth == 0 {
		return value{v.reader, nil}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return value{v.reader, resolved(node.Content[i+1])}
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Tag == "!!merge" {
			for _, merged := range merges(node.Content[i+1]) {
				if found := (value{v.reader, merged}).childWithin(key, depth-1); found.node != nil {
					return found
				}
			}
		}
	}
	return value{v.reader, nil}
}

func merges(node *yaml.Node) []*yaml.Node {
	if node = resolved(node); node.Kind == yaml.SequenceNode {
		return node.Content
	}
	return []*yaml.Node{node}
}

func resolved(node *yaml.Node) *yaml.Node {
	for range deepest {
		if node == nil || node.Kind != yaml.AliasNode {
			break
		}
		node = node.Alias
	}
	return node
}

// items are the elements of a list.
func (v value) items() []value {
	if v.node == nil || v.node.Kind != yaml.SequenceNode {
		return nil
	}
	var all []value
	for _, n := range v.node.Content {
		all = append(all, value{v.reader, resolved(n)})
	}
	return all
}

// pairs are the keys and values of a mapping in order.
func (v value) pairs(visit func(key string, item value)) {
	if v.node == nil || v.node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		visit(v.node.Content[i].Value, value{v.reader, resolved(v.node.Content[i+1])})
	}
}

func (v value) text() string {
	if !v.exists() || v.node.Kind != yaml.ScalarNode {
		return ""
	}
	if v.interpolates {
		return v.interpolated()
	}
	return v.node.Value
}

func (v value) texts() []string {
	if !v.exists() {
		return nil
	}
	all := []string{}
	for _, item := range v.items() {
		all = append(all, item.text())
	}
	return all
}

func (v value) truth() bool { return v.text() == "true" }

func (v value) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf("%s:%d: "+format, append([]any{v.file, v.node.Line}, args...)...))
}

// number reads an integer; other where there is none.
func (v value) number(other int) int {
	if v.text() == "" {
		return other
	}
	n, err := strconv.Atoi(v.text())
	if err != nil {
		v.fault("%q is not a number", v.text())
		return other
	}
	return n
}

// seconds reads a number of seconds; other where there is none.
func (v value) seconds(other int) time.Duration {
	return time.Duration(v.number(other)) * time.Second
}

// place is where the value stands.
func (v value) place() finding.Place {
	if v.node == nil || v.node.Line < 1 || v.node.Line > len(v.lines) {
		return finding.Place{}
	}
	line := strings.TrimRight(v.lines[v.node.Line-1], "\r")
	place := finding.Place{File: v.file, Line: v.node.Line, EndLine: v.node.Line, Source: line}
	// A node's column counts characters; the report's counts bytes.
	runes := []rune(line)
	if v.node.Kind == yaml.ScalarNode && v.node.Column >= 1 && v.node.Column-1 <= len(runes) {
		start := len(string(runes[:v.node.Column-1]))
		if at := strings.Index(line[start:], v.node.Value); at >= 0 && v.node.Value != "" {
			place.Words = v.node.Value
			place.Column, place.EndColumn = start+at+1, start+at+1+len(v.node.Value)
		}
	}
	return place
}
