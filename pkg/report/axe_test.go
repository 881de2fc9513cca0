package report

import (
	"os"
	"path/filepath"
	"testing"
)

// axeFile is axe-core, which `make tools` fetches; it is too large, and under
// another licence, to be kept here.
func axeFile() string {
	if name := os.Getenv("IMGLINT_AXE"); name != "" {
		return name
	}
	return filepath.Join("..", "..", ".cache", "axe.min.js")
}

// violations runs axe-core's rules for WCAG 2.2 A and AA and its good practice.
const violations = `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => v.id + " (" + v.impact + "): " + v.nodes.map(n => n.html.slice(0, 120)).join(" | ")).join("\n"))`

// TestPageWithAxe holds the page against axe-core: one image and a matrix, wide
// and narrow, light and dark.
func TestPageWithAxe(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(axeFile())
	if err != nil {
		t.Skipf("needs axe-core: make tools (%v)", err)
	}
	b := open(t)
	format, _ := FindFormat("html")
	for name, html := range map[string][]byte{"one": write(t, format, results(t)[:1]), "many": write(t, format, results(t))} {
		for _, v := range views[:4] {
			b.show(html, v)
			b.eval(string(script) + ";0")
			if got := b.eval(violations); got != "" {
				t.Errorf("%s, %s: %v", name, v.name, got)
			}
		}
	}
	b.show([]byte("<!DOCTYPE html><title>x</title><img src=x>"), views[0])
	b.eval(string(script) + ";0")
	if got := b.eval(violations); got == "" {
		t.Error("axe-core finds nothing wrong with a picture without words, so the above says nothing")
	}
}
