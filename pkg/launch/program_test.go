package launch

import (
	"encoding/binary"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

// elfHead makes the head of a 64-bit ELF file with one program header.
func elfHead(machine uint16, interpreter string) []byte {
	head := make([]byte, 200)
	copy(head, "\x7fELF\x02\x01\x01")
	order := binary.LittleEndian
	order.PutUint16(head[18:], machine)
	order.PutUint64(head[32:], 64)
	order.PutUint16(head[54:], 56)
	order.PutUint16(head[56:], 1)
	if interpreter != "" {
		order.PutUint32(head[64:], 3)
		order.PutUint64(head[72:], 150)
		order.PutUint64(head[96:], uint64(len(interpreter)+1))
		copy(head[150:], interpreter)
	}
	return head
}

func TestProgram(t *testing.T) {
	t.Parallel()
	files := image(nil)
	add := func(name, text string, mode fs.FileMode) {
		files[name] = &fstest.MapFile{Data: []byte(text), Mode: mode}
	}
	files["arm"] = &fstest.MapFile{Data: elfHead(183, "/lib/ld-musl-aarch64.so.1"), Mode: 0o755}
	add("app/crlf", "#!/bin/sh\r\necho\r\n", 0o755)
	add("app/bom", "\xef\xbb\xbf#!/bin/sh\n", 0o755)
	add("app/env", "#!/usr/bin/env python3\n", 0o755)
	add("app/envless", "#!/usr/bin/env ruby\n", 0o755)
	add("app/plain", "echo hi\n", 0o755)
	add("app/empty", "", 0o755)
	add("app/noexec", "#!/bin/sh\n", 0o644)
	add("app/private", "#!/bin/sh\n", 0o700)
	add("usr/local/bin/tool", "#!/bin/nope\n", 0o644)
	tests := []struct {
		argv0, user string
		want        facts.Program
	}{
		{"/arm", "", facts.Program{Path: "/arm", Found: "yes", Executable: "yes", Mode: "-rwxr-xr-x", Kind: "elf", Architecture: "arm64", Interpreter: "/lib/ld-musl-aarch64.so.1", InterpreterFound: "no"}},
		{"dash", "", facts.Program{Path: "/usr/bin/dash", Found: "yes", Searched: defaultPath, Executable: "yes", Mode: "-rwxr-xr-x", Kind: "elf", Architecture: "amd64", Interpreter: "/lib64/ld-linux-x86-64.so.2", InterpreterFound: "yes"}},
		{"./crlf", "", facts.Program{Path: "/app/crlf", Found: "yes", Executable: "yes", Mode: "-rwxr-xr-x", Kind: "script", Interpreter: "/bin/sh", InterpreterFound: "no", CRLF: true}},
		{"./bom", "", facts.Program{Path: "/app/bom", Found: "yes", Executable: "yes", Mode: "-rwxr-xr-x", Kind: "text", BOM: true}},
		{"./env", "", facts.Program{Path: "/app/env", Found: "yes", Executable: "yes", Mode: "-rwxr-xr-x", Kind: "script", Interpreter: "/usr/bin/env", InterpreterFound: "yes"}},
		{"./envless", "", facts.Program{Path: "/app/envless", Found: "yes", Executable: "yes", Mode: "-rwxr-xr-x", Kind: "script", Interpreter: "/usr/bin/env", InterpreterFound: "no"}},
		{"./plain", "", facts.Program{Path: "/app/plain", Found: "yes", Executable: "yes", Mode: "-rwxr-xr-x", Kind: "text"}},
		{"./empty", "", facts.Program{Path: "/app/empty", Found: "yes", Executable: "yes", Mode: "-rwxr-xr-x", Kind: "empty"}},
		{"./noexec", "", facts.Program{Path: "/app/noexec", Found: "yes", Executable: "no", Mode: "-rw-r--r--", Kind: "script", Interpreter: "/bin/sh", InterpreterFound: "yes"}},
		{"./private", "redis", facts.Program{Path: "/app/private", Found: "yes", Mode: "-rwx------", Kind: "script", Interpreter: "/bin/sh", InterpreterFound: "yes"}},
		{"tool", "", facts.Program{Path: "/usr/local/bin/tool", Found: "yes", Searched: defaultPath, Executable: "no", Mode: "-rw-r--r--", Kind: "script", Interpreter: "/bin/nope", InterpreterFound: "no"}},
		{"missing", "", facts.Program{Found: "no", Searched: defaultPath}},
		{"/app", "", facts.Program{Path: "/app", Found: "yes", Executable: "no", Mode: "dr-xr-xr-x", Dir: true}},
	}
	for _, tt := range tests {
		t.Run(tt.argv0, func(t *testing.T) {
			t.Parallel()
			l := Follow(facts.Config{Cmd: []string{tt.argv0}, WorkingDir: "/app", User: tt.user}, nil, files)
			if diff := cmp.Diff(tt.want, l.Program); diff != "" {
				t.Errorf("Program: -want +got\n%s", diff)
			}
		})
	}
}

// blindFS proves nothing about what it does not hold.
type blindFS struct{ fstest.MapFS }

func (b blindFS) Open(name string) (fs.File, error) {
	f, err := b.MapFS.Open(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: facts.ErrNotExamined}
	}
	return f, nil
}

func (b blindFS) Stat(name string) (fs.FileInfo, error) {
	info, err := b.MapFS.Stat(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: facts.ErrNotExamined}
	}
	return info, nil
}

func TestNotExaminedIsNotAbsent(t *testing.T) {
	t.Parallel()
	l := Follow(facts.Config{Cmd: []string{"gunicorn"}}, nil, blindFS{image(nil)})
	if l.Program.Found != facts.Unknown {
		t.Errorf("Found = %q, want unknown", l.Program.Found)
	}
	l = Follow(facts.Config{Cmd: []string{"dash"}}, nil, blindFS{image(nil)})
	if l.Program.Found != facts.Yes || l.Program.Kind != "" {
		t.Errorf("a hit behind unexamined directories: %+v", l.Program)
	}
}

// owned is a file info with an owner.
type owned struct {
	fs.FileInfo
	uid, gid int
}

func (o owned) Owner() (uid, gid int) { return o.uid, o.gid }

func TestExecutableFor(t *testing.T) {
	t.Parallel()
	info, err := fs.Stat(fstest.MapFS{"x": {Mode: 0o750}}, "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		user     string
		uid, gid int
		want     facts.Tri
	}{
		{"", 5, 5, facts.Yes}, {"root:web", 5, 5, facts.Yes}, {"redis", 999, 0, facts.Yes}, {"redis", 0, 998, facts.Yes},
		{"redis", 0, 50, facts.Yes}, {"redis:7", 0, 50, facts.No}, {"1234", 0, 998, facts.No}, {"1234:998", 0, 998, facts.Yes},
		{"nobody", 0, 0, facts.Unknown},
	} {
		f := &follower{files: image(nil), user: tt.user}
		if got := f.executable("/usr/bin/x", owned{info, tt.uid, tt.gid}); got != tt.want {
			t.Errorf("user %q, file %d:%d: %q, want %q", tt.user, tt.uid, tt.gid, got, tt.want)
		}
	}
}

func FuzzParseELF(f *testing.F) {
	f.Add(elfHead(62, "/lib/ld.so"))
	f.Fuzz(func(t *testing.T, head []byte) { parseELF(head) })
}
