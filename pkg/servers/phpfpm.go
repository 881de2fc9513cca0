package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

var (
	fpmListen    = regexp.MustCompile(`(?m)^[ \t]*listen[ \t]*=[ \t]*(\S+)`)
	fpmInclude   = regexp.MustCompile(`(?m)^[ \t]*include[ \t]*=[ \t]*(\S+)`)
	fpmDaemonize = regexp.MustCompile(`(?m)^[ \t]*daemonize[ \t]*=[ \t]*(\S+)`)
	fpmVersion   = regexp.MustCompile(`^php-fpm(\d+\.\d+)$`) // Debian's
	fpmAlpine    = regexp.MustCompile(`^php-fpm(\d{1,2})$`)
)

// phpFPM reads the pools. Pool files are read in order; the last listen of the
// same pool counts, as in the official image's zz-docker.conf.
func phpFPM(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	main, pools := "/usr/local/etc/php-fpm.conf", "/usr/local/etc/php-fpm.d"
	if m := fpmVersion.FindStringSubmatch(run.program); m != nil {
		main, pools = "/etc/php/"+m[1]+"/fpm/php-fpm.conf", "/etc/php/"+m[1]+"/fpm/pool.d"
	}
	if m := fpmAlpine.FindStringSubmatch(run.program); m != nil {
		main, pools = "/etc/php"+m[1]+"/php-fpm.conf", "/etc/php"+m[1]+"/php-fpm.d"
	}
	if o := run.option([]string{"-y", "--fpm-config"}); o != nil {
		main, pools = run.absolute(o.value), ""
	}
	text, err := run.read(main)
	if err != nil {
		run.unknown("%s may decide and was not read: %v", main, err)
		run.fpmDaemon("")
		return
	}
	head := text
	files, err := run.fpmPools(text, pools)
	if err != nil {
		run.unknown("%s may decide and was not read: %v", pools, err)
	}
	for _, f := range files {
		text += "\n" + f.text
	}
	run.fpmDaemon(text)
	if err == nil {
		run.fpmListen(append([]fpmPool{{main, head}}, files...))
	}
}

type fpmPool struct{ file, text string }

// fpmPools reads what the main file includes, or the directory that is included
// as a matter of course where the main file's include is relative.
func (run *invocation) fpmPools(main, dir string) (pools []fpmPool, err error) {
	included := fpmInclude.FindAllStringSubmatch(main, -1)
	if dir == "" {
		for _, m := range included {
			if !strings.HasPrefix(m[1], "/") {
				return nil, fmt.Errorf("the included %s is relative", m[1])
			}
			files, err := run.glob(m[1])
			if err != nil {
				return nil, err
			}
			for _, file := range files {
				text, err := run.read(file)
				if err != nil {
					return nil, err
				}
				pools = append(pools, fpmPool{file, text})
			}
		}
		return pools, nil
	}
	entries, err := run.list(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".conf") {
			continue
		}
		text, err := run.read(dir + "/" + e.Name())
		if err != nil {
			return nil, err
		}
		pools = append(pools, fpmPool{dir + "/" + e.Name(), text})
	}
	return pools, nil
}

// fpmDaemon: -F and -D beat the file.
func (run *invocation) fpmDaemon(text string) {
	if run.p.DaemonWhy != "" && run.p.Daemonizes != facts.Unknown && !strings.HasSuffix(run.p.DaemonWhy, "default") {
		return
	}
	m := fpmDaemonize.FindAllStringSubmatch(text, -1)
	switch {
	case text == "":
		run.p.Daemonizes, run.p.DaemonWhy = facts.Unknown, "the configuration decides and was not read"
	case len(m) == 0:
		run.p.Daemonizes, run.p.DaemonWhy = facts.Yes, "php-fpm's default"
	default:
		value := strings.ToLower(m[len(m)-1][1])
		run.p.Daemonizes, run.p.DaemonWhy = truth(value == "yes" || value == "1" || value == "on" || value == "true"), "daemonize = "+value
	}
}

func (run *invocation) fpmListen(files []fpmPool) {
	found := map[string]facts.Listen{}
	var order []string
	for _, f := range files {
		pool := "global"
		for i, line := range strings.Split(f.text, "\n") {
			trimmed := strings.TrimSpace(line)
			if strings.HasPrefix(trimmed, "[") {
				pool = strings.Trim(trimmed, "[]")
			}
			m := fpmListen.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if _, ok := found[pool]; !ok {
				order = append(order, pool)
			}
			found[pool] = fpmAddress(m[1], fmt.Sprintf("%s:%d", f.file, i+1))
		}
	}
	run.p.Complete = len(order) > 0 && run.p.Why == ""
	for _, pool := range order {
		l := found[pool]
		if l.Network == "" {
			run.unknown("imglint cannot read the address at %s", l.HostFrom)
			continue
		}
		run.p.Listens = append(run.p.Listens, l)
	}
}

// fpmAddress: a number is [::]:N, dual stack; a path is a unix socket.
func fpmAddress(text, from string) facts.Listen {
	l := facts.Listen{Network: "tcp", Protocol: "fastcgi", HostFrom: from, PortFrom: from}
	if strings.HasPrefix(text, "/") {
		l.Network, l.Path, l.PortFrom = "unix", text, ""
		return l
	}
	host, number, ok := cutPort(text)
	if !ok {
		host, number = "::", text
	}
	port, err := portNumber(number)
	if err != nil {
		return facts.Listen{HostFrom: from}
	}
	l.Host, l.Port, l.Scope = host, port, scope(host, false)
	return l
}
