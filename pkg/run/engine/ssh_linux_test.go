package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// sshServer is an sshd of a test's own, with keys of its own.
type sshServer struct {
	dir  string
	port int
}

// startSSH starts one on the loopback address, or skips the test.
func startSSH(t *testing.T) *sshServer {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers: not with -short")
	}
	for _, program := range []string{"ssh", "ssh-keygen", "docker", "/usr/sbin/sshd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs an ssh client and server and docker: %v", err)
		}
	}
	s := &sshServer{dir: t.TempDir()}
	for _, key := range []string{"host", "user", "stranger"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.file(key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	if os.Getuid() == 0 && os.Mkdir("/run/sshd", 0o755) == nil { // where sshd confines itself
		t.Cleanup(func() { os.Remove("/run/sshd") })
	}
	s.serve(t)
	s.authorize(t, "")
	s.know(t, "host")
	// docker runs whatever ssh PATH has: this one does not read the user's files.
	s.write(t, "bin/ssh", fmt.Sprintf("#!/bin/sh\nexec %s -F %s \"$@\"\n", lookPath(t, "ssh"), s.file("config")))
	s.config(t, "user", s.port)
	t.Setenv("PATH", s.file("bin")+":"+os.Getenv("PATH"))
	t.Setenv("DOCKER_API_VERSION", "")
	return s
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *sshServer) file(name string) string { return filepath.Join(s.dir, name) }

func (s *sshServer) write(t *testing.T, name, text string) {
	t.Helper()
	write(t, s.file(name), text)
	if err := os.Chmod(s.file(name), 0o700); err != nil {
		t.Fatal(err)
	}
}

// serve starts sshd and waits until it takes connections.
func (s *sshServer) serve(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	s.write(t, "sshd_config", fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nUsePAM no\nStrictModes no\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n",
		s.port, s.file("host"), s.file("authorized")))
	var log strings.Builder
	cmd := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", s.file("sshd_config"))
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Skipf("cannot start sshd: %v", err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); ; {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Skipf("sshd does not run here: %s", log.String())
		case <-deadline:
			t.Fatal("sshd does not listen")
		}
	}
}

// authorize lets the user's key in, for one command if that is not "".
func (s *sshServer) authorize(t *testing.T, command string) {
	t.Helper()
	key, err := os.ReadFile(s.file("user.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if command != "" {
		key = fmt.Appendf(nil, "command=%q %s", command, key)
	}
	s.write(t, "authorized", string(key))
}

// know makes the client expect a key from the server.
func (s *sshServer) know(t *testing.T, key string) {
	t.Helper()
	public, err := os.ReadFile(s.file(key + ".pub"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "known", fmt.Sprintf("[127.0.0.1]:%d %s", s.port, public))
}

// config is the client's, for the name "engine".
func (s *sshServer) config(t *testing.T, key string, port int) {
	t.Helper()
	s.write(t, "config", fmt.Sprintf("Host engine\n HostName 127.0.0.1\n Port %d\n IdentityFile %s\n IdentitiesOnly yes\n"+
		" IdentityAgent none\n UserKnownHostsFile %s\n StrictHostKeyChecking yes\n", port, s.file(key), s.file("known")))
}

const sshEngine = "ssh://engine"

// TestConnectOverSSH runs images on an engine behind ssh, and leaves nothing.
func TestConnectOverSSH(t *testing.T) {
	plain := connect(t, static)
	startSSH(t)
	ref := makeImage(t, plain, nil)
	e := connect(t, func(o *Options) { o.Host = sshEngine })
	loopback := func(s *run.Spec) {
		s.Expect = facts.Prediction{Complete: true, Listens: []facts.Listen{{Network: "tcp", Port: 8000, Scope: facts.ScopeLoopback}}}
	}
	if seen := observe(t, e, ref, nil, "/app", "serve", ":8000"); seen.Stopped != facts.StopAnswered {
		t.Errorf("a good image: stopped %q", seen.Stopped)
	}
	if seen := observe(t, e, ref, loopback, "/app", "serve", "127.0.0.1:8000"); outcomeOf(seen).Outside != facts.ClassRefused {
		t.Errorf("on loopback: %+v", outcomeOf(seen))
	}
	if seen := observe(t, e, ref, nil, "/app", "exit", "3", "no"); seen.Exit == nil || seen.Exit.Code != 3 {
		t.Errorf("one that ends: exit %+v", seen.Exit)
	}
	e.pool.drain(t.Context())
	e.discards.Wait()
	if containers, volumes := leftovers(t, plain, e.owner); containers != 0 || volumes != 0 {
		t.Errorf("left %d containers and %d volumes", containers, volumes)
	}
}

// TestSSHFaults wants ssh's own words, and those of docker behind it.
func TestSSHFaults(t *testing.T) {
	s := startSSH(t)
	for _, tt := range []struct {
		name, host, want string
		change           func()
	}{
		{"no such host", "ssh://not-there.invalid", "Could not resolve hostname not-there.invalid", func() {}},
		{"nobody listens", sshEngine, "Connection refused", func() { s.config(t, "user", 1) }},
		{"another machine's key", sshEngine, "Host key verification failed.", func() { s.know(t, "stranger") }},
		{"a key that is not let in", sshEngine, "Permission denied (publickey)", func() { s.config(t, "stranger", s.port) }},
		{"no docker there", sshEngine, "/nowhere/docker", func() { s.authorize(t, "exec /nowhere/docker") }},
		{"no engine there", sshEngine, "no such file or directory", func() { s.authorize(t, "exec docker --host unix:///nowhere/s system dial-stdio") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.authorize(t, "")
			s.know(t, "host")
			s.config(t, "user", s.port)
			tt.change()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := Connect(ctx, Options{Host: tt.host, Static: true})
			if !isKind(err, KindNoEngine) || !strings.Contains(err.Error(), "cannot reach the engine at "+tt.host+": ssh said ") ||
				!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one sentence with %q", err, tt.want)
			}
		})
	}
	t.Run("no ssh here", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := Connect(t.Context(), Options{Host: sshEngine, Static: true}); !isKind(err, KindNoEngine) || !strings.Contains(err.Error(), "install an ssh client") {
			t.Errorf("error %v", err)
		}
	})
}
