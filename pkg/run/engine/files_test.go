package engine

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

// oddFiles is an image with everything that has ever surprised a reader.
func oddFiles() []node {
	nodes := []node{
		{name: "srv/", mode: 0o755},
		{name: "srv/app.py", content: "print('hello')\n", mode: 0o640, uid: 1000},
		{name: "srv/big", content: strings.Repeat("0123456789abcdef", 5<<16), mode: 0o644}, // 5 MiB
		{name: "srv/middle", content: strings.Repeat("x", 100_000), mode: 0o644},
		{name: "srv/empty", mode: 0o755},
		{name: "srv/setuid", content: "x", mode: 0o4755},
		{name: "srv/secret/", mode: 0o700, uid: 1000},
		{name: "srv/secret/key", content: "k", mode: 0o600, uid: 1000},
		{name: "current", kind: tar.TypeSymlink, link: "srv"},
		{name: "abs", kind: tar.TypeSymlink, link: "/srv/app.py"},
		{name: "chain", kind: tar.TypeSymlink, link: "abs"},
		{name: "dangling", kind: tar.TypeSymlink, link: "/nowhere"},
		{name: "escape", kind: tar.TypeSymlink, link: "../../../../srv/app.py"},
		{name: "loop", kind: tar.TypeSymlink, link: "loop"},
		{name: "hard", kind: tar.TypeLink, link: "srv/app.py", mode: 0o640, uid: 1000},
		{name: "fifo", kind: tar.TypeFifo, mode: 0o644},
		{name: "many/", mode: 0o755},
	}
	for i := range 3 {
		nodes = append(nodes, node{name: fmt.Sprintf("many/%d", i), mode: 0o644})
	}
	return nodes
}

// Both ways to read an image must give the same answers.
func TestFiles(t *testing.T) {
	t.Parallel()
	t.Run("copies", func(t *testing.T) {
		t.Parallel()
		e := connect(t, static)
		im := open(t, e, makeImage(t, e, nil, oddFiles()...))
		checkFiles(t, im.Files())
	})
	t.Run("cell", func(t *testing.T) {
		t.Parallel()
		e := connect(t)
		im := open(t, e, makeImage(t, e, nil, oddFiles()...))
		if err := im.reader.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkFiles(t, im.Files())
	})
}

func checkFiles(t *testing.T, files fs.FS) {
	t.Helper()
	asks := []struct{ question, want string }{
		{"stat srv/app.py", "app.py -rw-r----- 15 uid 1000"},
		{"stat srv", "srv drwxr-xr-x dir uid 0"},
		{"stat .", "/ drwxr-xr-x dir uid 0"},
		{"stat srv/empty", "empty -rwxr-xr-x 0 uid 0"},
		{"stat srv/setuid", "setuid urwxr-xr-x 1 uid 0"},
		{"stat current", "current drwxr-xr-x dir uid 0"},
		{"stat current/app.py", "app.py -rw-r----- 15 uid 1000"},
		{"stat chain", "chain -rw-r----- 15 uid 1000"},
		{"stat escape", "escape -rw-r----- 15 uid 1000"},
		{"stat hard", "hard -rw-r----- 15 uid 1000"},
		{"stat dangling", "absent"},
		{"stat loop", "error"},
		{"stat nowhere", "absent"},
		{"stat srv/app.py/x", "absent"},
		{"stat fifo", "fifo prw-r--r-- 0 uid 0"},
		{"stat ../x", "invalid"},
		{"lstat chain", "chain Lrwxrwxrwx link uid 0"},
		{"lstat dangling", "dangling Lrwxrwxrwx link uid 0"},
		{"readlink chain", "abs"},
		{"readlink escape", "../../../../srv/app.py"},
		{"readlink srv/app.py", "invalid"},
		{"readlink nowhere", "absent"},
		{"read srv/app.py", "print('hello')\n"},
		{"read chain", "print('hello')\n"},
		{"read current/app.py", "print('hello')\n"},
		{"read srv/secret/key", "k"},
		{"read srv/empty", ""},
		{"read nowhere", "absent"},
		{"read srv", "error"},
		{"read fifo", "error"},
		{"read srv/big", "not examined"},
		{"size srv/middle", "100000"},
		{"head srv/big", "0123456789abcdef"},
		{"head srv", "error"},
		{"list many", "0 1 2"},
		{"list current", "app.py big empty middle secret setuid"},
		{"list srv/app.py", "error"},
		{"list nowhere", "absent"},
	}
	for _, a := range asks {
		op, name, _ := strings.Cut(a.question, " ")
		got, err := question(files, op, name)
		if err != nil {
			got = meaning(err)
		}
		if diff := cmp.Diff(a.want, got); diff != "" {
			t.Errorf("%s (-want +got, error %v):\n%s", a.question, err, diff)
		}
	}
}

func question(files fs.FS, op, name string) (string, error) {
	switch op {
	case "stat":
		i, err := fs.Stat(files, name)
		return describe(i, err)
	case "lstat":
		i, err := fs.Lstat(files, name)
		return describe(i, err)
	case "readlink":
		return fs.ReadLink(files, name)
	case "read":
		b, err := fs.ReadFile(files, name)
		return string(b), err
	case "list":
		entries, err := fs.ReadDir(files, name)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " "), err
	}
	f, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if op == "head" {
		head := make([]byte, 16)
		_, err := io.ReadFull(f, head)
		return string(head), err
	}
	n, err := io.Copy(io.Discard, f)
	return fmt.Sprint(n), err
}

func describe(i fs.FileInfo, err error) (string, error) {
	if err != nil {
		return "", err
	}
	size := fmt.Sprint(i.Size())
	switch {
	case i.IsDir():
		size = "dir"
	case i.Mode()&fs.ModeSymlink != 0:
		size = "link"
	}
	return fmt.Sprintf("%s %s %s uid %d", i.Name(), i.Mode(), size, i.Sys().(*tar.Header).Uid), nil
}

func meaning(err error) string {
	for text, is := range map[string]error{"absent": fs.ErrNotExist, "invalid": fs.ErrInvalid, "not examined": facts.ErrNotExamined} {
		if errors.Is(err, is) {
			return text
		}
	}
	return "error"
}

func TestFilesAfterClose(t *testing.T) {
	t.Parallel()
	e := connect(t, static)
	im, err := e.Open(t.Context(), makeImage(t, e, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := im.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(im.Files(), "etc"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v: a closed image proves nothing", err)
	}
}

// A directory over the budget is not examined rather than cut short.
func TestChildrenAreCountedOnlyWhenAllCame(t *testing.T) {
	t.Parallel()
	e := connect(t, static)
	im := open(t, e, makeImage(t, e, nil, node{name: "d/", mode: 0o755},
		node{name: "d/a", content: strings.Repeat("a", copyBudget), mode: 0o644}, node{name: "d/b", mode: 0o644}))
	if _, err := fs.ReadDir(im.Files(), "d"); !errors.Is(err, facts.ErrNotExamined) {
		t.Errorf("error %v, want not examined", err)
	}
}
