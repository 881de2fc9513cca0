package cage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain is also the probe and the program of a container: the tests'
// binary starts itself again.
func TestMain(m *testing.M) {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	var code int
	var err error
	switch role {
	case RoleKeeper:
		code, err = Keep(os.Args[:1])
	case RoleEnter:
		code, err = Enter(Surroundings{
			Network: func(netip.Addr) error { return nil },
			Inject:  func([]string) (int, bool, error) { return 0, false, nil },
		})
	case RoleCheck:
		code, err = RunCheck(find)
	case "program":
		code = program1(os.Args[2:])
	default:
		code = m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// find looks in /bin alone.
func find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	return "/bin/" + name, syscall.Access("/bin/"+name, 1)
}

// program1 is what runs in a container.
func program1(args []string) int {
	switch args[0] {
	case "wait": // until it is asked to stop
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Println("waiting")
		<-stop
		return 7
	case "exit":
		return 3
	case "say":
		fmt.Print(strings.Join(args[1:], " "))
	case "whine":
		fmt.Fprint(os.Stderr, "no")
		return 4
	case "flood":
		fmt.Print(strings.Repeat("x", 100_000), "end")
	case "hang":
		fmt.Print("hanging")
		time.Sleep(time.Minute) // longer than the test waits
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "surroundings":
		dir, _ := os.Getwd()
		host, _ := os.Hostname()
		status, _ := os.ReadFile("/proc/self/status")
		_, rest, _ := strings.Cut(string(status), "NoNewPrivs:")
		fmt.Print(os.Getuid(), " ", os.Getgid(), " ", dir, " ", host, " ", os.Getenv("GREETING"), " ", strings.Fields(rest)[0], strings.Fields(rest)[2])
	case "write":
		for _, name := range args[1:] {
			err := os.WriteFile(name, []byte("x"), 0o644)
			fmt.Print(errors.Is(err, syscall.EROFS), " ")
		}
	}
	return 0
}

// container is a keeper under test.
type container struct {
	t       *testing.T
	control *os.File
	reports *bufio.Scanner
	output  *bufio.Reader
}

// launch starts a container of the tests' own binary.
func launch(t *testing.T, change func(*Config), words ...string) *container {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root; the runner's tests do without")
	}
	root := rootDir(t)
	c := Config{
		Root: root, Scratch: t.TempDir(), Hostname: "web", Address: "198.18.0.2", Env: []string{"PATH=/bin:/sbin", "GREETING=hello"},
		Argv: append([]string{"/bin/self", "program"}, words...), Files: 1024,
	}
	if change != nil {
		change(&c)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	var files [3][2]*os.File // control, reports, output
	for i := range files {
		if files[i][0], files[i][1], err = os.Pipe(); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/proc/self/exe", RoleKeeper)
	cmd.Stdout, cmd.Stderr = files[2][1], files[2][1]
	cmd.ExtraFiles = []*os.File{files[0][0], files[1][1], self}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Skipf("start keeper: %v", err)
	}
	for _, f := range []*os.File{files[0][0], files[1][1], files[2][1]} {
		f.Close()
	}
	t.Cleanup(func() {
		files[0][1].Close()
		if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
			t.Error(err)
		}
		files[1][0].Close()
		files[2][0].Close()
	})
	if err := Send(files[0][1], c); err != nil {
		t.Fatal(err)
	}
	k := &container{t, files[0][1], bufio.NewScanner(files[1][0]), bufio.NewReader(files[2][0])}
	if r := k.report(); !r.Started {
		t.Fatalf("first report %+v", r)
	}
	return k
}

