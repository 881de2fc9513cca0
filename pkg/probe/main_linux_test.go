package probe

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Roles of the test binary besides the probe's: it is the probe, the program
// that is watched, and what an engine would have set up around both.
const (
	roleSetup = "test-setup" // SPEC: make the namespace what a container is, then become the probe
	roleState = "test-state" // print what a program inherits
	roleServe = "test-serve" // BEHAVIOUR NETWORK ADDRESS: listen, and behave
)

func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case RoleCell, RoleInject, RoleWrap, RoleObserve, RoleShim:
		os.Exit(Main(os.Args[1:]))
	case roleSetup:
		must(setUp(os.Args[2]))
	case roleState:
		must(printState())
	case roleServe:
		must(serve(os.Args[2], os.Args[3], os.Args[4]))
	default:
		os.Exit(m.Run())
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "test program:", err)
		os.Exit(99)
	}
}

// setup is what surrounds a probe under test.
type setup struct {
	Argv  []string // of the probe
	Plain bool     // Argv is a program, not the probe
	Dir   string
	UID   int    // 0: root
	Soft  uint64 // soft limit of open files; 0: as it is
	Quiet bool   // without CAP_SYS_PTRACE, as engines have it
}

// setUp runs as PID 1 of new namespaces and becomes the probe.
func setUp(text string) error {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	if err := addAddress(netip.MustParseAddr("198.18.0.2")); err != nil {
		return err
	}
	if s.Dir != "" {
		if err := os.Chdir(s.Dir); err != nil {
			return err
		}
	}
	if s.Soft != 0 {
		limit := unix.Rlimit{Cur: s.Soft, Max: 4096}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
	}
	if s.Quiet {
		if err := dropPtrace(); err != nil {
			return err
		}
	}
	if s.UID != 0 {
		if err := unix.Setresuid(s.UID, s.UID, s.UID); err != nil {
			return err
		}
	}
	if s.Plain {
		path, err := lookPath(s.Argv[0])
		if err != nil {
			return err
		}
		return unix.Exec(path, s.Argv, os.Environ())
	}
	return unix.Exec("/proc/self/exe", append(os.Args[:1:1], s.Argv...), os.Environ())
}

// printState prints what a program inherits and a probe could disturb.
func printState() error {
	keys := []string{
		"PPid", "Uid", "Gid", "Umask", "SigBlk", "SigIgn", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
	}
	if err := printLines("/proc/self/status", func(line string) bool {
		key, _, _ := strings.Cut(line, ":")
		return slices.Contains(keys, key)
	}); err != nil {
		return err
	}
	// This program is in Go too, and raises its own limit of open files; the
	// shell that starts it prints the one that it had.
	if err := printLines("/proc/self/limits", func(line string) bool {
		return !strings.HasPrefix(line, "Max open files")
	}); err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	var fds []string
	list, err := names("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, name := range list {
		if to := readLink("/proc/self/fd/" + name); to != "" {
			kind, _, _ := strings.Cut(to, ":[")
			fds = append(fds, name+"="+kind)
		}
	}
	fmt.Printf("dir %s\nenv %q\nfds %q\nargs %q\n", dir, os.Environ(), fds, os.Args[2:])
	return nil
}

func printLines(file string, keep func(line string) bool) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if keep(line) {
			fmt.Print(line)
		}
	}
	return nil
}
