package manifest

import (
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// environment reads envFrom, then env, which goes before it.
func (w *Workload) environment(c value) {
	for _, from := range c.get("envFrom").items() {
		for source, kind := range map[string]string{"secretRef": "Secret", "configMapRef": "ConfigMap"} {
			name := from.get(source, "name").text()
			if name == "" {
				continue
			}
			held, ok := c.shared[kind+"/"+name]
			if !ok {
				w.Elsewhere = append(w.Elsewhere, "those of "+strings.TrimSuffix(source, "Ref")+" "+name)
			}
			for _, key := range slices.Sorted(maps.Keys(held)) {
				w.Env = append(w.Env, from.get("prefix").text()+key+"="+held[key])
			}
		}
	}
	for _, e := range c.get("env").items() {
		name := e.get("name").text()
		text, ok := expand(e.get("value").text(), w.Env), true
		if from := e.get("valueFrom"); from.exists() {
			text, ok = c.valueFrom(from)
		}
		if !ok {
			w.Elsewhere = append(w.Elsewhere, name)
			continue
		}
		w.Env = append(w.Env, name+"="+text)
		w.At[finding.FieldEnv] = e.get("name").place()
	}
}

// valueFrom finds a key of a ConfigMap or Secret of the same file.
func (r *reader) valueFrom(from value) (string, bool) {
	for source, kind := range map[string]string{"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"} {
		ref := from.get(source)
		if text, ok := r.shared[kind+"/"+ref.get("name").text()][ref.get("key").text()]; ok && ref.exists() {
			return text, true
		}
	}
	return "", false
}

// share keeps the ConfigMaps and Secrets that the file holds.
func (r *reader) share(root value) {
	kind := root.get("kind").text()
	for _, item := range root.get("items").items() {
		if kind == "List" {
			r.share(item)
		}
	}
	if kind != "ConfigMap" && kind != "Secret" {
		return
	}
	held := map[string]string{}
	root.get("data").pairs(func(key string, item value) {
		held[key] = item.text()
		if plain, err := base64.StdEncoding.DecodeString(item.text()); kind == "Secret" && err == nil {
			held[key] = string(plain)
		}
	})
	root.get("stringData").pairs(func(key string, item value) { held[key] = item.text() })
	r.shared[kind+"/"+root.get("metadata", "name").text()] = held
}

var reference = regexp.MustCompile(`\$\$|\$\([A-Za-z_][A-Za-z0-9_.-]*\)`)

// expand replaces $(NAME) by what stands before it in env; $$( is an escape,
// and an unknown name stays as it is.
func expand(text string, env []string) string {
	return reference.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		name := found[2 : len(found)-1]
		for _, kv := range env {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				found = value
			}
		}
		return found
	})
}

func expandAll(words, env []string) []string {
	for i := range words {
		words[i] = expand(words[i], env)
	}
	return words
}
