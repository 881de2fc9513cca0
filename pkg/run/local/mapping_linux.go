package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mapping is how the users of a container are those of the machine.
type mapping struct {
	kind kind
	// Subordinate IDs of the user, for everyone but root.
	uids, gids span
}

type kind int

const (
	same  kind = iota + 1 // root runs images as an engine does
	many                  // in a user namespace, with all users
	alone                 // in a user namespace, with one user
)

// span is a range of IDs.
type span struct{ first, count int }

// owned reports whether files on disk can have the image's owners.
func (m mapping) owned() bool { return m.kind == same }

// leastIDs covers nobody, 65534; fewer are worse than one that is known about.
const leastIDs = 65535

func findMapping(oneUser bool) (mapping, error) {
	privileged, err := hasCapabilities(ambient)
	if err != nil {
		return mapping{}, err
	}
	if privileged && os.Geteuid() == 0 && !oneUser {
		return mapping{kind: same}, nil
	}
	if !oneUser {
		uids, gids, ok := subordinates()
		if ok {
			return mapping{many, uids, gids}, nil
		}
	}
	return mapping{kind: alone}, nil
}

// hasCapabilities reports whether this process has all of them: root in an
// engine's container may have a few.
func hasCapabilities(bits []uintptr) (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return false, fmt.Errorf("read capabilities: %w", err)
	}
	for _, bit := range bits {
		if sets[bit/32].Effective&(1<<(bit%32)) == 0 {
			return false, nil
		}
	}
	return true, nil
}

// subordinates returns the user's ranges in /etc/subuid and /etc/subgid, if
// there are any that newuidmap(1) would map.
func subordinates() (uids, gids span, ok bool) {
	if set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err == nil && set == 1 {
		return uids, gids, false // newuidmap has no privileges then
	}
	for _, helper := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(helper); err != nil {
			return uids, gids, false
		}
	}
	id := strconv.Itoa(os.Geteuid())
	name := id
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	uids, one := subordinate("/etc/subuid", name, id)
	gids, two := subordinate("/etc/subgid", name, id)
	return uids, gids, one && two
}

func subordinate(file, name, id string) (span, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return span{}, false
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) != 3 || fields[0] != name && fields[0] != id {
			continue
		}
		first, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		if err1 == nil && err2 == nil && count >= leastIDs {
			return span{first, count}, true
		}
	}
	return span{}, false
}

// ambient are the capabilities that setting up a container needs; a user that
// is not root in it has to be given them in its own namespaces.
var ambient = []uintptr{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP,
	unix.CAP_NET_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE,
}

// attributes are how the keeper is to be started.
func (m mapping) attributes(who identity) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Setsid: true, Pdeathsig: unix.SIGKILL}
	if m.kind == same {
		return a
	}
	a.Cloneflags |= unix.CLONE_NEWUSER
	if m.kind == alone {
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: who.uid, HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: who.gid, HostID: os.Getegid(), Size: 1}}
		if who.uid != 0 {
			a.AmbientCaps = ambient
		}
	}
	return a
}

// mapPatience bounds one call of newuidmap.
const mapPatience = 10 * time.Second

// apply maps the users of a started keeper that has none yet.
func (m mapping) apply(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, mapPatience)
	defer cancel()
	return errors.Join(
		assign(ctx, "newuidmap", pid, os.Geteuid(), m.uids),
		assign(ctx, "newgidmap", pid, os.Getegid(), m.gids),
	)
}

func assign(ctx context.Context, helper string, pid, own int, s span) error {
	args := []int{pid, 0, own, 1, 1, s.first, s.count}
	var words []string
	for _, n := range args {
		words = append(words, strconv.Itoa(n))
	}
	text, err := exec.CommandContext(ctx, helper, words...).CombinedOutput()
	if err != nil {
		return notAllowed(sysctls, fmt.Sprintf("%s %s: %v: %s; it takes its ranges from /etc/subuid and /etc/subgid", helper, strings.Join(words, " "), err, bytes.TrimSpace(text)))
	}
	return nil
}
