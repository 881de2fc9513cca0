package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/run/local/layers"
)

// identity is whom a program runs as.
type identity struct {
	uid, gid int
	groups   []int
	home     string
}

// notFoundError is about a user or group that the image does not have, in the
// words of Docker.
type notFoundError struct{ text string }

func (e notFoundError) Error() string { return e.text }

// maxAccounts bounds /etc/passwd and /etc/group.
const maxAccounts = 1 << 20

// identify finds an image's USER as runc does: by name or number, and a user
// by number need not exist.
func identify(held []*layers.Held, user string) (identity, error) {
	passwd, err1 := accounts(held, "/etc/passwd")
	group, err2 := accounts(held, "/etc/group")
	if err := errors.Join(err1, err2); err != nil {
		return identity{}, err
	}
	return resolve(passwd, group, user)
}

// accounts splits the lines of a file; one that is not there has none.
func accounts(held []*layers.Held, name string) (lines [][]string, err error) {
	text, err := layers.ReadFile(held, name, maxAccounts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			lines = append(lines, strings.Split(string(line), ":"))
		}
	}
	return lines, nil
}

func resolve(passwd, group [][]string, user string) (identity, error) {
	name, groupName, explicit := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	who := identity{home: "/"}
	found, login := false, ""
	number, err := id(name)
	for _, f := range passwd {
		if len(f) < 6 || f[0] != name && (err != nil || f[2] != name) {
			continue
		}
		uid, err1 := id(f[2])
		gid, err2 := id(f[3])
		if err1 != nil || err2 != nil {
			continue
		}
		who.uid, who.gid, login, found = uid, gid, f[0], true
		if f[5] != "" {
			who.home = f[5]
		}
		break
	}
	if !found {
		if err != nil {
			return who, notFoundError{fmt.Sprintf("unable to find user %s: no matching entries in passwd file", name)}
		}
		who.uid = number
	}
	if explicit && groupName != "" {
		who.gid, err = groupID(group, groupName)
		return who, err
	}
	for _, f := range group {
		if len(f) >= 4 && login != "" && contains(f[3], login) {
			if gid, err := id(f[2]); err == nil {
				who.groups = append(who.groups, gid)
			}
		}
	}
	return who, nil
}

func groupID(group [][]string, name string) (int, error) {
	for _, f := range group {
		if len(f) >= 3 && f[0] == name {
			if gid, err := id(f[2]); err == nil {
				return gid, nil
			}
		}
	}
	gid, err := id(name)
	if err != nil {
		return 0, notFoundError{fmt.Sprintf("unable to find group %s: no matching entries in group file", name)}
	}
	return gid, nil
}

func id(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}

func contains(list, name string) bool {
	for word := range strings.SplitSeq(list, ",") {
		if word == name {
			return true
		}
	}
	return false
}
