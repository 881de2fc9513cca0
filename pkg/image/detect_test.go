package image

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHolds(t *testing.T) {
	t.Parallel()
	unpacked, web := t.TempDir(), t.TempDir()
	for dir, text := range map[string]string{unpacked: `[{"Config":"c.json"}]`, web: `{"name":"app","icons":[]}`} {
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	img := specimen(t, true)
	for name, c := range map[string]struct {
		path string
		want bool
	}{
		"layout": {writeLayout(t, img), true}, "docker save": {onDisk(t, oldSave(t, img)), true}, "gzip": {onDisk(t, gzipped(t, oldSave(t, img))), true},
		"zstd": {onDisk(t, zstandard(t, oldSave(t, img))), true}, "cut": {onDisk(t, oldSave(t, img)[:700]), true},
		"unpacked docker save": {unpacked, true}, "web application": {web, false}, "empty directory": {t.TempDir(), false},
		"Dockerfile": {onDisk(t, []byte("FROM scratch\n")), false}, "empty file": {onDisk(t, nil), false},
	} {
		if got, err := Holds(c.path); got != c.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := Holds(filepath.Join(web, "none")); err == nil {
		t.Error("what is not there is no image and no other thing")
	}
}
