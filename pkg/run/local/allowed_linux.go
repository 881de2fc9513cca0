package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// explain says what a machine does not allow.
func explain(err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) || errno != unix.EPERM && errno != unix.ENOSPC && errno != unix.EINVAL && errno != unix.EACCES {
		return fmt.Errorf("start container: %w", err)
	}
	return notAllowed(sysctls, "make namespaces: "+errno.Error())
}

// sysctls is where the kernel's settings are.
const sysctls = "/proc/sys"

// switches are the settings that keep a user from making namespaces.
var switches = []struct{ name, off, on, says string }{
	{"user.max_user_namespaces", "0", "10000", "user namespaces are switched off"},
	{"kernel.unprivileged_userns_clone", "0", "1", "user namespaces are switched off for all but root"},                          // Debian's kernels
	{"kernel.apparmor_restrict_unprivileged_userns", "1", "0", "AppArmor takes the rights of user namespaces from all but root"}, // Ubuntu since 23.10
}

// notAllowed says in one sentence what is off, where that is known, and what
// to do.
func notAllowed(settings, failed string) error {
	ways := []string{"run imglint as root", "use an engine"}
	if os.Geteuid() == 0 {
		ways = []string{"give root here its privileges (in a container: --privileged)", "use an engine"}
	}
	for _, s := range switches {
		text, err := os.ReadFile(filepath.Join(settings, strings.ReplaceAll(s.name, ".", "/")))
		if err != nil || strings.TrimSpace(string(text)) != s.off {
			continue
		}
		ways = append(ways, fmt.Sprintf("type `sysctl -w %s=%s` as root", s.name, s.on))
		return unsupported("%s (%s is %s: %s); %s", s.says, s.name, s.off, failed, either(ways))
	}
	if inContainer(containerSigns) {
		return unsupported("%s%s", failed, containerAdvice)
	}
	return unsupported("%s; %s", failed, either(ways))
}

func either(ways []string) string {
	last := len(ways) - 1
	if last == 1 {
		return ways[0] + " or " + ways[1]
	}
	return strings.Join(ways[:last], ", ") + ", or " + ways[last]
}

// inContainer reports whether any of the files is there that engines leave, or
// a variable of Kubernetes.
func inContainer(signs []string) bool {
	for _, sign := range signs {
		if _, err := os.Stat(sign); err == nil {
			return true
		}
	}
	return os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

// containerSigns are what Docker and Podman leave in every container.
var containerSigns = []string{"/.dockerenv", "/run/.containerenv"}

// containerAdvice was tried with Docker's default profiles.
const containerAdvice = "; imglint runs in a container here: give it an engine (DOCKER_HOST), or start the container with --privileged, or with " +
	"--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined"
