package servers

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// maxLinks bounds the links that are followed to find out what a program is.
const maxLinks = 5

// applets are the names that busybox shares with programs of the catalogue
// that behave differently. Others are not worth a look at the file.
var applets = map[string]bool{"httpd": true, "crond": true, "syslogd": true, "telnetd": true, "ftpd": true, "tcpsvd": true}

// isApplet tells whether a program is busybox under another name, whose
// options are not those of the program it stands for: busybox's httpd is not
// Apache. Alpine makes symbolic links, the busybox image hard links, which
// show as files of the same size.
func isApplet(files fs.FS, program facts.Program) facts.Tri {
	if files == nil || program.Path == "" {
		return facts.Unknown
	}
	name := strings.TrimPrefix(path.Clean(program.Path), "/")
	for range maxLinks {
		target, err := fs.ReadLink(files, name)
		if err != nil {
			break
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		name = strings.TrimPrefix(path.Clean(target), "/")
	}
	if path.Base(name) == "busybox" {
		return facts.Yes
	}
	info, err := fs.Stat(files, name)
	if err != nil {
		return facts.Unknown
	}
	busybox, err := fs.Stat(files, "bin/busybox")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return facts.No
	case err != nil:
		return facts.Unknown
	case busybox.Size() == info.Size():
		return facts.Yes
	}
	return facts.No
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// onPath finds a program where a shell does; its Path is "" when that is not known.
func (run *invocation) onPath(base string) (p facts.Program) {
	if run.files == nil || strings.Contains(run.command.Name(), "/") {
		return facts.Program{Path: strings.TrimSuffix(run.command.Name(), base) + base}
	}
	for dir := range strings.SplitSeq(orElse(run.env["PATH"], defaultPath), ":") {
		file := path.Join("/", dir, base)
		_, err := fs.Stat(run.files, strings.TrimPrefix(file, "/"))
		if err == nil {
			return facts.Program{Path: file}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return facts.Program{}
}

// disguised names the program of an invocation that may be busybox's.
func (run *invocation) disguised(base string) {
	program := run.launch.Final
	if path.Base(program.Path) != base {
		program = run.onPath(base) // of another command of this launch
	}
	switch isApplet(run.files, program) {
	case facts.Yes:
		run.names = []programName{{"busybox " + base, 1}}
	case facts.Unknown:
		run.names, run.program = nil, base+", which may be busybox's,"
	}
}