// rootDir holds a root file system with the tests' binary at /bin/self.
func rootDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(filepath.Join(dir, "bin", "self"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Close(), os.WriteFile(filepath.Join(dir, "bin", "plain"), nil, 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (k *container) report() (r Report) {
	k.t.Helper()
	if !k.reports.Scan() {
		k.t.Fatalf("no report: %v", k.reports.Err())
	}
	if err := json.Unmarshal(k.reports.Bytes(), &r); err != nil {
		k.t.Fatal(err)
	}
	return r
}

// until reads the program's output up to a line.
func (k *container) until(line string) {
	k.t.Helper()
	for {
		got, err := k.output.ReadString('\n')
		if strings.TrimSpace(got) == line {
			return
		}
		if err != nil {
			k.t.Fatalf("output %q, %v; want %q", got, err, line)
		}
	}
}

func (k *container) check(c Check) Checked {
	k.t.Helper()
	if err := Tell(k.control, Order{Check: &c}); err != nil {
		k.t.Fatal(err)
	}
	r := k.report()
	if r.Checked == nil {
		k.t.Fatalf("report %+v", r)
	}
	return *r.Checked
}

// TestKeeperTellsTheEnd: the program's own, and that by a signal it is told.
func TestKeeperTellsTheEnd(t *testing.T) {
	t.Parallel()
	k := launch(t, nil, "exit")
	if r := k.report(); !r.Ended || syscall.WaitStatus(r.Wait).ExitStatus() != 3 {
		t.Errorf("report %+v", r)
	}
	k = launch(t, nil, "wait")
	k.until("waiting")
	if err := Tell(k.control, Order{Signal: int(syscall.SIGTERM)}); err != nil {
		t.Fatal(err)
	}
	if r := k.report(); !r.Ended || syscall.WaitStatus(r.Wait).ExitStatus() != 7 {
		t.Errorf("report %+v", r)
	}
}

// TestKeeperRefuses says what is the image's fault in an engine's words.
func TestKeeperRefuses(t *testing.T) {
	t.Parallel()
	k := launch(t, func(c *Config) { c.Dir = "/bin/self" }, "exit")
	if r := k.report(); !strings.Contains(r.Refused, "not a directory") {
		t.Errorf("report %+v", r)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	self := func(words ...string) []string { return append([]string{"self", "program"}, words...) }
	k := launch(t, func(c *Config) { c.UID, c.GID, c.Dir = 1000, 1001, "/bin" }, "wait")
	k.until("waiting")
	for _, tt := range []struct {
		name string
		argv []string
		want Checked
	}{
		{"says", self("say", "one", "two"), Checked{Output: []byte("one two")}},
		{"fails", self("whine"), Checked{Code: 4, Output: []byte("no")}},
		{"is killed", self("kill"), Checked{Code: 137}},
		{"the end of its output counts", self("flood"), Checked{Output: []byte(strings.Repeat("x", 77) + "end")}},
		{"is the program's equal", self("surroundings"), Checked{Output: []byte("1000 1001 /bin web hello 12")}},
		{"has no time", self("hang"), Checked{TimedOut: true, Output: []byte("hanging")}},
		{"is not there", []string{"curl", "-f"}, Checked{Code: 127, Output: []byte(`exec: "curl": executable file not found in $PATH`)}},
		{"is not there by path", []string{"/curl"}, Checked{Code: 127, Output: []byte(`exec: "/curl": stat /curl: no such file or directory`)}},
		{"cannot be executed", []string{"/bin/plain"}, Checked{Code: 126, Output: []byte(`exec: "/bin/plain": permission denied`)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k.t = t
			got := k.check(Check{Argv: tt.argv, Timeout: time.Second, Output: 80})
			got.Took = 0
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", got.Output, diff)
			}
		})
	}
}

// TestReadOnly: nothing can be written but volumes and /dev/shm.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	places := []string{"/new", "/etc/hosts", "/bin/new", "/data/new", "/dev/shm/new"}
	for _, readOnly := range []bool{false, true} {
		k := launch(t, func(c *Config) { c.ReadOnly, c.Volumes = readOnly, []string{"/data"} }, append([]string{"write"}, places...)...)
		if r := k.report(); !r.Ended {
			t.Fatalf("report %+v", r)
		}
		text, err := io.ReadAll(k.output)
		want := fmt.Sprintf("%t %t %t false false ", readOnly, readOnly, readOnly)
		if err != nil || string(text) != want {
			t.Errorf("read-only %t: refused %q, %v; want %q", readOnly, text, err, want)
		}
	}
}

// TestMessages: a config arrives whole, none too long, and one that is cut off
// is an error.
func TestMessages(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := errors.Join(Again(&b), Tell(&b, Order{Signal: 15})); err != nil {
		t.Fatal(err)
	}
	if text, err := receive(&b); len(text) != 0 || err != nil {
		t.Errorf("again: %q, %v", text, err)
	}
	if text, err := receive(&b); string(text) != `{"signal":15}` || err != nil {
		t.Errorf("order: %q, %v", text, err)
	}
	for _, broken := range []string{"", "\x05\x00", "\x05\x00\x00\x00abc", "\xff\xff\xff\xff"} {
		if text, err := receive(strings.NewReader(broken)); err == nil {
			t.Errorf("%q: %q", broken, text)
		}
	}
}
