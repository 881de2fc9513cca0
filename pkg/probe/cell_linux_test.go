package probe

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestCell(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(setup{Argv: []string{RoleCell, encode(t, Config{Address: "198.18.0.9"})}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", roleSetup, string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("needs root: it makes namespaces: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 8<<20)
	next := func(into any) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("no reply: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), into); err != nil {
			t.Fatalf("reply %q: %v", lines.Text(), err)
		}
	}
	var ready Ready
	next(&ready)
	if diff := cmp.Diff(Ready{Ready: true, Address: "198.18.0.9"}, ready); diff != "" {
		t.Fatalf("ready (-want +got):\n%s", diff)
	}
	for range 2 {
		if _, err := in.Write([]byte(`{"op":"stat","path":"/etc/passwd"}` + "\n" + `{"op":"stat","path":"/proc/1"}` + "\nhello\n")); err != nil {
			t.Fatal(err)
		}
		var found, missing, bad FileReply
		next(&found)
		next(&missing)
		next(&bad)
		if found.Info == nil || found.Info.Size == 0 || missing.Errno != "ENOENT" || bad.Errno != "EBADMSG" {
			t.Errorf("replies: %+v %+v %+v", found, missing, bad)
		}
	}
	// It holds on without anyone to answer, and ends when told.
	in.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("ended with its stdin: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("told to stop: %v", err)
	}
}

func TestAnswerFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	must(os.WriteFile(at("file"), []byte("hello"), 0o640))
	must(os.Symlink("file", at("link")))
	must(os.Symlink("/proc/self", at("proc")))
	must(os.Symlink("loop", at("loop")))
	must(os.Mkdir(at("dir"), 0o755))
	must(unix.Mkfifo(at("fifo"), 0o644))
	listener, err := net.Listen("unix", at("sock"))
	must(err)
	defer listener.Close()

	tests := map[string]struct {
		request FileRequest
		want    FileReply
	}{
		"stat":             {FileRequest{Op: "stat", Path: at("link")}, FileReply{Info: &FileInfo{Name: "link", Size: 5, Mode: 0o640}}},
		"lstat":            {FileRequest{Op: "lstat", Path: at("link")}, FileReply{Info: &FileInfo{Name: "link", Size: 4, Mode: uint32(fs.ModeSymlink | 0o777)}}},
		"stat directory":   {FileRequest{Op: "stat", Path: at("dir/")}, FileReply{Info: &FileInfo{Name: "dir", Mode: uint32(fs.ModeDir | 0o755)}}},
		"stat FIFO":        {FileRequest{Op: "stat", Path: at("fifo")}, FileReply{Info: &FileInfo{Name: "fifo", Mode: uint32(fs.ModeNamedPipe | 0o644)}}},
		"missing":          {FileRequest{Op: "stat", Path: at("no")}, FileReply{Errno: "ENOENT"}},
		"loop":             {FileRequest{Op: "stat", Path: at("loop")}, FileReply{Errno: "ELOOP"}},
		"below a file":     {FileRequest{Op: "stat", Path: at("file/x")}, FileReply{Errno: "ENOTDIR"}},
		"relative":         {FileRequest{Op: "stat", Path: "file"}, FileReply{Errno: "EINVAL"}},
		"unknown":          {FileRequest{Op: "write", Path: at("file")}, FileReply{Errno: "EINVAL"}},
		"readlink":         {FileRequest{Op: "readlink", Path: at("link")}, FileReply{Link: "file"}},
		"readlink no link": {FileRequest{Op: "readlink", Path: at("file")}, FileReply{Errno: "EINVAL"}},
		"read":             {FileRequest{Op: "read", Path: at("link")}, FileReply{Content: []byte("hello"), Info: &FileInfo{Name: "link", Size: 5, Mode: 0o640}}},
		"read all of it":   {FileRequest{Op: "read", Path: at("file"), Max: 5}, FileReply{Content: []byte("hello"), Info: &FileInfo{Name: "file", Size: 5, Mode: 0o640}}},
		"read some":        {FileRequest{Op: "read", Path: at("file"), Max: 2}, FileReply{Content: []byte("he"), More: true, Info: &FileInfo{Name: "file", Size: 5, Mode: 0o640}}},
		"read directory":   {FileRequest{Op: "read", Path: at("dir")}, FileReply{Errno: "EISDIR"}},
		"read FIFO":        {FileRequest{Op: "read", Path: at("fifo")}, FileReply{Errno: "EINVAL"}},
		"read socket":      {FileRequest{Op: "read", Path: at("sock")}, FileReply{Errno: "EINVAL"}},
		"read device":      {FileRequest{Op: "read", Path: "/dev/zero"}, FileReply{Errno: "EINVAL"}},
		"proc":             {FileRequest{Op: "read", Path: "/proc/self/status"}, FileReply{Errno: "ENOENT"}},
		"proc by dots":     {FileRequest{Op: "read", Path: "/etc/../proc/self/status"}, FileReply{Errno: "ENOENT"}},
		"proc by link":     {FileRequest{Op: "read", Path: at("proc/status")}, FileReply{Errno: "ENOENT"}},
		"sys":              {FileRequest{Op: "readdir", Path: "/sys"}, FileReply{Errno: "ENOENT"}},
		"own mount":        {FileRequest{Op: "stat", Path: "/.imglint/probe"}, FileReply{Errno: "ENOENT"}},
		"readdir no dir":   {FileRequest{Op: "readdir", Path: at("file")}, FileReply{Errno: "ENOTDIR"}},
		"readdir empty":    {FileRequest{Op: "readdir", Path: at("dir")}, FileReply{}},
		"readdir some": {FileRequest{Op: "readdir", Path: dir, Max: 2}, FileReply{More: true, Entries: []FileInfo{
			{Name: "dir", Mode: uint32(fs.ModeDir | 0o755)}, {Name: "fifo", Mode: uint32(fs.ModeNamedPipe | 0o644)},
		}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := answerFile(tt.request)
			ignore := cmp.FilterPath(func(p cmp.Path) bool {
				return p.Last().String() == ".Time" || strings.HasSuffix(p.GoString(), "ID")
			}, cmp.Ignore())
			if diff := cmp.Diff(tt.want, withoutDirSizes(got), ignore); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
	root := answerFile(FileRequest{Op: "readdir", Path: "/"})
	for _, e := range root.Entries {
		if e.Name == "proc" || e.Name == "sys" || e.Name == ".imglint" {
			t.Errorf("the root lists %s", e.Name)
		}
	}
	if len(root.Entries) == 0 || root.More {
		t.Errorf("the root lists %d entries, more %v", len(root.Entries), root.More)
	}
}

// withoutDirSizes leaves out what depends on the file system.
func withoutDirSizes(r FileReply) FileReply {
	clear := func(i *FileInfo) {
		if fs.FileMode(i.Mode).IsDir() {
			i.Size = 0
		}
	}
	if r.Info != nil {
		clear(r.Info)
	}
	for i := range r.Entries {
		clear(&r.Entries[i])
	}
	return r
}
