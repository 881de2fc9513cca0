package servers

import (
	"errors"
	"io/fs"
	"path"
)

// mysqld takes the network away where it is switched off, and knows that MySQL
// 8 opens a second port, unlike MariaDB.
func mysqld(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	bare := run.option([]string{"--no-defaults"}) != nil
	if bare { // no file is read
		run.p.Listens, run.p.Complete, run.p.Why = nil, run.strange == "", ""
		run.hostPortOf(withoutConf(*run.server.Host), withoutConf(*run.server.Port))
	}
	off := run.option([]string{"--skip-networking", "--skip_networking"}) != nil
	if c := *run.server.Host.Conf; !off && !bare {
		c.Pattern = `^skip[-_]networking([ \t]*=[ \t]*(1|on|true))?$`
		values := run.configured(&c)
		off = len(values) > 0 && values[0].err == nil
	}
	if off {
		run.p.Listens = nil
		return
	}
	for _, file := range []string{"usr/sbin/mariadbd", "usr/local/bin/mariadbd", "usr/local/mysql/bin/mariadbd"} {
		if run.files == nil {
			break
		}
		if _, err := fs.Stat(run.files, file); err == nil {
			return
		} else if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if base := path.Base(run.command.Name()); base == "mysqld" || base == "mysqld_safe" {
		run.unknown("MySQL's X plugin opens a port of its own")
	}
}
