package launch

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// owner is implemented by the file infos, or by what their Sys returns, of
// sources that know who owns a file.
type owner interface{ Owner() (uid, gid int) }

// executable reports whether the present user may execute a file.
func (f *follower) executable(file string, info fs.FileInfo) facts.Tri {
	mode := info.Mode().Perm()
	switch {
	case info.IsDir() || mode&0o111 == 0:
		return facts.No
	case f.isRoot():
		return facts.Yes
	}
	for dir := path.Dir(file); dir != "/" && path.Dir(dir) != "/usr"; dir = path.Dir(dir) {
		parent, found := f.stat(dir)
		if found != facts.Yes {
			return facts.Unknown
		}
		if may := f.may(parent); may != facts.Yes {
			return may
		}
		if path.Dir(dir) == "/" {
			break
		}
	}
	return f.may(info)
}

// may reports whether the present user has the execute bit.
func (f *follower) may(info fs.FileInfo) facts.Tri {
	mode := info.Mode().Perm()
	if mode&0o111 == 0o111 {
		return facts.Yes
	}
	o, ok := info.(owner)
	if !ok {
		o, ok = info.Sys().(owner)
	}
	ids, resolved := f.ids()
	if !ok || !resolved {
		return facts.Unknown
	}
	uid, gid := o.Owner()
	switch {
	case uid == ids.uid:
		return truth(mode&0o100 != 0)
	case slices.Contains(ids.gids, gid):
		return truth(mode&0o010 != 0)
	}
	return truth(mode&0o001 != 0)
}

func (f *follower) isRoot() bool {
	name, _, _ := strings.Cut(f.user, ":")
	return name == "" || name == "0" || name == "root"
}

type userIDs struct {
	uid  int
	gids []int
}

// uid resolves the present user.
func (f *follower) uid() (int, bool) {
	if f.isRoot() {
		return 0, true
	}
	name, _, _ := strings.Cut(f.user, ":")
	if id, err := strconv.Atoi(name); err == nil {
		return id, true
	}
	ids, ok := f.ids()
	return ids.uid, ok
}

// ids resolves USER with the image's passwd and group files.
func (f *follower) ids() (userIDs, bool) {
	user, group, hasGroup := strings.Cut(f.user, ":")
	var ids userIDs
	entry, found := f.entry("/etc/passwd", user, 2)
	id, err := strconv.Atoi(user)
	switch {
	case found == facts.Yes && len(entry) > 3:
		ids.uid, _ = strconv.Atoi(entry[2])
		user = entry[0]
		if gid, err := strconv.Atoi(entry[3]); err == nil && !hasGroup {
			ids.gids = append(ids.gids, gid)
		}
	case err == nil && found == facts.No:
		ids.uid = id
		if !hasGroup {
			ids.gids = append(ids.gids, 0)
		}
	default:
		return ids, false
	}
	if hasGroup {
		gid, ok := f.group(group)
		ids.gids = append(ids.gids, gid)
		return ids, ok
	}
	text, err := f.read("/etc/group")
	if err != nil {
		return ids, false
	}
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) == 4 && slices.Contains(strings.Split(fields[3], ","), user) {
			gid, _ := strconv.Atoi(fields[2])
			ids.gids = append(ids.gids, gid)
		}
	}
	return ids, true
}

func (f *follower) group(name string) (int, bool) {
	if gid, err := strconv.Atoi(name); err == nil {
		return gid, true
	}
	entry, found := f.entry("/etc/group", name, 2)
	if found != facts.Yes {
		return 0, false
	}
	gid, err := strconv.Atoi(entry[2])
	return gid, err == nil
}

// entry finds the line of passwd or group by name or number.
func (f *follower) entry(file, key string, number int) ([]string, facts.Tri) {
	text, err := f.read(file)
	if err != nil {
		return nil, facts.Unknown
	}
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) > number && (fields[0] == key || fields[number] == key) {
			return fields, facts.Yes
		}
	}
	return nil, facts.No
}
